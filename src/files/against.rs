//! A campaign held against what the lab's drivers say they can do.

use super::campaign::CampaignFile;
use super::report::Report;
use crate::closest::did_you_mean;
use crate::units;
use eutectic_core::InstrumentId;
use eutectic_core::model::{Binding, CampaignSpec, Domain, Leaf, Parameter, Step, Value};
use std::collections::BTreeMap;

/// What a lab can do, by instrument.
pub type Capabilities = BTreeMap<InstrumentId, InstrumentSummary>;

/// What an instrument can do, by capability.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InstrumentSummary {
    /// By id.
    pub capabilities: BTreeMap<String, CapabilitySummary>,
}

/// A capability: what goes in and what comes out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CapabilitySummary {
    /// By id.
    pub parameters: BTreeMap<String, ParameterSummary>,
    /// By id.
    pub outputs: BTreeMap<String, ValueDomain>,
}

/// A capability's parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterSummary {
    /// Without a default.
    pub required: bool,
    /// Its values.
    pub domain: ValueDomain,
}

/// What values a parameter takes or an output has.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueDomain {
    /// A number with a unit, between bounds.
    Quantity {
        /// UCUM code.
        unit: String,
        /// Lower bound, included.
        low: f64,
        /// Upper bound, included.
        high: f64,
    },
    /// A whole number between bounds.
    Integer {
        /// Lower bound, included.
        low: i64,
        /// Upper bound, included.
        high: i64,
    },
    /// One of these.
    Choice(Vec<String>),
    /// Any text.
    Text,
    /// Yes or no.
    Flag,
    /// A sample's id.
    Sample,
    /// A curve or a table.
    Series,
    /// A large result.
    Artifact,
}

/// What is wrong between a campaign and a lab.
#[must_use]
pub fn check_against(file: &CampaignFile, lab: &Capabilities) -> Report {
    let mut checking = Checking { file, lab, report: file.report() };
    for step in &file.spec.steps {
        checking.step(step);
    }
    checking.outcomes();
    checking.report
}

struct Checking<'a> {
    file: &'a CampaignFile,
    lab: &'a Capabilities,
    report: Report,
}

