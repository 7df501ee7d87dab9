//! A data folder of its own for a test, and the program run on it as a person would.

use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

/// Seconds of the simulated instruments in one of ours: a campaign takes a few seconds.
const SPEED: f64 = 20_000.0;

/// How long a test waits for something that has to come.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(90);
/// The folder in which failpoints are armed.
const FAILPOINTS: &str = "failpoints";

pub(super) struct Bench {
    folder: tempfile::TempDir,
}

/// What a command printed, and how it ended.
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Said {
    /// The JSON object of each line.
    pub(super) fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
    }

    pub(super) fn last(&self) -> Value {
        self.json().pop().unwrap_or_else(|| panic!("nothing was printed; {}", self.err))
    }

    #[track_caller]
    pub(super) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}\n{}", self.out, self.err);
        self
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A command that runs.
pub(super) struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    /// The next line of its output; `None` when it has ended.
    pub(super) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.out.read_line(&mut line).unwrap() > 0).then_some(line)
    }

    /// As the kernel does when memory runs out.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Until it has ended, whatever it says.
    pub(super) fn wait(&mut self) {
        while self.line().is_some() {}
        self.child.wait().unwrap();
    }

    /// As Ctrl-C does.
    #[cfg(unix)]
    pub(super) fn interrupt(&self) {
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
    }

    pub(super) fn end(mut self) -> Said {
        let mut out = String::new();
        while let Some(line) = self.line() {
            out.push_str(&line);
        }
        let output = self.child.wait_with_output().unwrap();
        Said { out, ..output.into() }
    }
}

impl Bench {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The first example with another budget, beside a lab of fast instruments.
    pub(super) fn snar(&self, experiments: u32, in_flight: u32) -> PathBuf {
        self.snar_with(experiments, in_flight, "")
    }

