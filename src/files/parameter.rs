//! Parameters of a campaign file, and their levels.

use super::campaign::unit;
use super::reader::{Placed, Table, number, shortened, wrong};
use super::report::Report;
use crate::closest::did_you_mean;
use eutectic_core::model::{Datum, Domain, Level, Parameter, Unit};
use std::collections::BTreeSet;
use toml::Spanned;
use toml::de::DeValue;

/// The most parameters of a campaign.
pub const MAX_PARAMETERS: usize = 100;
/// The most choices of a parameter.
pub const MAX_CHOICES: usize = 200;
/// Whole numbers stay where a floating-point number holds them exactly.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

pub(super) fn parameters(root: &Table<'_>, report: &mut Report) -> Vec<Parameter> {
    let tables = root.tables("parameter", "a parameter", report);
    if tables.is_empty() {
        report.error(None, "nothing is varied", "add [[parameter]] with a name and a range, or choices");
    }
    if tables.len() > MAX_PARAMETERS {
        report.error(None, format!("{} parameters; the limit is {MAX_PARAMETERS}", tables.len()), "");
    }
    let mut taken = BTreeSet::new();
    let mut parameters = Vec::new();
    for table in tables.iter().take(MAX_PARAMETERS) {
        table.only(&["name", "range", "choices", "integer", "scale", "unit"], report);
        let name = table.name("name = \"temperature\"", false, &mut taken, report);
        let domain = domain(table, report);
        let unit = unit(table, report);
        if let (Some(name), Some(domain)) = (name, domain) {
            parameters.push(Parameter { name, domain, unit: unit.unwrap_or_else(Unit::one) });
        }
    }
    parameters
}

fn domain(table: &Table<'_>, report: &mut Report) -> Option<Domain> {
    match (table.has("range"), table.has("choices")) {
        (true, false) => range(table, report),
        (false, true) => {
            for key in ["integer", "scale", "unit"].into_iter().filter(|key| table.has(key)) {
                report.error(
                    Some(table.span.clone()),
                    format!("choices have no '{key}'"),
                    "choices are names; numbers have a range",
                );
            }
            choices(table, report)
        }
        (true, true) => {
            report.error(Some(table.span.clone()), "a parameter has a range or choices, not both", "");
            None
        }
        (false, false) => {
            let help = "range = [30, 110] for a number, choices = [\"dmf\", \"thf\"] for names";
            report.error(Some(table.span.clone()), "a parameter needs 'range' or 'choices'", help);
            None
        }
    }
}

fn range(table: &Table<'_>, report: &mut Report) -> Option<Domain> {
    let log = scale(table, report);
    let integer = match table.entries().find(|(key, _)| key.value == "integer").map(|(_, value)| value) {
        None => false,
        Some(value) => value.get_ref().as_bool().unwrap_or_else(|| {
            wrong(value.span(), "integer", "true or false", value.get_ref(), report);
            false
        }),
    };
    let ends = table.array("range", report)?;
    let [low, high] = ends.value.as_slice() else {
        report.error(Some(ends.span), "a range has two ends", "range = [30, 110]");
        return None;
    };
    let (low, high) = (number(low, "range", report)?, number(high, "range", report)?);
    if low.value >= high.value {
        let help = if low.value > high.value {
            format!("range = [{}, {}]", high.value, low.value)
        } else {
            "a parameter that has one value only is a constant: write it into the step".to_owned()
        };
        report.error(Some(ends.span), "the range is empty", help);
        return None;
    }
    if log && low.value <= 0.0 {
        report.error(
            Some(low.span),
            "a log scale has no room for 0 and below",
            "raise the lower end, or leave scale out",
        );
        return None;
    }
    if !integer {
        return Some(Domain::Real { low: low.value, high: high.value, log });
    }
    let (low, high) = (whole(&low, report)?, whole(&high, report)?);
    Some(Domain::Integer { low, high, log })
}

