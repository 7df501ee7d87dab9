//! What a crash leaves, and what a restart makes of it.

use super::*;

#[test]
fn an_accepted_operation_never_starts_after_a_restart() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.execute(OTHER_ID, token).unwrap();
    bench.restart();
    let never = bench.operation(OTHER_ID);
    assert_eq!((never.state(), never.sample_effect()), (State::Failed, SampleEffect::None));
    assert_eq!(never.fault.as_ref().unwrap().reason, "NEVER_STARTED");
    let token = bench.lease_as(HOLDER, 2).unwrap().fencing_token;
    assert!(bench.execute(OTHER_ID, token).unwrap().attached);
    assert_eq!(bench.starts, [ID]);
}

#[test]
fn a_running_operation_is_interrupted_and_stays_so() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.restart();
    let operation = bench.operation(ID);
    assert_eq!((operation.state(), operation.sample_effect()), (State::Interrupted, SampleEffect::Unknown));
    // Nobody knows whether it moves still: it is told to rest before anything else may begin.
    let rest = Hardware::Stop { operation_id: ID.to_owned(), reason: StopReason::Interrupted };
    assert_eq!(bench.stops, [rest]);
    let token = bench.lease_as(HOLDER, 2).unwrap().fencing_token;
    assert!(bench.execute(ID, token).unwrap().attached);
    bench.restart();
    assert_eq!(bench.state(ID), State::Interrupted);
    assert_eq!(bench.starts, [ID]);
}

fn weighing() -> Bench {
    let mut bench = Bench::new();
    let token = bench.lease();
    let request = ExecuteRequest { capability: "oven.weigh".to_owned(), ..request(ID, token) };
    bench.call(Call::Execute(Box::new(request))).unwrap();
    bench.restart();
    assert_eq!(bench.probes, [ID]);
    bench
}

fn probed(bench: &mut Bench, probe: Probe) -> State {
    bench.report(Report::Probed { operation_id: ID.to_owned(), probe });
    bench.state(ID)
}

#[test]
fn an_instrument_that_can_tell_is_asked_after_a_crash() {
    assert_eq!(probed(&mut weighing(), Probe::Ended(Ok(reached(30.0, "Cel")))), State::Succeeded);
    assert_eq!(probed(&mut weighing(), Probe::NeverStarted), State::Failed);
    assert_eq!(probed(&mut weighing(), Probe::Unknown), State::Interrupted);
    let mut bench = weighing();
    assert_eq!(probed(&mut bench, Probe::Running), State::Running);
    assert_eq!(bench.lease_as("workcell-b", 1).unwrap_err().reason, Reason::LeaseHeld);
    assert_eq!(probed(&mut bench, Probe::Ended(Ok(reached(30.0, "Cel")))), State::Succeeded);
    assert_eq!(bench.starts, [ID]);
}

#[test]
fn a_crash_before_a_stated_point_of_no_return_proves_that_the_sample_is_untouched() {
    let mut bench = Bench::with(manifest(1, 1).with_point_of_no_return("oven.heat"));
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.restart();
    assert_eq!((bench.state(ID), bench.operation(ID).sample_effect()), (State::Failed, SampleEffect::None));
    let token = bench.lease_as(HOLDER, 2).unwrap().fencing_token;
    bench.execute(OTHER_ID, token).unwrap();
    let (operation_id, effect) = (OTHER_ID.to_owned(), SampleEffect::Consumed);
    bench.report(Report::PointOfNoReturn { operation_id, effect });
    assert_eq!(bench.proceeded, [OTHER_ID]);
    bench.restart();
    let past = bench.operation(OTHER_ID);
    assert_eq!((past.state(), past.sample_effect()), (State::Interrupted, SampleEffect::Consumed));
}