impl<'a> Checking<'a> {
    fn spec(&self) -> &'a CampaignSpec {
        &self.file.spec
    }

    /// Where this text, in quotes, stands after the step's name.
    fn wrong(&mut self, step: &Step, at: &str, message: String, help: String) {
        let text = self.file.text();
        let start = text.find(&format!("\"{}\"", step.name)).unwrap_or(0);
        let found =
            text.get(start..).and_then(|rest| rest.find(at)).map(|place| start + place..start + place + at.len());
        self.report.error(found, message, help);
    }

    fn offered(&self, step: &Step) -> Option<&'a CapabilitySummary> {
        let able =
            |(name, _): &(&InstrumentId, &InstrumentSummary)| step.instrument.as_ref().is_none_or(|it| it == *name);
        self.lab.iter().filter(able).find_map(|(_, it)| it.capabilities.get(&step.capability))
    }

    fn step(&mut self, step: &Step) {
        if let Some(wanted) = &step.instrument
            && !self.lab.contains_key(wanted)
        {
            let help = did_you_mean(wanted.as_str(), self.lab.keys().map(InstrumentId::as_str));
            return self.wrong(step, wanted.as_str(), format!("the lab has no instrument '{wanted}'"), help);
        }
        let Some(offered) = self.offered(step) else {
            let all: Vec<_> = self.lab.values().flat_map(|it| it.capabilities.keys().map(String::as_str)).collect();
            let help = did_you_mean(&step.capability, all.iter().copied());
            let message = format!("no instrument of the lab can do '{}'", step.capability);
            return self.wrong(step, &step.capability, message, help);
        };
        for (name, binding) in &step.with {
            match offered.parameters.get(name) {
                None => {
                    let help = did_you_mean(name, offered.parameters.keys().map(String::as_str));
                    let message = format!("'{}' has no parameter '{name}'", step.capability);
                    self.wrong(step, name, message, help);
                }
                Some(parameter) => self.binding(step, name, binding, &parameter.domain),
            }
        }
        for (name, parameter) in &offered.parameters {
            if parameter.required && !step.with.contains_key(name) {
                let message = format!("step '{}' doesn't say '{name}', which '{}' needs", step.name, step.capability);
                self.wrong(step, step.name.as_str(), message, format!("with = {{ {name} = … }}"));
            }
        }
    }

    fn binding(&mut self, step: &Step, name: &str, binding: &Binding, domain: &ValueDomain) {
        match binding {
            Binding::Parameter(parameter) => {
                if let Some(parameter) = self.spec().parameter(parameter) {
                    self.parameter(step, name, parameter, domain);
                }
            }
            Binding::Output { step: source, output } => {
                let Some(offered) = self.spec().step(source).and_then(|it| self.offered(it)) else { return };
                if !offered.outputs.contains_key(output) {
                    let help = did_you_mean(output, offered.outputs.keys().map(String::as_str));
                    self.wrong(
                        step,
                        &format!("@{source}.{output}"),
                        format!("step '{source}' has no output '{output}'"),
                        help,
                    );
                }
            }
            Binding::Literal(Value::Quantity(quantity)) => {
                if let ValueDomain::Quantity { unit, low, high } = domain {
                    match units::convert(quantity.value, &quantity.unit, unit) {
                        None => self.wrong(
                            step,
                            name,
                            format!("'{name}' is in {unit}, not in {}", quantity.unit),
                            format!("write it as \"5 {unit}\""),
                        ),
                        Some(value) if !(*low..=*high).contains(&value) => self.wrong(
                            step,
                            name,
                            format!("'{name}' can't be {value} {unit}"),
                            format!("the instrument takes {low} to {high} {unit}"),
                        ),
                        Some(_) => {}
                    }
                }
            }
            Binding::Literal(Value::Choice(choice)) => {
                if let ValueDomain::Choice(choices) = domain
                    && !choices.contains(choice)
                {
                    let help = did_you_mean(choice, choices.iter().map(String::as_str));
                    self.wrong(step, choice, format!("'{name}' can't be '{choice}'"), help);
                }
            }
            // The driver checks the rest of its own domain before anything moves.
            Binding::Literal(_) => {}
        }
    }

    /// Everything that the planner may propose must be within what the instrument takes.
    fn parameter(&mut self, step: &Step, name: &str, parameter: &Parameter, domain: &ValueDomain) {
        let place = format!("${}", parameter.name);
        let ends = match &parameter.domain {
            Domain::Real { low, high, .. } => (*low, *high),
            #[expect(clippy::cast_precision_loss, reason = "within 2^53: checked where it was read")]
            Domain::Integer { low, high, .. } => (*low as f64, *high as f64),
            Domain::Levels { values, .. } => {
                (values.first().copied().unwrap_or_default(), values.last().copied().unwrap_or_default())
            }
            Domain::Categorical { choices } => {
                if let ValueDomain::Choice(known) = domain
                    && let Some(unknown) = choices.iter().find(|it| !known.contains(it))
                {
                    let help = did_you_mean(unknown, known.iter().map(String::as_str));
                    self.wrong(step, &place, format!("the instrument's '{name}' can't be '{unknown}'"), help);
                }
                return;
            }
        };
        let (unit, low, high) = match domain {
            ValueDomain::Quantity { unit, low, high } => (unit.as_str(), *low, *high),
            #[expect(clippy::cast_precision_loss, reason = "bounds of a count")]
            ValueDomain::Integer { low, high } => ("1", *low as f64, *high as f64),
            ValueDomain::Choice(_)
            | ValueDomain::Text
            | ValueDomain::Flag
            | ValueDomain::Sample
            | ValueDomain::Series
            | ValueDomain::Artifact => {
                let message = format!("the instrument's '{name}' takes no number");
                return self.wrong(step, &place, message, "give the parameter choices instead of a range".to_owned());
            }
        };
        let written = if parameter.unit.ucum == "1" { "a bare number" } else { &parameter.unit.written };
        let converted = |value| units::convert(value, &parameter.unit.ucum, unit);
        let (Some(from), Some(to)) = (converted(ends.0), converted(ends.1)) else {
            let message =
                format!("the instrument's '{name}' is in {unit}, the parameter '{}' is in {written}", parameter.name);
            return self.wrong(step, &place, message, format!("unit = \"{unit}\""));
        };
        // A hair of rounding in a conversion is no reason to refuse.
        let slack = 1e-9 * (high - low).abs();
        if from < low - slack || to > high + slack {
            let message = format!(
                "'{}' goes from {} to {} {written}; the instrument's '{name}' takes {low} to {high} {unit}",
                parameter.name, ends.0, ends.1
            );
            self.wrong(step, &place, message, "narrow the range".to_owned());
        }
    }

    fn outcomes(&mut self) {
        for outcome in &self.spec().outcomes {
            let Some(value) = &outcome.value else { continue };
            let mut used = Vec::new();
            value.leaves(&mut |leaf| {
                if let Leaf::Output { step, output } = leaf {
                    used.push((step.clone(), output.clone()));
                }
            });
            for (step, output) in used {
                let Some(step) = self.spec().steps.iter().find(|it| it.name.as_str() == step) else { continue };
                let Some(offered) = self.offered(step) else { continue };
                let number = |it: &ValueDomain| {
                    matches!(it, ValueDomain::Quantity { .. } | ValueDomain::Integer { .. } | ValueDomain::Choice(_))
                };
                let place = format!("@{}.{output}", step.name);
                let at = self.file.text().find(&place).map(|at| at..at + place.len());
                match offered.outputs.get(&output) {
                    Some(domain) if number(domain) => {}
                    Some(_) => {
                        let message = format!("{place} is neither a number nor a choice");
                        self.report.error(at, message, "outcomes are calculated from numbers");
                    }
                    None => {
                        let help = did_you_mean(&output, offered.outputs.keys().map(String::as_str));
                        let message = format!("step '{}' has no output '{output}'", step.name);
                        self.report.error(at, message, help);
                    }
                }
            }
        }
    }
}
