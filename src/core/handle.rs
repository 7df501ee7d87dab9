//! The door: one request in, the events that answer it out.

use crate::advance::advance;
use crate::command::Request;
use crate::decide::decide;
use crate::event::{Event, FORMAT_VERSION, Recorded};
use crate::evolve::evolve;
use crate::ids::RequestId;
use crate::state::{Reply, Workcell};
use crate::time::Time;

/// What came of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// For whoever asked.
    pub reply: Reply,
    /// Already applied to the state; they must be durable before anybody hears of the reply or of what is owed.
    pub events: Vec<Recorded>,
}

/// Decides a request, applies its events and everything that follows from them.
///
/// The core's time never falls: an earlier `now` counts as the time of the last event.
pub fn handle(workcell: &mut Workcell, now: Time, request: Request) -> Verdict {
    if let Some(known) = request.id.as_ref().and_then(|id| workcell.verdict(id)) {
        return Verdict { reply: known.clone(), events: Vec::new() };
    }
    let now = now.max(workcell.now);
    let name = request.command.name();
    let mut log = Log { workcell, now, events: Vec::new() };
    let decided = match decide(log.workcell, request.command) {
        Ok(events) => events,
        // Nobody repeats what the engine itself reports, so only a person's rejection is kept.
        Err(rejection) if request.id.is_some() => {
            vec![Event::RequestRejected { command: name.into(), rejection }]
        }
        Err(rejection) => {
            let reply = Reply { rejection: Some(rejection), ..Reply::default() };
            return Verdict { reply, events: log.events };
        }
    };
    log.record(decided, request.id.as_ref());
    loop {
        let next = advance(log.workcell, now);
        if next.is_empty() {
            break;
        }
        log.record(next, None);
    }
    let events = log.events;
    let reply = request.id.and_then(|id| workcell.verdict(&id).cloned()).unwrap_or_default();
    Verdict { reply, events }
}

struct Log<'a> {
    workcell: &'a mut Workcell,
    now: Time,
    events: Vec<Recorded>,
}

impl Log<'_> {
    fn record(&mut self, events: Vec<Event>, request: Option<&RequestId>) {
        for event in events {
            let recorded = Recorded { v: FORMAT_VERSION, at: self.now, request: request.cloned(), event };
            evolve(self.workcell, &recorded);
            self.events.push(recorded);
        }
    }
}
