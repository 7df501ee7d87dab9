//! The service: each call reads the state or submits one command.

use super::{accepted, add, check, explain, interventions, invalid, refused, result, stopped, table, view, watch};
use crate::engine::Handle;
use crate::gateway::View;
use crate::lab::Keeper;
use crate::planning;
use crate::projections::doubted;
use eutectic_core::{
    Campaign, CampaignName, Command, ExperimentNumber, InstrumentId, Phase, Rejection, Reply, Request, RequestId,
    Ticket, Workcell,
};
use eutectic_proto::control::v1 as wire;
use eutectic_proto::control::v1::control_service_server::{ControlService, ControlServiceServer};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::BoxStream;
use tonic::{Response, Status};

/// How long whoever records the last result, or asks for it, waits for the answer of a campaign that stops.
const ANSWER_PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
/// The longest name of a request.
const MAX_REQUEST_ID: usize = 128;

/// What the service needs.
pub struct Options {
    /// The engine.
    pub engine: Handle,
    /// The lab.
    pub keeper: Arc<Keeper>,
    /// The data folder, to show.
    pub data: PathBuf,
}

/// The control service.
pub struct ControlServer {
    engine: Handle,
    keeper: Arc<Keeper>,
    data: PathBuf,
}

type Answer<T> = Result<Response<T>, Status>;

impl ControlServer {
    /// The service, ready to be served.
    #[must_use]
    pub fn service(options: Options) -> ControlServiceServer<Self> {
        let Options { engine, keeper, data } = options;
        ControlServiceServer::new(Self { engine, keeper, data })
    }

    async fn submit(&self, id: &str, command: Command) -> Result<Reply, Status> {
        if id.is_empty() || id.len() > MAX_REQUEST_ID {
            return Err(invalid("the request has no proper request_id", "make a new UUID for every request"));
        }
        accepted(self.engine.submit(Request { id: Some(RequestId::new(id)), command }).await)
    }

    /// Looks at a campaign; an empty name means the only one.
    async fn look<T: Send + 'static>(
        &self,
        name: &str,
        look: impl FnOnce(&Workcell, &Campaign) -> T + Send + 'static,
    ) -> Result<T, Status> {
        let name = name.to_owned();
        let found = self.engine.read(move |workcell| pick(workcell, &name).map(|it| look(workcell, it)));
        found.await.map_err(|error| stopped(&error))?.map_err(|rejection| refused(&rejection))
    }

    async fn name(&self, name: &str) -> Result<CampaignName, Status> {
        self.look(name, |_, campaign| campaign.spec.name.clone()).await
    }

    async fn change(
        &self,
        request: wire::ChangeCampaignRequest,
        command: fn(CampaignName, String) -> Command,
    ) -> Answer<wire::Campaign> {
        let campaign = self.name(&request.campaign).await?;
        let by = named(request.by);
        self.submit(&request.request_id, command(campaign.clone(), by)).await?;
        self.answered(campaign.as_str()).await?;
        Ok(Response::new(self.look(campaign.as_str(), view::campaign).await?))
    }

    async fn listed(&self, campaign: &CampaignName, numbers: Vec<ExperimentNumber>) -> Answer<wire::ExperimentList> {
        let list = self.look(campaign.as_str(), move |workcell, campaign| wire::ExperimentList {
            experiments: numbers
                .iter()
                .filter_map(|number| campaign.experiment(*number))
                .map(|experiment| view::experiment(campaign, experiment))
                .collect(),
            campaign: Some(view::campaign(workcell, campaign)),
        });
        Ok(Response::new(list.await?))
    }

    /// Waits for the answer of a campaign by hand that stops: nobody else may stay for as long as its planner takes.
    async fn answered(&self, campaign: &str) -> Result<(), Status> {
        let mut seq = self.engine.seq();
        let wait = async {
            loop {
                seq.borrow_and_update();
                let owed = |_: &Workcell, campaign: &Campaign| {
                    let stops = matches!(campaign.phase, Phase::Stopping(_) | Phase::Aborting { .. });
                    stops && campaign.spec.by_hand() && campaign.plan.is_some()
                };
                // Where nobody owns the folder, nobody answers.
                if !self.look(campaign, owed).await? || !self.engine.owns() {
                    return Ok(());
                }
                // Whoever owns the folder next is asked again.
                seq.changed().await.map_err(|_| stopped(&crate::engine::EngineError::Stopped))?;
            }
        };
        // Beyond that, what is known so far is better than nothing.
        tokio::time::timeout(ANSWER_PATIENCE, wait).await.unwrap_or(Ok(()))
    }

    /// Waits until the plan has been answered; gives the experiments that it added.
    async fn planned(&self, campaign: &CampaignName, ticket: Ticket) -> Result<Vec<ExperimentNumber>, Status> {
        let mut seq = self.engine.seq();
        loop {
            seq.borrow_and_update();
            let state = self.look(campaign.as_str(), move |_, campaign| {
                let open = campaign.plan.as_ref().is_some_and(|plan| plan.ticket == ticket);
                let proposed = eutectic_core::model::Origin::Proposed(ticket);
                let added = campaign.experiments.iter().filter(|it| it.origin == proposed).map(|it| it.number);
                (open, added.collect::<Vec<_>>(), view::summary(campaign).phase_reason)
            });
            let (open, added, reason) = state.await?;
            if !added.is_empty() {
                return Ok(added);
            }
            if !open {
                return Err(Status::failed_precondition(format!("the planner gave no points: {reason}")));
            }
            if seq.changed().await.is_err() {
                return Err(stopped(&crate::engine::EngineError::Stopped));
            }
        }
    }
}

