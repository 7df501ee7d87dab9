//! What is wrong with a simulated instrument, on purpose.

use super::conditions::OrderedFault;
use super::instrument::Bench;
use super::world::{Change, Shelf, WorldError};
use crate::machine::{Manifest, ManifestError};
use crate::wire::capability::{Effect, Probe};
use crate::wire::fault::{Category, Retry};
use crate::wire::{Fault, SampleEffect};

/// Of an instrument that clogs, every so manieth operation does it.
const CLOGS_AT: usize = 6;

/// A defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Defect {
    /// Now and then the driver starts the hardware twice for one operation.
    StartTwice,
    /// After a crash its driver can't tell what became of an operation.
    NoProbe,
    /// Now and then it clogs, and nothing goes until it is flushed.
    Clogs,
}

/// By their names in `lab.toml`.
const NAMED: [(&str, Defect); 3] =
    [("start-twice", Defect::StartTwice), ("no-probe", Defect::NoProbe), ("clogs", Defect::Clogs)];

impl Defect {
    /// The names of all.
    pub(super) const NAMES: [&'static str; 3] = ["start-twice", "no-probe", "clogs"];

    pub(super) fn named(name: &str) -> Option<Self> {
        NAMED.iter().find(|(known, _)| *known == name).map(|(_, defect)| *defect)
    }

    /// The manifest of an instrument that has this defect, and admits it where it is no lie.
    pub(super) fn admitted(self, manifest: Manifest) -> Result<Manifest, ManifestError> {
        if self != Self::NoProbe {
            return Ok(manifest);
        }
        let mut instrument = manifest.instrument().clone();
        instrument.capabilities.iter_mut().for_each(|it| it.probe = Probe::None.into());
        Manifest::new(instrument)
    }
}

/// How an instrument that clogs is flushed.
pub(super) fn flushed(bench: &Bench) -> Change {
    Change::take(Shelf::Own, &clog(bench))
}

fn clog(bench: &Bench) -> String {
    format!("{}-clogged", bench.world.own_name())
}

/// Whether it clogs during the operation that begins now; refuses where it is clogged already.
pub(super) fn clogs(bench: &Bench, effect: Effect) -> Result<Option<OrderedFault>, Box<Fault>> {
    if effect == Effect::Repeatable {
        return Ok(None);
    }
    if bench.world.read::<bool>(Shelf::Own, &clog(bench)).is_some() {
        return Err(Box::new(clogged(SampleEffect::None)));
    }
    if !(bench.world.starts() + 1).is_multiple_of(CLOGS_AT) {
        return Ok(None);
    }
    let put = bench.world.apply(&Change::put(Shelf::Own, &clog(bench), &true));
    put.map_err(|error: WorldError| Box::new(Fault { message: error.to_string(), ..clogged(SampleEffect::None) }))?;
    Ok(Some(OrderedFault { at: 0.5, fault: clogged(SampleEffect::Consumed), crash: false, hang: false }))
}

fn clogged(effect: SampleEffect) -> Fault {
    Fault {
        reason: "CLOGGED".to_owned(),
        message: "no flow: the coil is clogged".to_owned(),
        category: Category::Hardware.into(),
        retry: Retry::AfterPerson.into(),
        sample_effect: effect.into(),
        needs_person: true,
        ..Fault::default()
    }
}
