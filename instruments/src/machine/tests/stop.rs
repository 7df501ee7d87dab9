//! Abort, tombstones, halt, limits.

use super::*;
use crate::wire::execute_request::LeaseLossPolicy;
use crate::wire::{ClearHaltRequest, Interlock};

fn clear(halt_id: &str) -> Call {
    Call::ClearHalt(ClearHaltRequest {
        instrument: OVEN.to_owned(),
        halt_id: halt_id.to_owned(),
        person: "Kim".to_owned(),
        statement: "no smoke".to_owned(),
    })
}

fn stopped(id: &str, reason: StopReason) -> Hardware {
    Hardware::Stop { operation_id: id.to_owned(), reason }
}

fn halt_id(bench: &mut Bench) -> String {
    let Answer::Status(status) = bench.call(Call::Status).unwrap() else { panic!("not a status") };
    status.halt_id
}

#[test]
fn a_tombstone_attaches_a_late_execute_whatever_its_hash() {
    let mut bench = Bench::new();
    let token = bench.lease();
    let buried = bench.abort(ID, token).unwrap();
    assert_eq!((buried.state(), buried.sample_effect()), (State::Aborted, SampleEffect::None));
    bench.restart();
    let token = bench.lease_as(HOLDER, 2).unwrap().fencing_token;
    for hash in [7, 8] {
        let late = ExecuteRequest { request_hash: vec![hash; 32], ..request(ID, token) };
        let Answer::Executed(answer) = bench.call(Call::Execute(Box::new(late))).unwrap() else { panic!("refused") };
        assert!(answer.attached);
        assert_eq!(answer.operation.unwrap().state(), State::Aborted);
    }
    assert!(bench.starts.is_empty());
}

#[test]
fn a_tombstone_too_late_answers_with_what_ran() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.succeed(ID);
    let answer = bench.abort(ID, token).unwrap();
    assert_eq!((answer.state(), answer.measurements.len()), (State::Succeeded, 1));
}

#[test]
fn a_running_operation_is_aborted_once_and_ends_as_the_hardware_says() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    assert_eq!(bench.abort(ID, token).unwrap().state(), State::Aborting);
    assert_eq!(bench.abort(ID, token).unwrap().state(), State::Aborting);
    assert_eq!(bench.stops, [stopped(ID, StopReason::Abort)]);
    bench.fail(ID, SampleEffect::Consumed);
    let operation = bench.operation(ID);
    assert_eq!((operation.state(), operation.sample_effect()), (State::Aborted, SampleEffect::Consumed));
    assert_eq!(operation.fault.as_ref().unwrap().reason, "ABORTED");
}

#[test]
fn an_abort_that_comes_after_the_last_move_finds_a_success() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.abort(ID, token).unwrap();
    bench.succeed(ID);
    assert_eq!(bench.state(ID), State::Succeeded);
}

#[test]
fn a_queued_operation_aborts_without_effect() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.execute(OTHER_ID, token).unwrap();
    let aborted = bench.abort(OTHER_ID, token).unwrap();
    assert_eq!((aborted.state(), aborted.sample_effect()), (State::Aborted, SampleEffect::None));
    bench.succeed(ID);
    assert_eq!(bench.starts, [ID]);
}

#[test]
fn what_can_not_be_aborted_says_so_and_runs_on() {
    let mut bench = Bench::new();
    let token = bench.lease();
    let sealing = ExecuteRequest { capability: "oven.seal".to_owned(), ..request(ID, token) };
    bench.call(Call::Execute(Box::new(sealing))).unwrap();
    assert_eq!(bench.abort(ID, token).unwrap_err().reason, Reason::NotAbortable);
    assert_eq!(bench.state(ID), State::Running);
}

#[test]
fn an_abort_is_heard_after_the_lease_has_expired() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.pass(61);
    assert_eq!(bench.abort(ID, token).unwrap().state(), State::Aborting);
}

#[test]
fn a_stop_withdraws_a_start_that_waits_for_the_same_sync() {
    for all in [false, true] {
        let mut bench = Bench::new();
        let token = bench.lease();
        let mut batch = Batch::default();
        let start = bench.machine.handle(bench.now, CallId(500), Call::Execute(Box::new(request(ID, token))));
        assert!(batch.add(start).is_empty());
        let stop = bench.machine.handle(bench.now, CallId(501), if all { halt() } else { abort(ID, token) });
        assert_eq!(batch.add(stop).len(), 1);
        bench.sync(batch);
        assert!(bench.starts.is_empty());
        assert_eq!((bench.state(ID), bench.operation(ID).sample_effect()), (State::Aborted, SampleEffect::None));
    }
}

