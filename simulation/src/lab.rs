//! A small lab: a mixer that makes a sample, once and for ever, and a meter that measures it as often as one likes.

use eutectic_core::model::{
    Admission, Binding, Budget, CampaignSpec, Domain, Expr, Leaf, Objective, Outcome, Parameter, PlannerSpec, Step,
    Unit,
};
use eutectic_core::{CampaignName, StepName};
use eutectic_instruments::machine::Manifest;
use eutectic_instruments::wire;
use std::collections::BTreeMap;
use wire::capability::{Effect, Probe};
use wire::field_spec::Domain as FieldDomain;

pub(crate) const MIXER: &str = "mixer";
pub(crate) const METER: &str = "meter";
pub(crate) const CLEAN: &str = "mixer.clean";
pub(crate) const CAMPAIGN: &str = "simulated";

/// What the meter shows without noise.
pub(crate) fn truth(x: f64) -> f64 {
    1.0 - (x - 0.3) * (x - 0.3)
}

pub(crate) fn campaign(in_flight: u32, experiments: u32) -> CampaignSpec {
    let step = |name: &str, capability: &str, after: &[&str], argument: &str, binding: Binding| Step {
        name: StepName::new(name),
        capability: capability.to_owned(),
        instrument: None,
        after: after.iter().map(|it| StepName::new(*it)).collect(),
        with: BTreeMap::from([(argument.to_owned(), binding)]),
    };
    let sample = Binding::Output { step: StepName::new("mix"), output: "sample".to_owned() };
    let output = Leaf::Output { step: "measure".to_owned(), output: "y".to_owned() };
    let parameters = vec![Parameter {
        name: "x".to_owned(),
        domain: Domain::Real { low: 0.0, high: 1.0, log: false },
        unit: Unit::one(),
    }];
    let outcomes = vec![Outcome { name: "y".to_owned(), value: Some(Expr::Leaf(output)), unit: Unit::one() }];
    let budget = Budget { cost: None, experiments, in_flight, admission: Admission::AsArrived };
    CampaignSpec {
        steps: vec![
            step("mix", "mixer.mix", &[], "x", Binding::Parameter("x".to_owned())),
            step("measure", "meter.measure", &["mix"], "sample", sample),
        ],
        planner: PlannerSpec { initial: Some(experiments), ..PlannerSpec::default() },
        ..CampaignSpec::new(CampaignName::new(CAMPAIGN), parameters, outcomes, vec![Objective::maximize("y")], budget)
    }
}

/// `exact`: the instrument can tell what became of an operation after its driver died.
pub(crate) fn manifest(instrument: &str, exact: bool) -> Manifest {
    let quantity = || {
        FieldDomain::Quantity(wire::QuantityDomain {
            unit: "1".to_owned(),
            minimum: -1.0,
            maximum: 1.0,
            ..wire::QuantityDomain::default()
        })
    };
    let sample = || FieldDomain::Sample(wire::SampleDomain::default());
    let field = |id: &str, domain| wire::FieldSpec {
        id: id.to_owned(),
        required: true,
        domain: Some(domain),
        ..wire::FieldSpec::default()
    };
    let (id, parameter, output, effect) = if instrument == MIXER {
        ("mixer.mix", field("x", quantity()), field("sample", sample()), Effect::Once)
    } else {
        ("meter.measure", field("sample", sample()), field("y", quantity()), Effect::Repeatable)
    };
    let capability = wire::Capability {
        id: id.to_owned(),
        version: "1.0.0".to_owned(),
        parameters: vec![parameter],
        outputs: vec![output],
        effect: effect.into(),
        probe: if exact { Probe::Exact } else { Probe::None }.into(),
        abortable: true,
        max_duration: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
        ..wire::Capability::default()
    };
    // How it recovers: without arguments and results, and like everything physical once.
    let clean = wire::Capability {
        id: CLEAN.to_owned(),
        parameters: Vec::new(),
        outputs: Vec::new(),
        effect: Effect::Once.into(),
        ..capability.clone()
    };
    let capabilities = if instrument == MIXER { vec![capability, clean] } else { vec![capability] };
    Manifest::new(wire::Instrument {
        id: instrument.to_owned(),
        capabilities,
        max_concurrency: 1,
        queue_depth: 1,
        ..wire::Instrument::default()
    })
    .unwrap()
}
