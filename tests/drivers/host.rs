//! Drivers in any language: children of `eutectic driver host`, well-behaved and wild.

use crate::driver::{Driver, reason};
use eutectic_proto::instrument::v1 as wire;
use serde_json::{Value, json};
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use wire::operation::State;
use wire::value::Kind;

/// How the child of [`acts_as_a_child`] behaves.
const MANNER: &str = "EUTECTIC_TEST_MANNER";
/// Where it counts its starts.
const STARTS: &str = "EUTECTIC_TEST_STARTS";

/// This test binary is the child program of the others: it speaks the host's lines. The harness's own lines around it are
/// no messages, which the host has to bear anyway.
#[test]
fn acts_as_a_child() {
    let Ok(manner) = std::env::var(MANNER) else { return };
    let starts = PathBuf::from(std::env::var(STARTS).unwrap());
    std::fs::write(starts.with_extension("process"), std::process::id().to_string()).unwrap();
    let say = |value: Value| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{value}").unwrap();
        out.flush().unwrap();
    };
    let mut running = None;
    for line in std::io::stdin().lock().lines() {
        let order: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let id = order["id"].clone();
        match order["do"].as_str().unwrap() {
            "describe" => say(json!({"id": id, "result": {
                "id": "wild", "queue": 1,
                "capabilities": [{
                    "id": "wild.do", "abortable": true, "max_seconds": 60, "probe": true,
                    "parameters": [
                        {"id": "n", "kind": "quantity", "unit": "1", "min": 0, "max": 10},
                        {"id": "how", "kind": "choice", "choices": ["a", "b"], "default": "a"},
                    ],
                    "outputs": [{"id": "n", "kind": "quantity", "unit": "1", "min": 0, "max": 10}],
                }],
            }})),
            "run" => {
                let mut file = std::fs::File::options().append(true).create(true).open(&starts).unwrap();
                writeln!(file, "start").unwrap();
                file.sync_all().unwrap();
                let result = json!({"outputs": {"n": order["arguments"]["n"]}, "sample": "modified"});
                match manner.as_str() {
                    "well" => {
                        std::thread::sleep(Duration::from_millis(100));
                        say(json!({"id": id, "result": result}));
                    }
                    "crash" => std::process::exit(3),
                    "stoppable" => running = Some(id),
                    "deaf" => loop {
                        std::thread::sleep(Duration::from_secs(1));
                    },
                    "garbage" => {
                        for _ in 0..500 {
                            writeln!(std::io::stdout(), "no message at all \u{1f9ea} {{").unwrap();
                        }
                        say(json!({"id": id, "result": result}));
                    }
                    "flood" => {
                        for step in 0..200_000 {
                            say(json!({"id": id, "progress": f64::from(step) / 200_000.0, "stage": "flooding"}));
                        }
                        say(json!({"id": id, "result": result}));
                    }
                    "liar" => say(json!({"id": id, "result": {"outputs": {"n": "eleven"}, "sample": "modified"}})),
                    other => panic!("{other}"),
                }
            }
            "stop" => say(json!({"id": running.take(), "fault": {"reason": "STOPPED", "sample": "consumed"}})),
            "probe" => say(json!({"id": id, "result": "unknown"})),
            _ => say(json!({"id": id, "result": {}})),
        }
    }
}

/// A host with that child.
pub(super) fn wild(manner: &str) -> (Driver, PathBuf) {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let starts = folder.path().join("starts");
    let exe = std::env::current_exe().unwrap();
    let child = [exe.to_str().unwrap(), "--exact", "host::acts_as_a_child", "--nocapture"].map(str::to_owned);
    let environment = [(MANNER.to_owned(), manner.to_owned()), (STARTS.to_owned(), starts.display().to_string())];
    (Driver::host(folder, "wild", &child, &environment), starts)
}

fn count(starts: &Path) -> usize {
    std::fs::read_to_string(starts).map_or(0, |text| text.lines().count())
}

fn operation(number: u8) -> String {
    format!("0f4c2a6e-7d1b-4c55-9a10-0000000001{number:02}")
}

/// Runs one operation of this manner of child, to its end.
async fn one(manner: &str) -> (wire::Operation, usize, Driver) {
    let (driver, starts) = wild(manner);
    let mut client = driver.client().await;
    let token = driver.lease(&mut client, 1).await;
    client.execute(driver.quantity(&operation(1), token, "wild.do", "n", 4.0, "1")).await.unwrap();
    let ended = driver.ended(&mut client, &operation(1)).await;
    (ended, count(&starts), driver)
}

#[tokio::test]
async fn a_well_behaved_child_does_what_it_is_told_once() {
    let (ended, starts, driver) = one("well").await;
    assert_eq!((ended.state(), starts), (State::Succeeded, 1), "{ended:?}");
    let value = ended.measurements[0].value.clone().unwrap().kind.unwrap();
    assert!(matches!(value, Kind::Quantity(it) if (it.value - 4.0).abs() < f64::EPSILON && it.unit == "1"));
    assert_eq!(ended.sample_effect(), wire::SampleEffect::Modified);
    // The default was filled in by the host, and what is out of bounds never reaches the child.
    assert_eq!(ended.arguments.len(), 2);
    let mut client = driver.client().await;
    let token = driver.lease(&mut client, 2).await;
    let refused = client.execute(driver.quantity(&operation(2), token, "wild.do", "n", 11.0, "1")).await.unwrap_err();
    assert_eq!(reason(&refused), "OUT_OF_RANGE");
}