fn named(by: String) -> String {
    if by.is_empty() { "a person".to_owned() } else { by }
}

fn pick<'a>(workcell: &'a Workcell, name: &str) -> Result<&'a Campaign, Rejection> {
    let names = || workcell.campaigns.keys().map(CampaignName::as_str).collect::<Vec<_>>().join(", ");
    if !name.is_empty() {
        return workcell.campaigns.get(&CampaignName::new(name)).ok_or_else(|| {
            let known = names();
            let hint = if known.is_empty() { "there is none yet".into() } else { format!("there are {known}") };
            Rejection::new(format!("there is no campaign '{name}' here"), hint)
        });
    }
    let mut campaigns = workcell.campaigns.values();
    match (campaigns.next(), campaigns.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Rejection::new(
            "there is no campaign in this data folder",
            "`eutectic run FILE` starts one; `--data DIR` chooses another folder",
        )),
        (Some(_), Some(_)) => Err(Rejection::new("there are several campaigns", format!("name one of {}", names()))),
    }
}

#[tonic::async_trait]
impl ControlService for ControlServer {
    async fn get_workcell(&self, _: tonic::Request<wire::GetWorkcellRequest>) -> Answer<wire::Workcell> {
        let View { progress, instruments: fleet } = self.keeper.view();
        let data = self.data.display().to_string();
        let seq = *self.engine.seq().borrow();
        let deliveries = self.keeper.deliveries();
        let shown = self.engine.read(move |workcell| wire::Workcell {
            id: workcell.id.clone(),
            epoch: workcell.epoch,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            data_folder: data,
            instruments: view::instruments(workcell, &fleet),
            campaigns: workcell.campaigns.values().map(view::summary).collect(),
            operations: view::operations(workcell, &progress, None),
            log_seq: seq,
            suspended: workcell.suspended.values().map(|(reason, _)| reason.clone()).collect(),
            doubt: workcell.doubt.as_ref().map(doubted).unwrap_or_default(),
            interventions: interventions::list(workcell, false),
            pages: interventions::pages(workcell, &deliveries),
        });
        Ok(Response::new(shown.await.map_err(|error| stopped(&error))?))
    }

    async fn check_campaign(
        &self,
        request: tonic::Request<wire::CheckCampaignRequest>,
    ) -> Answer<wire::CheckCampaignResponse> {
        Ok(Response::new(check::check(&self.keeper, request.into_inner()).await))
    }

    async fn add_campaign(
        &self,
        request: tonic::Request<wire::AddCampaignRequest>,
    ) -> Answer<wire::AddCampaignResponse> {
        Ok(Response::new(add::add(&self.engine, &self.keeper, request.into_inner()).await?))
    }

    async fn get_campaign(&self, request: tonic::Request<wire::GetCampaignRequest>) -> Answer<wire::Campaign> {
        let name = request.into_inner().campaign;
        let whole = self.look(&name, |workcell, campaign| {
            let experiments = campaign.experiments.iter().map(|it| view::experiment(campaign, it)).collect();
            wire::Campaign { experiments, ..view::campaign(workcell, campaign) }
        });
        Ok(Response::new(whole.await?))
    }

