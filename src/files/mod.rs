//! Files that scientists and operators write: read whole, checked whole, and all that is wrong told at once.

mod against;
mod campaign;
mod conduct;
mod difference;
mod expression;
mod feasible;
mod lab;
mod objective;
mod parameter;
mod past;
mod protocol;
mod reader;
mod report;
mod space;
mod unattended;
mod write;

pub use against::{Capabilities, CapabilitySummary, InstrumentSummary, ParameterSummary, ValueDomain, check_against};
pub use campaign::{
    CampaignFile, MAX_CONSTRAINTS, MAX_EXPERIMENTS, MAX_IN_FLIGHT, MAX_OUTCOMES, MAX_OWN_POINTS, load_campaign,
};
pub use difference::difference;
pub use expression::MAX_EXPRESSION_BYTES;
pub use lab::{DriverSource, InstrumentSpec, LabFile, LabSpec, MAX_INSTRUMENTS, SIMULATED_KINDS, TlsSpec, load_lab};
pub use parameter::{MAX_CHOICES, MAX_PARAMETERS};
pub use past::{MAX_PAST_ROWS, MAX_PRIORS};
pub use protocol::MAX_STEPS;
pub use reader::{MAX_FILE_BYTES, MAX_NAME_LENGTH};
pub use report::{Diagnostic, MAX_SHOWN, Report, Severity};
pub use space::{MAX_DESCRIPTORS, MAX_POOL};
pub use unattended::{MAX_RECOVERY_STEPS, PagingSpec, SafeStateSpec};
pub use write::{NewCampaign, write};
