//! The port to planners: a campaign in, proposals or an answer out.
//!
//! What a planner may see was fixed when the plan was asked for ([`PlanOrder`]), so the same journal always shows it the
//! same. `encode` strips units and names; nothing behind it knows of either.

mod encode;

use encode::{Encoded, encode};
use eutectic_core::model::{Answer, Observation, Predicted, Proposal, Why, WhyKind};
use eutectic_core::{Campaign, ExperimentPhase, PlanAnswer, PlanOrder, Purpose};
use eutectic_planners::{
    Bayesian, Estimate, Memo, PLANNER_VERSION, PlanError, Planner, Reason, Recommendation, Suggestion,
};
use std::collections::BTreeMap;

/// A plan that is ready to be made: it needs nothing from the state any more and may be sent to another thread.
#[derive(Debug)]
pub struct PlanInput {
    encoded: Encoded,
    purpose: Purpose,
    seed: u64,
    observations: BTreeMap<u32, Observation>,
}

/// Why no plan was made.
#[derive(Debug, thiserror::Error)]
pub enum PlanningError {
    /// The stored memo can't be read back.
    #[error("the planner's memo in the journal can't be read: {0}")]
    Memo(#[source] serde_json::Error),
    /// The planner's own reason.
    #[error(transparent)]
    Planner(#[from] PlanError),
}

/// Gathers what the planner may see.
///
/// # Errors
/// [`PlanningError::Memo`] if another build wrote a memo that this one can't read.
pub fn prepare(campaign: &Campaign, order: &PlanOrder) -> Result<PlanInput, PlanningError> {
    let memo = if campaign.memo.is_empty() {
        Memo::default()
    } else {
        serde_json::from_str(&campaign.memo).map_err(PlanningError::Memo)?
    };
    let encoded = encode(campaign, order, memo);
    let observations = match order.purpose {
        Purpose::Propose { .. } => BTreeMap::new(),
        Purpose::Answer => campaign.experiments.iter().filter_map(observation).collect(),
    };
    Ok(PlanInput { encoded, purpose: order.purpose, seed: order.seed, observations })
}

fn observation(experiment: &eutectic_core::Experiment) -> Option<(u32, Observation)> {
    match &experiment.phase {
        ExperimentPhase::Observed(observation) => Some((experiment.number, observation.clone())),
        ExperimentPhase::Waiting | ExperimentPhase::Running | ExperimentPhase::Failed(_) => None,
    }
}

/// Makes the plan. Pure: the same input gives the same answer, `took_ms` of the reply apart, which is 0 here.
///
/// # Errors
/// [`PlanningError::Planner`].
pub fn plan(input: &PlanInput) -> Result<PlanAnswer, PlanningError> {
    let Encoded { problem, rows, memo, .. } = &input.encoded;
    let planner = Bayesian::default();
    match input.purpose {
        Purpose::Propose { count } => {
            let (suggestions, memo) = planner.suggest(problem, rows, memo, input.seed, count as usize)?;
            Ok(PlanAnswer::Proposals {
                proposals: suggestions.iter().map(|it| proposal(&input.encoded, it)).collect(),
                memo: serde_json::to_string(&memo).map_err(PlanningError::Memo)?,
                planner: PLANNER_VERSION.into(),
                took_ms: 0,
            })
        }
        Purpose::Answer => {
            let found = planner.recommend(problem, rows, memo, input.seed)?;
            Ok(PlanAnswer::Answer(answer(input, &found).map(Box::new)))
        }
    }
}

fn proposal(encoded: &Encoded, suggestion: &Suggestion) -> Proposal {
    let predicted = encoded.predicted(&suggestion.objectives, &suggestion.constraints);
    let (kind, text) = match suggestion.reason {
        Reason::Initial => (WhyKind::Initial, "space-filling start"),
        Reason::Improve => (WhyKind::Improve, "promising"),
        Reason::Feasibility => (WhyKind::Feasibility, "toward the feasible region"),
        Reason::Spread => (WhyKind::Spread, "where nothing is known yet"),
        Reason::Remeasure => (WhyKind::Remeasure, "the best point again, to be sure of it"),
    };
    let why = Why { kind, text: text.into(), predicted, p_feasible: suggestion.p_feasible };
    Proposal { setting: encoded.setting(&suggestion.point), why }
}

fn answer(input: &PlanInput, found: &Recommendation) -> Option<Answer> {
    // A row of past data may be the best of all, but an answer names an experiment of this campaign.
    let number = (*input.encoded.numbers.get(found.row)?)?;
    let setting = input.encoded.setting(&input.encoded.rows.get(found.row)?.point);
    let observed = input.observations.get(&number)?.clone();
    let estimates = input.encoded.predicted(&found.objectives, &found.constraints);
    Some(Answer { experiment: number, setting, observed, estimates, p_feasible: found.p_feasible.unwrap_or(1.0) })
}

fn predicted(estimate: &Estimate, sign: f64) -> Predicted {
    Predicted { mean: sign * estimate.mean, sd: estimate.sd }
}
