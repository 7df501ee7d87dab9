//! `[[data]]`: tables of past observations, which cost nothing.

use super::parameter::within;
use super::reader::{Placed, Table, shortened};
use super::report::Report;
use crate::closest::did_you_mean;
use eutectic_core::model::{Domain, Level, Measured, Outcome, Parameter, PastRow, Prior, Setting};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The most rows of past data in a campaign.
pub const MAX_PAST_ROWS: usize = 50_000;
/// The most past campaigns that one learns from.
pub const MAX_PRIORS: usize = 8;
/// The largest data file, in bytes.
const MAX_DATA_BYTES: u64 = 64 * 1024 * 1024;
/// The suffix of a column that holds an outcome's standard uncertainty.
const SD: &str = "_sd";
/// Columns of an exported table that say nothing of a point or its outcomes.
const IGNORED: [&str; 7] = ["experiment", "note", "why", "origin", "state", "feasible", "failed"];

pub(super) fn past(
    root: &Table<'_>,
    folder: &Path,
    parameters: &[Parameter],
    outcomes: &[Outcome],
    digest: &mut Sha256,
    report: &mut Report,
) -> Vec<PastRow> {
    let mut rows = Vec::new();
    for table in root.tables("data", "past data", report) {
        table.only(&["file"], report);
        let Some(file) = table.text_needed("file", "file = \"past.csv\"", report) else { continue };
        if let Some(bytes) = open(&file, folder, digest, report) {
            let path = folder.join(file.value);
            let mut reading = Reading { path, at: file.span, parameters, outcomes, report };
            reading.read(&bytes, &mut rows);
        }
    }
    rows
}

/// The bytes of a data file that a campaign file names; they are part of what the campaign is.
pub(super) fn open(file: &Placed<&str>, folder: &Path, digest: &mut Sha256, report: &mut Report) -> Option<Vec<u8>> {
    let path = folder.join(file.value);
    let bytes = match std::fs::metadata(&path).map(|it| it.len()) {
        Ok(size) if size > MAX_DATA_BYTES => {
            let message = format!("'{}' is larger than {} MiB", file.value, MAX_DATA_BYTES >> 20);
            report.error(Some(file.span.clone()), message, "");
            return None;
        }
        Ok(_) => std::fs::read(&path),
        Err(error) => Err(error),
    };
    match bytes {
        Err(error) => {
            let message = format!("'{}' can't be read: {error}", shortened(file.value));
            report.error(Some(file.span.clone()), message, "the path counts from the campaign file's folder");
            None
        }
        Ok(bytes) => {
            digest.update(&bytes);
            Some(bytes)
        }
    }
}

/// `[[prior]]`: past campaigns to learn from, by a file or by the name of one of this workcell.
pub(super) fn priors(
    root: &Table<'_>,
    folder: &Path,
    parameters: &[Parameter],
    outcomes: &[Outcome],
    digest: &mut Sha256,
    report: &mut Report,
) -> Vec<Prior> {
    let tables = root.tables("prior", "a past campaign", report);
    if tables.len() > MAX_PRIORS {
        report.error(None, format!("{} past campaigns; the limit is {MAX_PRIORS}", tables.len()), "");
    }
    let mut priors: Vec<Prior> = Vec::new();
    for table in tables.iter().take(MAX_PRIORS) {
        table.only(&["file", "campaign"], report);
        let (file, campaign) = (table.text("file", report), table.text("campaign", report));
        let named = match (file, campaign) {
            (Some(file), None) => {
                let mut rows = Vec::new();
                if let Some(bytes) = open(&file, folder, digest, report) {
                    let path = folder.join(file.value);
                    let at = file.span.clone();
                    Reading { path, at, parameters, outcomes, report }.read(&bytes, &mut rows);
                }
                Prior { name: file.value.to_owned(), campaign: false, rows }
            }
            (None, Some(campaign)) => Prior { name: campaign.value.to_owned(), campaign: true, rows: Vec::new() },
            (Some(_), Some(_)) | (None, None) => {
                let help = "file = \"last-year.csv\", or campaign = \"suzuki\"";
                report.error(Some(table.span.clone()), "a past campaign is a file or a campaign of this lab", help);
                continue;
            }
        };
        if priors.iter().any(|it| it.name == named.name) {
            report.error(Some(table.span.clone()), format!("'{}' stands twice", shortened(&named.name)), "");
            continue;
        }
        priors.push(named);
    }
    priors
}