    async fn pause_campaign(&self, request: tonic::Request<wire::ChangeCampaignRequest>) -> Answer<wire::Campaign> {
        self.change(request.into_inner(), |campaign, by| Command::PauseCampaign { campaign, by }).await
    }

    async fn resume_campaign(&self, request: tonic::Request<wire::ChangeCampaignRequest>) -> Answer<wire::Campaign> {
        self.change(request.into_inner(), |campaign, by| Command::ResumeCampaign { campaign, by }).await
    }

    async fn stop_campaign(&self, request: tonic::Request<wire::ChangeCampaignRequest>) -> Answer<wire::Campaign> {
        self.change(request.into_inner(), |campaign, by| Command::StopCampaign { campaign, by }).await
    }

    async fn abort_campaign(&self, request: tonic::Request<wire::ChangeCampaignRequest>) -> Answer<wire::Campaign> {
        self.change(request.into_inner(), |campaign, by| Command::AbortCampaign { campaign, by }).await
    }

    async fn suggest_experiments(
        &self,
        request: tonic::Request<wire::SuggestExperimentsRequest>,
    ) -> Answer<wire::ExperimentList> {
        let request = request.into_inner();
        let campaign = self.name(&request.campaign).await?;
        let command = Command::SuggestExperiments { campaign: campaign.clone(), count: request.count };
        let reply = self.submit(&request.request_id, command).await?;
        let ticket = reply.ticket.ok_or_else(|| Status::internal("the request asked for no plan"))?;
        let added = self.planned(&campaign, ticket).await?;
        self.listed(&campaign, added).await
    }

    async fn record_observations(&self, request: tonic::Request<wire::TableRequest>) -> Answer<wire::ExperimentList> {
        let request = request.into_inner();
        let spec = self.look(&request.campaign, |_, campaign| campaign.spec.clone()).await?;
        let rows = table::results(&spec, &request)?;
        let named: Vec<_> = rows.iter().filter_map(|row| row.experiment).collect();
        let command = Command::RecordObservations { campaign: spec.name.clone(), rows };
        let reply = self.submit(&request.request_id, command).await?;
        self.answered(spec.name.as_str()).await?;
        self.listed(&spec.name, named.into_iter().chain(reply.experiments).collect()).await
    }

    async fn enqueue_experiments(&self, request: tonic::Request<wire::TableRequest>) -> Answer<wire::ExperimentList> {
        let request = request.into_inner();
        let spec = self.look(&request.campaign, |_, campaign| campaign.spec.clone()).await?;
        let settings = table::settings(&spec, &request)?;
        let command = Command::EnqueueExperiments { campaign: spec.name.clone(), settings };
        let reply = self.submit(&request.request_id, command).await?;
        self.listed(&spec.name, reply.experiments).await
    }

    async fn get_result(&self, request: tonic::Request<wire::GetCampaignRequest>) -> Answer<wire::Result> {
        let name = request.into_inner().campaign;
        self.answered(&name).await?;
        let found = self.look(&name, result::found).await?;
        Ok(Response::new(result::with_truth(found, &self.keeper).await))
    }

    async fn explain_campaign(&self, request: tonic::Request<wire::GetCampaignRequest>) -> Answer<wire::Explanation> {
        let gather =
            |_: &Workcell, campaign: &Campaign| (campaign.spec.clone(), planning::prepare_explanation(campaign));
        let (spec, input) = self.look(&request.into_inner().campaign, gather).await?;
        let explained = tokio::task::spawn_blocking(move || planning::explain(&input)).await;
        let explained = explained.map_err(|error| Status::internal(format!("the planner broke down: {error}")))?;
        let explained = explained.map_err(|error| Status::failed_precondition(error.to_string()))?;
        Ok(Response::new(explain::explanation(&spec, &explained)))
    }

