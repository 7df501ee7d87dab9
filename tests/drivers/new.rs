//! What `driver new` writes passes the kit as it stands, and is brought into a lab by its address.

use crate::driver::Driver;
use crate::kit::check;
use crate::python::python;
use std::io::BufRead as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

fn eutectic(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_eutectic")).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_new_python_driver_passes_the_kit_as_it_stands() {
    let Some((python, mut environment)) = python() else { return };
    let folder = Arc::new(tempfile::tempdir().unwrap());
    eutectic(folder.path(), &["driver", "new", "--python", "bath"]);
    environment.push(("EUTECTIC_DRIVER_CHILD".to_owned(), "1".to_owned()));
    let program = [python, folder.path().join("bath/bath.py").display().to_string()];
    let mut driver = Driver::host(folder, "bath", &program, &environment);
    let (passed, said) = check(&mut driver, &[]);
    assert!(passed && said.contains(" 0 failed"), "{said}");
}

#[test]
fn a_new_rust_driver_passes_the_kit_as_it_stands() {
    if std::env::var_os("EUTECTIC_CI").is_none() {
        eprintln!("skipped: a project of its own is built, which takes minutes; EUTECTIC_CI=1 does it");
        return;
    }
    let folder = Arc::new(tempfile::tempdir().unwrap());
    eutectic(folder.path(), &["driver", "new", "--rust", "oven"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The versions that this repository was tested with.
    std::fs::copy(root.join("Cargo.lock"), folder.path().join("oven/Cargo.lock")).unwrap();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let target = root.join("target/driver-new");
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--target-dir"])
        .arg(&target)
        .current_dir(folder.path().join("oven"))
        .status()
        .unwrap();
    assert!(built.success());
    let program = target.join("debug/oven").display().to_string();
    let mut driver = Driver::program(folder, "oven", &program);
    let (passed, said) = check(&mut driver, &[]);
    assert!(passed && said.contains(" 0 failed"), "{said}");
}

#[test]
fn a_name_that_is_none_and_a_folder_that_is_there_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    eutectic(folder.path(), &["driver", "new", "--python", "bath"]);
    for arguments in [["driver", "new", "--python", "bath"], ["driver", "new", "--python", "../bath"]] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_eutectic")).args(arguments).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("error: ") && said.contains("help: "), "{said}");
    }
}

#[test]
fn an_instrument_is_added_by_its_address_and_its_replica_rehearses() {
    let driver = Driver::start("flow_reactor", 600.0);
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let said = eutectic(here, &["instrument", "add", driver.address()]);
    assert!(said.contains("[[instrument]]") && said.contains("twin = \"flow_reactor.json\""), "{said}");
    let shown = eutectic(here, &["instrument", "show", "flow_reactor"]);
    assert!(shown.contains("flow_reactor.react") && shown.contains("0.5 .. 2 min"), "{shown}");
    let described = eutectic(here, &["instrument", "describe", "flow_reactor"]);
    assert_eq!(described, std::fs::read_to_string(here.join("flow_reactor.json")).unwrap());
    let twice = Command::new(env!("CARGO_BIN_EXE_eutectic"))
        .args(["instrument", "add", driver.address()])
        .current_dir(here)
        .output()
        .unwrap();
    assert!(!twice.status.success(), "a name is there once");
    drop(driver);
    std::fs::write(here.join("campaign.toml"), CAMPAIGN).unwrap();
    let result = eutectic(here, &["--json", "run", "campaign.toml", "--simulate"]);
    let result: serde_json::Value = serde_json::from_str(result.lines().last().unwrap()).unwrap();
    assert_eq!((&result["experiments"], &result["operations"]), (&4.into(), &4.into()));
    assert!(!here.join(".eutectic/journal").exists(), "a rehearsal never writes where real campaigns do");
}

#[test]
fn a_lab_is_simulated_as_processes_and_what_is_printed_reaches_them() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let lab = "name = \"bench\"\n[[instrument]]\nname = \"reactor\"\naddress = \"http://10.0.0.7:1\"\ntwin = \"flow_reactor\"\n\
               [[instrument]]\nname = \"hplc\"\nsimulated = \"hplc\"\nspeed = 6000.0\n";
    std::fs::write(here.join("real.toml"), lab).unwrap();
    let mut simulating = Command::new(env!("CARGO_BIN_EXE_eutectic"))
        .args(["driver", "simulate", "real.toml"])
        .current_dir(here)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = String::new();
    let mut lines = std::io::BufReader::new(simulating.stdout.take().unwrap()).lines();
    while printed.matches("address = ").count() < 2 {
        printed.push_str(&(lines.next().unwrap().unwrap() + "\n"));
    }
    std::fs::write(here.join("lab.toml"), &printed).unwrap();
    std::fs::write(here.join("campaign.toml"), CAMPAIGN).unwrap();
    let result = eutectic(here, &["--json", "run", "campaign.toml"]);
    let result: serde_json::Value = serde_json::from_str(result.lines().last().unwrap()).unwrap();
    assert_eq!((&result["experiments"], &result["operations"]), (&4.into(), &4.into()), "{printed}");
    // As Ctrl-C does: its drivers go with it.
    assert!(Command::new("kill").args(["-INT", &simulating.id().to_string()]).status().unwrap().success());
    assert!(simulating.wait().unwrap().success());
}

pub(super) const CAMPAIGN: &str = r#"
name = "rehearsed"

[[parameter]]
name = "temperature"
range = [30, 120]
unit = "degC"

[[step]]
name = "react"
capability = "flow_reactor.react"
with = { temperature = "$temperature", residence_time = "1 min", equivalents = 2, concentration = "0.3 mol/L" }

[[outcome]]
name = "heat"
value = "$temperature"
unit = "degC"

[[objective]]
maximize = "heat"

[budget]
experiments = 4
"#;
