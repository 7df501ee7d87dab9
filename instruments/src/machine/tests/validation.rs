//! What is refused before anything is accepted.

use super::*;
use crate::wire::instrument_status::Readiness;
use crate::wire::{Calibration, calibration};

fn choice(id: &str, choice: &str) -> Argument {
    Argument { id: id.to_owned(), value: Some(Value { kind: Some(Kind::Choice(choice.to_owned())) }) }
}

fn integer(id: &str, value: i64) -> Argument {
    Argument { id: id.to_owned(), value: Some(Value { kind: Some(Kind::Integer(value)) }) }
}

/// Both doors give the same verdict, and the hardware stays still.
fn verdict(bench: &mut Bench, change: impl Fn(ExecuteRequest) -> ExecuteRequest) -> Option<String> {
    let token = bench.lease();
    let changed = change(request(ID, token));
    let preflight = Call::Validate(Box::new(ExecuteRequest {
        operation_id: String::new(),
        fencing_token: 0,
        request_hash: Vec::new(),
        ..changed.clone()
    }));
    let Answer::Validated(answer) = bench.call(preflight).unwrap() else { panic!("not a validation") };
    let executed = bench.call(Call::Execute(Box::new(changed)));
    assert_eq!(executed.as_ref().err().map(|refusal| &*refusal.fault), answer.fault.as_ref());
    assert_eq!(bench.starts.is_empty(), executed.is_err());
    executed.err().map(|refusal| refusal.fault.reason)
}

fn arguments(given: Vec<Argument>) -> Option<String> {
    verdict(&mut Bench::new(), |request| ExecuteRequest { arguments: given.clone(), ..request })
}

#[test]
fn arguments_are_held_to_their_declaration() {
    let cel = |value| quantity("temperature", value, "Cel");
    let valueless = Argument { id: "temperature".to_owned(), value: None };
    let cases = [
        (vec![cel(20.0)], None),
        (vec![cel(150.0)], None),
        (vec![cel(150.000_001)], Some("OUT_OF_RANGE")),
        (vec![cel(-1e308)], Some("OUT_OF_RANGE")),
        (vec![cel(f64::NAN)], Some("NOT_FINITE")),
        (vec![cel(f64::INFINITY)], Some("NOT_FINITE")),
        (vec![quantity("temperature", 80.0, "K")], Some("WRONG_UNIT")),
        (vec![quantity("temperature", 80.0, "cel")], Some("WRONG_UNIT")),
        (vec![quantity("temperature", 80.0, "")], Some("WRONG_UNIT")),
        (vec![integer("temperature", 80)], Some("WRONG_TYPE")),
        (vec![], Some("MISSING_ARGUMENT")),
        (vec![valueless], Some("MISSING_ARGUMENT")),
        (vec![cel(80.0), cel(80.0)], Some("DUPLICATE_ARGUMENT")),
        (vec![cel(80.0), cel_of("pressure")], Some("UNKNOWN_ARGUMENT")),
        (vec![cel(80.0), choice("gas", "argon")], None),
        (vec![cel(80.0), choice("gas", "xenon")], Some("UNKNOWN_CHOICE")),
        (vec![cel(80.0), integer("stirring", 1001)], Some("OUT_OF_RANGE")),
        (vec![cel(120.0), integer("stirring", 500)], None),
        (vec![cel(120.0), integer("stirring", 501)], Some("SPLASH")),
    ];
    for (given, expected) in cases {
        assert_eq!(arguments(given.clone()).as_deref(), expected, "{given:?}");
    }
}

fn cel_of(id: &str) -> Argument {
    quantity(id, 80.0, "Cel")
}

#[test]
fn capability_and_major_version_must_be_ours() {
    let with = |capability: &'static str, version: &'static str| {
        verdict(&mut Bench::new(), move |request| ExecuteRequest {
            capability: capability.to_owned(),
            capability_version: version.to_owned(),
            ..request
        })
    };
    assert_eq!(with("oven.heat", "1.9.9"), None);
    assert_eq!(with("oven.heat", "2.0.0").as_deref(), Some("CAPABILITY_VERSION"));
    assert_eq!(with("oven.heat", "").as_deref(), Some("CAPABILITY_VERSION"));
    assert_eq!(with("oven.fly", "1.0.0").as_deref(), Some("UNKNOWN_CAPABILITY"));
}

#[test]
fn an_instrument_that_is_not_ready_or_not_calibrated_takes_no_work() {
    let state = calibration::State::Invalid.into();
    let calibrations = vec![Calibration { id: "scale".to_owned(), state, ..Calibration::default() }];
    let cases = [
        (StatusReport { readiness: Readiness::Local, ..StatusReport::default() }, "NOT_READY"),
        (StatusReport { readiness: Readiness::Offline, ..StatusReport::default() }, "NOT_READY"),
        (StatusReport { calibrations, ..StatusReport::default() }, "CALIBRATION_INVALID"),
    ];
    for (status, expected) in cases {
        let mut bench = Bench::new();
        bench.report(Report::Status(status));
        assert_eq!(verdict(&mut bench, |request| request).as_deref(), Some(expected));
    }
}

#[test]
fn an_exhausted_consumable_refuses_before_anything_moves() {
    let argon = |value| Some(Quantity { value, unit: "L".to_owned(), ..Quantity::default() });
    let mut described = manifest(1, 1).instrument().clone();
    let usage = Usage { consumable_id: "argon".to_owned(), typical: argon(5.0) };
    described.capabilities[0].usages = vec![usage];
    for (left, expected) in [(4.9, Some("CONSUMABLE_EXHAUSTED")), (5.0, None)] {
        let mut bench = Bench::with(Manifest::new(described.clone()).unwrap());
        let consumable =
            wire::Consumable { id: "argon".to_owned(), remaining: argon(left), ..wire::Consumable::default() };
        bench.report(Report::Status(StatusReport { consumables: vec![consumable], ..StatusReport::default() }));
        assert_eq!(verdict(&mut bench, |request| request).as_deref(), expected);
    }
}

#[test]
fn a_manifest_that_breaks_the_contract_is_not_served() {
    let good = manifest(1, 1).instrument().clone();
    let broken = |change: fn(&mut Instrument)| {
        let mut instrument = good.clone();
        change(&mut instrument);
        Manifest::new(instrument).unwrap_err()
    };
    let unbounded = broken(|instrument| {
        instrument.capabilities[0].parameters[0].domain = Some(celsius(20.0, f64::INFINITY));
    });
    assert!(matches!(unbounded, ManifestError::Bounds { .. }));
    let undefaulted = broken(|instrument| instrument.capabilities[0].parameters[1].default_value = None);
    assert!(matches!(undefaulted, ManifestError::NoDefault { .. }));
    let twice = broken(|instrument| instrument.capabilities[1].id = "oven.heat".to_owned());
    assert!(matches!(twice, ManifestError::Twice { .. }));
    assert!(matches!(broken(|instrument| instrument.id = "An Oven".to_owned()), ManifestError::Id { .. }));
    assert!(matches!(broken(|i| i.capabilities[0].version = "one".to_owned()), ManifestError::Version { .. }));
}

#[test]
fn the_digest_names_the_manifest_and_nothing_else() {
    let described = manifest(1, 1).instrument().clone();
    let again = Manifest::new(described.clone()).unwrap();
    assert_eq!(again.instrument().manifest_digest, described.manifest_digest);
    assert_ne!(manifest(1, 2).instrument().manifest_digest, described.manifest_digest);
    assert_eq!(described.manifest_digest.len(), 32);
}
