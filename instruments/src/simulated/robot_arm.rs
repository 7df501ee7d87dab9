//! A robot arm that carries labware between the sites of a bench.
//!
//! It moves by a trapezoid of velocity at no more than 250 mm/s, the reduced speed of ISO 10218-1; where it puts things
//! scatters as pose repeatability by ISO 9283 does.

use super::instrument::{Bench, Model, Prepared, described};
use super::measure::{deviate, quantity};
use super::noise::generator;
use super::world::{Change, Shelf};
use crate::machine::{Arguments, Manifest, ManifestError, StatusReport};
use crate::sdk::capability;
use crate::wire::fault::{Category, Retry};
use crate::wire::{Context, Fault, Interlock, Operation, SampleEffect};
use std::time::Duration;

const CAPABILITY: &str = "robot_arm.move";
/// The only piece of labware that is on the bench from the start.
const PLATE: &str = "plate-1";
/// Names and places in mm; the plate begins at the first.
const SITES: [(&str, [f64; 2]); 5] = [
    ("hotel", [0.0, 0.0]),
    ("liquid_handler", [450.0, 200.0]),
    ("spectrometer", [800.0, 250.0]),
    ("furnace", [600.0, 700.0]),
    ("balance", [150.0, 600.0]),
];
/// mm/s and mm/s2
const SPEED: f64 = 250.0;
const ACCELERATION: f64 = 1000.0;
/// s to grip, and to let go.
const GRIP_S: f64 = 1.5;
/// mm, along each axis.
const REPEATABILITY_SD: f64 = 0.03;

pub(super) struct RobotArm;

fn place(site: &str) -> [f64; 2] {
    SITES.iter().find(|(name, _)| *name == site).map_or([0.0; 2], |(_, place)| *place)
}

/// s for a straight way of so many mm.
fn travel_s(distance: f64) -> f64 {
    match distance >= SPEED * SPEED / ACCELERATION {
        true => distance / SPEED + SPEED / ACCELERATION,
        false => 2.0 * (distance / ACCELERATION).sqrt(),
    }
}

/// Where a piece of labware stands, and what stands at a site.
fn whereabouts(bench: &Bench, labware: &str) -> Option<&'static str> {
    let occupant = |site: &str| bench.world.read::<String>(Shelf::Sites, site);
    let found = SITES.iter().map(|(name, _)| *name).find(|site| occupant(site).as_deref() == Some(labware));
    // Before it was ever moved.
    found.or_else(|| (labware == PLATE).then_some(SITES[0].0))
}

impl Model for RobotArm {
    fn manifest(&self, name: &str) -> Result<Manifest, ManifestError> {
        let sites = SITES.map(|(name, _)| name);
        let carry = capability(CAPABILITY)
            .described("Takes labware from where it stands and puts it down at a site.")
            .choice("to", &sites)
            .sample("labware", "plate")
            .brings_uncertain("deviation", "mm", 0.0..=5.0)
            .abortable()
            .holdable()
            .probed()
            .takes(Duration::from_secs(8), Duration::from_secs(1800));
        described(name, "Simulated robot arm", "robot arm").can(carry).build()
    }

    fn status(&self, _bench: &Bench) -> StatusReport {
        let guard = Interlock { id: "guard".to_owned(), closed: true, message: String::new() };
        StatusReport { interlocks: vec![guard], ..StatusReport::default() }
    }

    fn prepare(&self, operation: &Operation, context: &Context, bench: &Bench) -> Result<Prepared, Fault> {
        let arguments = Arguments::of(&operation.arguments);
        let (labware, to) = (arguments.text("labware").unwrap_or(PLATE), arguments.text("to").unwrap_or(SITES[0].0));
        let from = whereabouts(bench, labware)
            .ok_or_else(|| cannot("UNKNOWN_SAMPLE", format!("'{labware}' stands at no site of this bench")))?;
        // No two things in one place.
        if let Some(other) = bench.world.read::<String>(Shelf::Sites, to).filter(|other| other != labware) {
            return Err(cannot("SITE_OCCUPIED", format!("'{other}' stands at {to}: move it away first")));
        }
        let (start, end) = (place(from), place(to));
        let way = (start[0] - end[0]).hypot(start[1] - end[1]);
        let mut noise = generator(context, CAPABILITY);
        let deviation = deviate(&mut noise, REPEATABILITY_SD).hypot(deviate(&mut noise, REPEATABILITY_SD));
        let mut changes = vec![Change::put(Shelf::Sites, to, &labware)];
        if from != to {
            changes.insert(0, Change::take(Shelf::Sites, from));
        }
        Ok(Prepared {
            seconds: 2.0 * GRIP_S + travel_s(way),
            measurements: vec![quantity("deviation", deviation, REPEATABILITY_SD, "mm")],
            truth: vec![quantity("deviation", deviation, 0.0, "mm")],
            effect: SampleEffect::Modified,
            stages: &["gripping", "carrying", "letting go"],
            changes,
            ..Prepared::default()
        })
    }
}

fn cannot(reason: &str, message: String) -> Fault {
    Fault {
        reason: reason.to_owned(),
        message,
        category: Category::Precondition.into(),
        retry: Retry::AfterPerson.into(),
        sample_effect: SampleEffect::None.into(),
        needs_person: true,
        ..Fault::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_way_never_reaches_full_speed_and_a_long_one_does() {
        // 62.5 mm is the way that just reaches 250 mm/s: half a second, by either formula.
        assert!((travel_s(62.5) - 0.5).abs() < 1e-12);
        assert!((travel_s(10.0) - 0.2).abs() < 1e-12);
        assert!((travel_s(1000.0) - 4.25).abs() < 1e-12);
    }
}
