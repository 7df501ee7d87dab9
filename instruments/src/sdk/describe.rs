//! What an instrument can do, said in a few lines; and what an operation brought.

use crate::machine::{Manifest, ManifestError, Outcome};
use crate::wire::capability::{Effect, Probe, Usage};
use crate::wire::choice_domain::Choice;
use crate::wire::field_spec::Domain;
use crate::wire::series_domain::Axis;
use crate::wire::value::Kind;
use crate::wire::{
    Artifact, ArtifactDomain, Capability, ChoiceDomain, ConformanceLevel, FieldSpec, FlagDomain, Instrument,
    IntegerDomain, Measurement, Quantity, QuantityDomain, Rule, SampleDomain, SampleEffect, SeriesDomain, TextDomain,
    Value,
};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The contract's minor version that this SDK serves.
const CONTRACT_VERSION: &str = "1.0";

/// An instrument by its id within the lab and its name for people.
#[must_use]
pub fn instrument(id: &str, display_name: &str) -> InstrumentBuilder {
    InstrumentBuilder(Instrument {
        id: id.to_owned(),
        display_name: display_name.to_owned(),
        driver_version: "0.1.0".to_owned(),
        contract_version: CONTRACT_VERSION.to_owned(),
        conformance_level: ConformanceLevel::Run.into(),
        max_concurrency: 1,
        ..Instrument::default()
    })
}

/// See [`instrument`].
#[derive(Clone, Debug)]
pub struct InstrumentBuilder(Instrument);

impl InstrumentBuilder {
    /// Who made it, which model it is, and its serial number.
    #[must_use]
    pub fn made_by(mut self, vendor: &str, model: &str, serial_number: &str) -> Self {
        self.0.vendor = vendor.to_owned();
        self.0.model = model.to_owned();
        self.0.serial_number = serial_number.to_owned();
        self
    }

    /// The driver's own semantic version.
    #[must_use]
    pub fn driver_version(mut self, version: &str) -> Self {
        self.0.driver_version = version.to_owned();
        self
    }

    /// How many operations run at once, and how many more are accepted to wait.
    #[must_use]
    pub fn concurrency(mut self, running: u16, waiting: u16) -> Self {
        self.0.max_concurrency = running.into();
        self.0.queue_depth = waiting.into();
        self
    }

    /// Something that it can do.
    #[must_use]
    pub fn can(mut self, capability: CapabilityBuilder) -> Self {
        self.0.capabilities.push(capability.0);
        self
    }

    /// Anything that this builder has no word for.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Instrument)) -> Self {
        change(&mut self.0);
        self
    }

    /// The checked description.
    ///
    /// # Errors
    /// A [`ManifestError`] names the first thing that breaks the contract.
    pub fn build(self) -> Result<Manifest, ManifestError> {
        Manifest::new(self.0)
    }
}

/// Something that an instrument can do, by its id: `reactor.run`. Until it says otherwise its version is 1.0.0, a second
/// execution would do harm, and its hardware can't be asked after a crash.
#[must_use]
pub fn capability(id: &str) -> CapabilityBuilder {
    CapabilityBuilder(Capability {
        id: id.to_owned(),
        version: "1.0.0".to_owned(),
        effect: Effect::Once.into(),
        probe: Probe::None.into(),
        ..Capability::default()
    })
}

/// See [`capability`].
#[derive(Clone, Debug)]
pub struct CapabilityBuilder(Capability);

fn field(id: &str, required: bool, domain: Domain) -> FieldSpec {
    FieldSpec { id: id.to_owned(), required, domain: Some(domain), ..FieldSpec::default() }
}

fn quantity_domain(unit: &str, range: &RangeInclusive<f64>, states_uncertainty: bool) -> Domain {
    Domain::Quantity(QuantityDomain {
        unit: unit.to_owned(),
        minimum: *range.start(),
        maximum: *range.end(),
        resolution: 0.0,
        states_uncertainty,
    })
}

impl CapabilityBuilder {
    /// What it does, for people.
    #[must_use]
    pub fn described(mut self, description: &str) -> Self {
        self.0.description = description.to_owned();
        self
    }

