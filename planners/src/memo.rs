//! What a planner remembers from call to call.

use serde::{Deserialize, Serialize};

use crate::planner::PlanError;
use crate::surrogate::Warp;

/// The version written into a memo. A planner reads its own version and earlier ones.
pub const MEMO_VERSION: u32 = 1;
/// A fit beside its lists, names included, is as long as so many numbers.
const SINGLE: usize = 16;
/// Bytes of a number at most, with its comma.
const NUMBER_BYTES: usize = 26;
/// A memo's JSON stays below this many bytes.
pub const MEMO_MAX_BYTES: usize = 64 * 1024;

/// What a planner remembers from call to call; stored by the caller with the proposals.
///
/// It is data, not a cache: another memo may give other points. It holds a few numbers an outcome, never a row or a
/// matrix, and stays below [`MEMO_MAX_BYTES`]. Its JSON (with `serde_json`'s `float_roundtrip`) gives the same bits back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Memo {
    /// [`MEMO_VERSION`] of the planner that wrote it; 0 in an empty one.
    #[serde(default)]
    pub version: u32,
    /// The fitted surrogate of each objective, then of each constraint, then of viability if a recipe has failed.
    #[serde(default)]
    pub surrogates: Vec<SurrogateMemo>,
    /// For each past campaign, the fitted surrogate of each objective and of each constraint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<Vec<SurrogateMemo>>,
    /// The fitted surrogates of one process over this campaign and past ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub together: Vec<SurrogateMemo>,
    /// The bend that each parameter acts by; empty where all act evenly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warps: Vec<Warp>,
    /// The point the last search ended at, in unit coordinates: a start of the next one.
    #[serde(default)]
    pub last: Vec<f64>,
}

/// Where a surrogate's last fit ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SurrogateMemo {
    /// Logarithms of the lengthscales, one a parameter, in units of the unit cube.
    pub ln_lengthscales: Vec<f64>,
    /// Logarithm of the signal variance, in standardised outcomes.
    pub ln_signal: f64,
    /// Logarithm of the noise variance beyond what readings state, in standardised outcomes.
    pub ln_noise: f64,
    /// How many observations the fit had.
    pub fitted_at: usize,
    /// Which bend of the outcome it chose: 0 for none, else its place among those that are tried.
    #[serde(default)]
    pub bend: usize,
    /// How many observations there were when a bend of that form was chosen for the first time in a row.
    #[serde(default)]
    pub since: usize,
    /// What is known of exact readings; `None` where they are noisy for sure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<ExactMemo>,
    /// The best hyperparameters if outcomes turn within a short way: logarithms of the lengthscales, of the signal variance, of
    /// the noise variance; empty where they weren't asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turning: Vec<f64>,
    /// What is known of kernels that are partly a sum over parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<SumMemo>,
    /// What each past campaign's model counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<f64>,
    /// Of a past campaign's fit: the logarithm of each lengthscale, and the standard deviation it is known with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<(f64, f64)>,
}

/// A kernel that is partly a sum over parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SumMemo {
    /// The share of the sum.
    pub share: f64,
    /// How probable it is, beside a kernel without.
    pub probability: f64,
    /// Its hyperparameters: logarithms of the lengthscales, of the signal variance, of the noise variance.
    pub theta: Vec<f64>,
    /// The same if outcomes turn within a short way; empty where they weren't asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turning: Vec<f64>,
    /// The same with exact readings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<ExactMemo>,
}

/// Readings that are exact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExactMemo {
    /// How probable that is, beside noise.
    pub probability: f64,
    /// The hyperparameters then: logarithms of the lengthscales, of the signal variance, of the noise variance.
    pub theta: Vec<f64>,
    /// The same if outcomes turn within a short way; empty where they weren't asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turning: Vec<f64>,
}

