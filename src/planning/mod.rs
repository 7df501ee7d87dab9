//! The port to planners: a campaign in, proposals or an answer out.
//!
//! What a planner may see was fixed when the plan was asked for ([`PlanOrder`]), so the same journal always shows it the
//! same. `encode` strips units and names; nothing behind it knows of either.

mod encode;
mod explain;
mod remaining;
mod remote;
mod serve;
mod terms;
mod wire;

pub use explain::{
    ExplainInput, Explained, OutcomeExplained, ParameterExplained, ReadingExplained, explain, prepare_explanation,
};
pub use serve::service;

use encode::{Encoded, encode};
use eutectic_core::model::{Answer, FrontPoint, Observation, Predicted, Proposal, Why, WhyKind};
use eutectic_core::{Campaign, ExperimentPhase, PlanAnswer, PlanOrder, Purpose};
use eutectic_planners::{
    Bayesian, Estimate, Memo, PLANNER_VERSION, PlanError, Planner, Reason, Recommendation, StopQuestion, Suggestion,
};
use std::collections::BTreeMap;

/// A plan that is ready to be made: it needs nothing from the state any more and may be sent to another thread.
#[derive(Debug)]
pub struct PlanInput {
    encoded: Encoded,
    /// What the planner remembers, as it was stored.
    memo: String,
    /// The planner of one's own that is asked.
    address: Option<String>,
    purpose: Purpose,
    seed: u64,
    /// What the stop rule asks of the model.
    question: Option<StopQuestion>,
    observations: BTreeMap<u32, Observation>,
}

