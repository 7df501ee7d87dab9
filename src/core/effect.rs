//! What the world is owed: obligations in the state, so that a restart finds them where a crash left them.

use crate::event::{Dispatch, Purpose};
use crate::ids::{CampaignName, ExperimentNumber, InstrumentId, OperationId, Ticket};

/// An obligation's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EffectKey {
    /// Hold the instrument's lease.
    Hold(InstrumentId),
    /// See the operation through to its end.
    Attend(OperationId),
    /// Have the planner answer.
    Plan(CampaignName, Ticket),
}

/// An obligation. The engine performs what is owed and not yet being performed, and tells a performer when it changes.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Hold the instrument's lease for this epoch, and learn what it can do.
    Hold {
        /// The instrument.
        instrument: InstrumentId,
        /// The owner's number.
        epoch: u64,
        /// The newest lease known of it, of whichever epoch: the driver's journal and the token.
        known: Option<(String, i64)>,
    },
    /// See the operation through to its end.
    Attend(Box<Attend>),
    /// Have the planner answer.
    Plan(Box<PlanOrder>),
}

/// An operation to see through.
#[derive(Clone, Debug, PartialEq)]
pub struct Attend {
    /// What was dispatched.
    pub dispatch: Dispatch,
    /// The campaign's seed; simulated hardware draws its noise from it.
    pub seed: u64,
    /// The workcell's epoch now. Above the dispatch's: ask the driver before anything is sent.
    pub epoch: u64,
    /// The token and the driver's journal of this epoch's lease; `None` until it is durable, and until then the driver
    /// hears nothing of this operation.
    pub lease: Option<(i64, String)>,
    /// The driver has said that the hardware began.
    pub started: bool,
    /// The operation is to be stopped, and why.
    pub abort: Option<String>,
    /// It has been given up: its driver is only asked, now and then, whether it can tell after all.
    pub inquire: bool,
}

/// A plan to have made.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanOrder {
    /// The campaign.
    pub campaign: CampaignName,
    /// The plan's number.
    pub ticket: Ticket,
    /// What is asked.
    pub purpose: Purpose,
    /// The planner may see experiments up to this one.
    pub through: ExperimentNumber,
    /// Those whose outcome it must not use.
    pub pending: Vec<ExperimentNumber>,
    /// The planner's seed.
    pub seed: u64,
}
