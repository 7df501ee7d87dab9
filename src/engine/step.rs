//! One turn of the ring: decide a batch, append it once, release what follows.

use crate::journal::{AppendError, Entry, Head, Journal, JournalError, MAX_BATCH};
use eutectic_core::{
    Command, Event, FORMAT_VERSION, Recorded, Reply, Request, Time, Verdict, Workcell, evolve, handle,
};
use eutectic_failpoints::mutant;

/// What holds dispatch while the disk is full.
const DISK: &str = "disk";
/// How often the disk is looked at again then, in milliseconds.
const LOOK_MS: i64 = 1_000;
/// Entries that are read from the journal at once while it is replayed.
const REPLAY_CHUNK: usize = 1024;

/// Why the engine can't go on. None of these is mended by trying again: the process ends, and the next one asks the
/// journal and the drivers what is true.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The journal refused an append or does not know whether it was stored.
    #[error("the journal: {0}")]
    Append(#[from] AppendError),
    /// The journal can't be read.
    #[error("the journal: {0}")]
    Read(#[from] JournalError),
    /// An entry is not what this build understands.
    #[error("entry {seq} of the journal can't be read: {source}")]
    Entry {
        /// Its place.
        seq: u64,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A later build wrote it.
    #[error("entry {seq} has format {found}, this build reads up to {FORMAT_VERSION}: use the newer build")]
    Newer {
        /// Its place.
        seq: u64,
        /// Its format.
        found: u32,
    },
    /// An event that can't be written.
    #[error("an event can't be written: {0}")]
    Encode(#[source] serde_json::Error),
}

/// The only writer: a journal and the state that its entries give.
pub struct Step {
    journal: Box<dyn Journal>,
    workcell: Workcell,
    head: Head,
    owner: String,
    /// Whether this process has appended its `EpochTaken`. Until it changes something it has no need to.
    owns: bool,
}

/// What a batch of requests came to; everything in it is durable.
#[derive(Debug, Default)]
pub struct Batch {
    /// One for each request, in order.
    pub replies: Vec<Reply>,
    /// Their events, those that followed included.
    pub events: Vec<Recorded>,
}

impl Step {
    /// Replays a journal.
    ///
    /// # Errors
    /// [`StepError`] if an entry can't be read.
    pub fn open(journal: Box<dyn Journal>, owner: &str) -> Result<Self, StepError> {
        let mut workcell = Workcell::default();
        let head = journal.head();
        let mut next = 1;
        while next <= head.seq {
            let entries = journal.read(next, REPLAY_CHUNK)?;
            let Some(last) = entries.last() else { break };
            next = last.seq + 1;
            for entry in &entries {
                evolve(&mut workcell, &decode(entry)?);
            }
        }
        Ok(Self { journal, workcell, head, owner: owner.into(), owns: false })
    }

    /// The state.
    #[must_use]
    pub fn workcell(&self) -> &Workcell {
        &self.workcell
    }

    /// The place of the last durable entry.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.head.seq
    }

    /// Whether this process owns the workcell and must do what is owed.
    #[must_use]
    pub fn owns(&self) -> bool {
        self.owns
    }

    /// The journal's own name for the workcell.
    #[must_use]
    pub fn journal_workcell(&self) -> &str {
        self.journal.workcell()
    }

    /// Decides these requests and makes their events durable in one append.
    ///
    /// # Errors
    /// [`StepError`]: the state in memory may be ahead of the journal then, so the process must end.
    pub fn take(&mut self, now: Time, requests: Vec<Request>) -> Result<Batch, StepError> {
        let mut batch = Batch::default();
        let changes = requests.iter().any(|it| it.command != Command::Tick);
        if !self.owns && changes {
            let command = Command::TakeEpoch { owner: self.owner.clone(), workcell: self.journal.workcell().into() };
            batch.events.extend(handle(&mut self.workcell, now, Request { id: None, command }).events);
            self.owns = true;
        }
        if self.owns {
            batch.events.extend(self.look_at_disk(now));
            for request in requests {
                let Verdict { reply, events } = handle(&mut self.workcell, now, request);
                batch.replies.push(reply);
                batch.events.extend(events);
            }
        }
        let payloads: Vec<Vec<u8>> =
            batch.events.iter().map(serde_json::to_vec).collect::<Result<_, _>>().map_err(StepError::Encode)?;
        reach(&batch.events, "unsynced");
        for payloads in payloads.chunks(MAX_BATCH) {
            self.head = self.append(payloads)?;
        }
        reach(&batch.events, "synced");
        Ok(batch)
    }

    /// Without a spare segment nothing new is begun, so that there is room for the results of what runs.
    fn look_at_disk(&mut self, now: Time) -> Vec<Recorded> {
        let cause = DISK.to_owned();
        let command = match (self.journal.has_spare(), self.workcell.suspended.contains_key(DISK)) {
            (true, false) | (false, true) => return Vec::new(),
            (false, false) if mutant("no_suspension") => return Vec::new(),
            (true, true) => Command::ResumeDispatch { cause },
            (false, false) => {
                let reason = "the disk has no room for another segment of the journal".to_owned();
                Command::SuspendDispatch { cause, reason }
            }
        };
        handle(&mut self.workcell, now, Request { id: None, command }).events
    }

    /// When a [`Command::Tick`] is due at the latest.
    #[must_use]
    pub fn next_wakeup(&self, now: Time) -> Option<Time> {
        let look = (self.owns && self.workcell.suspended.contains_key(DISK)).then(|| now.plus_ms(LOOK_MS));
        self.workcell.next_wakeup().into_iter().chain(look).min()
    }

    fn append(&mut self, payloads: &[Vec<u8>]) -> Result<Head, AppendError> {
        match self.journal.append(self.head.seq, self.workcell.epoch, payloads) {
            Err(AppendError::Unknown(_)) if mutant("dispatch_before_durable") => Ok(self.head),
            Err(AppendError::Unknown(_)) if mutant("blind_reappend") => {
                self.journal.append(self.journal.head().seq, self.workcell.epoch, payloads)
            }
            appended => appended,
        }
    }

    /// Entries from `from` on, at most `limit`.
    ///
    /// # Errors
    /// [`StepError`] if they can't be read.
    pub fn log(&self, from: u64, limit: usize) -> Result<Vec<(Entry, Recorded)>, StepError> {
        let entries = self.journal.read(from, limit)?;
        entries.into_iter().map(|entry| decode(&entry).map(|recorded| (entry, recorded))).collect()
    }

    /// Closes the journal in good order.
    ///
    /// # Errors
    /// [`StepError::Read`] if the end can't be marked; nothing is lost by that.
    pub fn close(self) -> Result<(), StepError> {
        Ok(self.journal.close()?)
    }
}

/// The failpoints of a sync: `engine.dispatched.unsynced` is where an intent is about to become durable.
fn reach(events: &[Recorded], moment: &str) {
    for recorded in events {
        #[expect(clippy::wildcard_enum_match_arm, reason = "nothing hangs on the others")]
        let window = match &recorded.event {
            Event::EpochTaken { .. } => "epoch",
            Event::LeaseTaken { .. } => "lease",
            Event::ProposalsAdded { .. } => "proposals",
            Event::OperationDispatched(_) => "dispatched",
            Event::OperationStarted { .. } => "started",
            Event::OperationEnded { .. } => "ended",
            _ => continue,
        };
        eutectic_failpoints::reach(format_args!("engine.{window}.{moment}"));
    }
}

fn decode(entry: &Entry) -> Result<Recorded, StepError> {
    let recorded: Recorded = serde_json::from_slice(&entry.payload).map_err(|source| {
        // A later format may hold events that are unknown here: say that rather than what the parser stumbled over.
        let found = serde_json::from_slice::<Format>(&entry.payload).map_or(0, |it| it.v);
        if found > FORMAT_VERSION {
            StepError::Newer { seq: entry.seq, found }
        } else {
            StepError::Entry { seq: entry.seq, source }
        }
    })?;
    if recorded.v > FORMAT_VERSION {
        return Err(StepError::Newer { seq: entry.seq, found: recorded.v });
    }
    Ok(recorded)
}

#[derive(serde::Deserialize)]
struct Format {
    v: u32,
}