struct Reading<'a> {
    path: PathBuf,
    at: Range<usize>,
    parameters: &'a [Parameter],
    outcomes: &'a [Outcome],
    report: &'a mut Report,
}

impl Reading<'_> {
    fn wrong(&mut self, line: u64, message: &str, help: &str) {
        let message = format!("{}:{line}: {message}", self.path.display());
        self.report.error(Some(self.at.clone()), message, help);
    }

    fn read(&mut self, bytes: &[u8], rows: &mut Vec<PastRow>) {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
        let columns: Vec<String> = match reader.headers() {
            Ok(headers) => headers.iter().map(str::to_owned).collect(),
            Err(error) => return self.wrong(1, &error.to_string(), "the first line names the columns"),
        };
        let names: Vec<&str> = self.names().collect();
        for column in &columns {
            let bare = column.strip_suffix(SD).unwrap_or(column);
            if !names.contains(&bare) && !IGNORED.contains(&column.as_str()) {
                let help = did_you_mean(column, names.iter().copied());
                return self.wrong(1, &format!("there is no parameter or outcome '{}'", shortened(column)), &help);
            }
        }
        if let Some(missing) = self.parameters.iter().find(|it| !columns.contains(&it.name)) {
            return self.wrong(1, &format!("no column '{}'", missing.name), "every parameter needs a column");
        }
        for record in reader.records() {
            let (line, record) = match record {
                Ok(record) => (record.position().map_or(0, csv::Position::line), record),
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    return self.wrong(line, &error.to_string(), "every line has as many cells as the first");
                }
            };
            if rows.len() >= MAX_PAST_ROWS {
                return self.wrong(line, &format!("more than {MAX_PAST_ROWS} rows"), "keep the most telling ones");
            }
            // A row without outcomes, a failed experiment's, teaches nothing here.
            rows.extend(self.row(line, &columns, &record).filter(|row| !row.outcomes.is_empty()));
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(|it| it.name.as_str()).chain(self.outcomes.iter().map(|it| it.name.as_str()))
    }

    fn row(&mut self, line: u64, columns: &[String], record: &csv::StringRecord) -> Option<PastRow> {
        let mut setting = Setting::new();
        let mut outcomes: BTreeMap<String, Measured> = BTreeMap::new();
        let mut uncertainties = Vec::new();
        for (column, cell) in columns.iter().zip(record) {
            if let Some(parameter) = self.parameters.iter().find(|it| it.name == *column) {
                let Some(level) = level(&parameter.domain, cell).filter(|it| within(&parameter.domain, it)) else {
                    let help = format!("its values are {}", parameter.domain);
                    self.wrong(line, &format!("'{column}' can't be '{}'", shortened(cell)), &help);
                    return None;
                };
                setting.insert(column.clone(), level);
                continue;
            }
            if cell.is_empty() || IGNORED.contains(&column.as_str()) {
                continue;
            }
            let Some(value) = cell.parse::<f64>().ok().filter(|it| it.is_finite()) else {
                let help = "write 12.5 or 1.2e-3; leave the cell empty where nothing was measured";
                self.wrong(line, &format!("'{}' is no finite number in '{column}'", shortened(cell)), help);
                return None;
            };
            match column.strip_suffix(SD) {
                Some(outcome) => uncertainties.push((outcome, value)),
                None => {
                    outcomes.insert(column.clone(), Measured::new(value, None));
                }
            }
        }
        for (outcome, sd) in uncertainties {
            if sd < 0.0 {
                self.wrong(line, &format!("the uncertainty of '{outcome}' is negative"), "");
                return None;
            }
            if let Some(measured) = outcomes.get_mut(outcome) {
                measured.sd = Some(sd);
            }
        }
        Some(PastRow { setting, outcomes })
    }
}

pub(super) fn level(domain: &Domain, cell: &str) -> Option<Level> {
    match domain {
        Domain::Real { .. } | Domain::Levels { .. } => cell.parse().ok().map(Level::Real),
        Domain::Integer { .. } => cell.parse().ok().map(Level::Integer),
        Domain::Categorical { .. } => Some(Level::Choice(cell.to_owned())),
    }
}
