//! The decisions of Eutectic, as pure functions over sorted maps.
//!
//! Nothing here can reach a clock, a random source or the outside world: the manifest names no crate that could, and
//! `clippy.toml` bans what the standard library offers. Time, ids and seeds are arguments. That is why the same log gives
//! the same state on every machine, and why a simulator can run this very code through thousands of crashes.
//!
//! The ring: [`handle`] takes a [`Request`], decides, evolves the [`Workcell`] and returns the events that must become
//! durable before anybody hears of them. What the world is owed afterwards stands in [`Workcell::owed`].

mod advance;
mod command;
mod decide;
mod derive;
mod digest;
mod effect;
mod event;
mod evolve;
mod gain;
mod handle;
mod ids;
mod intervention;
pub mod model;
mod plan_order;
mod rejection;
mod state;
mod time;

pub use command::{Command, PlanAnswer, RecordedRow, Report, Request, RowResult};
pub use effect::{Attend, Effect, EffectKey, PlanOrder};
pub use event::{Dispatch, Ended, Event, FORMAT_VERSION, Fault, FaultCategory, PAST_ROWS_PER_EVENT, Purpose, Recorded};
pub use evolve::evolve;
pub use handle::{Verdict, handle};
pub use ids::{
    CampaignName, ExperimentNumber, InstrumentId, InterventionNumber, OperationId, RequestId, StepName, Ticket,
};
pub use intervention::{Evidence, Intervention, Recovery, Standing};
pub use rejection::Rejection;
pub use state::{
    Campaign, Doubt, Experiment, ExperimentPhase, Instrument, Lease, MAX_REMEMBERED_REQUESTS, Operation, Phase, Plan,
    Reply, StepPhase, StepState, Workcell,
};
pub use time::Time;
