//! The steps of a campaign file: a graph in which every step follows what it needs.

use super::expression::Names;
use super::reader::{Placed, Table, number, shortened, wrong};
use super::report::Report;
use crate::closest::did_you_mean;
use crate::units;
use eutectic_core::model::{Binding, Parameter, Quantity, Step, Value};
use eutectic_core::{InstrumentId, StepName};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use toml::Spanned;
use toml::de::DeValue;

/// The most steps of a protocol.
pub const MAX_STEPS: usize = 100;

pub(super) fn steps(tables: &[Table<'_>], names: &Names, parameters: &[Parameter], report: &mut Report) -> Vec<Step> {
    if tables.len() > MAX_STEPS {
        report.error(None, format!("{} steps; the limit is {MAX_STEPS}", tables.len()), "");
    }
    let mut taken = BTreeSet::new();
    let mut steps: Vec<(Step, Range<usize>)> = Vec::new();
    for table in tables.iter().take(MAX_STEPS) {
        table.only(&["name", "capability", "instrument", "after", "with"], report);
        let name = table.name("name = \"react\"", false, &mut taken, report);
        let capability = table.text_needed("capability", "capability = \"reactor.run\"", report);
        let instrument = table.text("instrument", report).map(|it| InstrumentId::new(it.value));
        let mut after = after(table, names, report);
        let with = with(table, names, report);
        for binding in with.values() {
            if let Binding::Output { step, .. } = binding
                && !after.contains(step)
            {
                after.push(step.clone());
            }
        }
        if let (Some(name), Some(capability)) = (name, capability) {
            let (name, capability) = (StepName::new(name), capability.value.to_owned());
            steps.push((Step { name, capability, instrument, after, with }, table.span.clone()));
        }
    }
    unused(tables, &steps, parameters, report);
    ordered(steps, report)
}

fn after(table: &Table<'_>, names: &Names, report: &mut Report) -> Vec<StepName> {
    let Some(given) = table.array("after", report) else { return Vec::new() };
    let mut after = Vec::new();
    for value in given.value {
        match value.get_ref().as_str() {
            Some(name) if names.steps.contains(name) => {
                let name = StepName::new(name);
                if !after.contains(&name) {
                    after.push(name);
                }
            }
            Some(name) => no_step(name, value.span(), names, report),
            None => wrong(value.span(), "after", "names of steps in quotes", value.get_ref(), report),
        }
    }
    after
}

fn no_step(name: &str, span: Range<usize>, names: &Names, report: &mut Report) {
    let help = did_you_mean(name, names.steps.iter().map(String::as_str));
    report.error(Some(span), format!("there is no step '{}'", shortened(name)), help);
}

fn with(table: &Table<'_>, names: &Names, report: &mut Report) -> BTreeMap<String, Binding> {
    let Some(with) = table.table("with", "the arguments", report) else { return BTreeMap::new() };
    let read =
        |(key, value): (Placed<&str>, _)| Some((key.value.to_owned(), binding(key.value, value, names, report)?));
    with.entries().filter_map(read).collect()
}

fn binding(key: &str, value: &Spanned<DeValue<'_>>, names: &Names, report: &mut Report) -> Option<Binding> {
    let text = match value.get_ref() {
        DeValue::Boolean(it) => return Some(Binding::Literal(Value::Boolean(*it))),
        DeValue::Integer(it) => {
            let whole = it.as_str().replace('_', "").parse().ok();
            return whole.map(|it| Binding::Literal(Value::Integer(it))).or_else(|| {
                report.error(Some(value.span()), format!("'{key}' is out of range"), "");
                None
            });
        }
        DeValue::Float(_) => {
            let value = number(value, key, report)?.value;
            return Some(Binding::Literal(Value::Quantity(Quantity {
                value,
                unit: "1".to_owned(),
                sd: None,
                limit: None,
            })));
        }
        DeValue::String(text) => text.as_ref(),
        other @ (DeValue::Array(_) | DeValue::Table(_) | DeValue::Datetime(_)) => {
            wrong(value.span(), key, "a number, a text, $parameter or @step.output", other, report);
            return None;
        }
    };
    if let Some(name) = text.strip_prefix('$') {
        if names.parameters.contains(name) {
            return Some(Binding::Parameter(name.to_owned()));
        }
        let help = did_you_mean(name, names.parameters.iter().map(String::as_str));
        report.error(Some(value.span()), format!("there is no parameter '{}'", shortened(name)), help);
        return None;
    }
    if let Some(reference) = text.strip_prefix('@') {
        let Some((step, output)) = reference.split_once('.').filter(|(_, output)| !output.is_empty()) else {
            let message = format!("'{}' names no output", shortened(text));
            report.error(Some(value.span()), message, "write @step.output, for instance @react.sample");
            return None;
        };
        if !names.steps.contains(step) {
            no_step(step, value.span(), names, report);
            return None;
        }
        return Some(Binding::Output { step: StepName::new(step), output: output.to_owned() });
    }
    Some(Binding::Literal(literal(text)))
}

/// `5 mL` is a quantity; anything else is a name or a text.
fn literal(text: &str) -> Value {
    if let Some((number, unit)) = text.trim().split_once(' ')
        && let Ok(value) = number.parse::<f64>()
        && value.is_finite()
        && let Ok(unit) = units::parse(unit)
    {
        return Value::Quantity(Quantity { value, unit: unit.ucum, sd: None, limit: None });
    }
    Value::Choice(text.to_owned())
}

/// A parameter that no step uses changes nothing; it is probably a slip.
fn unused(tables: &[Table<'_>], steps: &[(Step, Range<usize>)], parameters: &[Parameter], report: &mut Report) {
    let Some(first) = tables.first() else { return };
    let bound = |name: &str| {
        let uses = |binding: &Binding| matches!(binding, Binding::Parameter(it) if it == name);
        steps.iter().any(|(step, _)| step.with.values().any(uses))
    };
    for parameter in parameters.iter().filter(|it| !bound(&it.name)) {
        let message = format!("no step uses the parameter '{}'", parameter.name);
        let help = format!("with = {{ {0} = \"${0}\" }}", parameter.name);
        report.warning(Some(first.span.clone()), message, help);
    }
}

/// In an order in which every step follows what it needs.
fn ordered(mut waiting: Vec<(Step, Range<usize>)>, report: &mut Report) -> Vec<Step> {
    // A step that could not be read is told already; others need not wait for it.
    let present: BTreeSet<StepName> = waiting.iter().map(|(step, _)| step.name.clone()).collect();
    let mut done: Vec<Step> = Vec::new();
    loop {
        let ready = waiting.iter().position(|(step, _)| {
            step.after.iter().all(|it| !present.contains(it) || done.iter().any(|step| step.name == *it))
        });
        match ready {
            Some(place) => done.push(waiting.remove(place).0),
            None => break,
        }
    }
    if let Some((_, span)) = waiting.first() {
        let circle: Vec<_> = waiting.iter().map(|(step, _)| step.name.to_string()).collect();
        let message = format!("these steps wait for each other: {}", circle.join(", "));
        report.error(Some(span.clone()), message, "take one of the 'after' or '@step.output' out of the circle");
    }
    done
}