#[test]
fn a_halt_needs_no_lease_stops_at_once_and_latches_over_restarts() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.execute(OTHER_ID, token).unwrap();
    let step = bench.machine.handle(bench.now, CallId(900), halt());
    assert_eq!(step.at_once, [Hardware::StopAll(StopReason::Halt)]);
    bench.perform(step);
    assert_eq!((bench.state(ID), bench.state(OTHER_ID)), (State::Aborting, State::Failed));
    bench.fail(ID, SampleEffect::Modified);
    assert_eq!(bench.state(ID), State::Aborted);
    assert_eq!(bench.execute(THIRD_ID, token).unwrap_err().reason, Reason::Halted);
    bench.restart();
    let token = bench.lease_as(HOLDER, 2).unwrap().fencing_token;
    assert_eq!(bench.execute(THIRD_ID, token).unwrap_err().reason, Reason::Halted);
}

#[test]
fn an_old_clearance_does_not_clear_a_newer_halt() {
    let mut bench = Bench::new();
    assert_eq!(bench.refused(clear("")), Reason::NotHalted);
    bench.call(halt()).unwrap();
    let old = halt_id(&mut bench);
    bench.restart();
    bench.call(halt()).unwrap();
    let new = halt_id(&mut bench);
    assert_ne!(old, new);
    assert_eq!(bench.refused(clear(&old)), Reason::StaleHalt);
    bench.call(clear(&new)).unwrap();
    let token = bench.lease();
    assert!(bench.execute(ID, token).is_ok());
    bench.restart();
    assert_eq!(halt_id(&mut bench), "");
}

#[test]
fn a_halt_stays_while_an_interlock_is_open_a_reset_is_due_or_something_still_stops() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.call(halt()).unwrap();
    let id = halt_id(&mut bench);
    assert_eq!(bench.refused(clear(&id)), Reason::StillStopping);
    bench.fail(ID, SampleEffect::Unknown);
    let door = Interlock { id: "door".to_owned(), closed: false, message: "open".to_owned() };
    bench.report(Report::Status(StatusReport { interlocks: vec![door], ..StatusReport::default() }));
    assert_eq!(bench.refused(clear(&id)), Reason::InterlockOpen);
    bench.report(Report::Status(StatusReport { needs_on_site_reset: true, ..StatusReport::default() }));
    assert_eq!(bench.refused(clear(&id)), Reason::NeedsOnSiteReset);
    bench.report(Report::Status(StatusReport::default()));
    let Call::ClearHalt(unsigned) = clear(&id) else { panic!("not a clearance") };
    let unsigned = ClearHaltRequest { person: " ".to_owned(), ..unsigned };
    assert_eq!(bench.refused(Call::ClearHalt(unsigned)), Reason::InvalidRequest);
    assert!(bench.call(clear(&id)).is_ok());
}

#[test]
fn an_operation_past_its_limit_is_stopped_and_fails() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.pass(599);
    assert!(bench.stops.is_empty());
    bench.pass(1);
    assert_eq!(bench.stops, [stopped(ID, StopReason::MaxDuration)]);
    bench.fail(ID, SampleEffect::Modified);
    assert_eq!(bench.state(ID), State::Failed);
    assert_eq!(bench.operation(ID).fault.as_ref().unwrap().reason, "MAX_DURATION_EXCEEDED");
}

#[test]
fn a_lost_lease_stops_only_who_asked_for_it() {
    for (policy, stops) in [
        (LeaseLossPolicy::SafeState, vec![stopped(ID, StopReason::LeaseLost)]),
        (LeaseLossPolicy::Finish, Vec::new()),
        (LeaseLossPolicy::Unspecified, Vec::new()),
    ] {
        let mut bench = Bench::new();
        let token = bench.lease();
        let request = ExecuteRequest { lease_loss_policy: policy.into(), ..request(ID, token) };
        bench.call(Call::Execute(Box::new(request))).unwrap();
        bench.pass(61);
        assert_eq!(bench.stops, stops, "{policy:?}");
    }
}