    async fn read_log(&self, request: tonic::Request<wire::ReadLogRequest>) -> Answer<BoxStream<wire::LogEntry>> {
        let (sender, entries) = mpsc::channel(watch::UPDATES_LIMIT);
        tokio::spawn(watch::log(self.engine.clone(), request.into_inner(), sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(entries))))
    }

    async fn watch_campaign(
        &self,
        request: tonic::Request<wire::GetCampaignRequest>,
    ) -> Answer<BoxStream<wire::CampaignUpdate>> {
        let name = self.name(&request.into_inner().campaign).await?;
        let (sender, updates) = mpsc::channel(watch::UPDATES_LIMIT);
        tokio::spawn(watch::campaign(self.engine.clone(), Arc::clone(&self.keeper), name, sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(updates))))
    }

    async fn halt_instruments(
        &self,
        request: tonic::Request<wire::HaltInstrumentsRequest>,
    ) -> Answer<wire::HaltInstrumentsResponse> {
        let request = request.into_inner();
        let wanted: Vec<_> = request.instruments.iter().map(|name| InstrumentId::new(name.as_str())).collect();
        let halted = self.keeper.halt(&wanted, &request.reason).await.map_err(|words| invalid(words, ""))?;
        let shown = halted.into_iter().map(|(instrument, halted)| wire::halt_instruments_response::Halted {
            instrument: instrument.to_string(),
            halted: halted.is_ok(),
            message: halted.unwrap_or_else(|words| words),
        });
        Ok(Response::new(wire::HaltInstrumentsResponse { instruments: shown.collect() }))
    }

    async fn adopt_journal(&self, request: tonic::Request<wire::AdoptJournalRequest>) -> Answer<wire::Workcell> {
        let request = request.into_inner();
        let by = named(request.by);
        self.submit(&request.request_id, Command::AdoptJournal { by }).await?;
        self.get_workcell(tonic::Request::new(wire::GetWorkcellRequest {})).await
    }

    async fn list_interventions(
        &self,
        request: tonic::Request<wire::ListInterventionsRequest>,
    ) -> Answer<wire::InterventionList> {
        let all = request.into_inner().all;
        let list = self.engine.read(move |workcell| interventions::list(workcell, all)).await;
        Ok(Response::new(wire::InterventionList { interventions: list.map_err(|error| stopped(&error))? }))
    }

    async fn resolve_intervention(
        &self,
        request: tonic::Request<wire::ResolveInterventionRequest>,
    ) -> Answer<wire::Intervention> {
        let wire::ResolveInterventionRequest { request_id, number, revision, decision, by } = request.into_inner();
        let decision = interventions::decision(&decision)?;
        let command = Command::ResolveIntervention { intervention: number, revision, decision, by: named(by) };
        self.submit(&request_id, command).await?;
        let shown = self.engine.read(move |workcell| interventions::one(workcell, number)).await;
        Ok(Response::new(shown.map_err(|error| stopped(&error))?.unwrap_or_default()))
    }

    async fn acknowledge_pages(
        &self,
        request: tonic::Request<wire::AcknowledgePagesRequest>,
    ) -> Answer<wire::Workcell> {
        let wire::AcknowledgePagesRequest { request_id, ids, by } = request.into_inner();
        let open = self.engine.read(crate::projections::pages).await.map_err(|error| stopped(&error))?;
        let pages = interventions::chosen(&open, ids)?;
        self.submit(&request_id, Command::AcknowledgePages { pages, by: named(by) }).await?;
        self.get_workcell(tonic::Request::new(wire::GetWorkcellRequest {})).await
    }

    async fn release_instrument(
        &self,
        request: tonic::Request<wire::ReleaseInstrumentRequest>,
    ) -> Answer<wire::Workcell> {
        let request = request.into_inner();
        let by = named(request.by);
        let instrument = InstrumentId::new(request.instrument);
        // A halt is the driver's own, a quarantine ours: a person who has looked means both.
        let wanted = instrument.clone();
        let quarantined =
            move |workcell: &Workcell| workcell.instruments.get(&wanted).is_some_and(|it| it.quarantined.is_some());
        let quarantined = self.engine.read(quarantined).await.map_err(|error| stopped(&error))?;
        let halted = self.keeper.clear_halt(&instrument, &by).await;
        if quarantined || halted == Ok(false) {
            self.submit(&request.request_id, Command::ReleaseInstrument { instrument, by }).await?;
        }
        halted.map_err(|words| invalid(words, "the driver has to answer before its instrument can go on"))?;
        self.get_workcell(tonic::Request::new(wire::GetWorkcellRequest {})).await
    }
}
