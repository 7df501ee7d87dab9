//! Start or attach, the queue, results.

use super::*;

#[test]
fn a_repeated_execute_attaches_and_the_hardware_stays_still() {
    let mut bench = Bench::new();
    let token = bench.lease();
    assert!(!bench.execute(ID, token).unwrap().attached);
    let again = bench.execute(ID, token).unwrap();
    assert!(again.attached);
    assert_eq!(again.operation.unwrap().state(), State::Running);
    bench.succeed(ID);
    let late = bench.execute(ID, token).unwrap();
    assert_eq!((late.attached, late.operation.unwrap().state()), (true, State::Succeeded));
    assert_eq!(bench.starts, [ID]);
}

#[test]
fn attaching_needs_neither_lease_nor_the_current_token() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.succeed(ID);
    bench.pass(3600);
    assert!(bench.execute(ID, token).unwrap().attached);
    assert!(bench.execute(ID, 99).unwrap().attached);
}

#[test]
fn a_known_id_with_another_hash_is_refused() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    let other = ExecuteRequest { request_hash: vec![8; 32], ..request(ID, token) };
    assert_eq!(bench.refused(Call::Execute(Box::new(other))), Reason::OperationIdReused);
}

#[test]
fn malformed_ids_and_hashes_are_refused() {
    let mut bench = Bench::new();
    let token = bench.lease();
    for id in ["short", "operation_with_underscores", "OPERATION-0000000000000001", &"a".repeat(64)] {
        assert_eq!(bench.execute(id, token).unwrap_err().reason, Reason::InvalidRequest, "{id}");
    }
    let unhashed = ExecuteRequest { request_hash: vec![7; 31], ..request(ID, token) };
    assert_eq!(bench.refused(Call::Execute(Box::new(unhashed))), Reason::InvalidRequest);
    let elsewhere = ExecuteRequest { instrument: "fridge".to_owned(), ..request(ID, token) };
    assert_eq!(bench.refused(Call::Execute(Box::new(elsewhere))), Reason::UnknownInstrument);
}

#[test]
fn running_is_journaled_in_the_batch_that_releases_the_start() {
    let mut bench = Bench::new();
    let token = bench.lease();
    let step = bench.machine.handle(bench.now, CallId(1000), Call::Execute(Box::new(request(ID, token))));
    assert!(step.at_once.is_empty());
    let last = step.records.last().and_then(|record| record.kind.clone());
    let Some(RecordKind::Operation(record)) = last else { panic!("{last:?}") };
    assert_eq!(record.operation.state(), State::Running);
    assert!(step.after.iter().any(|effect| matches!(effect, Effect::Hardware(Hardware::Start { .. }))));
}

#[test]
fn an_operation_beyond_the_places_waits_and_then_starts() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    assert_eq!(bench.execute(OTHER_ID, token).unwrap().operation.unwrap().state(), State::Accepted);
    assert_eq!(bench.execute(THIRD_ID, token).unwrap_err().reason, Reason::Busy);
    assert_eq!(bench.starts, [ID]);
    bench.succeed(ID);
    assert_eq!(bench.starts, [ID, OTHER_ID]);
    assert_eq!(bench.state(OTHER_ID), State::Running);
}

#[test]
fn a_refused_id_stays_not_found() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.execute(OTHER_ID, token).unwrap();
    bench.execute(THIRD_ID, token).unwrap_err();
    assert_eq!(bench.refused(get(THIRD_ID, 0, 0)), Reason::OperationNotFound);
    bench.restart();
    assert_eq!(bench.refused(get(THIRD_ID, 0, 0)), Reason::OperationNotFound);
}

#[test]
fn a_queued_operation_whose_lease_is_gone_never_starts() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.execute(OTHER_ID, token).unwrap();
    bench.pass(61);
    bench.succeed(ID);
    let never = bench.operation(OTHER_ID);
    assert_eq!((never.state(), never.sample_effect()), (State::Failed, SampleEffect::None));
    assert_eq!(never.fault.as_ref().unwrap().reason, "NEVER_STARTED");
    assert_eq!(bench.starts, [ID]);
}