    /// Its semantic version; a new major number says that a meaning or a unit has changed.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.0.version = version.to_owned();
        self
    }

    /// A number with a UCUM unit, within bounds.
    #[must_use]
    pub fn quantity(self, id: &str, unit: &str, range: RangeInclusive<f64>) -> Self {
        self.parameter(id, quantity_domain(unit, &range, false))
    }

    /// A whole number within bounds.
    #[must_use]
    pub fn integer(self, id: &str, range: RangeInclusive<i64>) -> Self {
        self.parameter(id, Domain::Integer(IntegerDomain { minimum: *range.start(), maximum: *range.end() }))
    }

    /// One of these.
    #[must_use]
    pub fn choice(self, id: &str, choices: &[&str]) -> Self {
        let choice = |id: &&str| Choice { id: (*id).to_owned(), ..Choice::default() };
        self.parameter(id, Domain::Choice(ChoiceDomain { choices: choices.iter().map(choice).collect() }))
    }

    /// Yes or no.
    #[must_use]
    pub fn flag(self, id: &str) -> Self {
        self.parameter(id, Domain::Flag(FlagDomain {}))
    }

    /// A text of at most so many characters.
    #[must_use]
    pub fn text(self, id: &str, max_length: u16) -> Self {
        self.parameter(id, Domain::Text(TextDomain { pattern: String::new(), max_length: max_length.into() }))
    }

    /// A sample in such a vessel.
    #[must_use]
    pub fn sample(self, id: &str, labware_type: &str) -> Self {
        self.parameter(id, Domain::Sample(SampleDomain { labware_type: labware_type.to_owned() }))
    }

    fn parameter(mut self, id: &str, domain: Domain) -> Self {
        self.0.parameters.push(field(id, true, domain));
        self
    }

    /// The parameter declared last may be left out; it is this then.
    #[must_use]
    pub fn by_default(mut self, value: impl Into<Literal>) -> Self {
        if let Some(last) = self.0.parameters.last_mut() {
            let Literal(mut kind) = value.into();
            if let (Kind::Quantity(quantity), Some(Domain::Quantity(domain))) = (&mut kind, &last.domain) {
                quantity.unit.clone_from(&domain.unit);
            }
            match (&kind, &last.domain) {
                (Kind::Text(text), Some(Domain::Choice(_))) => kind = Kind::Choice(text.clone()),
                (Kind::Text(text), Some(Domain::Sample(_))) => kind = Kind::Sample(text.clone()),
                _ => {}
            }
            last.required = false;
            last.default_value = Some(Value { kind: Some(kind) });
        }
        self
    }

    /// A bound across parameters, as CEL over their bare numbers, for whoever plans ahead; [`super::Driver::check`] enforces it.
    #[must_use]
    pub fn rule(mut self, expression: &str, message: &str) -> Self {
        self.0.rules.push(Rule { expression: expression.to_owned(), message: message.to_owned() });
        self
    }

    /// A number that it brings.
    #[must_use]
    pub fn brings(self, id: &str, unit: &str, range: RangeInclusive<f64>) -> Self {
        self.output(id, quantity_domain(unit, &range, false))
    }

    /// A number that it brings with its standard uncertainty, always.
    #[must_use]
    pub fn brings_uncertain(self, id: &str, unit: &str, range: RangeInclusive<f64>) -> Self {
        self.output(id, quantity_domain(unit, &range, true))
    }

    /// A sample that it brings.
    #[must_use]
    pub fn brings_sample(self, id: &str, labware_type: &str) -> Self {
        self.output(id, Domain::Sample(SampleDomain { labware_type: labware_type.to_owned() }))
    }

    /// Columns of equally many numbers, each with its unit: a trace, a spectrum.
    #[must_use]
    pub fn brings_series(self, id: &str, axes: &[(&str, &str)]) -> Self {
        let axis = |(id, unit): &(&str, &str)| Axis { id: (*id).to_owned(), unit: (*unit).to_owned() };
        self.output(id, Domain::Series(SeriesDomain { axes: axes.iter().map(axis).collect() }))
    }

    fn output(mut self, id: &str, domain: Domain) -> Self {
        self.0.outputs.push(field(id, true, domain));
        self
    }

    /// Doing it again would do no harm: reading, homing, rinsing.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.0.effect = Effect::Repeatable.into();
        self
    }

    /// A file that it brings, of such media types.
    #[must_use]
    pub fn brings_artifact(self, id: &str, media_types: &[&str]) -> Self {
        let media_types = media_types.iter().map(|&it| it.to_owned()).collect();
        self.output(id, Domain::Artifact(ArtifactDomain { media_types }))
    }

    /// How much of a consumable one execution typically uses; [`super::Driver::status`] tells what there is.
    #[must_use]
    pub fn uses(mut self, consumable_id: &str, amount: f64, unit: &str) -> Self {
        let typical = Some(Quantity { value: amount, unit: unit.to_owned(), ..Quantity::default() });
        self.0.usages.push(Usage { consumable_id: consumable_id.to_owned(), typical });
        self
    }

    /// It can be held in a safe place: its code passes [`super::Call::safe_point`] often.
    #[must_use]
    pub fn holdable(mut self) -> Self {
        self.0.holdable = true;
        self
    }

    /// It can be stopped on the way.
    #[must_use]
    pub fn abortable(mut self) -> Self {
        self.0.abortable = true;
        self
    }

    /// After a crash of the driver the instrument itself knows what became of it: [`super::Driver::probe`] asks.
    #[must_use]
    pub fn probed(mut self) -> Self {
        self.0.probe = Probe::Exact.into();
        self
    }

    /// How long it usually takes, and the time past which the SDK stops it and fails it.
    #[must_use]
    pub fn takes(mut self, typical: Duration, max: Duration) -> Self {
        self.0.typical_duration = prost_types::Duration::try_from(typical).ok();
        self.0.max_duration = prost_types::Duration::try_from(max).ok();
        self
    }

    /// Anything that this builder has no word for.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Capability)) -> Self {
        change(&mut self.0);
        self
    }
}

