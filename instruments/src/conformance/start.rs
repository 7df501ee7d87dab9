//! The driver's process, where the kit starts it itself: to kill it, and to start it again.

use super::bench::Bench;
use super::{Stop, left_out, wrong};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// How the kit starts the driver itself, to kill it and start it again.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Variables of its environment.
    pub environment: Vec<(String, String)>,
    /// The folder with the driver's journal, so that a lost one can be tried; it is put back.
    pub journal: Option<PathBuf>,
}

const NEEDED: &str = "needs --start-command: the driver has to be killed and started again";

pub(super) fn spawn(start: &Start) -> Result<Child, String> {
    let (program, arguments) = start.command.split_first().ok_or("the start command is empty")?;
    let mut command = Command::new(program);
    command.args(arguments).envs(start.environment.iter().cloned()).stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().map_err(|error| format!("'{program}' can't be started: {error}"))
}

impl Bench {
    /// Kills the driver and starts it again.
    pub(super) async fn restart(&mut self) -> Result<(), Stop> {
        self.can_restart()?;
        self.kill();
        self.start().await
    }

    pub(super) fn can_restart(&self) -> Result<(), Stop> {
        self.options.start.as_ref().map(|_| ()).ok_or_else(|| left_out(NEEDED))
    }

    pub(super) fn kill(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub(super) async fn start(&mut self) -> Result<(), Stop> {
        let start = self.options.start.clone().ok_or_else(|| left_out(NEEDED))?;
        self.child = Some(spawn(&start).map_err(left_out)?);
        self.up().await.map_err(|words| wrong("the driver comes up again after it was killed", words, "see its log"))
    }

    /// The folder with the driver's journal.
    pub(super) fn journal(&self) -> Result<PathBuf, Stop> {
        let journal = self.options.start.as_ref().and_then(|start| start.journal.clone());
        journal.ok_or_else(|| left_out("needs --start-command and --journal: the journal has to be lost, and put back"))
    }
}