#[tokio::test]
async fn a_child_that_dies_in_a_run_leaves_it_interrupted_and_comes_back_for_the_next() {
    let (ended, starts, driver) = one("crash").await;
    assert_eq!((ended.state(), starts), (State::Interrupted, 1), "{ended:?}");
    let mut client = driver.client().await;
    let token = driver.lease(&mut client, 2).await;
    client.execute(driver.quantity(&operation(2), token, "wild.do", "n", 1.0, "1")).await.unwrap();
    driver.ended(&mut client, &operation(2)).await;
}

#[tokio::test]
async fn garbage_and_floods_are_borne_and_lies_are_told() {
    for manner in ["garbage", "flood"] {
        let (ended, starts, _driver) = one(manner).await;
        assert_eq!((ended.state(), starts), (State::Succeeded, 1), "{manner}: {ended:?}");
    }
    let (ended, starts, _driver) = one("liar").await;
    assert_eq!((ended.state(), starts), (State::Failed, 1));
    let fault = ended.fault.unwrap();
    assert!(fault.message.contains("'n' must be a number"), "{fault:?}");
}

#[tokio::test]
async fn a_run_is_stopped_by_the_child_or_else_with_it() {
    for (manner, expected) in [("stoppable", State::Aborted), ("deaf", State::Interrupted)] {
        let (driver, starts) = wild(manner);
        let mut client = driver.client().await;
        let token = driver.lease(&mut client, 1).await;
        client.execute(driver.quantity(&operation(1), token, "wild.do", "n", 4.0, "1")).await.unwrap();
        for _ in 0..500 {
            if count(&starts) > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let abort = wire::AbortOperationRequest {
            instrument: "wild".into(),
            operation_id: operation(1),
            fencing_token: token,
            reason: "enough".into(),
        };
        client.abort_operation(abort).await.unwrap();
        let ended = driver.ended(&mut client, &operation(1)).await;
        assert_eq!((ended.state(), count(&starts)), (expected, 1), "{manner}: {ended:?}");
    }
}

#[tokio::test]
async fn a_host_that_is_killed_starts_nothing_twice() {
    for wait in [0, 20, 60, 100, 140] {
        let (mut driver, starts) = wild("well");
        let mut client = driver.client().await;
        let token = driver.lease(&mut client, 1).await;
        client.execute(driver.quantity(&operation(1), token, "wild.do", "n", 4.0, "1")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        driver.kill();
        driver.restart();
        let mut client = driver.client().await;
        let ended = driver.ended(&mut client, &operation(1)).await;
        let known = [State::Succeeded, State::Interrupted, State::Failed];
        assert!(known.contains(&ended.state()), "{ended:?}");
        if ended.state() == State::Failed {
            assert_eq!(ended.sample_effect(), wire::SampleEffect::None, "it never started");
        }
        let token = driver.lease(&mut client, 2).await;
        let again = client.execute(driver.quantity(&operation(1), token, "wild.do", "n", 4.0, "1")).await;
        assert!(again.is_err() || again.unwrap().into_inner().attached);
        assert!(count(&starts) <= 1, "after {wait} ms: {} starts", count(&starts));
    }
}

/// Runs one operation of a child from the examples.
async fn example(name: &str, program: &[&str], capability: &str, argument: Option<(&str, f64, &str)>) {
    let program: Vec<String> = program.iter().map(|&it| it.to_owned()).collect();
    let driver = Driver::host(std::sync::Arc::new(tempfile::tempdir().unwrap()), name, &program, &[]);
    let mut client = driver.client().await;
    let token = driver.lease(&mut client, 1).await;
    let request = match argument {
        Some((id, value, unit)) => driver.quantity(&operation(1), token, capability, id, value, unit),
        None => driver.bare(&operation(1), token, capability),
    };
    client.execute(request).await.unwrap();
    let ended = driver.ended(&mut client, &operation(1)).await;
    assert_eq!(ended.state(), State::Succeeded, "{ended:?}");
    assert_eq!(ended.measurements.len(), 1);
}

/// Whether a program is there; where it isn't, the test says so and is left out, except in CI.
pub(super) fn installed(program: &str) -> bool {
    let found = std::process::Command::new(program).arg("--version").output().is_ok();
    assert!(found || std::env::var_os("EUTECTIC_CI").is_none(), "{program} is not installed");
    if !found {
        eprintln!("left out: {program} is not installed");
    }
    found
}

#[tokio::test]
async fn the_example_in_python_is_a_driver() {
    if installed("python3") {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/drivers/bath.py");
        example("bath", &["python3", script], "bath.hold", Some(("temperature", 60.0, "Cel"))).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_example_in_shell_is_a_driver() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/drivers/balance.sh");
    example("balance", &["sh", script], "balance.weigh", None).await;
}