/// A value as it is written in code.
#[derive(Clone, Debug)]
pub struct Literal(Kind);

impl From<f64> for Literal {
    fn from(value: f64) -> Self {
        Self(Kind::Quantity(Quantity { value, ..Quantity::default() }))
    }
}

impl From<i64> for Literal {
    fn from(value: i64) -> Self {
        Self(Kind::Integer(value))
    }
}

impl From<bool> for Literal {
    fn from(value: bool) -> Self {
        Self(Kind::Boolean(value))
    }
}

impl From<&str> for Literal {
    fn from(value: &str) -> Self {
        Self(Kind::Text(value.to_owned()))
    }
}

impl Outcome {
    /// An outcome without outputs yet, and what became of the sample.
    #[must_use]
    pub fn new(sample_effect: SampleEffect) -> Self {
        Self { sample_effect, ..Self::default() }
    }

    /// A number in its declared unit.
    #[must_use]
    pub fn quantity(self, output: &str, value: f64, unit: &str) -> Self {
        self.uncertain(output, value, 0.0, unit)
    }

    /// A number with its standard uncertainty.
    #[must_use]
    pub fn uncertain(self, output: &str, value: f64, standard_uncertainty: f64, unit: &str) -> Self {
        let unit = unit.to_owned();
        self.value(output, Kind::Quantity(Quantity { value, unit, standard_uncertainty, degrees_of_freedom: 0.0 }))
    }

    /// A sample by its id.
    #[must_use]
    pub fn sample(self, output: &str, id: &str) -> Self {
        self.value(output, Kind::Sample(id.to_owned()))
    }

    /// A file that [`super::Call::artifact`] has kept.
    #[must_use]
    pub fn artifact(mut self, output: &str, artifact: Artifact) -> Self {
        self.artifacts.push(artifact.clone());
        self.value(output, Kind::Artifact(artifact))
    }

    /// Any value.
    #[must_use]
    pub fn value(mut self, output: &str, kind: Kind) -> Self {
        let value = Some(Value { kind: Some(kind) });
        self.measurements.push(Measurement { output: output.to_owned(), value, ..Measurement::default() });
        self
    }
}
