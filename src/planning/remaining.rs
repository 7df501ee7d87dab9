//! What is left to gain, where the campaign's stop rule asks for it.

use super::PlanInput;
use eutectic_core::model::{CampaignSpec, GainVerdict, RemainingGain, STOP_CONFIDENCE};
use eutectic_planners::{Bayesian, Memo, Remaining, StopQuestion, StopVerdict};

/// What the stop rule asks.
pub(super) fn question(spec: &CampaignSpec, tests: u32) -> Option<StopQuestion> {
    let confidence = spec.stop.confidence.unwrap_or(STOP_CONFIDENCE);
    spec.stop.remaining_gain.map(|tolerance| StopQuestion { tolerance, confidence, tests })
}

/// What the model says; `None` where nothing is asked, or nothing is known yet. A stop rule that can't be judged stops
/// nothing: the plan goes on without it.
pub(super) fn remaining(input: &PlanInput, memo: &Memo) -> Option<Box<RemainingGain>> {
    let question = input.question.as_ref()?;
    let encoded = &input.encoded;
    if encoded.rows.len() < encoded.problem.initial_size() {
        return None;
    }
    let asked = Bayesian::default().remaining(&encoded.problem, &encoded.rows, memo, input.seed, question);
    let found = asked.inspect_err(|error| tracing::debug!(%error, "what is left to gain is not known")).ok()?;
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let Remaining { expected, quantiles, at_least, wanted, coverage, tested, .. } = found;
    Some(Box::new(RemainingGain {
        experiment: encoded.numbers.get(found.row).copied().flatten(),
        tolerance: question.tolerance,
        confidence: question.confidence,
        paths: count(found.paths),
        within: count(found.within),
        expected,
        quantiles,
        at_least,
        wanted,
        coverage,
        tested,
        verdict: match found.verdict {
            StopVerdict::Enough => GainVerdict::Enough,
            StopVerdict::MoreToGain => GainVerdict::MoreToGain,
            StopVerdict::Uncalibrated => GainVerdict::Uncalibrated,
            StopVerdict::Unsettled => GainVerdict::Unsettled,
            StopVerdict::Noisy => GainVerdict::Noisy,
        },
    }))
}

/// Whether there is nothing left to propose for.
pub(super) fn enough(gain: Option<&RemainingGain>) -> bool {
    gain.is_some_and(|gain| gain.verdict == GainVerdict::Enough)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_file_may_ask_for_what_the_planner_can_tell() {
        assert_eq!(eutectic_core::model::STOP_CONFIDENCES, eutectic_planners::CONFIDENCES);
    }
}
