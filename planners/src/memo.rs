//! What a planner remembers from call to call.

use serde::{Deserialize, Serialize};

use crate::planner::PlanError;
use crate::surrogate::Warp;

/// The version written into a memo. A planner reads its own version and earlier ones.
pub const MEMO_VERSION: u32 = 1;
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
    /// What is known of kernels that are partly a sum over parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<SumMemo>,
    /// What each past campaign's model counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<f64>,
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
}
