//! The table of answers, one conversation a row: what a session asks, and what it makes of the answer.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::*;
use eutectic_core::model::RepeatEffect;
use eutectic_core::{Attend, Dispatch, Ended};
use eutectic_proto::instrument::v1 as wire;
use std::collections::BTreeMap;
use wire::operation::State;

const OPERATION: &str = "3c5d6a4f-f918-8807-a6c3-0d3f41262bc1";

struct Talk {
    session: Session,
    now: u64,
}

impl Talk {
    /// A session that holds the instrument for epoch 2, by a driver whose journal is called 'journal'.
    fn held() -> Self {
        let mut talk = Self { session: Session::new("reactor".into(), "workcell".into()), now: 1_000 };
        talk.session.hold(2, None);
        let calls = talk.poll();
        let (describe, _) = calls.iter().find(|(_, call)| matches!(call, Call::Describe(_))).unwrap();
        talk.session.answered(*describe, Err(CallError::Unknown("not of interest here".into())), talk.now);
        let (lease, _) = calls.iter().find(|(_, call)| matches!(call, Call::Lease(_))).unwrap();
        talk.answer(*lease, Ok(lease_of("journal", 5)));
        let listing = talk.poll();
        talk.answer(
            listing.iter().find(|(_, call)| matches!(call, Call::List(_))).unwrap().0,
            Ok(Answer::Operations(vec![])),
        );
        talk
    }

    fn poll(&mut self) -> Vec<(CallId, Call)> {
        let call = |action| match action {
            Action::Call(id, call) => Some((id, *call)),
            Action::Report(_) => None,
        };
        self.session.poll(self.now).into_iter().filter_map(call).collect()
    }

    /// The one call about the operation that is made now.
    fn only(&mut self) -> (CallId, Call) {
        let calls: Vec<_> = self.poll().into_iter().filter(|(_, call)| !matches!(call, Call::Describe(_))).collect();
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls[0].clone()
    }

    fn answer(&mut self, id: CallId, answer: Result<Answer, CallError>) -> Vec<GatewayReport> {
        let report = |action| match action {
            Action::Report(report) => Some(*report),
            Action::Call(..) => None,
        };
        self.session.answered(id, answer, self.now).into_iter().filter_map(report).collect()
    }

    /// Nothing is asked now; some time later this is.
    fn later(&mut self) -> (CallId, Call) {
        assert!(self.poll().iter().all(|(_, call)| matches!(call, Call::Describe(_))), "something is asked at once");
        for _ in 0..100 {
            self.now = self.session.wakeup_ms(self.now).unwrap();
            let calls = self.poll();
            if let Some(call) = calls.into_iter().find(|(_, call)| !matches!(call, Call::Describe(_))) {
                return call;
            }
        }
        panic!("nothing is ever asked again");
    }
}

fn lease_of(journal_id: &str, token: i64) -> Answer {
    Answer::Lease(wire::Lease { fencing_token: token, journal_id: journal_id.into(), ..wire::Lease::default() })
}

/// An operation of epoch `epoch`, owed by epoch 2 under the lease that [`Talk::held`] has.
fn attend(epoch: u64) -> Attend {
    Attend {
        dispatch: Dispatch {
            operation: OPERATION.into(),
            campaign: "c".into(),
            experiment: 1,
            step: "react".into(),
            attempt: 1,
            instrument: "reactor".into(),
            capability: "reactor.run".into(),
            version: "1.0.0".into(),
            arguments: BTreeMap::new(),
            hash: "ab".repeat(32),
            epoch,
            journal_id: "journal".into(),
            effect: RepeatEffect::Once,
            deadline: None,
            recovery: None,
        },
        seed: 0,
        epoch: 2,
        lease: Some((5, "journal".into())),
        started: false,
        abort: None,
        inquire: false,
    }
}

fn operation(state: State) -> Answer {
    Answer::Operation(Box::new(wire::Operation {
        id: OPERATION.into(),
        state: state.into(),
        request_hash: vec![0xab; 32],
        holder: "workcell".into(),
        ..wire::Operation::default()
    }))
}

fn refusal(reason: &str) -> CallError {
    CallError::Refused(Box::new(wire::Fault { reason: reason.into(), ..wire::Fault::default() }))
}

fn end(reports: &[GatewayReport]) -> Ended {
    match reports {
        [GatewayReport::Operation { report: Report::Ended(ended), .. }] => ended.clone(),
        other => panic!("no end: {other:?}"),
    }
}

#[test]
fn nothing_is_asked_or_sent_before_the_instrument_is_held() {
    let mut talk = Talk { session: Session::new("reactor".into(), "workcell".into()), now: 1_000 };
    talk.session.attend(attend(1));
    assert!(talk.poll().iter().all(|(_, call)| matches!(call, Call::Describe(_))));
    talk.session.hold(2, None);
    assert!(talk.poll().iter().all(|(_, call)| matches!(call, Call::Lease(_))), "fence first");
}

