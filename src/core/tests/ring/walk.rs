//! Five hundred random walks: people, drivers, planners and clocks say whatever they may say, in any order.

use crate::support::{description, outputs, setting, spec};
use eutectic_core::model::{
    Decision, GainVerdict, Observation, Policy, Proposal, RemainingGain, SampleEffect, Why, WhyKind,
};
use eutectic_core::{
    Command, Effect, EffectKey, Ended, Event, Fault, FaultCategory, Intervention, PlanAnswer, Purpose, Recorded,
    RecordedRow, Report, Request, RequestId, RowResult, Standing, Time, Workcell, evolve, handle,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};

const WALKS: u64 = 500;
const STEPS: usize = 150;

struct Walk {
    source: ChaCha8Rng,
    workcell: Workcell,
    log: Vec<Recorded>,
    now: i64,
    dispatched: BTreeSet<String>,
    ended: BTreeSet<String>,
    requests: u64,
}

impl Walk {
    fn below(&mut self, bound: usize) -> usize {
        (self.source.next_u64() % bound.max(1) as u64) as usize
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        let place = self.below(of.len());
        of.get(place).cloned()
    }

    /// Something that somebody might say.
    fn command(&mut self) -> (Option<RequestId>, Command) {
        let instrument = ["maker", "reader"][self.below(2)].into();
        let campaign = ["one", "two", "nobody"][self.below(20) / 9].into();
        let by = "ada".to_owned();
        let command = match self.below(30) {
            0 => Command::TakeEpoch { owner: "again".into(), workcell: "w".into() },
            1 => {
                let policy = (self.below(2) == 0).then(|| Policy {
                    recover: ["maker.make".to_owned(), "nobody.can".to_owned()][..1 + self.below(8) / 7].to_vec(),
                    at_most: 1 + self.below(3) as u32,
                    wait_ms: self.below(2) as i64 * 60_000,
                });
                Command::SetLab { instruments: [("maker".into(), policy), ("reader".into(), None)].into() }
            }
            2 | 3 => {
                let capability = ["maker.make", "reader.read"][self.below(2)];
                let description = description(capability, 1 + self.below(2) as u32);
                let instrument = if capability == "maker.make" { "maker".into() } else { "reader".into() };
                Command::DescribeInstrument { instrument, description }
            }
            4..=7 => {
                let epoch = self.workcell.epoch - u64::from(self.below(6) == 0 && self.workcell.epoch > 0);
                let journal_id = format!("journal {}", self.below(8) / 7);
                Command::TakeLease { instrument, epoch, journal_id, token: self.below(3) as i64 + 1 }
            }
            8 if self.below(4) == 0 => Command::ReleaseInstrument { instrument, by },
            8 => self.resolve().unwrap_or(Command::Tick),
            9 | 10 => {
                let name = ["one", "two"][self.below(2)];
                let mut spec = spec(name, 1 + self.below(12) as u32, 1 + self.below(3) as u32);
                if self.below(2) == 0 {
                    spec.experiments.push(setting(0.5));
                }
                spec.stop.patience = (self.below(3) == 0).then_some(4);
                Command::AddCampaign { spec: Box::new(spec), digest: "d".into(), source: "s".into(), seed: 7 }
            }
            11 => Command::PauseCampaign { campaign, by },
            12 | 13 => Command::ResumeCampaign { campaign, by },
            14 if self.below(4) == 0 => Command::StopCampaign { campaign, by },
            15 if self.below(6) == 0 => Command::AbortCampaign { campaign, by },
            16 => Command::EnqueueExperiments { campaign, settings: vec![setting(self.below(3) as f64 / 2.0)] },
            17 => Command::SuggestExperiments { campaign, count: self.below(3) as u32 },
            18 => {
                let result = RowResult::Observed(Observation::default());
                let row = RecordedRow { experiment: Some(1), setting: None, result };
                Command::RecordObservations { campaign, rows: vec![row] }
            }
            19..=22 => self.plan().unwrap_or(Command::Tick),
            _ => self.report().unwrap_or(Command::Tick),
        };
        let id = (self.below(3) > 0).then(|| {
            // Now and then somebody repeats an earlier request.
            self.requests += u64::from(self.below(5) > 0);
            RequestId::new(format!("request {}", self.requests))
        });
        (id, command)
    }

    fn resolve(&mut self) -> Option<Command> {
        let known: Vec<_> = self.workcell.interventions.values().map(|it| (it.number, it.revision)).collect();
        let (intervention, revision) = *known.iter().rev().nth(self.below(2))?;
        let decision = [Decision::Discard, Decision::Repeat, Decision::Repeat, Decision::Accept][self.below(4)];
        let revision = revision + u32::from(self.below(10) == 0);
        Some(Command::ResolveIntervention { intervention, revision, decision, by: "ada".into() })
    }

