use super::*;
use crate::wire::calibration::State as Validity;
use crate::wire::measurement::Quality;
use crate::wire::{Calibration, Consumable, Interlock, UpdateConsumableRequest};

fn argon(litres_left: f64, measured: bool) -> StatusReport {
    let (remaining, capacity) = (Some(litres(litres_left)), Some(litres(50.0)));
    let consumable = Consumable { id: "argon".to_owned(), remaining, capacity, measured, ..Consumable::default() };
    StatusReport { consumables: vec![consumable], ..StatusReport::default() }
}

fn left(bench: &Bench) -> f64 {
    bench.machine.consumables().first().unwrap().remaining.as_ref().unwrap().value
}

fn refill(value: f64, unit: &str, request_id: &str) -> Call {
    let remaining = Some(Quantity { value, unit: unit.to_owned(), ..Quantity::default() });
    Call::UpdateConsumable(UpdateConsumableRequest {
        instrument: OVEN.to_owned(),
        consumable: Some(Consumable {
            id: "argon".to_owned(),
            remaining,
            lot: "L7".to_owned(),
            ..Consumable::default()
        }),
        person: "an operator".to_owned(),
        request_id: request_id.to_owned(),
    })
}

fn calibration(state: Validity, capability: &str) -> StatusReport {
    let (id, capability) = ("thermometer".to_owned(), capability.to_owned());
    let calibration = Calibration { id, state: state.into(), capability, ..Calibration::default() };
    StatusReport { calibrations: vec![calibration], ..StatusReport::default() }
}

#[test]
fn what_nobody_senses_is_counted_down_by_each_start_and_over_restarts() {
    let mut bench = Bench::new();
    bench.report(Report::Status(argon(25.0, false)));
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.succeed(ID);
    assert!((left(&bench) - 15.0).abs() < 1e-12);
    bench.restart();
    bench.report(Report::Status(argon(25.0, false)));
    assert!((left(&bench) - 15.0).abs() < 1e-12, "the driver says again what it began with");
    let token = bench.lease_as(HOLDER, 2).unwrap().fencing_token;
    bench.execute(OTHER_ID, token).unwrap();
    bench.succeed(OTHER_ID);
    let refused = bench.execute(THIRD_ID, token).unwrap_err();
    assert_eq!(refused.reason, Reason::ConsumableExhausted);
    assert_eq!(bench.starts.len(), 2);
}

#[test]
fn what_waits_has_its_share_already() {
    let mut bench = Bench::with(manifest(1, 2));
    bench.report(Report::Status(argon(25.0, false)));
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.execute(OTHER_ID, token).unwrap();
    assert_eq!(bench.execute(THIRD_ID, token).unwrap_err().reason, Reason::ConsumableExhausted);
}

#[test]
fn a_refill_counts_once_however_often_it_is_said() {
    let mut bench = Bench::new();
    bench.report(Report::Status(argon(5.0, false)));
    let token = bench.lease();
    assert_eq!(bench.execute(ID, token).unwrap_err().reason, Reason::ConsumableExhausted);
    let Answer::Consumable(now) = bench.call(refill(50.0, "L", "r1")).unwrap() else { panic!() };
    assert_eq!((now.remaining.unwrap().value.to_bits(), now.lot.as_str()), (50.0_f64.to_bits(), "L7"));
    bench.execute(ID, token).unwrap();
    bench.succeed(ID);
    bench.call(refill(50.0, "L", "r1")).unwrap();
    assert!((left(&bench) - 40.0).abs() < 1e-12);
    bench.restart();
    bench.report(Report::Status(argon(5.0, false)));
    bench.call(refill(50.0, "L", "r1")).unwrap();
    assert!((left(&bench) - 40.0).abs() < 1e-12, "a restart does not forget what was said");
}

#[test]
fn a_refill_that_can_not_be_is_refused() {
    let mut bench = Bench::new();
    bench.report(Report::Status(argon(5.0, false)));
    assert_eq!(bench.refused(refill(51.0, "L", "r")), Reason::OutOfRange);
    assert_eq!(bench.refused(refill(-1.0, "L", "r")), Reason::OutOfRange);
    assert_eq!(bench.refused(refill(f64::NAN, "L", "r")), Reason::NotFinite);
    assert_eq!(bench.refused(refill(5.0, "mL", "r")), Reason::WrongUnit);
    assert_eq!(bench.refused(refill(5.0, "L", " ")), Reason::InvalidRequest);
    bench.report(Report::Status(StatusReport::default()));
    assert_eq!(bench.refused(refill(5.0, "L", "r")), Reason::UnknownConsumable);
}

#[test]
fn a_sensor_is_believed_before_any_count() {
    let mut bench = Bench::new();
    bench.report(Report::Status(argon(25.0, true)));
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.succeed(ID);
    assert!((left(&bench) - 25.0).abs() < 1e-12);
    bench.report(Report::Status(argon(3.0, true)));
    assert_eq!(bench.execute(OTHER_ID, token).unwrap_err().reason, Reason::ConsumableExhausted);
}

#[test]
fn numbers_in_two_units_are_not_compared() {
    let mut bench = Bench::new();
    let mut report = argon(25.0, true);
    report.consumables.iter_mut().flat_map(|it| it.remaining.as_mut()).for_each(|it| it.unit = "mL".to_owned());
    bench.report(Report::Status(report));
    let token = bench.lease();
    assert_eq!(bench.execute(ID, token).unwrap_err().reason, Reason::ConsumableExhausted);
}

#[test]
fn an_invalid_calibration_refuses_all_but_what_brings_it_back() {
    let mut bench = Bench::new();
    bench.report(Report::Status(calibration(Validity::Invalid, "oven.weigh")));
    let token = bench.lease();
    let refused = bench.execute(ID, token).unwrap_err();
    assert_eq!(refused.reason, Reason::CalibrationInvalid);
    assert!(refused.fault.message.contains("run oven.weigh"), "{}", refused.fault.message);
    let mut calibrating = request(OTHER_ID, token);
    calibrating.capability = "oven.weigh".to_owned();
    bench.call(Call::Execute(Box::new(calibrating))).unwrap();
}

#[test]
fn results_under_a_calibration_that_is_due_are_suspect() {
    let mut bench = Bench::new();
    bench.report(Report::Status(calibration(Validity::Due, "")));
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.report(Report::Status(calibration(Validity::Valid, "")));
    bench.succeed(ID);
    let measured = bench.operation(ID).measurements.first().unwrap();
    assert_eq!(measured.quality(), Quality::Suspect, "what counts is how it stood at the start");
    assert!(measured.quality_note.contains("thermometer"));
}

#[test]
fn an_open_interlock_refuses_and_what_waits_then_never_starts() {
    let mut bench = Bench::new();
    let token = bench.lease();
    bench.execute(ID, token).unwrap();
    bench.execute(OTHER_ID, token).unwrap();
    let interlock = Interlock { id: "door".to_owned(), closed: false, message: "it is open".to_owned() };
    bench.report(Report::Status(StatusReport { interlocks: vec![interlock], ..StatusReport::default() }));
    assert_eq!(bench.execute(THIRD_ID, token).unwrap_err().reason, Reason::InterlockOpen);
    bench.succeed(ID);
    assert_eq!(bench.state(OTHER_ID), State::Failed);
    assert_eq!(bench.operation(OTHER_ID).sample_effect(), SampleEffect::None);
    assert!(bench.operation(OTHER_ID).fault.as_ref().unwrap().message.contains("door"));
    assert_eq!(bench.starts.len(), 1);
}