#[test]
fn what_this_process_decided_is_sent_and_what_an_earlier_one_did_is_asked_about() {
    let mut talk = Talk::held();
    talk.session.attend(attend(2));
    assert!(matches!(talk.only().1, Call::Execute(request) if request.fencing_token == 5));
    let mut talk = Talk::held();
    talk.session.attend(attend(1));
    assert!(matches!(talk.only().1, Call::Get(_)));
}

#[test]
fn a_lost_reply_is_asked_about_and_never_sent_again_unseen() {
    let mut talk = Talk::held();
    talk.session.attend(attend(2));
    let (execute, _) = talk.only();
    talk.answer(execute, Err(CallError::Unknown("connection reset".into())));
    let (get, call) = talk.later();
    assert!(matches!(call, Call::Get(_)), "{call:?}");
    assert!(
        talk.answer(get, Ok(operation(State::Running)))
            .iter()
            .all(|it| !matches!(it, GatewayReport::Operation { report: Report::Ended(_), .. }))
    );
}

#[test]
fn an_operation_that_the_driver_never_had_is_sent_once_its_memory_is_proven_the_same() {
    let mut talk = Talk::held();
    talk.session.attend(attend(1));
    let (get, _) = talk.only();
    assert!(talk.answer(get, Err(refusal("OPERATION_NOT_FOUND"))).is_empty());
    // The answer may have come from a driver that has lost its memory: a lease asked for afterwards tells.
    let (lease, call) = talk.only();
    assert!(matches!(call, Call::Lease(_)), "{call:?}");
    talk.answer(lease, Ok(lease_of("journal", 5)));
    assert!(matches!(talk.only().1, Call::Execute(_)));
}

#[test]
fn a_driver_with_another_memory_gets_a_tombstone_and_the_end_is_unknown() {
    let mut talk = Talk::held();
    talk.session.attend(attend(1));
    let (get, _) = talk.only();
    talk.answer(get, Err(refusal("OPERATION_NOT_FOUND")));
    let (lease, _) = talk.only();
    talk.answer(lease, Ok(lease_of("another journal", 1)));
    // The engine has seen that lease and tells so.
    talk.session.attend(Attend { lease: Some((1, "another journal".into())), ..attend(1) });
    let abort = loop {
        let calls = talk.poll();
        match calls.iter().find(|(_, call)| !matches!(call, Call::Describe(_) | Call::List(_))) {
            Some((id, Call::Abort(_))) => break *id,
            Some((_, call)) => panic!("{call:?}"),
            None => talk.now = talk.session.wakeup_ms(talk.now).unwrap(),
        }
    };
    let ended = end(&talk.answer(abort, Ok(operation(State::Aborted))));
    assert!(matches!(ended, Ended::Unknown { .. }), "{ended:?}");
}

#[test]
fn an_end_is_told_once_and_with_what_it_was() {
    type Expected = fn(&Ended) -> bool;
    let table: [(State, Expected); 4] = [
        (State::Succeeded, |it| matches!(it, Ended::Succeeded { .. })),
        (State::Failed, |it| matches!(it, Ended::Failed { .. })),
        (State::Interrupted, |it| matches!(it, Ended::Interrupted)),
        // Nobody here asked it to stop: a halt, and no fault of the recipe.
        (State::Aborted, |it| matches!(it, Ended::Failed { .. })),
    ];
    for (state, expected) in table {
        let mut talk = Talk::held();
        talk.session.attend(attend(1));
        let (get, _) = talk.only();
        let ended = end(&talk.answer(get, Ok(operation(state))));
        assert!(expected(&ended), "{state:?}: {ended:?}");
        assert!(talk.poll().iter().all(|(_, call)| matches!(call, Call::Describe(_))), "its end is asked for again");
    }
}

#[test]
fn the_same_id_with_other_arguments_is_somebody_elses_operation() {
    let mut talk = Talk::held();
    talk.session.attend(attend(1));
    let (get, _) = talk.only();
    let Answer::Operation(mut other) = operation(State::Succeeded) else { panic!() };
    other.request_hash = vec![0xcd; 32];
    assert!(matches!(end(&talk.answer(get, Ok(Answer::Operation(other)))), Ended::Unknown { .. }));
    let mut talk = Talk::held();
    talk.session.attend(attend(2));
    let (execute, _) = talk.only();
    assert!(matches!(end(&talk.answer(execute, Err(refusal("OPERATION_ID_REUSED")))), Ended::Unknown { .. }));
}

