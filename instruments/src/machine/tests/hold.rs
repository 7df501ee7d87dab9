use super::*;
use crate::wire::{HoldOperationRequest, ResumeOperationRequest};

fn hold(id: &str, fencing_token: i64) -> Call {
    let (instrument, operation_id) = (OVEN.to_owned(), id.to_owned());
    Call::Hold(HoldOperationRequest { instrument, operation_id, fencing_token })
}

fn resume(id: &str, fencing_token: i64) -> Call {
    let (instrument, operation_id) = (OVEN.to_owned(), id.to_owned());
    Call::Resume(ResumeOperationRequest { instrument, operation_id, fencing_token })
}

fn running() -> (Bench, i64) {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    (bench, token)
}

#[test]
fn held_is_told_once_the_drivers_code_waits_and_not_before() {
    let (mut bench, token) = running();
    bench.call(hold(ID, token)).unwrap();
    assert_eq!((bench.state(ID), bench.holds.as_slice()), (State::Running, [(ID.to_owned(), true)].as_slice()));
    bench.report(Report::Held(ID.to_owned()));
    assert_eq!(bench.state(ID), State::Held);
    bench.call(resume(ID, token)).unwrap();
    assert_eq!(bench.state(ID), State::Held, "it goes on when its code says so");
    bench.report(Report::Resumed(ID.to_owned()));
    assert_eq!(bench.state(ID), State::Running);
    bench.succeed(ID);
    assert_eq!(bench.state(ID), State::Succeeded);
}

#[test]
fn holding_twice_is_holding_once_and_holding_the_ended_changes_nothing() {
    let (mut bench, token) = running();
    bench.call(hold(ID, token)).unwrap();
    bench.call(hold(ID, token)).unwrap();
    assert_eq!(bench.holds.len(), 1);
    bench.call(resume(ID, token)).unwrap();
    bench.call(resume(ID, token)).unwrap();
    assert_eq!(bench.holds.len(), 2);
    bench.succeed(ID);
    bench.call(hold(ID, token)).unwrap();
    assert_eq!((bench.state(ID), bench.holds.len()), (State::Succeeded, 2));
}

#[test]
fn what_is_declared_otherwise_has_not_begun_or_is_unknown_can_not_be_held() {
    let (mut bench, token) = running();
    bench.execute(OTHER_ID, token).unwrap();
    assert_eq!(bench.refused(hold(OTHER_ID, token)), Reason::NotRunning);
    assert_eq!(bench.refused(hold(THIRD_ID, token)), Reason::OperationNotFound);
    assert_eq!(bench.refused(hold(ID, token + 1)), Reason::StaleToken);
    bench.succeed(ID);
    bench.succeed(OTHER_ID);
    let mut seal = request(THIRD_ID, token);
    seal.capability = "oven.seal".to_owned();
    bench.call(Call::Execute(Box::new(seal))).unwrap();
    assert_eq!(bench.refused(hold(THIRD_ID, token)), Reason::NotHoldable);
}

#[test]
fn the_limit_does_not_run_while_it_is_held() {
    let (mut bench, token) = running();
    bench.pass(500);
    bench.report(Report::Held(ID.to_owned()));
    bench.pass(10_000);
    assert_eq!(bench.state(ID), State::Held);
    let token = bench.lease_as(HOLDER, 2).unwrap().fencing_token.max(token);
    bench.call(resume(ID, token)).unwrap();
    bench.report(Report::Resumed(ID.to_owned()));
    bench.pass(99);
    assert_eq!(bench.state(ID), State::Running);
    bench.pass(1);
    assert_eq!(bench.state(ID), State::Aborting, "600 s of its own are over");
}

#[test]
fn going_on_needs_a_lease_in_force_and_standing_still_does_not() {
    let (mut bench, token) = running();
    bench.pass(61);
    bench.call(hold(ID, token)).unwrap();
    bench.report(Report::Held(ID.to_owned()));
    assert_eq!(bench.refused(resume(ID, token)), Reason::LeaseExpired);
}

#[test]
fn what_is_held_can_be_aborted_and_a_crash_meets_it_as_running() {
    let (mut bench, token) = running();
    bench.report(Report::Held(ID.to_owned()));
    bench.abort(ID, token).unwrap();
    assert_eq!(bench.state(ID), State::Aborting);
    bench.fail(ID, SampleEffect::Modified);
    assert_eq!(bench.state(ID), State::Aborted);
    bench.execute(OTHER_ID, token).unwrap();
    bench.report(Report::Held(OTHER_ID.to_owned()));
    bench.restart();
    assert_eq!(bench.state(OTHER_ID), State::Interrupted);
}
