//! What makes a space no box: mixtures, candidates in a table, descriptors of choices.

use super::parameter::within;
use super::past::{level, open};
use super::reader::{Placed, Table, shortened, wrong};
use super::report::Report;
use crate::closest::did_you_mean;
use eutectic_core::model::{Domain, FidelitySpec, Mixture, Parameter, Setting};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// The most candidates of a pool.
pub const MAX_POOL: usize = 50_000;
/// The most descriptors of a choice.
pub const MAX_DESCRIPTORS: usize = 200;
/// The most mixtures of a campaign.
const MAX_MIXTURES: usize = 10;

pub(super) fn mixtures(root: &Table<'_>, parameters: &[Parameter], report: &mut Report) -> Vec<Mixture> {
    let tables = root.tables("mixture", "a mixture", report);
    if tables.len() > MAX_MIXTURES {
        report.error(None, format!("{} mixtures; the limit is {MAX_MIXTURES}", tables.len()), "");
    }
    let mut mixtures: Vec<Mixture> = Vec::new();
    for table in tables.iter().take(MAX_MIXTURES) {
        table.only(&["parameters", "total", "at_most"], report);
        let Some(names) = table.array("parameters", report) else {
            let help = "parameters = [\"water\", \"ethanol\"], total = 1.0";
            report.error(Some(table.span.clone()), "a mixture needs the names of its parameters and their total", help);
            continue;
        };
        let Some(total) = table.number("total", report) else {
            report.error(Some(table.span.clone()), "a mixture needs the total of its parameters", "total = 1.0");
            continue;
        };
        let at_most = table.whole("at_most", 1..101, report).and_then(|it| usize::try_from(it.value).ok());
        let mut mixed = Vec::new();
        for value in &names.value {
            let Some(name) = value.get_ref().as_str() else {
                wrong(value.span(), "parameters", "names in quotes", value.get_ref(), report);
                continue;
            };
            if let Some(parameter) = component(name, value.span(), parameters, &mixtures, report) {
                mixed.push(parameter);
            }
        }
        if mixed.len() < names.value.len() {
            continue;
        }
        if let Err((message, help)) = possible(&mixed, total.value, at_most) {
            report.error(Some(total.span), message, help);
            continue;
        }
        let parameters = mixed.iter().map(|it| it.name.clone()).collect();
        mixtures.push(Mixture { parameters, total: total.value, at_most });
    }
    mixtures
}

/// The parameter by which experiments are more or less like the real one.
pub(super) fn fidelity(root: &Table<'_>, parameters: &[Parameter], report: &mut Report) -> Option<FidelitySpec> {
    let table = root.table("fidelity", "the fidelity", report)?;
    table.only(&["parameter", "real"], report);
    let name = table.text_needed("parameter", "parameter = \"source\"", report)?;
    let Some(parameter) = parameters.iter().find(|it| it.name == name.value) else {
        let help = did_you_mean(name.value, parameters.iter().map(|it| it.name.as_str()));
        report.error(Some(name.span), format!("there is no parameter '{}'", shortened(name.value)), help);
        return None;
    };
    if matches!(parameter.domain, Domain::Real { .. }) {
        let help = "give it choices, or values";
        report.error(Some(name.span), format!("'{}' has no levels that could be told apart", name.value), help);
        return None;
    }
    let Some((_, real)) = table.entries().find(|(key, _)| key.value == "real") else {
        let help = "real = \"experiment\"";
        report.error(Some(table.span.clone()), "a fidelity needs its level in the real experiment", help);
        return None;
    };
    let real = super::parameter::level(real, parameter, report)?;
    Some(FidelitySpec { parameter: parameter.name.clone(), real })
}

fn component<'a>(
    name: &str,
    span: Range<usize>,
    parameters: &'a [Parameter],
    others: &[Mixture],
    report: &mut Report,
) -> Option<&'a Parameter> {
    let Some(parameter) = parameters.iter().find(|it| it.name == name) else {
        let help = did_you_mean(name, parameters.iter().map(|it| it.name.as_str()));
        report.error(Some(span), format!("there is no parameter '{}'", shortened(name)), help);
        return None;
    };
    if !matches!(parameter.domain, Domain::Real { log: false, .. }) {
        report.error(Some(span), format!("'{name}' can't be mixed"), "what is mixed has a range, on a linear scale");
        return None;
    }
    if others.iter().any(|it| it.parameters.iter().any(|other| other == name)) {
        report.error(Some(span), format!("'{name}' is in another mixture"), "a parameter is in one mixture at most");
        return None;
    }
    Some(parameter)
}

