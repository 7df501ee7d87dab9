//! What waits for a person: an instrument of which nobody can say what it did, or that asks for somebody to look.

use crate::event::Ended;
use crate::ids::{InstrumentId, InterventionNumber, OperationId};
use crate::model::{Decision, POLICY_WINDOW_MS, Policy};
use crate::state::{Operation, StepPhase, Workcell};
use crate::time::Time;

/// A question to a person. Its instrument is out of service until it is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Intervention {
    /// From 1.
    pub number: InterventionNumber,
    /// The instrument.
    pub instrument: InstrumentId,
    /// Why nobody but a person can tell.
    pub reason: String,
    /// When it was opened.
    pub opened_at: Time,
    /// The operation in question.
    pub operation: Option<Operation>,
    /// Whether nobody knows how the operation ended.
    pub asked: bool,
    /// Grows with everything that is learnt: an answer that was given before it is refused.
    pub revision: u32,
    /// What the driver said after the operation had been given up.
    pub evidence: Vec<Evidence>,
    /// What is done in a person's place.
    pub recovery: Option<Recovery>,
    /// What was decided, by whom and when; `None` while it is open.
    pub decision: Option<(Decision, String, Time)>,
}

/// What a driver said too late.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// When we heard it.
    pub at: Time,
    /// What.
    pub ended: Ended,
}

/// An instrument recovering by its policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    /// When it began.
    pub started_at: Time,
    /// The capabilities to run, in this order.
    pub capabilities: Vec<String>,
    /// How many of them have succeeded.
    pub done: usize,
    /// Their operations so far.
    pub operations: Vec<OperationId>,
    /// Why it came to nothing.
    pub failed: Option<String>,
}

/// Where an intervention stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It waits for a person.
    Waits,
    /// The policy will begin at this time, if no person comes before.
    Due(Time),
    /// The policy has the instrument recover.
    Recovering,
    /// A person decided to repeat; the driver is being told that the old operation must not begin any more.
    Burying,
    /// It is over.
    Resolved,
}

impl Workcell {
    /// Where an intervention stands.
    #[must_use]
    pub fn standing(&self, it: &Intervention) -> Standing {
        if it.decision.is_some() {
            let buried = it.operation.as_ref().is_none_or(|it| !self.operations.contains_key(&it.dispatch.operation));
            return if buried { Standing::Resolved } else { Standing::Burying };
        }
        match &it.recovery {
            Some(recovery) if recovery.failed.is_none() => Standing::Recovering,
            Some(_) => Standing::Waits,
            None => self.policy_for(it).map_or(Standing::Waits, |it_is_due| Standing::Due(it_is_due.1)),
        }
    }

    /// Whether an experiment still waits for what is decided of it.
    #[must_use]
    pub fn waits_for(&self, it: &Intervention) -> bool {
        let step = it.operation.as_ref().and_then(|operation| {
            let of = &operation.dispatch;
            self.campaigns.get(&of.campaign)?.experiment(of.experiment)?.steps.get(&of.step)
        });
        step.is_some_and(|step| step.phase == StepPhase::Asked(it.number))
    }

    /// The policy that may act on it, and from when.
    pub(crate) fn policy_for(&self, it: &Intervention) -> Option<(&Policy, Time)> {
        let policy = self.instruments.get(&it.instrument)?.policy.as_ref()?;
        let due = it.opened_at.plus_ms(policy.wait_ms);
        // Whoever has the driver's late word can decide better than a rule that knows nothing of it.
        let open = it.recovery.is_none() && it.evidence.is_empty() && it.operation.is_some();
        (open && self.recoveries(&it.instrument, due.max(self.now)) < policy.at_most).then_some((policy, due))
    }

    /// How often this instrument's policy has acted within the window that ends now.
    fn recoveries(&self, instrument: &InstrumentId, now: Time) -> u32 {
        let begun = |it: &&Intervention| {
            it.instrument == *instrument
                && it.recovery.as_ref().is_some_and(|it| now.since(it.started_at) < POLICY_WINDOW_MS)
        };
        u32::try_from(self.interventions.values().filter(begun).count()).unwrap_or(u32::MAX)
    }

    /// The number that the next one gets.
    pub(crate) fn next_intervention(&self) -> InterventionNumber {
        self.interventions.last_key_value().map_or(0, |(number, _)| *number) + 1
    }

    /// Those that are not over.
    pub fn open_interventions(&self) -> impl Iterator<Item = &Intervention> {
        self.interventions.values().filter(|it| it.decision.is_none())
    }
}
