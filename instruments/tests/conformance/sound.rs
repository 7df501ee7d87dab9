//! A sound driver, with a parameter of each kind that checks look for.

use eutectic_instruments::machine::Arguments;
use eutectic_instruments::sdk::{
    Call, Driver, Fault, Manifest, ManifestError, Options, Outcome, SampleEffect, StopReason, async_trait, capability,
    instrument,
};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// Long enough to be stopped, short enough to be waited for.
const TAKES: Duration = Duration::from_millis(800);

pub(super) struct Sound {
    folder: tempfile::TempDir,
    pub(super) address: String,
}

impl Sound {
    pub(super) fn starts(&self) -> PathBuf {
        self.folder.path().join("starts")
    }
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

pub(super) async fn serve() -> Sound {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("address");
    let options = Options { address_file: Some(file.clone()), ..Options::local(folder.path().join("journal")) };
    tokio::spawn(eutectic_instruments::sdk::serve(Mixer { starts: folder.path().join("starts") }, options));
    for _ in 0..1_000 {
        if let Some(address) = std::fs::read_to_string(&file).ok().and_then(|it| it.lines().next().map(str::to_owned)) {
            return Sound { folder, address };
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the driver doesn't say where it listens")
}
