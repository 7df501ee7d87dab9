//! The Python SDK: the driver of its README, as it stands there, used in a campaign.
//!
//! `EUTECTIC_PYTHON` names a Python into which the wheel was installed (`.ci/run` does that); without it the sources are used.

use crate::driver::Driver;
use crate::host::installed;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const CAMPAIGN: &str = r#"
name = "reactor"

[[parameter]]
name = "temperature"
range = [20, 150]
unit = "degC"

[[parameter]]
name = "solvent"
choices = ["dmf", "thf"]

[[step]]
name = "react"
capability = "reactor.react"
with = { temperature = "$temperature", solvent = "$solvent" }

[[outcome]]
name = "conversion"
value = "@react.conversion"
unit = "%"

[[objective]]
maximize = "conversion"

[budget]
experiments = 8
"#;

/// Where [`COUNTING`] counts.
const STARTS: &str = "STARTS";
const COUNTING: &str = r#"
import os
from eutectic import Out, Q, capability, serve


class Bath:
    id, name = "bath", "Bath"

    @capability(outputs={"reached": Out("Cel", 0, 200)}, max_seconds=60)
    def heat(self, run, temperature: Q("Cel", 0, 200)):
        with open(os.environ["STARTS"], "a") as file:
            file.write("start\n")
        run.sleep(0.1)
        return {"reached": temperature}

    def safe_state(self, why):
        pass


serve(Bath())
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The first block of Python in the README.
fn of_the_readme() -> String {
    let text = std::fs::read_to_string(root().join("instruments/python/README.md")).unwrap();
    text.split("```python\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

/// The Python to use, and what it needs in its environment.
pub(super) fn python() -> Option<(String, Vec<(String, String)>)> {
    if let Ok(python) = std::env::var("EUTECTIC_PYTHON") {
        return Some((python, Vec::new()));
    }
    let sources = root().join("instruments/python").display().to_string();
    installed("python3").then(|| ("python3".to_owned(), vec![("PYTHONPATH".to_owned(), sources)]))
}

/// A driver in Python as a child of the host.
fn driver(name: &str, text: &str) -> Option<(Driver, PathBuf)> {
    let (python, mut environment) = python()?;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    environment.push(("EUTECTIC_DRIVER_CHILD".to_owned(), "1".to_owned()));
    environment.push((STARTS.to_owned(), folder.path().join("starts").display().to_string()));
    let script = folder.path().join(format!("{name}.py"));
    std::fs::write(&script, text).unwrap();
    let program = [python, script.display().to_string()];
    let place = folder.path().to_owned();
    Some((Driver::host(folder, name, &program, &environment), place))
}

/// The driver of the README.
pub(super) fn reactor() -> Option<(Driver, PathBuf)> {
    driver("reactor", &of_the_readme())
}

/// One that counts its own starts, a line each in the file `starts`.
pub(super) fn counting() -> Option<(Driver, PathBuf)> {
    driver("bath", COUNTING)
}

#[test]
fn the_readmes_driver_takes_at_most_twenty_lines() {
    let lines = of_the_readme().lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 20, "{lines} lines");
}

#[test]
fn the_readmes_driver_runs_a_campaign() {
    let Some((driver, folder)) = reactor() else { return };
    let (campaign, lab) = (folder.join("campaign.toml"), folder.join("lab.toml"));
    std::fs::write(&campaign, CAMPAIGN).unwrap();
    let address = driver.address();
    std::fs::write(&lab, format!("name = \"lab\"\n[[instrument]]\nname = \"reactor\"\naddress = \"{address}\"\n"))
        .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_eutectic"))
        .arg("--data")
        .arg(folder.join("data"))
        .args(["--json", "run"])
        .arg(&campaign)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let result: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&result["experiments"], &result["operations"]), (&8.into(), &8.into()));
    let best = result["best"]["outcomes"]["conversion"].as_f64().unwrap();
    assert!(best > 80.0, "the best of thf is 85: {result}");
    assert!((result["best"]["outcomes"]["conversion_sd"].as_f64().unwrap() - 0.4).abs() < 1e-9);
}

#[test]
fn the_readmes_driver_starts_by_itself() {
    let Some((python, environment)) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (script, address) = (folder.path().join("reactor.py"), folder.path().join("address"));
    std::fs::write(&script, of_the_readme()).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_eutectic")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(python);
    command.arg(&script).args(["--listen", "127.0.0.1:0", "--address-file"]).arg(&address).current_dir(folder.path());
    let mut child = command.envs(environment).env("PATH", path).spawn().unwrap();
    for _ in 0..200 {
        if address.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(address.exists(), "`python reactor.py` becomes the host, and the host says where it listens");
    child.kill().unwrap();
    child.wait().unwrap();
}
