//! Sound drivers: one with a parameter of each kind that checks look for, and simulated ones with virtual time.

use eutectic_instruments::machine::Arguments;
use eutectic_instruments::sdk::{
    Call, Driver, Fault, Manifest, ManifestError, Options, Outcome, SampleEffect, StopReason, async_trait, capability,
    instrument,
};
use eutectic_instruments::simulated::{Kind, SimulatedOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Long enough to be stopped, short enough to be waited for.
const TAKES: Duration = Duration::from_millis(800);

pub(super) struct Sound {
    _folder: Option<tempfile::TempDir>,
    pub(super) address: String,
    /// Where the hardware counts its starts.
    pub(super) starts: PathBuf,
}

/// Where a simulated driver keeps its memory, within a folder.
pub(super) fn journal(folder: &Path) -> PathBuf {
    folder.join("journal")
}

/// Where the simulated hardware counts its starts, within a folder.
pub(super) fn starts(folder: &Path) -> PathBuf {
    folder.join("world").join("x.starts")
}

/// A simulated instrument named x, whose time is virtual.
pub(super) async fn simulated(kind: Kind) -> Sound {
    let folder = tempfile::tempdir().unwrap();
    let (address, starts) = (simulated_in(kind, folder.path()).await, starts(folder.path()));
    Sound { _folder: Some(folder), address, starts }
}

/// The same in a folder that outlives it. Returns its address.
pub(super) async fn simulated_in(kind: Kind, folder: &Path) -> String {
    let file = folder.join("address");
    let _ = std::fs::remove_file(&file);
    let serve = Options { address_file: Some(file.clone()), ..Options::local(journal(folder)) };
    let (instrument, world) = ("x".to_owned(), folder.join("world"));
    let options = SimulatedOptions { kind, instrument, world, speed: None, virtual_time: true, fault: None, serve };
    tokio::spawn(eutectic_instruments::simulated::serve(options));
    announced(&file).await
}

struct Mixer {
    starts: PathBuf,
}

#[async_trait]
impl Driver for Mixer {
    fn manifest(&self) -> Result<Manifest, ManifestError> {
        let mix = capability("mixer.mix")
            .quantity("volume", "mL", 1.0..=9.0)
            .choice("mode", &["gentle", "hard"])
            .flag("cover")
            .by_default(false)
            .rule("volume <= 8.0", "it spills")
            .brings_uncertain("mass", "g", 0.0..=20.0)
            .abortable()
            .takes(TAKES, Duration::from_secs(30));
        instrument("mixer", "Mixer").made_by("Tests", "M", "1").can(mix).build()
    }

    fn check(&self, _capability: &str, arguments: &Arguments) -> Result<(), Fault> {
        match arguments.quantity("volume") {
            Some(volume) if volume > 8.0 => Err(Fault { reason: "RULE_VIOLATED".into(), ..Fault::default() }),
            _ => Ok(()),
        }
    }

    async fn run(&self, mut call: Call) -> Result<Outcome, Fault> {
        let mut file = std::fs::File::options().create(true).append(true).open(&self.starts).unwrap();
        writeln!(file, "start").unwrap();
        tokio::select! {
            () = tokio::time::sleep(TAKES) => {}
            _ = call.cancelled() => return Err(call.cut_short(SampleEffect::Modified)),
        }
        Ok(Outcome::new(SampleEffect::Modified).uncertain("mass", call.quantity("volume")?, 0.1, "g"))
    }

    async fn safe_state(&self, _why: StopReason) {}
}

pub(super) async fn mixer() -> Sound {
    let folder = tempfile::tempdir().unwrap();
    let (file, starts) = (folder.path().join("address"), folder.path().join("starts"));
    let options = Options { address_file: Some(file.clone()), ..Options::local(journal(folder.path())) };
    tokio::spawn(eutectic_instruments::sdk::serve(Mixer { starts: starts.clone() }, options));
    Sound { address: announced(&file).await, starts, _folder: Some(folder) }
}

async fn announced(file: &Path) -> String {
    for _ in 0..1_000 {
        if let Some(address) = std::fs::read_to_string(file).ok().and_then(|it| it.lines().next().map(str::to_owned)) {
            return address;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the driver doesn't say where it listens")
}
