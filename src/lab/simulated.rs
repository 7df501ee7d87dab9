//! Simulated instruments: processes of this same program, which outlive it and end by themselves when nobody calls.

use crate::files::{DriverSource, InstrumentSpec};
use eutectic_core::InstrumentId;
use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long a driver without calls lives.
const IDLE_EXIT_S: u64 = 120;
/// How long a driver may take to take a connection before it counts as gone.
const ALIVE_TIMEOUT: Duration = Duration::from_millis(500);

/// Where simulated instruments live within a data folder.
#[derive(Clone, Debug)]
pub(super) struct Simulated {
    folder: PathBuf,
    program: PathBuf,
}

impl Simulated {
    pub(super) fn new(data: &Path, program: PathBuf) -> Self {
        Self { folder: data.join("lab"), program }
    }

    /// The file in which the driver says where it listens.
    pub(super) fn address_file(&self, instrument: &InstrumentId) -> PathBuf {
        self.folder.join(format!("{instrument}.address"))
    }

    /// The world that the simulated hardware shares.
    fn world(&self) -> PathBuf {
        self.folder.join("world")
    }

    /// Starts the driver of this instrument if it is simulated and none answers.
    pub(super) fn ensure(&self, instrument: &InstrumentSpec) -> io::Result<()> {
        let DriverSource::Simulated { kind, speed, fault } = &instrument.source else { return Ok(()) };
        if self.alive(&instrument.name) {
            return Ok(());
        }
        let own = self.folder.join(instrument.name.as_str());
        std::fs::create_dir_all(&own)?;
        std::fs::create_dir_all(self.world())?;
        let log = File::options().create(true).append(true).open(own.join("driver.log"))?;
        let mut command = Command::new(&self.program);
        command.args(["driver", "simulated", "--kind", kind.as_str(), "--instrument", instrument.name.as_str()]);
        command.args(["--listen", "127.0.0.1:0"]);
        command.arg("--folder").arg(&own).arg("--world").arg(self.world());
        command.arg("--address-file").arg(self.address_file(&instrument.name));
        command.args(["--idle-exit-s", &IDLE_EXIT_S.to_string()]);
        if let Some(speed) = speed {
            command.args(["--speed", &speed.to_string()]);
        }
        if let Some(fault) = fault {
            command.args(["--fault", fault]);
        }
        // A group of its own: Ctrl-C and a closed terminal are meant for us, who decide what instruments do about them.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
        // Only to take its exit status when it ends before us, so that no dead process lingers.
        std::thread::Builder::new().name("driver".into()).spawn(move || child.wait())?;
        Ok(())
    }

    fn alive(&self, instrument: &InstrumentId) -> bool {
        let Ok(text) = std::fs::read_to_string(self.address_file(instrument)) else { return false };
        let address = text.lines().next().unwrap_or_default().trim_start_matches("http://").parse();
        address.is_ok_and(|address| TcpStream::connect_timeout(&address, ALIVE_TIMEOUT).is_ok())
    }

    /// Physical starts by the simulated hardware's own count.
    pub(super) fn starts(&self) -> io::Result<u64> {
        let mut starts = 0;
        for entry in std::fs::read_dir(self.world())? {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "starts") {
                starts += std::fs::read_to_string(&path)?.lines().count() as u64;
            }
        }
        Ok(starts)
    }
}