#[test]
fn a_queued_operation_starts_under_a_later_lease_of_its_holder() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.execute(OTHER_ID, token).unwrap();
    bench.pass(61);
    bench.lease_as(HOLDER, 2).unwrap();
    bench.succeed(ID);
    assert_eq!(bench.starts, [ID, OTHER_ID]);
}

#[test]
fn two_places_run_two_operations() {
    let mut bench = Bench::with(manifest(2, 0));
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.execute(OTHER_ID, token).unwrap();
    assert_eq!(bench.starts, [ID, OTHER_ID]);
    assert_eq!(bench.execute(THIRD_ID, token).unwrap_err().reason, Reason::Busy);
}

#[test]
fn a_success_keeps_its_measurements_and_its_arguments_with_defaults() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.pass(5);
    bench.succeed(ID);
    bench.restart();
    let operation = bench.operation(ID);
    assert_eq!(operation.state(), State::Succeeded);
    assert_eq!(operation.measurements, reached(80.0, "Cel").measurements);
    assert_eq!(operation.sample_effect(), SampleEffect::Modified);
    let names: Vec<_> = operation.arguments.iter().map(|each| each.id.as_str()).collect();
    assert_eq!(names, ["temperature", "gas", "stirring"]);
    assert_eq!(operation.end_time.unwrap().seconds - operation.start_time.unwrap().seconds, 5);
}

#[test]
fn a_fault_is_data_and_ends_in_failed() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.fail(ID, SampleEffect::Unspecified);
    let operation = bench.operation(ID);
    assert_eq!((operation.state(), operation.sample_effect()), (State::Failed, SampleEffect::Unknown));
    assert_eq!(operation.fault.as_ref().unwrap().reason, "STOPPED");
}

#[test]
fn an_output_other_than_declared_is_no_result() {
    let undeclared = |mut outcome: Outcome| {
        outcome.measurements[0].output = "colour".to_owned();
        outcome
    };
    let cases = [reached(80.0, "K"), reached(f64::NAN, "Cel"), undeclared(reached(80.0, "Cel"))];
    for outcome in cases {
        let mut bench = Bench::new();
        let token = bench.lease();
        bench.execute(ID, token).unwrap();
        bench.report(Report::Finished { operation_id: ID.to_owned(), result: Ok(outcome) });
        let operation = bench.operation(ID);
        assert_eq!(operation.fault.as_ref().unwrap().reason, "OUTPUT_NOT_AS_DECLARED");
        assert_eq!((operation.state(), operation.sample_effect()), (State::Failed, SampleEffect::Modified));
    }
}

#[test]
fn an_end_state_never_changes() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.succeed(ID);
    bench.fail(ID, SampleEffect::Unknown);
    bench.abort(ID, token).unwrap();
    assert_eq!(bench.state(ID), State::Succeeded);
}

#[test]
fn operations_are_listed_newest_first_by_page_and_token() {
    let mut bench = Bench::with(manifest(3, 0));
    let first = bench.lease();
    bench.execute(ID, first).unwrap();
    let second = bench.lease_as(HOLDER, 2).unwrap().fencing_token;
    bench.execute(OTHER_ID, second).unwrap();
    bench.execute(THIRD_ID, second).unwrap();
    bench.succeed(OTHER_ID);
    let mut list = |page_size, page_token: &str, active_only, min_fencing_token| {
        let (instrument, page_token) = (OVEN.to_owned(), page_token.to_owned());
        let request = wire::ListOperationsRequest { instrument, page_size, page_token, active_only, min_fencing_token };
        let Answer::Operations(page) = bench.call(Call::List(request)).unwrap() else { panic!("not a list") };
        let ids: Vec<_> = page.operations.into_iter().map(|operation| operation.id).collect();
        (ids, page.next_page_token)
    };
    let (page, next) = list(2, "", false, 0);
    assert_eq!(page, [THIRD_ID, OTHER_ID]);
    assert_eq!(list(2, &next, false, 0), (vec![ID.to_owned()], String::new()));
    assert_eq!(list(0, "", true, 0).0, [THIRD_ID, ID]);
    assert_eq!(list(0, "", false, second).0, [THIRD_ID, OTHER_ID]);
}
