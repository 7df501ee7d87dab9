//! Reading TOML with a place for every key and value, and all that is wrong at once.

use super::report::Report;
use crate::closest::did_you_mean;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// The most characters of a name.
pub const MAX_NAME_LENGTH: usize = 64;

/// A value and its place.
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// A file's text, or why there is none.
pub(super) fn read(path: &Path) -> Result<Arc<str>, Box<Report>> {
    let shown = path.display().to_string();
    let fail = |message: String, help: &str| {
        let mut report = Report::new(shown.clone(), Arc::from(""));
        report.error(None, message, help);
        Box::new(report)
    };
    let file =
        File::open(path).map_err(|error| fail(format!("the file can't be read: {error}"), "is the path right?"))?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large without reading all of it.
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| fail(format!("the file can't be read: {error}"), "is it a file?"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let help = "keep measured data in CSV files and name them by [[data]]";
        return Err(fail(format!("the file is larger than {} MiB", MAX_FILE_BYTES >> 20), help));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Arc::from(text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let valid = error.into_bytes();
            let line = valid.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
            Err(fail(format!("the file is not UTF-8 text: the first wrong byte is in line {line}"), "save it as UTF-8"))
        }
    }
}

/// Parses; whatever can be read is given to `take`, so that a slip in one line hides nothing in the others.
pub(super) fn parse<T>(path: &Path, text: &Arc<str>, take: impl FnOnce(&Table<'_>, &mut Report) -> T) -> (T, Report) {
    let mut report = Report::new(path.display().to_string(), Arc::clone(text));
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        report.error(error.span(), format!("this is not TOML: {}", error.message()), "");
    }
    let span = root.span();
    let root = Table { table: root.get_ref(), span, what: "a campaign or lab file" };
    let taken = take(&root, &mut report);
    (taken, report)
}

/// A table and what it stands for, in words.
pub(super) struct Table<'a> {
    table: &'a DeTable<'a>,
    pub(super) span: Range<usize>,
    what: &'static str,
}

