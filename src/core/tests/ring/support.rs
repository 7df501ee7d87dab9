//! A campaign of two steps and two parameters, and shorthands.

use eutectic_core::model::{
    Admission, Binding, Budget, CampaignSpec, CapabilityDescription, Domain, Expr, InstrumentDescription, Leaf, Level,
    Objective, Outcome, Parameter, RepeatEffect, Setting, Step, Unit, Value,
};
use eutectic_core::{Command, Request, RequestId, Time, Verdict, Workcell, handle};
use std::collections::BTreeMap;

pub(super) fn unit() -> Unit {
    Unit { written: String::new(), ucum: "1".into() }
}

pub(super) fn setting(x: f64) -> Setting {
    [("x".to_owned(), Level::Real(x)), ("kind".to_owned(), Level::Choice("a".into()))].into()
}

pub(super) fn spec(name: &str, experiments: u32, in_flight: u32) -> CampaignSpec {
    let parameter = |name: &str, domain| Parameter { name: name.into(), domain, unit: unit() };
    let step = |name: &str, capability: &str, after: &[&str], with: BTreeMap<String, Binding>| Step {
        name: name.into(),
        capability: capability.into(),
        instrument: None,
        after: after.iter().map(|&it| it.into()).collect(),
        with,
    };
    let sample = Binding::Output { step: "make".into(), output: "sample".into() };
    let parameters = vec![
        parameter("x", Domain::Real { low: 0.0, high: 1.0, log: false }),
        parameter("kind", Domain::Categorical { choices: vec!["a".into(), "b".into()] }),
    ];
    let outcomes = vec![Outcome {
        name: "yield".into(),
        value: Some(Expr::Leaf(Leaf::Output { step: "read".into(), output: "signal".into() })),
        unit: unit(),
    }];
    let budget = Budget { cost: None, experiments, in_flight, admission: Admission::AsArrived };
    CampaignSpec {
        steps: vec![
            step("make", "maker.make", &[], [("x".to_owned(), Binding::Parameter("x".into()))].into()),
            step("read", "reader.read", &["make"], [("sample".to_owned(), sample)].into()),
        ],
        ..CampaignSpec::new(name.into(), parameters, outcomes, vec![Objective::maximize("yield")], budget)
    }
}

/// The outputs of a step, as its driver would tell them.
pub(super) fn outputs(step: &str, number: f64) -> BTreeMap<String, Value> {
    match step {
        "make" => [("sample".to_owned(), Value::Sample(format!("vial-{number}")))].into(),
        _ => {
            let quantity =
                eutectic_core::model::Quantity { value: number, unit: "1".into(), sd: Some(0.1), limit: None };
            [("signal".to_owned(), Value::Quantity(quantity))].into()
        }
    }
}

pub(super) fn description(capability: &str, max_concurrency: u32) -> InstrumentDescription {
    let able =
        CapabilityDescription { version: "1.0.0".into(), effect: RepeatEffect::Once, max_duration_ms: Some(60_000) };
    InstrumentDescription {
        digest: "d".into(),
        display_name: capability.into(),
        max_concurrency,
        capabilities: [(capability.to_owned(), able)].into(),
    }
}

/// A person's request.
pub(super) fn ask(workcell: &mut Workcell, now: i64, id: &str, command: Command) -> Verdict {
    handle(workcell, Time(now), Request { id: Some(RequestId::new(id)), command })
}

/// A report of the engine's own.
pub(super) fn tell(workcell: &mut Workcell, now: i64, command: Command) -> Verdict {
    handle(workcell, Time(now), Request { id: None, command })
}

/// A workcell with an epoch and two instruments that are described and leased.
pub(super) fn workcell() -> Workcell {
    let mut workcell = Workcell::default();
    tell(&mut workcell, 1, Command::TakeEpoch { owner: "test".into(), workcell: "w".into() });
    tell(&mut workcell, 1, Command::SetLab { instruments: ["maker", "reader"].map(|it| (it.into(), None)).into() });
    for (instrument, capability) in [("maker", "maker.make"), ("reader", "reader.read")] {
        let description = description(capability, 1);
        tell(&mut workcell, 1, Command::DescribeInstrument { instrument: instrument.into(), description });
        lease(&mut workcell, instrument, "journal", 1);
    }
    workcell
}

pub(super) fn lease(workcell: &mut Workcell, instrument: &str, journal_id: &str, token: i64) -> Verdict {
    let epoch = workcell.epoch;
    let journal_id = journal_id.into();
    tell(workcell, 1, Command::TakeLease { instrument: instrument.into(), epoch, journal_id, token })
}

pub(super) fn add(workcell: &mut Workcell, spec: CampaignSpec) -> Verdict {
    let id = format!("add {}", spec.name);
    ask(
        workcell,
        2,
        &id,
        Command::AddCampaign { spec: Box::new(spec), digest: "d".into(), source: "s".into(), seed: 7 },
    )
}