/// Why no plan was made.
#[derive(Debug, thiserror::Error)]
pub enum PlanningError {
    /// The stored memo can't be read back.
    #[error("the planner's memo in the journal can't be read: {0}")]
    Memo(#[source] serde_json::Error),
    /// It panicked.
    #[error("the planner broke down: {0}")]
    Broken(String),
    /// The planner's own reason.
    #[error(transparent)]
    Planner(#[from] PlanError),
    /// A planner of one's own refused, or its answer can't be used.
    #[error("the planner at {address}: {message}")]
    Remote {
        /// Where it listens.
        address: String,
        /// Why.
        message: String,
    },
}

/// Gathers what the planner may see.
#[must_use]
pub fn prepare(campaign: &Campaign, order: &PlanOrder) -> PlanInput {
    let encoded = encode(campaign, order);
    let observations = match order.purpose {
        Purpose::Propose { .. } => BTreeMap::new(),
        Purpose::Answer => campaign.experiments.iter().filter_map(observation).collect(),
    };
    let (memo, address) = (campaign.memo.clone(), campaign.spec.planner.address.clone());
    let question = remaining::question(&campaign.spec, campaign.gain_tests);
    PlanInput { encoded, memo, address, purpose: order.purpose, seed: order.seed, question, observations }
}

fn observation(experiment: &eutectic_core::Experiment) -> Option<(u32, Observation)> {
    match &experiment.phase {
        ExperimentPhase::Observed(observation) => Some((experiment.number, observation.clone())),
        ExperimentPhase::Waiting | ExperimentPhase::Running | ExperimentPhase::Failed(_) => None,
    }
}

/// Makes the plan, by the planner of one's own where the campaign names one. `took_ms` of the reply is 0 here.
///
/// # Errors
/// [`PlanningError`].
pub async fn plan(input: PlanInput) -> Result<PlanAnswer, PlanningError> {
    let broken = |error: tokio::task::JoinError| PlanningError::Broken(error.to_string());
    let Some(address) = input.address.clone() else {
        return tokio::task::spawn_blocking(move || plan_here(&input)).await.map_err(broken)?;
    };
    let looked = tokio::task::spawn_blocking(move || {
        let gain = remaining::remaining(&input, &Memo::default());
        (input, gain)
    });
    let (input, left) = looked.await.map_err(broken)?;
    if let Some(left) = left.clone().filter(|left| remaining::enough(Some(left))) {
        return Ok(PlanAnswer::Enough(left));
    }
    let mut answer = remote::plan(&input, &address).await?;
    if let PlanAnswer::Proposals { gain, .. } = &mut answer {
        *gain = left;
    }
    Ok(answer)
}

/// Makes the plan by the planner that is built in. Pure: the same input gives the same answer.
///
/// # Errors
/// [`PlanningError::Planner`]; [`PlanningError::Memo`] if another build wrote a memo that this one can't read.
pub fn plan_here(input: &PlanInput) -> Result<PlanAnswer, PlanningError> {
    let Encoded { problem, rows, .. } = &input.encoded;
    let memo = &memo(&input.memo)?;
    let planner = Bayesian { strategy: input.encoded.strategy, ..Bayesian::default() };
    match input.purpose {
        Purpose::Propose { count } => {
            let gain = remaining::remaining(input, memo);
            if let Some(gain) = gain.clone().filter(|gain| remaining::enough(Some(gain))) {
                return Ok(PlanAnswer::Enough(gain));
            }
            let (suggestions, memo) = planner.suggest(problem, rows, memo, input.seed, count as usize)?;
            Ok(PlanAnswer::Proposals {
                proposals: suggestions.iter().map(|it| proposal(&input.encoded, it)).collect(),
                memo: serde_json::to_string(&memo).map_err(PlanningError::Memo)?,
                planner: PLANNER_VERSION.into(),
                took_ms: 0,
                gain,
            })
        }
        Purpose::Answer => {
            let found = planner.recommend(problem, rows, memo, input.seed)?;
            let front = front(&planner, input, memo)?;
            Ok(PlanAnswer::Answer(answer(input, &found, &front).map(Box::new)))
        }
    }
}

fn memo(stored: &str) -> Result<Memo, PlanningError> {
    if stored.is_empty() { Ok(Memo::default()) } else { serde_json::from_str(stored).map_err(PlanningError::Memo) }
}

fn proposal(encoded: &Encoded, suggestion: &Suggestion) -> Proposal {
    let predicted = encoded.predicted(&suggestion.objectives, &suggestion.constraints);
    let (kind, text) = match suggestion.reason {
        Reason::Initial => (WhyKind::Initial, "space-filling start"),
        Reason::Improve => (WhyKind::Improve, "promising"),
        Reason::Feasibility => (WhyKind::Feasibility, "toward the feasible region"),
        Reason::Past => (WhyKind::Past, "good in a past campaign"),
        Reason::Spread => (WhyKind::Spread, "where nothing is known yet"),
        Reason::Remeasure => (WhyKind::Remeasure, "the best point again, to be sure of it"),
    };
    let because = suggestion.because;
    let why = Why {
        kind,
        text: text.into(),
        predicted,
        p_feasible: suggestion.p_feasible,
        from_mean: because.and_then(|it| it.from_mean),
        nearest: because.and_then(|it| *encoded.numbers.get(it.nearest?.0)?),
    };
    Proposal { setting: encoded.setting(&suggestion.point), why }
}

/// The tried points that no other is better than, where there are several objectives.
fn front(planner: &impl Planner, input: &PlanInput, memo: &Memo) -> Result<Vec<Recommendation>, PlanError> {
    let Encoded { problem, rows, .. } = &input.encoded;
    if problem.objectives > 1 { planner.front(problem, rows, memo, input.seed) } else { Ok(Vec::new()) }
}

fn answer(input: &PlanInput, found: &Recommendation, front: &[Recommendation]) -> Option<Answer> {
    // A row of past data may be the best of all, but an answer names an experiment of this campaign.
    let number = (*input.encoded.numbers.get(found.row)?)?;
    let setting = input.encoded.setting(&input.encoded.rows.get(found.row)?.point);
    let observed = input.observations.get(&number)?.clone();
    let estimates = input.encoded.predicted(&found.objectives, &found.constraints);
    let on_front = |it: &Recommendation| {
        Some(FrontPoint {
            experiment: (*input.encoded.numbers.get(it.row)?)?,
            estimates: input.encoded.predicted(&it.objectives, &it.constraints),
            p_feasible: it.p_feasible.unwrap_or(1.0),
        })
    };
    let front = front.iter().filter_map(on_front).collect();
    Some(Answer {
        experiment: number,
        setting,
        observed,
        estimates,
        p_feasible: found.p_feasible.unwrap_or(1.0),
        front,
    })
}

fn predicted(estimate: &Estimate, sign: f64) -> Predicted {
    Predicted { mean: sign * estimate.mean, sd: estimate.sd }
}
