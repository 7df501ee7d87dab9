//! A report for people, for programs, for CI.

use super::{Line, Verdict};
use serde_json::json;
use std::fmt::Write as _;

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object.
    Json,
    /// JUnit XML.
    Junit,
}

/// One check, for people.
#[must_use]
pub fn line(line: &Line) -> String {
    let Line { number, name, verdict } = line;
    match verdict {
        Verdict::Passed => format!("{number:>3} ok        {name}"),
        Verdict::LeftOut(why) => format!("{number:>3} left out  {name}: {why}"),
        Verdict::Failed(wrong) => format!(
            "{number:>3} FAILED    {name}\n      expected: {}\n      came:     {}\n      mend:     {}",
            wrong.expected, wrong.came, wrong.mend
        ),
    }
}

/// The whole report.
#[must_use]
pub fn write(lines: &[Line], format: Format) -> String {
    match format {
        Format::Text => text(lines),
        Format::Json => json(lines),
        Format::Junit => junit(lines),
    }
}

fn count(lines: &[Line], wanted: fn(&Verdict) -> bool) -> usize {
    lines.iter().filter(|line| wanted(&line.verdict)).count()
}

fn text(lines: &[Line]) -> String {
    let passed = count(lines, |it| *it == Verdict::Passed);
    let failed = count(lines, |it| matches!(it, Verdict::Failed(_)));
    format!("{passed} passed, {failed} failed, {} left out", lines.len() - passed - failed)
}

fn json(lines: &[Line]) -> String {
    let check = |line: &Line| {
        let (verdict, more) = match &line.verdict {
            Verdict::Passed => ("passed", json!({})),
            Verdict::LeftOut(why) => ("left_out", json!({"why": why})),
            Verdict::Failed(it) => ("failed", json!({"expected": it.expected, "came": it.came, "mend": it.mend})),
        };
        json!({"check": line.number, "name": line.name, "verdict": verdict, "details": more})
    };
    json!({"checks": lines.iter().map(check).collect::<Vec<_>>()}).to_string()
}

fn junit(lines: &[Line]) -> String {
    let escaped = |text: &str| {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        text.chars().filter(|letter| !letter.is_control() || *letter == '\n').collect::<String>()
    };
    let failed = count(lines, |it| matches!(it, Verdict::Failed(_)));
    let skipped = count(lines, |it| matches!(it, Verdict::LeftOut(_)));
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"eutectic driver check\" tests=\"{}\" failures=\"{failed}\" skipped=\"{skipped}\">\n",
        lines.len()
    );
    for line in lines {
        let name = escaped(line.name);
        let inner = match &line.verdict {
            Verdict::Passed => String::new(),
            Verdict::LeftOut(why) => format!("<skipped message=\"{}\"/>", escaped(why)),
            Verdict::Failed(it) => format!(
                "<failure message=\"{}\">came: {}\nmend: {}</failure>",
                escaped(&it.expected),
                escaped(&it.came),
                escaped(&it.mend)
            ),
        };
        let _ = writeln!(xml, "  <testcase classname=\"check {}\" name=\"{name}\">{inner}</testcase>", line.number);
    }
    xml + "</testsuite>\n"
}