#[test]
fn a_refusal_ends_it_waits_or_fences_as_its_reason_says() {
    let send = || {
        let mut talk = Talk::held();
        talk.session.attend(attend(2));
        let (execute, _) = talk.only();
        (talk, execute)
    };
    let (mut talk, execute) = send();
    assert!(matches!(end(&talk.answer(execute, Err(refusal("OUT_OF_RANGE")))), Ended::Failed { .. }));
    let (mut talk, execute) = send();
    assert!(talk.answer(execute, Err(refusal("STALE_TOKEN"))).is_empty());
    assert!(!talk.session.is_held());
    assert!(matches!(talk.only().1, Call::Lease(_)));
    let (mut talk, execute) = send();
    let busy =
        wire::Fault { reason: "BUSY".into(), retry: wire::fault::Retry::SameId.into(), ..wire::Fault::default() };
    assert!(talk.answer(execute, Err(CallError::Refused(Box::new(busy)))).is_empty());
    assert!(matches!(talk.later().1, Call::Execute(_) | Call::Get(_)));
    let (mut talk, execute) = send();
    let halted = wire::Fault {
        reason: "HALTED".into(),
        retry: wire::fault::Retry::AfterPerson.into(),
        ..wire::Fault::default()
    };
    assert!(talk.answer(execute, Err(CallError::Refused(Box::new(halted)))).is_empty(), "it waits for a person");
}

#[test]
fn an_operation_is_stopped_by_its_id_whether_the_driver_has_it_or_not() {
    let mut talk = Talk::held();
    talk.session.attend(attend(1));
    let (get, _) = talk.only();
    talk.answer(get, Ok(operation(State::Running)));
    talk.session.attend(Attend { abort: Some("asked to".into()), ..attend(1) });
    let calls = talk.poll();
    let (abort, _) = calls.iter().find(|(_, call)| matches!(call, Call::Abort(_))).unwrap();
    let ended = end(&talk.answer(*abort, Ok(operation(State::Aborted))));
    assert!(matches!(ended, Ended::Aborted { .. }), "{ended:?}");
}

#[test]
fn work_of_ours_that_nobody_attends_is_told() {
    let mut talk = Talk { session: Session::new("reactor".into(), "workcell".into()), now: 1_000 };
    talk.session.hold(2, None);
    let (lease, _) = talk.poll().into_iter().find(|(_, call)| matches!(call, Call::Lease(_))).unwrap();
    talk.answer(lease, Ok(lease_of("journal", 5)));
    let (list, _) = talk.poll().into_iter().find(|(_, call)| matches!(call, Call::List(_))).unwrap();
    let Answer::Operation(known) = operation(State::Running) else { panic!() };
    let reports = talk.answer(list, Ok(Answer::Operations(vec![*known])));
    assert!(matches!(&reports[..], [GatewayReport::Foreign { .. }]), "{reports:?}");
}

/// Messages that are changed on every push.
const MUTATIONS: u64 = 30_000;

#[test]
fn no_message_of_a_driver_makes_a_session_panic_or_execute_twice() {
    use prost::Message as _;
    use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
    let honest = |state: State| {
        let Answer::Operation(it) = operation(state) else { panic!("no operation") };
        *it
    };
    let states = [State::Accepted, State::Running, State::Succeeded, State::Failed, State::Aborted, State::Interrupted];
    let mut read = 0;
    for seed in 0..MUTATIONS {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let below = |bound: usize, rng: &mut rand_chacha::ChaCha8Rng| usize::try_from(rng.next_u64()).unwrap() % bound;
        let state = states[below(states.len(), &mut rng)];
        let fault = wire::Fault { reason: "R".into(), retry: wire::fault::Retry::NewId.into(), ..Default::default() };
        let value = wire::value::Kind::Quantity(wire::Quantity { value: 1.0, unit: "1".into(), ..Default::default() });
        let value = Some(wire::Value { kind: Some(value) });
        let measurement = wire::Measurement { output: "y".into(), value, ..Default::default() };
        let operation = wire::Operation { fault: Some(fault), measurements: vec![measurement], ..honest(state) };
        let mut bytes = operation.encode_to_vec();
        for _ in 0..=below(4, &mut rng) {
            let place = below(bytes.len(), &mut rng);
            bytes[place] = u8::try_from(rng.next_u64() & 0xff).unwrap();
        }
        let Ok(changed) = wire::Operation::decode(bytes.as_slice()) else { continue };
        read += 1;
        let mut talk = Talk::held();
        talk.session.attend(attend(2));
        let mut executed = 0;
        for _ in 0..4 {
            talk.now += 7_000;
            let calls = talk.poll();
            executed += calls.iter().filter(|(_, call)| matches!(call, Call::Execute(_))).count();
            for (id, _) in calls {
                talk.answer(id, Ok(Answer::Operation(Box::new(changed.clone()))));
            }
        }
        assert!(executed <= 1, "seed {seed}: executed {executed} times");
    }
    assert!(read > MUTATIONS / 10, "only {read} of {MUTATIONS} could be read at all");
}
