//! What is wanted: one objective, or several that are traded against each other.

use super::reader::{Table, shortened};
use super::report::Report;
use crate::closest::did_you_mean;
use eutectic_core::model::{Goal, Objective, Outcome};

/// The most objectives of a campaign. Fronts of more hardly leave anything out.
pub(super) const MAX_OBJECTIVES: usize = 8;

pub(super) fn objectives(root: &Table<'_>, outcomes: &[Outcome], report: &mut Report) -> Vec<Objective> {
    let tables = root.tables("objective", "an objective", report);
    if tables.is_empty() {
        report.error(
            None,
            "nothing says what is wanted",
            "add [[objective]] with maximize = \"yield\" or minimize = \"cost\"",
        );
    }
    if let Some(beyond) = tables.get(MAX_OBJECTIVES) {
        report.error(
            Some(beyond.span.clone()),
            format!("{} objectives; the limit is {MAX_OBJECTIVES}", tables.len()),
            "bound the others: [[constraint]] require = \"cost <= 20\"",
        );
    }
    let mut objectives: Vec<Objective> = Vec::new();
    for table in tables.iter().take(MAX_OBJECTIVES) {
        if let Some(objective) = objective(table, outcomes, &objectives, report) {
            objectives.push(objective);
        }
    }
    references(&tables, report);
    objectives
}

fn objective(table: &Table<'_>, outcomes: &[Outcome], before: &[Objective], report: &mut Report) -> Option<Objective> {
    table.only(&["maximize", "minimize", "reference"], report);
    let goals = [("maximize", Goal::Maximize), ("minimize", Goal::Minimize)];
    let said: Vec<_> = goals.iter().filter(|(key, _)| table.has(key)).collect();
    let [(key, goal)] = said.as_slice() else {
        let message = "an objective says either maximize or minimize";
        report.error(Some(table.span.clone()), message, "maximize = \"yield\"");
        return None;
    };
    let outcome = table.text(key, report)?;
    if before.iter().any(|it| it.outcome == outcome.value) {
        let message = format!("'{}' is an objective already", shortened(outcome.value));
        report.error(Some(outcome.span), message, "each objective is another outcome");
        return None;
    }
    if !outcomes.iter().any(|it| it.name == outcome.value) {
        let help = did_you_mean(outcome.value, outcomes.iter().map(|it| it.name.as_str()));
        report.error(Some(outcome.span), format!("there is no outcome '{}'", shortened(outcome.value)), help);
        return None;
    }
    let reference = table.number("reference", report).map(|it| it.value);
    Some(Objective { outcome: outcome.value.to_owned(), goal: *goal, reference })
}

/// The volume of a front counts from a point: it has a value in every objective, or is left to the planner.
fn references(tables: &[Table<'_>], report: &mut Report) {
    let Some(stated) = tables.iter().find(|table| table.has("reference")) else { return };
    if tables.len() == 1 {
        report.warning(
            Some(stated.span.clone()),
            "'reference' does nothing with one objective",
            "with several, a front counts by what it is better than this",
        );
    } else if let Some(missing) = tables.iter().find(|table| !table.has("reference")) {
        report.error(
            Some(missing.span.clone()),
            "another objective has a 'reference', and this one has none",
            "give each the value that is just not good enough any more, or none",
        );
    }
}