#[test]
fn results_are_forgotten_after_their_retention_and_the_end_state_is_not() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.succeed(ID);
    bench.pass(89 * 24 * 3600);
    bench.restart();
    assert!(!bench.operation(ID).measurements_expired);
    bench.pass(2 * 24 * 3600);
    bench.restart();
    let operation = bench.operation(ID);
    assert!(operation.measurements_expired && operation.measurements.is_empty());
    assert_eq!(operation.state(), State::Succeeded);
}

#[test]
fn a_driver_shut_down_stops_what_runs_and_starts_nothing() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.execute(OTHER_ID, token).unwrap();
    let step = bench.machine.shut_down(bench.now);
    bench.perform(step);
    assert_eq!(bench.stops, [Hardware::Stop { operation_id: ID.to_owned(), reason: StopReason::Shutdown }]);
    assert_eq!(bench.execute(THIRD_ID, token).unwrap_err().reason, Reason::ShuttingDown);
    bench.fail(ID, SampleEffect::Modified);
    assert!(!bench.machine.is_busy());
    assert_eq!((bench.state(ID), bench.state(OTHER_ID)), (State::Aborted, State::Failed));
    assert_eq!(bench.starts, [ID]);
}

#[test]
fn a_journal_of_another_instrument_is_refused() {
    let mut bench = Bench::new();
    let other = Manifest::new(Instrument { id: "fridge".to_owned(), ..Instrument::default() }).unwrap();
    let boot = Boot {
        boot_id: "boot".to_owned(),
        new_journal_id: "new".to_owned(),
        now: bench.now,
        status: StatusReport::default(),
    };
    let records = bench.journal.load().unwrap();
    let refused = Machine::open(other.clone(), Arc::new(OvenRules), records, boot.clone()).err();
    assert!(matches!(refused, Some(OpenError::OtherInstrument { .. })));
    let headless = vec![RecordKind::SequencesReserved(3).into()];
    assert_eq!(Machine::open(other, Arc::new(OvenRules), headless, boot).err(), Some(OpenError::NoIdentity));
}

/// Whoever remembers a lease that the journal doesn't know has seen a newer one.
fn acquire_remembering(epoch: i64, lease: &Lease) -> Call {
    let Call::AcquireLease(request) = acquire(HOLDER, epoch) else { panic!("another call") };
    Call::AcquireLease(AcquireLeaseRequest { known_token: lease.fencing_token, ..request })
}

#[test]
fn a_journal_put_back_to_an_older_copy_is_told_apart_and_proves_nothing_any_more() {
    let mut bench = Bench::with(manifest(1, 1).with_point_of_no_return("oven.seal"));
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.execute(OTHER_ID, token).unwrap();
    let copy = bench.journal.load().unwrap();
    bench.succeed(ID);
    bench.restart();
    let lease = bench.lease_as(HOLDER, 2).unwrap();
    bench.execute(THIRD_ID, lease.fencing_token).unwrap();
    assert_eq!(bench.starts, [ID, OTHER_ID, THIRD_ID]);

    bench.journal = MemoryJournal::default();
    bench.journal.append(&copy).unwrap();
    bench.restart();
    assert_eq!(bench.operation(OTHER_ID).fault.as_ref().unwrap().reason, "NEVER_STARTED", "the copy says so");
    let Answer::Lease(again) = bench.call(acquire_remembering(3, &lease)).unwrap() else { panic!("another answer") };
    assert_ne!(again.journal_id, lease.journal_id);
    assert!(again.fencing_token > lease.fencing_token);
    assert_eq!(
        (bench.state(OTHER_ID), bench.operation(OTHER_ID).sample_effect()),
        (State::Interrupted, SampleEffect::Unknown)
    );
    assert_eq!(bench.execute(THIRD_ID, lease.fencing_token).unwrap_err().reason, Reason::StaleToken);
    // It stays so, and a holder that remembers it well changes nothing.
    bench.restart();
    assert_eq!(bench.state(OTHER_ID), State::Interrupted);
    let Answer::Lease(later) = bench.call(acquire_remembering(4, &again)).unwrap() else { panic!("another answer") };
    assert_eq!(later.journal_id, again.journal_id);
}
