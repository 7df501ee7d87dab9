//! What a campaign found, and by a simulator's own knowledge how good it is.

use super::view;
use crate::engine::now;
use crate::lab::Keeper;
use eutectic_core::model::{Answer, CampaignSpec, FrontPoint, Observation, Setting, Value};
use eutectic_core::{Campaign, ExperimentPhase, InstrumentId, OperationId, Phase, StepName, Workcell};
use eutectic_proto::control::v1 as wire;
use std::collections::BTreeMap;

/// Everything of a result but the truth, and what is needed to ask for it.
pub(super) struct Found {
    pub(super) result: wire::Result,
    pub(super) best: Option<Best>,
}

/// The best experiment and where its results lie.
pub(super) struct Best {
    spec: CampaignSpec,
    setting: Setting,
    done: BTreeMap<StepName, (InstrumentId, OperationId)>,
}

pub(super) fn found(workcell: &Workcell, campaign: &Campaign) -> Found {
    let number = campaign.answer.as_ref().map(|it| it.experiment).or(campaign.best.map(|(number, _)| number));
    let experiment = number.and_then(|number| campaign.experiment(number));
    let until = campaign.ended_at.unwrap_or_else(now);
    let counted = |it: &&eutectic_core::Experiment| matches!(it.phase, ExperimentPhase::Observed(_));
    let mut result = wire::Result {
        summary: Some(view::summary(campaign)),
        experiments: u32::try_from(campaign.experiments.iter().filter(counted).count()).unwrap_or(u32::MAX),
        operations: workcell.campaigns.values().map(|it| it.operations).sum(),
        planner_s: seconds(i64::try_from(campaign.planner_ms).unwrap_or(i64::MAX)),
        wall_s: seconds(until.since(campaign.created_at)),
        seed: campaign.seed,
        digest: campaign.digest.clone(),
        ..wire::Result::default()
    };
    result.remaining_gain = campaign.gain.as_deref().map(view::remaining);
    if let Phase::Ended(reason) = &campaign.phase {
        result.stop = Some(view::stop_reason(reason));
    }
    if let Some(experiment) = experiment {
        result.has_best = true;
        result.best = Some(view::experiment(campaign, experiment));
    }
    if let Some(Answer { estimates, p_feasible, .. }) = campaign.answer.as_deref() {
        result.estimates = view::predictions(estimates);
        result.p_feasible = *p_feasible;
    }
    result.front = front(campaign);
    let best =
        experiment.map(|it| Best { spec: campaign.spec.clone(), setting: it.setting.clone(), done: it.done.clone() });
    Found { result, best }
}

/// With several objectives, the experiments that no other is better than: by the model at the end, before it by readings.
fn front(campaign: &Campaign) -> Vec<wire::FrontPoint> {
    let shown = |number: u32| campaign.experiment(number).map(|it| view::experiment(campaign, it));
    let judged = |it: &FrontPoint| wire::FrontPoint {
        experiment: shown(it.experiment),
        estimates: view::predictions(&it.estimates),
        has_p_feasible: true,
        p_feasible: it.p_feasible,
    };
    let read = |number: &u32| wire::FrontPoint { experiment: shown(*number), ..wire::FrontPoint::default() };
    match campaign.answer.as_deref() {
        Some(answer) => answer.front.iter().map(judged).collect(),
        None => campaign.front.keys().map(read).collect(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a campaign lasts far less than 2^53 ms")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Adds what simulated instruments know: the outcomes without noise, and how often the hardware started.
pub(super) async fn with_truth(mut found: Found, keeper: &Keeper) -> wire::Result {
    if let Some(starts) = keeper.starts() {
        found.result.starts = starts;
        found.result.has_starts = true;
    }
    if let Some(best) = &found.best
        && let Some(truth) = truth(best, keeper).await
    {
        let outcome = |it: &eutectic_core::model::Outcome| {
            let value = truth.outcomes.get(&it.name)?.value;
            Some(wire::Outcome { name: it.name.clone(), value, ..wire::Outcome::default() })
        };
        found.result.true_best = best.spec.outcomes.iter().filter_map(outcome).collect();
        found.result.true_feasible = best.spec.feasible(&truth);
        found.result.has_truth = true;
    }
    found.result
}

async fn truth(best: &Best, keeper: &Keeper) -> Option<Observation> {
    let fleet = keeper.fleet()?;
    let mut known: BTreeMap<&str, BTreeMap<String, Value>> = BTreeMap::new();
    for (step, (instrument, operation)) in &best.done {
        if let Some(outputs) = fleet.truth(instrument, operation).await {
            known.insert(step.as_str(), outputs);
        }
    }
    let outputs = |step: &str, output: &str| known.get(step)?.get(output)?.reading();
    best.spec.derive(&best.setting, &outputs).ok()
}
