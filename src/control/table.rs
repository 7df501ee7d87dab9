//! Tables that people keep, read against a campaign: one column a parameter or an outcome.

use super::invalid;
use eutectic_core::model::{CampaignSpec, Domain, Level, Measured, Observation, Setting};
use eutectic_core::{RecordedRow, RowResult};
use eutectic_proto::control::v1::TableRequest;
use tonic::Status;

/// The most rows that are read at once.
pub(super) const MAX_ROWS: usize = 10_000;
/// The suffix of a column that holds an outcome's standard uncertainty.
const SD: &str = "_sd";
/// The column that names a suggested experiment.
const EXPERIMENT: &str = "experiment";
/// The column that says why there is no result.
const FAILED: &str = "failed";

/// Columns of our own tables that are for people.
const IGNORED: [&str; 5] = ["note", "why", "origin", "state", "feasible"];

/// A row as it was read.
struct Row {
    line: u32,
    experiment: Option<u32>,
    setting: Setting,
    observation: Observation,
    failed: Option<String>,
}

/// Points: every parameter must have a value.
pub(super) fn settings(spec: &CampaignSpec, table: &TableRequest) -> Result<Vec<Setting>, Status> {
    let rows = rows(spec, table)?;
    rows.into_iter().map(|row| complete(spec, row.setting, row.line)).collect()
}

/// Results, of suggested experiments or of points of a person's own.
pub(super) fn results(spec: &CampaignSpec, table: &TableRequest) -> Result<Vec<RecordedRow>, Status> {
    let rows =
        rows(spec, table)?.into_iter().filter(|row| row.failed.is_some() || !row.observation.outcomes.is_empty());
    rows.map(|row| {
        let setting = match row.experiment {
            Some(_) => None,
            None => Some(complete(spec, row.setting, row.line)?),
        };
        let result = match row.failed {
            Some(words) => RowResult::Failed(words),
            None => RowResult::Observed(row.observation),
        };
        Ok(RecordedRow { experiment: row.experiment, setting, result })
    })
    .collect()
}

fn complete(spec: &CampaignSpec, setting: Setting, line: u32) -> Result<Setting, Status> {
    match spec.parameters.iter().find(|it| !setting.contains_key(&it.name)) {
        None => Ok(setting),
        Some(missing) => Err(invalid(
            format!("line {line}: no value for '{}'", missing.name),
            "give every parameter a column and a value",
        )),
    }
}

fn rows(spec: &CampaignSpec, table: &TableRequest) -> Result<Vec<Row>, Status> {
    if table.rows.len() > MAX_ROWS {
        return Err(invalid(format!("{} rows; the limit is {MAX_ROWS}", table.rows.len()), "split the file"));
    }
    if let Some(unknown) = table.columns.iter().find(|column| !known(spec, column)) {
        let names: Vec<_> = spec
            .parameters
            .iter()
            .map(|it| it.name.as_str())
            .chain(spec.outcomes.iter().map(|it| it.name.as_str()))
            .collect();
        return Err(invalid(
            format!("there is no parameter or outcome '{unknown}'"),
            &format!("the columns may be {EXPERIMENT}, {}, NAME{SD}, {FAILED}, note", names.join(", ")),
        ));
    }
    table.rows.iter().map(|row| self::row(spec, &table.columns, row)).collect()
}

fn known(spec: &CampaignSpec, column: &str) -> bool {
    let outcome = |name: &str| spec.outcome(name).is_some();
    column == EXPERIMENT
        || column == FAILED
        || IGNORED.contains(&column)
        || spec.parameter(column).is_some()
        || outcome(column)
        || column.strip_suffix(SD).is_some_and(outcome)
}

fn row(
    spec: &CampaignSpec,
    columns: &[String],
    row: &eutectic_proto::control::v1::table_request::Row,
) -> Result<Row, Status> {
    let line = row.line;
    let mut read =
        Row { line, experiment: None, setting: Setting::new(), observation: Observation::default(), failed: None };
    let mut uncertainties = Vec::new();
    for (column, cell) in columns.iter().zip(&row.cells) {
        let cell = cell.trim();
        if cell.is_empty() {
            continue;
        }
        if let Some(parameter) = spec.parameter(column) {
            let level = level(&parameter.domain, cell).ok_or_else(|| {
                invalid(
                    format!("line {line}: '{cell}' is no value of '{column}'"),
                    &format!("its values are {}", parameter.domain),
                )
            })?;
            read.setting.insert(column.clone(), level);
        } else if spec.outcome(column).is_some() {
            let value = number(cell, column, line)?;
            read.observation.outcomes.insert(column.clone(), Measured::new(value, None));
        } else if let Some(outcome) = column.strip_suffix(SD) {
            uncertainties.push((outcome, number(cell, column, line)?));
        } else if column == EXPERIMENT {
            read.experiment = Some(cell.parse().map_err(|_| {
                invalid(format!("line {line}: '{cell}' is no experiment's number"), "keep it as it was suggested")
            })?);
        } else if column == FAILED {
            read.failed = Some(cell.into());
        }
    }
    for (outcome, sd) in uncertainties {
        if let Some(measured) = read.observation.outcomes.get_mut(outcome) {
            measured.sd = Some(sd);
        }
    }
    Ok(read)
}

fn number(cell: &str, column: &str, line: u32) -> Result<f64, Status> {
    cell.parse::<f64>().ok().filter(|value| value.is_finite()).ok_or_else(|| {
        invalid(
            format!("line {line}: '{cell}' is no finite number in '{column}'"),
            "write 12.5 or 1.2e-3; leave the cell empty where nothing was measured",
        )
    })
}

fn level(domain: &Domain, cell: &str) -> Option<Level> {
    match domain {
        Domain::Real { .. } => cell.parse().ok().filter(|value: &f64| value.is_finite()).map(Level::Real),
        Domain::Levels { .. } => cell.parse().ok().filter(|value: &f64| value.is_finite()).map(Level::Real),
        Domain::Integer { .. } => cell.parse().ok().map(Level::Integer),
        Domain::Categorical { choices } => {
            choices.iter().find(|choice| *choice == cell).map(|choice| Level::Choice(choice.clone()))
        }
    }
}
