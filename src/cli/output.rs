//! Words and numbers on a terminal or in a pipe.

use std::io::{IsTerminal as _, Write as _};

/// A line of the answer, to standard output. A reader that has gone is no failure of ours.
pub(super) fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A word to the person, to standard error.
pub(super) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Whether a person sees standard output, and wants it lively.
pub(super) fn lively() -> bool {
    std::io::stdout().is_terminal() && std::io::stderr().is_terminal()
}

/// Bold, where a person sees it and likes colours.
pub(super) fn bold(text: &str) -> String {
    let plain = !lively() || std::env::var_os("NO_COLOR").is_some();
    if plain { text.to_owned() } else { format!("\u{1b}[1m{text}\u{1b}[0m") }
}

/// The characters that fit beside each other; a pipe has room for everything.
pub(super) fn width() -> usize {
    comfy_table::Table::new().width().map_or(usize::MAX, usize::from)
}

/// A number as short as it can be without hiding much: five significant digits.
pub(super) fn number(value: f64) -> String {
    significant(value, 5)
}

fn significant(value: f64, digits: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let magnitude = magnitude(value);
    if !(-4..9).contains(&magnitude) {
        let places = usize::try_from(digits - 1).unwrap_or_default();
        return format!("{value:.places$e}");
    }
    decimals(value, digits - 1 - magnitude)
}

#[expect(clippy::cast_possible_truncation, reason = "a power of ten of a double")]
fn magnitude(value: f64) -> i32 {
    value.abs().log10().floor() as i32
}

fn decimals(value: f64, places: i32) -> String {
    let text = format!("{value:.0$}", usize::try_from(places).unwrap_or_default());
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A value as its uncertainty allows: `11434 ± 57`.
pub(super) fn measured(value: f64, sd: Option<f64>) -> String {
    match sd.filter(|sd| sd.is_finite() && *sd > 0.0) {
        None => number(value),
        Some(sd) => {
            let places = (1 - magnitude(sd)).clamp(0, 9);
            if value.abs() >= 1e9 || value.abs() < 1e-4 && value != 0.0 {
                return format!("{} ± {}", significant(value, 4), significant(sd, 2));
            }
            let places = usize::try_from(places).unwrap_or_default();
            format!("{value:.places$} ± {sd:.places$}")
        }
    }
}

/// A reading, or the limit beyond which it lies.
pub(super) fn reading(it: &eutectic_proto::control::v1::Outcome) -> String {
    let value = measured(it.value, it.has_sd.then_some(it.sd));
    match it.limit.as_str() {
        "below" => format!("< {value}"),
        "above" => format!("> {value}"),
        _ => value,
    }
}

/// A share of one, in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// A table with plain borders that fits the terminal.
pub(super) fn table(header: &[&str]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(header);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table
}

/// Prints a table without blanks at the ends of its lines.
pub(super) fn show(table: &comfy_table::Table) {
    for row in table.lines() {
        line(row.trim_end());
    }
}

/// Milliseconds since 1970, as people read them, in their own time zone.
pub(super) fn time(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) => time.to_zoned_datetime(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => ms.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_what_their_uncertainty_allows() {
        assert_eq!(measured(11_433.66, Some(57.2)), "11434 ± 57");
        assert_eq!(measured(8.7541, Some(0.0312)), "8.754 ± 0.031");
        assert_eq!(measured(8.7541, None), "8.7541");
        assert_eq!(number(0.5), "0.5");
        assert_eq!(number(1.0e-7), "1.0000e-7");
        assert_eq!(number(0.0), "0");
        assert_eq!(number(11_433.66), "11434");
    }
}