    fn plan(&mut self) -> Option<Command> {
        let orders = self.workcell.owed().values().filter_map(|effect| match effect {
            Effect::Plan(order) => Some((**order).clone()),
            Effect::Hold { .. } | Effect::Attend(_) => None,
        });
        let orders: Vec<_> = orders.collect();
        let order = self.one(&orders)?;
        let (campaign, ticket) = (order.campaign, order.ticket + u64::from(self.below(10) == 0));
        if self.below(12) == 0 {
            return Some(Command::FailPlan { campaign, ticket, message: "no".into() });
        }
        let answer = match order.purpose {
            Purpose::Answer => PlanAnswer::Answer(None),
            Purpose::Propose { count } => {
                let why = Why {
                    kind: WhyKind::Improve,
                    text: "why".into(),
                    predicted: BTreeMap::new(),
                    p_feasible: None,
                    from_mean: None,
                    nearest: None,
                };
                let proposal = Proposal { setting: setting(self.below(100) as f64 / 100.0), why };
                let proposals = vec![proposal; count as usize];
                if self.below(40) == 0 {
                    return Some(Command::AddProposals { campaign, ticket, answer: PlanAnswer::Enough(enough()) });
                }
                PlanAnswer::Proposals { proposals, memo: "{}".into(), planner: "p".into(), took_ms: 1, gain: None }
            }
        };
        Some(Command::AddProposals { campaign, ticket, answer })
    }

    fn report(&mut self) -> Option<Command> {
        // Now and then a driver says too late what became of one.
        let too_late = self.below(12) == 0;
        let given_up = self.workcell.interventions.values().filter_map(|it| it.operation.as_ref());
        let open: Vec<_> = match too_late {
            true => given_up.map(|it| it.dispatch.clone()).collect(),
            false => self.workcell.operations.values().map(|it| it.dispatch.clone()).collect(),
        };
        let dispatch = self.one(&open)?;
        let (operation, step) = (dispatch.operation, dispatch.step.to_string());
        let person = self.below(4) == 0;
        let fault = |category, retry| Fault { reason: "R".into(), message: "m".into(), category, retry, person };
        let sample = [SampleEffect::None, SampleEffect::Modified, SampleEffect::Unknown][self.below(3)];
        let ended = match self.below(24) {
            0 => Ended::Failed { fault: fault(FaultCategory::Equipment, true), sample },
            1 => Ended::Failed { fault: fault(FaultCategory::Process, false), sample },
            2 => Ended::Failed { fault: fault(FaultCategory::Measurement, false), sample },
            3 => Ended::Aborted { sample },
            4 => Ended::Interrupted,
            5 => Ended::Unknown { reason: "forgotten".into() },
            6..=9 => return Some(Command::ReportOperation { operation, report: Report::Started }),
            10 => Ended::Succeeded { outputs: BTreeMap::new() },
            _ => Ended::Succeeded { outputs: outputs(&step, self.below(100) as f64) },
        };
        Some(Command::ReportOperation { operation, report: Report::Ended(ended) })
    }

    fn step(&mut self) {
        let (id, command) = self.command();
        // Clocks go back sometimes.
        self.now += self.below(40_000) as i64 - 2_000;
        let verdict = handle(&mut self.workcell, Time(self.now), Request { id: id.clone(), command: command.clone() });
        if verdict.reply.rejection.is_some() {
            // What else stands there follows from the time that has passed.
            let refused = |it: &&Recorded| it.request.is_some() && !matches!(it.event, Event::RequestRejected { .. });
            assert_eq!(verdict.events.iter().find(refused), None, "a rejection changed something");
        }
        for event in &verdict.events {
            self.event(event);
        }
        self.invariants();
        if id.is_some() {
            let before = self.workcell.clone();
            let again = handle(&mut self.workcell, Time(self.now), Request { id, command });
            assert_eq!((again.reply, again.events.len()), (verdict.reply, 0), "a repeated request is answered alike");
            assert_eq!(self.workcell, before);
        }
        self.log.extend(verdict.events);
    }

