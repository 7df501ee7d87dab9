//! What is left to gain, by a model: the evidence for a stop.

use crate::ids::ExperimentNumber;
use serde::{Deserialize, Serialize};

/// Of the confidences that can be asked for, the lowest and the highest.
pub const STOP_CONFIDENCES: (f64, f64) = (0.5, 0.995);
/// The confidence that is asked for where a file says nothing.
pub const STOP_CONFIDENCE: f64 = 0.95;

/// What the planner's model says of the gain that is left over the best experiment. All of it holds if the model is right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemainingGain {
    /// The experiment that would be the answer; `None` where past data would be.
    pub experiment: Option<ExperimentNumber>,
    /// The gain that may be left, in the objective's unit.
    pub tolerance: f64,
    /// How probable it has to be that no more is left.
    pub confidence: f64,
    /// How many functions were drawn from the model.
    pub paths: u32,
    /// How many of them leave no more than that.
    pub within: u32,
    /// What is left, on the mean over them.
    pub expected: f64,
    /// What half, nine tenths and 95 of a hundred of them leave at most.
    pub quantiles: [f64; 3],
    /// The probability of no more is at least this, so few as the drawn functions are; 0 where it was not tested.
    pub at_least: f64,
    /// What that has to reach.
    pub wanted: f64,
    /// The share of the readings within what the model expects of 95 % of them without them.
    pub coverage: f64,
    /// Whether it was tested: each further test of a campaign is held to more.
    pub tested: bool,
    /// What follows.
    pub verdict: GainVerdict,
}

/// Whether a campaign may stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GainVerdict {
    /// It may.
    Enough,
    /// More may be left to gain.
    MoreToGain,
    /// The model's intervals hold too few of the readings to be trusted.
    Uncalibrated,
    /// The model has changed its form a short while ago.
    Unsettled,
    /// The tolerance is below what the noise of a reading lets anybody tell.
    Noisy,
}