impl SurrogateMemo {
    /// Whether it is of a model with so many parameters.
    pub(crate) fn is_of(&self, parameters: usize) -> bool {
        let sum = self.sum.iter();
        let exact = || self.exact.iter().chain(sum.clone().filter_map(|it| it.exact.as_ref()));
        let mut thetas = sum.clone().map(|it| &it.theta).chain(exact().map(|it| &it.theta));
        let turning = [&self.turning].into_iter().chain(sum.clone().map(|it| &it.turning));
        let mut turning = turning.chain(exact().map(|it| &it.turning)).filter(|it| !it.is_empty());
        let fits = |theta: &Vec<f64>| theta.len() == parameters + 2;
        self.ln_lengthscales.len() == parameters && thetas.all(fits) && turning.all(fits)
    }

    /// How many numbers it holds.
    pub(crate) fn numbers(&self) -> usize {
        let exact = |it: &Option<ExactMemo>| it.as_ref().map_or(0, |it| 1 + it.theta.len() + it.turning.len());
        let sum = self.sum.as_ref().map_or(0, |it| 2 + it.theta.len() + it.turning.len() + exact(&it.exact));
        let own = self.ln_lengthscales.len() + self.turning.len() + self.weights.len() + 2 * self.known.len();
        own + exact(&self.exact) + sum + SINGLE
    }
}

impl Memo {
    /// Checks that this planner can read the memo.
    ///
    /// # Errors
    /// [`PlanError::MemoVersion`] if a later version wrote it.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.version > MEMO_VERSION {
            return Err(PlanError::MemoVersion { found: self.version, known: MEMO_VERSION });
        }
        Ok(())
    }

    /// The same below [`MEMO_MAX_BYTES`]: what is too large is fitted anew each time, the past first.
    pub(crate) fn within_limit(mut self) -> Self {
        let all = |memo: &Self| {
            let fits = memo.surrogates.iter().chain(&memo.together).chain(memo.past.iter().flatten());
            fits.map(SurrogateMemo::numbers).sum::<usize>() + 2 * memo.warps.len() + memo.last.len()
        };
        let leave: [fn(&mut Self); 3] = [|it| it.past.clear(), |it| it.together.clear(), |it| it.surrogates.clear()];
        for leave in leave {
            if NUMBER_BYTES * all(&self) > MEMO_MAX_BYTES {
                leave(&mut self);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memo_that_is_too_large_forgets_the_past_first_and_stays_below_the_limit() {
        let number = -1.234_567_890_123_456_7e-10;
        let fit = |parameters: usize| {
            let theta = vec![number; parameters + 2];
            let exact = Some(ExactMemo { probability: number, theta: theta.clone(), turning: theta.clone() });
            let sum =
                SumMemo { theta: theta.clone(), turning: theta.clone(), exact: exact.clone(), ..SumMemo::default() };
            SurrogateMemo {
                ln_lengthscales: theta.clone(),
                exact,
                turning: theta,
                sum: Some(sum),
                known: vec![(number, number); parameters],
                ..SurrogateMemo::default()
            }
        };
        let bytes = |memo: &Memo| serde_json::to_vec(memo).map_or(usize::MAX, |it| it.len());
        let memo = |parameters: usize, fits: usize, past: usize| {
            let fit = fit(parameters);
            let (surrogates, together) = (vec![fit.clone(); fits], vec![fit.clone(); past]);
            Memo { surrogates, together, past: vec![vec![fit; past]], ..Memo::default() }.within_limit()
        };
        for (parameters, fits, past, kept) in
            [(128, 1, 0, 1), (128, 1, 1, 1), (64, 2, 1, 2), (64, 2, 40, 2), (128, 24, 8, 0)]
        {
            let memo = memo(parameters, fits, past);
            assert!(bytes(&memo) < MEMO_MAX_BYTES, "{} of {fits} and {past}", bytes(&memo));
            assert_eq!(memo.surrogates.len(), kept, "of {fits} and {past}");
        }
        assert_eq!(memo(64, 1, 1).past.len(), 1, "what fits is kept");
    }
}
