//! The conformance kit on drivers that it starts, kills and starts again itself.

use crate::driver::Driver;
use std::process::Command;

/// Runs the kit on a driver that was started once to find a port; returns what it said.
pub(super) fn check(driver: &mut Driver, more: &[&str]) -> (bool, String) {
    let address = driver.address().to_owned();
    driver.kill();
    let listen = address.trim_start_matches("http://").to_owned();
    let command = driver.command();
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(|it| it.to_str().unwrap());
    let mut start: Vec<&str> = words.collect();
    match start.iter_mut().find(|it| **it == "127.0.0.1:0") {
        Some(free) => *free = &listen,
        None => start.extend(["--listen", &listen]),
    }
    let output = Command::new(env!("CARGO_BIN_EXE_eutectic"))
        .args(["driver", "check", &address, "--start-command", &start.join(" ")])
        .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .args(more)
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_simulated_reactor_passes_every_check_that_applies_to_it_restarts_included() {
    let mut driver = Driver::start("flow_reactor", 200.0);
    let starts = driver.starts_file().display().to_string();
    let arguments = ["--starts", &starts, "--argument", "residence_time=0.5", "--argument", "equivalents=2"];
    let (passed, said) = check(&mut driver, &arguments);
    // It has no choice, consumable, file or safe point; its limit is long; where its journal lies was not said.
    assert!(passed && said.contains("42 passed, 0 failed, 7 left out"), "{said}");
    assert!(said.contains("left out  an unknown choice is refused"), "it has no choice: {said}");
}

#[test]
fn a_driver_that_starts_twice_fails_the_kit() {
    let mut driver = Driver::start_with("flow_reactor", 2_000.0, &["--fault", "start-twice"]);
    let starts = driver.starts_file().display().to_string();
    let arguments = ["--starts", &starts, "--argument", "equivalents=2", "--only", "19,21,23,24"];
    let (passed, said) = check(&mut driver, &arguments);
    // The defect shows in every third experiment of a campaign; the kit's own context is experiment 0.
    assert!(!passed && said.contains("FAILED") && said.contains("by its own count"), "{said}");
}

#[test]
fn the_python_readmes_driver_passes_restarts_included() {
    let Some((mut driver, _folder)) = crate::python::reactor() else { return };
    let (passed, said) = check(&mut driver, &[]);
    // It takes a tenth of a second, so nothing can wait behind it, and none of its parts that lack can be ordered.
    assert!(passed && said.contains("37 passed, 0 failed, 12 left out"), "{said}");
}
