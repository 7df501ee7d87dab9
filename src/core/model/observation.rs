//! What came of an experiment, and what the planner says of a point.

use super::value::{Measured, Setting};
use crate::ids::{ExperimentNumber, Ticket};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where an experiment's point came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The planner, under this ticket.
    Proposed(Ticket),
    /// A person: the campaign file, `enqueue` or `record`.
    Own,
    /// An experiment that equipment let down.
    Again(ExperimentNumber),
}

/// A proposed point and its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The point.
    pub setting: Setting,
    /// Why this one.
    pub why: Why,
}

/// Why a point was proposed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// The kind of reason.
    pub kind: WhyKind,
    /// One line for people.
    pub text: String,
    /// What the model expected, by name of outcome or text of constraint.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub predicted: BTreeMap<String, Predicted>,
    /// The model's probability that every outcome constraint holds; `None` before there is a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_feasible: Option<f64>,
    /// Of the expected improvement, the share that is there because the mean is better; the rest is there because little is
    /// known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_mean: Option<f64>,
    /// The nearest experiment that had been observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<ExperimentNumber>,
}

/// The kinds of reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyKind {
    /// Good in a past campaign.
    Past,
    /// The space-filling start.
    Initial,
    /// Expected to be better.
    Improve,
    /// Looking for the feasible region.
    Feasibility,
    /// The model has no skill here yet, or is stuck: look elsewhere.
    Spread,
    /// The best point again, to be sure of it.
    Remeasure,
}

/// A prediction: mean and standard deviation in the outcome's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// Posterior mean.
    pub mean: f64,
    /// Posterior standard deviation.
    pub sd: f64,
}

/// The measured outcomes of an experiment, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Each in its outcome's unit.
    pub outcomes: BTreeMap<String, Measured>,
}

/// Why an experiment gave no observation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Who is to blame: it decides whether the planner learns from it.
    pub kind: FailureKind,
    /// In words.
    pub message: String,
}

/// Kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The recipe itself fails here: the planner learns it.
    Recipe,
    /// An instrument failed: says nothing about the point.
    Equipment,
    /// It ran, but no usable result came of it.
    Measurement,
    /// Nobody can say what the instrument did; the sample is never used again.
    Unknown,
    /// Cancelled by a person.
    Cancelled,
}

/// Why a campaign stops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum StopReason {
    /// Every experiment of the budget was used.
    Budget {
        /// How many.
        experiments: u32,
    },
    /// What may be spent is spent.
    Cost {
        /// What was.
        spent: f64,
        /// What may be.
        budget: f64,
    },
    /// An observation reached the target.
    Target {
        /// The experiment that did.
        experiment: ExperimentNumber,
        /// What was to be reached.
        target: f64,
    },
    /// No gain worth having in so many experiments.
    Stagnation {
        /// How many experiments without gain.
        experiments: u32,
        /// The gain that would have counted.
        gain: f64,
    },
    /// By the model, no gain worth having is left.
    Evidence {
        /// The gain that may be left, in the objective's unit.
        tolerance: f64,
        /// How probable it is that no more is.
        confidence: f64,
    },
    /// A person asked to finish what runs and stop.
    Stopped {
        /// Who.
        by: String,
    },
    /// A person asked to abort what runs.
    Aborted {
        /// Who.
        by: String,
    },
}

/// What the campaign found: the tried point whose posterior is best and feasible. With several objectives, the one with the
/// best balance of them, and all that no other is better than.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The experiment that tried it.
    pub experiment: ExperimentNumber,
    /// The point.
    pub setting: Setting,
    /// What was measured there.
    pub observed: Observation,
    /// What the model believes of it, by name of outcome or text of constraint.
    pub estimates: BTreeMap<String, Estimate>,
    /// The model's probability that every outcome constraint holds there.
    pub p_feasible: f64,
    /// With several objectives, the tried points that by the model no other feasible one is better than in all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub front: Vec<FrontPoint>,
}

/// One of the best compromises between several objectives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrontPoint {
    /// The experiment that tried it.
    pub experiment: ExperimentNumber,
    /// What the model believes of it, by name of outcome or text of constraint; empty without a model.
    pub estimates: BTreeMap<String, Estimate>,
    /// The model's probability that every outcome constraint holds there.
    pub p_feasible: f64,
}

/// A posterior: mean and standard deviation.
pub type Estimate = Predicted;