fn whole(end: &Placed<f64>, report: &mut Report) -> Option<i64> {
    if end.value.fract() != 0.0 || end.value.abs() > MAX_WHOLE {
        report.error(Some(end.span.clone()), "the ends of an integer range are whole numbers", "range = [1, 8]");
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and within bounds: just checked")]
    Some(end.value as i64)
}

fn scale(table: &Table<'_>, report: &mut Report) -> bool {
    match table.text("scale", report) {
        None => false,
        Some(text) => match text.value {
            "log" => true,
            "linear" => false,
            other => {
                let help = did_you_mean(other, ["log", "linear"]);
                report.error(Some(text.span), format!("there is no scale '{}'", shortened(other)), help);
                false
            }
        },
    }
}

fn choices(table: &Table<'_>, report: &mut Report) -> Option<Domain> {
    let given = table.array("choices", report)?;
    let mut choices: Vec<String> = Vec::new();
    for value in &given.value {
        let DeValue::String(choice) = value.get_ref() else {
            wrong(value.span(), "choices", "texts in quotes", value.get_ref(), report);
            return None;
        };
        if choice.trim().is_empty() || choice.len() > super::reader::MAX_NAME_LENGTH {
            report.error(Some(value.span()), "a choice is a name, neither empty nor long", "");
            return None;
        }
        if choices.iter().any(|it| it == choice.as_ref()) {
            report.error(Some(value.span()), format!("'{choice}' stands twice"), "name each choice once");
            return None;
        }
        choices.push(choice.to_string());
    }
    if choices.len() < 2 || choices.len() > MAX_CHOICES {
        let message = format!("a parameter has 2 to {MAX_CHOICES} choices, not {}", choices.len());
        report.error(Some(given.span), message, "with one choice it is a constant: write it into the step");
        return None;
    }
    Some(Domain::Categorical { choices })
}

/// A level as a file has it, within the parameter's domain.
pub(super) fn level(value: &Spanned<DeValue<'_>>, parameter: &Parameter, report: &mut Report) -> Option<Level> {
    let level = match &parameter.domain {
        Domain::Categorical { .. } => {
            let Some(choice) = value.get_ref().as_str() else {
                wrong(value.span(), &parameter.name, "one of its choices in quotes", value.get_ref(), report);
                return None;
            };
            Level::Choice(choice.to_owned())
        }
        Domain::Real { .. } => Level::Real(number(value, &parameter.name, report)?.value),
        Domain::Integer { .. } => Level::Integer(whole(&number(value, &parameter.name, report)?, report)?),
    };
    if within(&parameter.domain, &level) {
        return Some(level);
    }
    let message = format!("'{}' can't be {}", parameter.name, shortened(&level.to_string()));
    report.error(Some(value.span()), message, format!("its values are {}", parameter.domain));
    None
}

/// Whether the domain has this level.
pub(super) fn within(domain: &Domain, level: &Level) -> bool {
    match (domain, level) {
        (Domain::Real { low, high, .. }, Level::Real(value)) => (*low..=*high).contains(value),
        (Domain::Integer { low, high, .. }, Level::Integer(value)) => (*low..=*high).contains(value),
        (Domain::Categorical { choices }, Level::Choice(choice)) => choices.contains(choice),
        (
            Domain::Real { .. } | Domain::Integer { .. } | Domain::Categorical { .. },
            Level::Real(_) | Level::Integer(_) | Level::Choice(_),
        ) => false,
    }
}

/// Some value of the parameter, to try expressions on.
pub(super) fn sample(parameter: &Parameter) -> Datum {
    match &parameter.domain {
        Domain::Real { low, high, .. } => Datum::Number(f64::midpoint(*low, *high), 0.0),
        #[expect(clippy::cast_precision_loss, reason = "within 2^53: checked where it was read")]
        Domain::Integer { high, .. } => Datum::Number(*high as f64, 0.0),
        Domain::Categorical { choices } => Datum::Text(choices.first().cloned().unwrap_or_default()),
    }
}