/// Whether these parameters can sum to the total.
fn possible(mixed: &[&Parameter], total: f64, at_most: Option<usize>) -> Result<(), (String, String)> {
    let ends = |it: &&Parameter| match it.domain {
        Domain::Real { low, high, .. } => Some((low, high)),
        Domain::Integer { .. } | Domain::Levels { .. } | Domain::Categorical { .. } => None,
    };
    let mut ends: Vec<(f64, f64)> = mixed.iter().filter_map(ends).collect();
    let mut names: Vec<&str> = mixed.iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() < 2 || names.len() < mixed.len() {
        return Err(("a mixture has two different parameters or more".into(), String::new()));
    }
    if at_most.is_some() && ends.iter().any(|(low, _)| *low != 0.0) {
        let help = "a component that may be absent has a range from 0";
        return Err(("where only some may be present, all ranges begin at 0".into(), help.into()));
    }
    ends.sort_by(|a, b| b.1.total_cmp(&a.1));
    let most: f64 = ends.iter().take(at_most.unwrap_or(usize::MAX)).map(|(_, high)| high).sum();
    let least: f64 = ends.iter().map(|(low, _)| low).sum();
    if (least..=most).contains(&total) {
        return Ok(());
    }
    Err((
        format!("these parameters sum to {least} to {most}, never to {total}"),
        "widen a range, or mend the total".into(),
    ))
}

/// The candidates of `[pool] file = …`, each a point; none without one.
pub(super) fn pool(
    root: &Table<'_>,
    folder: &Path,
    parameters: &[Parameter],
    digest: &mut Sha256,
    report: &mut Report,
) -> Vec<Setting> {
    let Some(table) = root.table("pool", "the pool", report) else { return Vec::new() };
    table.only(&["file"], report);
    let Some(file) = table.text_needed("file", "file = \"candidates.csv\"", report) else { return Vec::new() };
    let Some(bytes) = open(&file, folder, digest, report) else { return Vec::new() };
    match candidates(&bytes, parameters) {
        Ok(pool) => pool,
        Err((line, message, help)) => {
            report.error(Some(file.span), format!("{}:{line}: {message}", file.value), help);
            Vec::new()
        }
    }
}

type Fault = (u64, String, String);

fn candidates(bytes: &[u8], parameters: &[Parameter]) -> Result<Vec<Setting>, Fault> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let headers = reader.headers().map_err(|error| (1, error.to_string(), String::new()))?.clone();
    let place = |it: &Parameter| {
        let help = "every parameter needs a column; others, names say, are passed over".to_owned();
        headers.iter().position(|column| column == it.name).ok_or((1, format!("no column '{}'", it.name), help))
    };
    let places: Vec<usize> = parameters.iter().map(place).collect::<Result<_, _>>()?;
    let mut pool = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            (line, error.to_string(), "every line has as many cells as the first".to_owned())
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        if pool.len() >= MAX_POOL {
            return Err((
                line,
                format!("more than {MAX_POOL} candidates"),
                "leave out what is hardly worth a try".into(),
            ));
        }
        let mut setting = Setting::new();
        for (parameter, place) in parameters.iter().zip(&places) {
            let cell = record.get(*place).unwrap_or_default();
            let level = level(&parameter.domain, cell).filter(|it| within(&parameter.domain, it)).ok_or_else(|| {
                let help = format!("its values are {}", parameter.domain);
                (line, format!("'{}' can't be '{}'", parameter.name, shortened(cell)), help)
            })?;
            setting.insert(parameter.name.clone(), level);
        }
        pool.push(setting);
    }
    if pool.is_empty() { Err((1, "there is no candidate".into(), "a line each".into())) } else { Ok(pool) }
}

/// The descriptors of a parameter's choices, from the table that it names: a row a choice, in the choices' order.
pub(super) fn descriptors(
    file: &Placed<&str>,
    folder: &Path,
    choices: &[String],
    digest: &mut Sha256,
    report: &mut Report,
) -> Option<Vec<Vec<f64>>> {
    let bytes = open(file, folder, digest, report)?;
    match described(&bytes, choices) {
        Ok(table) => Some(table),
        Err((line, message, help)) => {
            report.error(Some(file.span.clone()), format!("{}:{line}: {message}", file.value), help);
            None
        }
    }
}

fn described(bytes: &[u8], choices: &[String]) -> Result<Vec<Vec<f64>>, Fault> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let columns = reader.headers().map_err(|error| (1, error.to_string(), String::new()))?.len();
    if !(2..=MAX_DESCRIPTORS + 1).contains(&columns) {
        let help = "the first column names the choice, each of the others is a number that describes it";
        return Err((1, format!("{columns} columns; 2 to {} are read", MAX_DESCRIPTORS + 1), help.into()));
    }
    let mut rows: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            (line, error.to_string(), "every line has as many cells as the first".to_owned())
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let number = |cell: &str| {
            let help = "a descriptor is a number; describe a kind by one column of 0 and 1 for each".to_owned();
            let number = cell.parse::<f64>().ok().filter(|it| it.is_finite());
            number.ok_or((line, format!("'{}' is no finite number", shortened(cell)), help))
        };
        let values: Vec<f64> = record.iter().skip(1).map(number).collect::<Result<_, _>>()?;
        rows.insert(record.get(0).unwrap_or_default().to_owned(), values);
    }
    let row = |choice: &String| {
        let help = did_you_mean(choice, rows.keys().map(String::as_str));
        rows.get(choice).cloned().ok_or((1, format!("no line for '{}'", shortened(choice)), help))
    };
    choices.iter().map(row).collect()
}