    /// The same, with something more said of the reactor.
    pub(super) fn snar_with(&self, experiments: u32, in_flight: u32, reactor: &str) -> PathBuf {
        let example = std::fs::read_to_string(root().join("examples/snar/campaign.toml")).unwrap();
        let (body, budget) = example.split_once("[budget]").unwrap();
        assert!(budget.contains("experiments = 40"), "the example's budget has moved");
        self.write(
            "lab.toml",
            &format!(
                "name = \"bench\"\n[[instrument]]\nname = \"reactor\"\nsimulated = \"flow_reactor\"\nspeed = {SPEED:?}\n{reactor}\n\
                 [[instrument]]\nname = \"hplc\"\nsimulated = \"hplc\"\nspeed = {SPEED:?}\n"
            ),
        );
        self.write("campaign.toml", &format!("{body}[budget]\nexperiments = {experiments}\nin_flight = {in_flight}\n"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eutectic"));
        command.current_dir(root()).arg("--data").arg(self.path("data")).args(arguments);
        command.env(eutectic_failpoints::FOLDER, self.path(FAILPOINTS));
        command.env_remove("EUTECTIC_DATA").stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(super) fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// Starts a command.
    pub(super) fn start(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Running { child, out }
    }

    /// From now on whoever comes to this failpoint waits there.
    pub(super) fn arm(&self, failpoint: &str) {
        std::fs::create_dir_all(self.path(FAILPOINTS)).unwrap();
        std::fs::write(self.path(FAILPOINTS).join(failpoint), "").unwrap();
    }

    pub(super) fn disarm(&self, failpoint: &str) {
        let _ = std::fs::remove_file(self.path(FAILPOINTS).join(failpoint));
    }

    /// The process that waits there.
    pub(super) fn reached(&self, failpoint: &str) -> Option<u32> {
        std::fs::read_to_string(self.path(FAILPOINTS).join(format!("{failpoint}.reached"))).ok()?.parse().ok()
    }

    /// Lets whatever waits there go on, if it still lives.
    pub(super) fn go_on(&self, failpoint: &str) {
        std::fs::remove_file(self.path(FAILPOINTS).join(format!("{failpoint}.reached"))).unwrap();
    }

    /// The starts that the simulated hardware itself has counted.
    pub(super) fn starts(&self) -> usize {
        let files =
            std::fs::read_dir(self.path("data/lab/world")).into_iter().flatten().flatten().map(|it| it.file_name());
        files
            .filter_map(|it| it.into_string().ok())
            .filter(|it| it.ends_with(".starts"))
            .map(|it| self.starts_of(&it))
            .sum()
    }

    /// Serves a simulated instrument that a lab file only knows by its address, at the same bench as all the others.
    pub(super) fn serve(&self, name: &str, kind: &str, speed: &str) -> String {
        let folder = self.path("data/lab");
        std::fs::create_dir_all(folder.join(name)).unwrap();
        std::fs::create_dir_all(folder.join("world")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_eutectic"));
        command.args(["driver", "simulated", "--kind", kind, "--instrument", name, "--listen", "127.0.0.1:0"]);
        command.arg("--folder").arg(folder.join(name)).arg("--world").arg(folder.join("world"));
        command.arg("--address-file").arg(folder.join(format!("{name}.address"))).args(["--speed", speed]);
        let mut driver = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // It is killed with the bench; until then somebody has to wait for it.
        std::thread::spawn(move || driver.wait());
        self.until("a driver that serves", |it| {
            let text = std::fs::read_to_string(it.path("data/lab").join(format!("{name}.address"))).ok()?;
            text.lines().next().map(ToOwned::to_owned)
        })
    }

    /// The process of a simulated driver.
    pub(super) fn driver(&self, name: &str) -> Option<u32> {
        let text = std::fs::read_to_string(self.path("data/lab").join(format!("{name}.address"))).ok()?;
        text.lines().nth(1)?.parse().ok()
    }

    /// Sends a signal to the driver of an instrument.
    pub(super) fn signal(&self, name: &str, signal: &str) {
        let process = self.driver(name).unwrap().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    /// Waits until it is so; [`PATIENCE`] at most.
    pub(super) fn until<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let begun = std::time::Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(found) = look(self) {
                return found;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("never: {what}\n{}", self.run(&["log"]).out);
    }

    /// Waits until the journal has an event like this.
    pub(super) fn until_event(&self, what: &str, like: impl Fn(&Value) -> bool) -> Value {
        self.until(what, |it| it.log().iter().map(|entry| &entry["entry"]["event"]).find(|event| like(event)).cloned())
    }

    /// By hand: asks for so many points and records for each an outcome, calculated from the point's cells.
    pub(super) fn by_hand(
        &self,
        file: &Path,
        count: usize,
        outcome: &str,
        value: impl Fn(&dyn Fn(&str) -> String) -> f64,
    ) {
        self.by_hand_all(file, count, &[outcome], |_, cell| value(cell));
    }

    /// The same with several outcomes.
    pub(super) fn by_hand_all(
        &self,
        file: &Path,
        count: usize,
        outcomes: &[&str],
        value: impl Fn(&str, &dyn Fn(&str) -> String) -> f64,
    ) {
        let plate = self.run(&["suggest", "-n", &count.to_string(), "--file", file.to_str().unwrap()]).ok().out;
        let mut lines = plate.lines();
        let header: Vec<&str> = lines.next().unwrap().split(',').collect();
        let place = |name: &str| header.iter().position(|it| *it == name).unwrap();
        let mut filled = header.join(",");
        for line in lines {
            let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            for outcome in outcomes {
                let measured = value(outcome, &|name| cells[place(name)].clone());
                cells[place(outcome)] = measured.to_string();
            }
            filled.push('\n');
            filled.push_str(&cells.join(","));
        }
        let plate = self.write("plate.csv", &filled);
        let campaign = std::fs::read_to_string(file).unwrap();
        let name = campaign.split('"').nth(1).unwrap().to_owned();
        self.run(&["record", plate.to_str().unwrap(), "--campaign", &name]).ok();
    }

    pub(super) fn starts_of(&self, name: &str) -> usize {
        std::fs::read_to_string(self.path("data/lab/world").join(name)).map_or(0, |text| text.lines().count())
    }

    /// The same, nothing where nothing has begun.
    pub(super) fn log_if_any(&self) -> Vec<Value> {
        if self.path("data").exists() { self.log() } else { Vec::new() }
    }

    /// The journal, an object an entry: `seq`, `epoch` and `entry`.
    pub(super) fn log(&self) -> Vec<Value> {
        self.run(&["--json", "log"]).ok().json()
    }
}

impl Drop for Bench {
    /// The simulated drivers outlive their orchestrator on purpose, but not their test.
    fn drop(&mut self) {
        for file in std::fs::read_dir(self.path("data/lab")).into_iter().flatten().flatten() {
            let name = file.file_name().into_string().unwrap_or_default();
            if let Some(process) = name.strip_suffix(".address").and_then(|name| self.driver(name)) {
                let _ = Command::new("kill").args(["-9", &process.to_string()]).stderr(Stdio::null()).status();
            }
        }
    }
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The entries of one kind, by their events.
pub(super) fn events<'a>(log: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    log.iter().map(|entry| &entry["entry"]["event"]).filter(move |event| event["type"] == kind)
}