    fn event(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::OperationDispatched(dispatch) => {
                assert!(
                    self.dispatched.insert(dispatch.operation.to_string()),
                    "{} is dispatched twice",
                    dispatch.operation
                );
                assert_eq!(dispatch.epoch, self.workcell.epoch, "dispatched under another epoch");
            }
            Event::OperationEnded { operation, .. } => {
                assert!(self.dispatched.contains(operation.as_str()), "{operation} was never dispatched");
                assert!(self.ended.insert(operation.to_string()), "{operation} ended twice");
            }
            _ => {}
        }
    }

    fn invariants(&self) {
        for (name, instrument) in &self.workcell.instruments {
            let most = instrument.description.as_ref().map_or(usize::MAX, |it| it.max_concurrency as usize);
            // A description may shrink while two run; nothing new begins then.
            assert!(instrument.running.len() <= most.max(3), "{name} does {:?}", instrument.running);
            let about = self.workcell.interventions.values().filter(|it| it.instrument == *name);
            let open = about.filter(|it| self.workcell.standing(it) != Standing::Resolved).count();
            assert_eq!(instrument.quarantined.is_some(), open > 0, "{name}: {open} questions");
        }
        for campaign in self.workcell.campaigns.values() {
            assert!(campaign.live.len() <= campaign.spec.budget.in_flight as usize);
            if campaign.ended() {
                assert!(campaign.live.is_empty() && campaign.waiting.is_empty() && campaign.plan.is_none());
            }
        }
        let attended = |key: &EffectKey| match key {
            EffectKey::Attend(operation) => {
                let asked = |it: &Intervention| {
                    it.asked && it.operation.as_ref().is_some_and(|it| it.dispatch.operation == *operation)
                };
                self.workcell.operations.contains_key(operation) || self.workcell.open_interventions().any(asked)
            }
            EffectKey::Hold(instrument) => self.workcell.instruments.contains_key(instrument),
            EffectKey::Plan(campaign, ticket) => {
                self.workcell.campaigns[campaign].plan.as_ref().is_some_and(|plan| plan.ticket == *ticket)
            }
        };
        assert!(self.workcell.owed().keys().all(attended));
        let open =
            self.workcell.operations.keys().all(|id| self.workcell.owed().contains_key(&EffectKey::Attend(id.clone())));
        assert!(open, "an open operation that nobody is owed");
    }
}

#[test]
fn whatever_is_said_the_state_stays_sound_and_the_log_rebuilds_it() {
    let (mut operations, mut observed, mut quarantined, mut ended) = (0, 0, 0, 0);
    let mut rare = BTreeMap::new();
    for seed in 0..WALKS {
        let mut walk = Walk {
            source: ChaCha8Rng::seed_from_u64(seed),
            workcell: crate::support::workcell(),
            log: Vec::new(),
            now: 1_000,
            dispatched: BTreeSet::new(),
            ended: BTreeSet::new(),
            requests: 0,
        };
        let start = walk.workcell.clone();
        for _ in 0..STEPS {
            walk.step();
        }
        let mut rebuilt = start;
        let mut last = Time(0);
        for recorded in &walk.log {
            assert!(recorded.at >= last, "time fell");
            last = recorded.at;
            let text = serde_json::to_string(recorded).unwrap();
            let read: Recorded = serde_json::from_str(&text).unwrap();
            assert_eq!(read, *recorded);
            evolve(&mut rebuilt, &read);
            operations += usize::from(matches!(read.event, Event::OperationDispatched(_)));
            observed += usize::from(matches!(read.event, Event::ObservationRecorded { .. }));
            quarantined += usize::from(matches!(read.event, Event::InstrumentQuarantined { .. }));
            ended += usize::from(matches!(read.event, Event::CampaignEnded { .. }));
            let word = match &read.event {
                Event::OperationBuried { .. } => "buried",
                Event::InterventionReopened { .. } => "reopened",
                Event::EvidenceFound { .. } => "evidence",
                Event::RecoveryFailed { .. } => "not recovered",
                Event::InterventionResolved { decision: Decision::Accept, .. } => "accepted",
                Event::InterventionResolved { by, .. } if by.contains("policy") => "recovered",
                _ => continue,
            };
            *rare.entry(word).or_insert(0) += 1;
        }
        assert_eq!(rebuilt, walk.workcell, "seed {seed}: the log gives another state");
    }
    assert!(
        operations > 2_000 && observed > 300 && quarantined > 100 && ended > 100,
        "{operations} {observed} {quarantined} {ended}"
    );
    assert!(rare.len() == 6 && rare.values().all(|times| *times >= 10), "{rare:?}");
}

fn enough() -> Box<RemainingGain> {
    Box::new(RemainingGain {
        experiment: None,
        tolerance: 1.0,
        confidence: 0.9,
        paths: 256,
        within: 256,
        expected: 0.0,
        quantiles: [0.0; 3],
        at_least: 1.0,
        wanted: 0.91,
        coverage: 1.0,
        tested: true,
        verdict: GainVerdict::Enough,
    })
}
