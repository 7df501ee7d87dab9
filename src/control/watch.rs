//! Streams: a campaign as it changes, the journal as it grows.

use super::{stopped, view};
use crate::engine::Handle;
use crate::gateway::View;
use crate::lab::Keeper;
use crate::projections::{kind, line, waiting_for};
use eutectic_core::{CampaignName, ExperimentPhase, Recorded, Workcell};
use eutectic_proto::control::v1 as wire;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tonic::Status;

/// How often progress is looked at while nothing else happens.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// Updates that may wait for a slow reader; each holds everything since the one before.
pub(super) const UPDATES_LIMIT: usize = 8;
/// Entries that are read from the journal at once.
const LOG_CHUNK: usize = 256;

/// Sends the campaign at once and after every change, until it has ended or nobody listens.
pub(super) async fn campaign(
    engine: Handle,
    keeper: Arc<Keeper>,
    name: CampaignName,
    updates: mpsc::Sender<Result<wire::CampaignUpdate, Status>>,
) {
    let mut seq = engine.seq();
    let mut shown = BTreeMap::new();
    let mut last = None;
    loop {
        seq.borrow_and_update();
        let view = keeper.view();
        let (wanted, known) = (name.clone(), shown.clone());
        let update = engine.read(move |workcell| update(workcell, &wanted, &view, &known)).await;
        let (update, ended) = match update {
            Err(error) => {
                // Whoever listens may have gone; there is nobody else to tell.
                let _ = updates.send(Err(stopped(&error))).await;
                return;
            }
            Ok(None) => return,
            Ok(Some((update, now_shown, ended))) => {
                shown = now_shown;
                (update, ended)
            }
        };
        if last.as_ref() != Some(&update) {
            if updates.send(Ok(update.clone())).await.is_err() {
                return;
            }
            last = Some(wire::CampaignUpdate { experiments: Vec::new(), ..update });
        }
        if ended {
            return;
        }
        tokio::select! {
            changed = seq.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(PROGRESS_INTERVAL) => {}
            () = updates.closed() => return,
        }
    }
}

/// How far each experiment was shown: 0 added, 1 running, 2 ended.
type Shown = BTreeMap<u32, u8>;

fn update(
    workcell: &Workcell,
    name: &CampaignName,
    seen: &View,
    shown: &Shown,
) -> Option<(wire::CampaignUpdate, Shown, bool)> {
    let campaign = workcell.campaigns.get(name)?;
    let mut now_shown = shown.clone();
    let mut experiments = Vec::new();
    for experiment in &campaign.experiments {
        let stage = match &experiment.phase {
            ExperimentPhase::Waiting => 0,
            ExperimentPhase::Running => 1,
            ExperimentPhase::Observed(_) | ExperimentPhase::Failed(_) => 2,
        };
        if now_shown.insert(experiment.number, stage) != Some(stage) {
            experiments.push(view::experiment(campaign, experiment));
        }
    }
    let mut waits = waiting_for(workcell, campaign);
    let unbegun = workcell.operations.values().filter(|it| it.dispatch.campaign == *name && it.started_at.is_none());
    for instrument in unbegun.map(|it| &it.dispatch.instrument).collect::<BTreeSet<_>>() {
        let readiness = seen.instruments.get(instrument).map_or("", |it| it.readiness.as_str());
        if readiness.starts_with("halted") {
            waits.push(format!(
                "{instrument} is {readiness}; once you have looked, `eutectic instrument release {instrument}`"
            ));
        }
    }
    let update = wire::CampaignUpdate {
        summary: Some(view::summary(campaign)),
        experiments,
        operations: view::operations(workcell, &seen.progress, Some(name)),
        waiting_for: waits,
    };
    Some((update, now_shown, campaign.ended()))
}

/// Sends the journal from `from` on, `limit` entries or all there are.
pub(super) async fn log(
    engine: Handle,
    request: wire::ReadLogRequest,
    entries: mpsc::Sender<Result<wire::LogEntry, Status>>,
) {
    let mut next = request.from_seq.max(1);
    let mut left = if request.limit == 0 { u64::MAX } else { request.limit };
    loop {
        let chunk = match engine.log(next, LOG_CHUNK).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) => {
                let _ = entries.send(Err(Status::data_loss(error.to_string()))).await;
                return;
            }
            Err(error) => {
                let _ = entries.send(Err(stopped(&error))).await;
                return;
            }
        };
        let Some((last, _)) = chunk.last() else { return };
        next = last.seq + 1;
        for (entry, recorded) in &chunk {
            if !wanted(&request, recorded) {
                continue;
            }
            if left == 0 || entries.send(Ok(shown(entry.seq, entry.epoch, recorded))).await.is_err() {
                return;
            }
            left -= 1;
        }
    }
}

fn wanted(request: &wire::ReadLogRequest, recorded: &Recorded) -> bool {
    let of_campaign =
        request.campaign.is_empty() || recorded.event.campaign().is_some_and(|name| name.as_str() == request.campaign);
    of_campaign && recorded.at.0 >= request.since_ms
}

fn shown(seq: u64, epoch: u64, recorded: &Recorded) -> wire::LogEntry {
    wire::LogEntry {
        seq,
        epoch,
        time_ms: recorded.at.0,
        kind: kind(&recorded.event).into(),
        summary: line(&recorded.event),
        json: serde_json::to_string(recorded).unwrap_or_default(),
    }
}
