//! Several steps, one sync.

use super::{Effect, Hardware, Reason, Record, Report, Step};
use crate::wire::SampleEffect;

/// Steps on their way to the disk.
///
/// A stop waits for no disk, so it overtakes a start of an earlier step that is still waiting for its sync. Such a start
/// is withdrawn: it is never ordered, and is reported as ended without any effect.
#[derive(Debug, Default)]
pub struct Batch {
    records: Vec<Record>,
    after: Vec<Effect>,
    withdrawn: Vec<Report>,
}

impl Batch {
    /// Takes a step up; returns what is to be done at once, before the next step is asked for.
    #[must_use]
    pub fn add(&mut self, step: Step) -> Vec<Hardware> {
        for order in &step.at_once {
            self.withdraw(order);
        }
        self.records.extend(step.records);
        self.after.extend(step.after);
        step.at_once
    }

    /// What has to be durable before [`Batch::release`] is called, all of it in one atomic append.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// What the sync has released, in order, and reports to feed back into the machine.
    #[must_use]
    pub fn release(self) -> (Vec<Effect>, Vec<Report>) {
        (self.after, self.withdrawn)
    }

    fn withdraw(&mut self, order: &Hardware) {
        let withdrawn = &mut self.withdrawn;
        self.after.retain(|effect| {
            let Effect::Hardware(Hardware::Start { operation, .. }) = effect else { return true };
            let hit = match order {
                Hardware::StopAll(_) => true,
                Hardware::Stop { operation_id, .. } => *operation_id == operation.id,
                Hardware::Start { .. } | Hardware::Hold(_) | Hardware::Resume(_) | Hardware::Probe(_) => false,
            };
            if hit {
                let mut fault = Reason::Aborted.fault("stopped before the hardware moved");
                fault.sample_effect = SampleEffect::None.into();
                withdrawn.push(Report::Finished { operation_id: operation.id.clone(), result: Err(Box::new(fault)) });
            }
            !hit
        });
    }
}