impl<'a> Table<'a> {
    /// Reports keys that have no meaning here.
    pub(super) fn only(&self, known: &[&'static str], report: &mut Report) {
        for key in self.table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                report.error(
                    Some(key.span()),
                    format!("'{}' has no meaning in {}", key.get_ref(), self.what),
                    did_you_mean(key.get_ref(), known.iter().copied()),
                );
            }
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Keys with their places, and values.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Placed<&'a str>, &'a Spanned<DeValue<'a>>)> {
        self.table.iter().map(|(key, value)| (Placed { value: key.get_ref().as_ref(), span: key.span() }, value))
    }

    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table.get(key)
    }

    fn missing(&self, key: &str, example: &str, report: &mut Report) {
        report.error(
            Some(self.span.clone()),
            format!("{} needs '{key}'", self.what),
            format!("for instance: {example}"),
        );
    }

    pub(super) fn text(&self, key: &str, report: &mut Report) -> Option<Placed<&'a str>> {
        let value = self.get(key)?;
        let Some(text) = value.get_ref().as_str() else {
            wrong(value.span(), key, "text in quotes", value.get_ref(), report);
            return None;
        };
        Some(Placed { value: text, span: value.span() })
    }

    /// `example` shows how the line could look.
    pub(super) fn text_needed(&self, key: &str, example: &str, report: &mut Report) -> Option<Placed<&'a str>> {
        if !self.has(key) {
            self.missing(key, example, report);
        }
        self.text(key, report)
    }

    /// A name: unique, short, of letters, digits, `_` and (where `dashes`) `-`.
    pub(super) fn name(
        &self,
        example: &str,
        dashes: bool,
        taken: &mut BTreeSet<String>,
        report: &mut Report,
    ) -> Option<String> {
        let name = self.text_needed("name", example, report)?;
        let plain = |it: char| it.is_ascii_alphanumeric() || it == '_' || (dashes && it == '-');
        let starts = name.value.chars().next().is_some_and(|it| it.is_ascii_alphabetic());
        if !starts || !name.value.chars().all(plain) || name.value.len() > MAX_NAME_LENGTH {
            let help = if dashes { "letters, digits, '_' and '-'" } else { "letters, digits and '_'" };
            report.error(
                Some(name.span),
                format!("'{}' can't be a name", shortened(name.value)),
                format!("a name starts with a letter, has {help}, and at most {MAX_NAME_LENGTH} of them"),
            );
            return None;
        }
        if !taken.insert(name.value.to_owned()) {
            report.error(Some(name.span), format!("'{}' stands twice", name.value), "give each its own name");
            return None;
        }
        Some(name.value.to_owned())
    }

    pub(super) fn flag(&self, key: &str, report: &mut Report) -> Option<bool> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            wrong(value.span(), key, "true or false", value.get_ref(), report);
        }
        flag
    }

    pub(super) fn number(&self, key: &str, report: &mut Report) -> Option<Placed<f64>> {
        number(self.get(key)?, key, report)
    }

    pub(super) fn whole(&self, key: &str, within: Range<i64>, report: &mut Report) -> Option<Placed<i64>> {
        let value = self.get(key)?;
        let DeValue::Integer(integer) = value.get_ref() else {
            wrong(value.span(), key, "a whole number", value.get_ref(), report);
            return None;
        };
        let digits = integer.as_str().replace('_', "");
        match i64::from_str_radix(&digits, integer.radix()).ok().filter(|it| within.contains(it)) {
            Some(value_read) => Some(Placed { value: value_read, span: value.span() }),
            None => {
                let help = format!("a whole number from {} to {}", within.start, within.end - 1);
                report.error(Some(value.span()), format!("'{key}' can't be {digits}"), help);
                None
            }
        }
    }

    pub(super) fn array(&self, key: &str, report: &mut Report) -> Option<Placed<Vec<&'a Spanned<DeValue<'a>>>>> {
        let value = self.get(key)?;
        let Some(array) = value.get_ref().as_array() else {
            wrong(value.span(), key, "a list in brackets", value.get_ref(), report);
            return None;
        };
        Some(Placed { value: array.iter().collect(), span: value.span() })
    }

    pub(super) fn table(&self, key: &str, what: &'static str, report: &mut Report) -> Option<Table<'a>> {
        let value = self.get(key)?;
        let Some(table) = value.get_ref().as_table() else {
            wrong(value.span(), key, "a table", value.get_ref(), report);
            return None;
        };
        Some(Table { table, span: value.span(), what })
    }

    /// The tables of `[[key]]`.
    pub(super) fn tables(&self, key: &str, what: &'static str, report: &mut Report) -> Vec<Table<'a>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let DeValue::Array(array) = value.get_ref() else {
            let help = format!("write [[{key}]] with two brackets: there can be several");
            report.error(Some(value.span()), format!("'{key}' must be a list of tables"), help);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for value in array {
            match value.get_ref().as_table() {
                Some(table) => tables.push(Table { table, span: value.span(), what }),
                None => wrong(value.span(), key, "a table", value.get_ref(), report),
            }
        }
        tables
    }
}

/// A finite number, whole or not.
pub(super) fn number(value: &Spanned<DeValue<'_>>, key: &str, report: &mut Report) -> Option<Placed<f64>> {
    let read = match value.get_ref() {
        DeValue::Integer(it) if it.radix() == 10 => it.as_str().replace('_', "").parse().ok(),
        DeValue::Float(it) => it.as_str().replace('_', "").parse::<f64>().ok(),
        other @ (DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_)) => {
            wrong(value.span(), key, "a number", other, report);
            return None;
        }
    };
    match read.filter(|it: &f64| it.is_finite()) {
        Some(read) => Some(Placed { value: read, span: value.span() }),
        None => {
            report.error(Some(value.span()), format!("'{key}' must be a finite number"), "write it as 12, 1.5 or 2e-3");
            None
        }
    }
}

pub(super) fn wrong(span: Range<usize>, key: &str, expected: &str, found: &DeValue<'_>, report: &mut Report) {
    let found = match found {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    report.error(Some(span), format!("'{key}' must be {expected}, not {found}"), "");
}

pub(super) fn shortened(text: &str) -> String {
    const SHOWN: usize = 60;
    if text.chars().count() <= SHOWN { text.to_owned() } else { text.chars().take(SHOWN).chain(['…']).collect() }
}
