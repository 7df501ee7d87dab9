//! Parameters of a campaign file, and their levels.

use super::campaign::unit;
use super::reader::{Placed, Table, number, shortened, wrong};
use super::report::Report;
use super::space;
use crate::closest::did_you_mean;
use eutectic_core::model::{Datum, Domain, Level, Parameter, Unit};
use sha2::Sha256;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use toml::Spanned;
use toml::de::DeValue;

/// The most parameters of a campaign.
pub const MAX_PARAMETERS: usize = 100;
/// The most choices of a parameter.
pub const MAX_CHOICES: usize = 200;
/// Whole numbers stay where a floating-point number holds them exactly.
const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;

/// The parameters, and what else their tables say.
#[derive(Default)]
pub(super) struct Parameters {
    pub(super) parameters: Vec<Parameter>,
    /// What is known of a parameter's choices, by its name.
    pub(super) descriptors: BTreeMap<String, Vec<Vec<f64>>>,
    /// Those that all points of one plan have in common.
    pub(super) shared: Vec<String>,
}

pub(super) fn parameters(root: &Table<'_>, folder: &Path, digest: &mut Sha256, report: &mut Report) -> Parameters {
    let tables = root.tables("parameter", "a parameter", report);
    if tables.is_empty() {
        report.error(None, "nothing is varied", "add [[parameter]] with a name and a range, or choices");
    }
    if tables.len() > MAX_PARAMETERS {
        report.error(None, format!("{} parameters; the limit is {MAX_PARAMETERS}", tables.len()), "");
    }
    let mut taken = BTreeSet::new();
    let mut found = Parameters::default();
    for table in tables.iter().take(MAX_PARAMETERS) {
        table
            .only(&["name", "range", "values", "choices", "descriptors", "integer", "scale", "unit", "shared"], report);
        let name = table.name("name = \"temperature\"", false, &mut taken, report);
        let domain = domain(table, report);
        let unit = unit(table, report);
        let shared = table.flag("shared", report).unwrap_or(false);
        let (Some(name), Some(domain)) = (name, domain) else { continue };
        if let Some(file) = table.text("descriptors", report) {
            match &domain {
                Domain::Categorical { choices } => {
                    let table = space::descriptors(&file, folder, choices, digest, report);
                    found.descriptors.extend(table.map(|table| (name.clone(), table)));
                }
                Domain::Real { .. } | Domain::Integer { .. } | Domain::Levels { .. } => {
                    report.error(Some(file.span), "only choices have descriptors", "numbers describe themselves");
                }
            }
        }
        found.shared.extend(shared.then(|| name.clone()));
        found.parameters.push(Parameter { name, domain, unit: unit.unwrap_or_else(Unit::one) });
    }
    found
}

fn domain(table: &Table<'_>, report: &mut Report) -> Option<Domain> {
    if table.has("values") && !table.has("range") && !table.has("choices") {
        return levels(table, report);
    }
    match (table.has("range") || table.has("values"), table.has("choices")) {
        (true, false) if table.has("values") => {
            report.error(Some(table.span.clone()), "a parameter has a range or values, not both", "");
            None
        }
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

/// Numbers of a list.
fn levels(table: &Table<'_>, report: &mut Report) -> Option<Domain> {
    let log = scale(table, report);
    let given = table.array("values", report)?;
    let mut values = Vec::new();
    for value in &given.value {
        values.push(number(value, "values", report)?.value);
    }
    values.sort_by(f64::total_cmp);
    if values.len() < 2 || values.len() > MAX_CHOICES || values.windows(2).any(|pair| pair.first() == pair.last()) {
        let message = format!("a parameter has 2 to {MAX_CHOICES} different values");
        report.error(
            Some(given.span),
            message,
            "values = [1, 2, 5, 10]; with one it is a constant: write it into the step",
        );
        return None;
    }
    if log && values.first().is_some_and(|value| *value <= 0.0) {
        report.error(Some(given.span), "a log scale has no room for 0 and below", "leave scale out");
        return None;
    }
    Some(Domain::Levels { values, log })
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
        Domain::Real { .. } | Domain::Levels { .. } => Level::Real(number(value, &parameter.name, report)?.value),
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
        (Domain::Levels { values, .. }, Level::Real(value)) => values.contains(value),
        (Domain::Categorical { choices }, Level::Choice(choice)) => choices.contains(choice),
        (
            Domain::Real { .. } | Domain::Integer { .. } | Domain::Levels { .. } | Domain::Categorical { .. },
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
        Domain::Levels { values, .. } => Datum::Number(values.first().copied().unwrap_or_default(), 0.0),
        Domain::Categorical { choices } => Datum::Text(choices.first().cloned().unwrap_or_default()),
    }
}
