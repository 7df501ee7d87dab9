//! Starting from a journal: empty, or as a crash left it.

use super::events::{Events, STATUS_INTERVAL, Told};
use super::{
    Effect, HaltRecord, Hardware, IdentityRecord, Leases, Machine, Manifest, Now, Record, RecordKind, Rules, Running,
    StatusReport, Step,
};
use crate::wire::capability::Probe;
use crate::wire::operation::State;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What is new at every start of a driver; made up by the shell, since the machine knows no randomness.
#[derive(Clone, Debug)]
pub struct Boot {
    /// Names this start.
    pub boot_id: String,
    /// Names the journal if it turns out to be empty, or an older copy of itself.
    pub new_journal_id: String,
    /// The clocks.
    pub now: Now,
    /// The instrument's state, asked for before anything is accepted.
    pub status: StatusReport,
}

/// A journal that this driver can't go on from.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// Records, but none that says whose.
    #[error("the journal holds records but no identity: it is damaged or was written by something else")]
    NoIdentity,
    /// Another instrument's journal.
    #[error("the journal belongs to instrument {found:?}, not {expected:?}; give each instrument a folder of its own")]
    OtherInstrument {
        /// In the journal.
        found: String,
        /// In the manifest.
        expected: String,
    },
    /// A record of a kind that this version doesn't know.
    #[error("the journal holds a record of a kind unknown to this version: it was written by a newer one")]
    NewerVersion,
}

impl Machine {
    /// Rebuilds the state and settles what a crash left open.
    ///
    /// Accepted operations end as NEVER_STARTED. Running ones are asked about where the capability can be probed, else
    /// they end as INTERRUPTED. The step must be performed before anything is served.
    ///
    /// # Errors
    /// An [`OpenError`] if these records aren't a journal of this instrument.
    pub fn open(
        manifest: Manifest,
        rules: Arc<dyn Rules>,
        records: Vec<Record>,
        boot: Boot,
    ) -> Result<(Machine, Step), OpenError> {
        let fresh = records.is_empty();
        let mut machine = Machine {
            boot_id: boot.boot_id,
            journal_id: boot.new_journal_id.clone(),
            spare_journal_id: Some(boot.new_journal_id),
            harmless_at_boot: Vec::new(),
            now: boot.now,
            operations: BTreeMap::new(),
            order: BTreeMap::new(),
            running: BTreeMap::new(),
            queue: VecDeque::new(),
            leases: Leases::default(),
            halt: HaltRecord::default(),
            consumables: BTreeMap::new(),
            report: boot.status,
            events: Events {
                last: 0,
                reserved: 0,
                kept: VecDeque::new(),
                next_status: boot.now.monotonic + STATUS_INTERVAL,
            },
            waiting: BTreeMap::new(),
            shutting_down: false,
            told: Told::default(),
            step: Step::default(),
            manifest,
            rules,
        };
        match fresh {
            true => {
                machine.identify();
                machine.rest();
            }
            false => machine.restore(records)?,
        }
        machine.leases.begin(boot.now.utc);
        machine.settle();
        machine.emit_status();
        let step = machine.finish();
        Ok((machine, step))
    }

    pub(super) fn identify(&mut self) {
        let (journal_id, instrument) = (self.journal_id.clone(), self.manifest.instrument().id.clone());
        self.record(RecordKind::Identity(IdentityRecord { journal_id, instrument }));
    }

    fn restore(&mut self, records: Vec<Record>) -> Result<(), OpenError> {
        let mut identity = None;
        for record in records {
            match record.kind.ok_or(OpenError::NewerVersion)? {
                RecordKind::Identity(found) => identity = Some(found),
                RecordKind::Lease(lease) => self.leases.restore(lease),
                RecordKind::SequencesReserved(up_to) => self.events.reserved = self.events.reserved.max(up_to),
                RecordKind::Halt(halt) => self.halt = halt,
                RecordKind::Consumable(record) => {
                    self.consumables.insert(record.id.clone(), record);
                }
                RecordKind::Operation(record) => {
                    self.operations.insert(record.operation.id.clone(), *record);
                }
            }
        }
        let identity = identity.ok_or(OpenError::NoIdentity)?;
        let expected = &self.manifest.instrument().id;
        if identity.instrument != *expected {
            return Err(OpenError::OtherInstrument { found: identity.instrument, expected: expected.clone() });
        }
        self.journal_id = identity.journal_id;
        self.order = self.operations.values().map(|each| (each.ordinal, each.operation.id.clone())).collect();
        // Whatever of the reserved block was told is never told again.
        self.events.last = self.events.reserved;
        Ok(())
    }

    fn settle(&mut self) {
        for id in self.order.values().cloned().collect::<Vec<_>>() {
            let Some(record) = self.operations.get(&id) else { continue };
            match record.operation.state() {
                State::Accepted => {
                    self.never_started(&id, "the driver restarted before it started");
                    self.harmless_at_boot.push(id);
                }
                State::Running | State::Held | State::Aborting => self.settle_running(&id),
                State::Unspecified | State::Succeeded | State::Failed | State::Aborted | State::Interrupted => {
                    self.forget_old_results(&id);
                }
            }
        }
    }

    fn settle_running(&mut self, id: &str) {
        let Some(record) = self.operations.get(id) else { return };
        let capability = self.manifest.capability(&record.operation.capability);
        let can_tell = capability.is_some_and(|each| matches!(each.probe(), Probe::Counter | Probe::Exact));
        self.running.insert(id.to_owned(), Running::default());
        match can_tell {
            true => {
                let operation = Box::new(record.operation.clone());
                self.step.after.push(Effect::Hardware(Hardware::Probe(operation)));
            }
            false => self.interrupted(id),
        }
        if self.operation(id).is_some_and(|it| it.state() == State::Failed) {
            self.harmless_at_boot.push(id.to_owned());
        }
    }

    /// The end state is kept for ever, the numbers for the declared time.
    fn forget_old_results(&mut self, id: &str) {
        let retention = i64::try_from(self.manifest.result_retention().as_secs()).unwrap_or(i64::MAX);
        let now = self.now.utc.seconds;
        let Some(record) = self.operations.get_mut(id) else { return };
        let operation = &mut record.operation;
        let end = operation.end_time.map_or(now, |end| end.seconds);
        if !operation.measurements.is_empty() && now.saturating_sub(end) > retention {
            operation.measurements.clear();
            operation.measurements_expired = true;
            operation.artifacts.clear();
            self.save(id);
            self.step.after.push(Effect::Forget(id.to_owned()));
        }
    }
}
