//! What a campaign is: data, as it stands in the log.

mod campaign;
mod expr;
mod instrument;
mod observation;
mod policy;
mod remaining;
mod value;

pub use campaign::{
    Admission, Budget, CampaignSpec, CostSpec, Domain, FidelitySpec, Goal, Mixture, Objective, Outcome,
    OutcomeConstraint, Parameter, ParameterConstraint, PastRow, PlannerSpec, Prior, StopRule, Strategy,
};
pub use campaign::{Binding, Step};
pub use expr::{Binary, Datum, EvalError, Expr, Function, Leaf, MAX_DEPTH, Scope, Unary, Uncertain};
pub use instrument::{CapabilityDescription, InstrumentDescription, RepeatEffect};
pub use observation::{
    Answer, Estimate, Failure, FailureKind, FrontPoint, Observation, Origin, Predicted, Proposal, StopReason, Why,
    WhyKind,
};
pub use policy::{Decision, POLICY_WINDOW_MS, Policy};
pub use remaining::{GainVerdict, RemainingGain, STOP_CONFIDENCE, STOP_CONFIDENCES};
pub use value::{Artifact, Column, Level, Limit, Measured, Quantity, Reading, SampleEffect, Setting, Unit, Value};
