//! How a campaign is conducted: its budget, what experiments cost, when it stops, how it is planned.

use super::campaign::{MAX_EXPERIMENTS, MAX_IN_FLIGHT, Wanted, typed};
use super::expression::{Names, expression};
use super::reader::{Table, number, shortened};
use super::report::Report;
use crate::closest::did_you_mean;
use eutectic_core::model::{Admission, Budget, CostSpec, Parameter, PlannerSpec, STOP_CONFIDENCES, StopRule, Strategy};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn budget(root: &Table<'_>, report: &mut Report) -> Option<Budget> {
    if !root.has("budget") {
        report.error(None, "nothing says how much may be spent", "add [budget] with experiments = 40");
        return None;
    }
    let table = root.table("budget", "the budget", report)?;
    table.only(&["experiments", "cost", "in_flight", "admission"], report);
    if !table.has("experiments") {
        report.error(Some(table.span.clone()), "the budget needs 'experiments'", "for instance: experiments = 40");
    }
    let whole = |key: &str, most: i64, report: &mut Report| {
        table.whole(key, 1..most + 1, report).and_then(|it| u32::try_from(it.value).ok())
    };
    let experiments = whole("experiments", MAX_EXPERIMENTS, report);
    let in_flight = whole("in_flight", MAX_IN_FLIGHT, report).unwrap_or(1);
    let admission = match table.text("admission", report) {
        None => Admission::default(),
        Some(text) => match text.value {
            "as_arrived" => Admission::AsArrived,
            "in_order" => Admission::InOrder,
            other => {
                let help = did_you_mean(other, ["as_arrived", "in_order"]);
                report.error(Some(text.span), format!("there is no admission '{}'", shortened(other)), help);
                Admission::default()
            }
        },
    };
    let cost = table.number("cost", report);
    if let Some(cost) = cost.as_ref().filter(|it| it.value <= 0.0) {
        report.error(
            Some(cost.span.clone()),
            "a budget is above 0",
            "cost = 100 stops once so much is spent, by [cost]",
        );
    }
    let cost = cost.map(|it| it.value);
    Some(Budget { experiments: experiments?, cost, in_flight, admission })
}

pub(super) fn cost(root: &Table<'_>, names: &Names, parameters: &[Parameter], report: &mut Report) -> Option<CostSpec> {
    let table = root.table("cost", "what an experiment costs", report)?;
    table.only(&["value", "changeover"], report);
    let names = Names { parameters: names.parameters.clone(), outcomes: BTreeSet::new(), steps: BTreeSet::new() };
    let value = table.text("value", report).and_then(|text| {
        let read = expression(&text, &names, report)?;
        typed(&read, Wanted::Number, parameters, &text, report).then_some(read)
    });
    let mut changeover = BTreeMap::new();
    if table.has("changeover")
        && let Some(costs) = table.table("changeover", "costs of a change", report)
    {
        for (key, value) in costs.entries() {
            if !parameters.iter().any(|it| it.name == key.value) {
                let help = did_you_mean(key.value, parameters.iter().map(|it| it.name.as_str()));
                report.error(Some(key.span), format!("there is no parameter '{}'", shortened(key.value)), help);
                continue;
            }
            let Some(cost) = number(value, key.value, report) else { continue };
            if cost.value < 0.0 {
                report.error(Some(cost.span), "a change can't cost less than nothing", "");
                continue;
            }
            changeover.insert(key.value.to_owned(), cost.value);
        }
    }
    Some(CostSpec { value, changeover })
}

pub(super) fn stop(root: &Table<'_>, objectives: usize, report: &mut Report) -> StopRule {
    let Some(table) = root.table("stop", "the stop rule", report) else { return StopRule::default() };
    table.only(&["target", "patience", "gain", "remaining_gain", "confidence"], report);
    for key in ["target", "gain", "remaining_gain"] {
        if objectives > 1 && table.has(key) {
            let help = "patience = 10 stops after so many experiments without another compromise";
            report.error(Some(table.span.clone()), format!("'{key}' is for one objective only"), help);
        }
    }
    let patience = table.whole("patience", 1..MAX_EXPERIMENTS + 1, report);
    let gain = table.number("gain", report);
    if let Some(gain) = gain.as_ref().filter(|it| it.value < 0.0) {
        report.error(Some(gain.span.clone()), "a gain can't be negative", "0 counts every improvement");
    }
    if let (Some(gain), false) = (&gain, table.has("patience")) {
        report.warning(
            Some(gain.span.clone()),
            "'gain' does nothing without 'patience'",
            "patience = 10 stops after so many experiments without that gain",
        );
    }
    let remaining_gain = table.number("remaining_gain", report);
    if let Some(remaining) = remaining_gain.as_ref().filter(|it| it.value <= 0.0) {
        let help = "the gain that is not worth another experiment, in the objective's unit";
        report.error(Some(remaining.span.clone()), "'remaining_gain' is above 0", help);
    }
    let confidence = table.number("confidence", report);
    let (least, most) = STOP_CONFIDENCES;
    if let Some(confidence) = confidence.as_ref().filter(|it| !(least..=most).contains(&it.value)) {
        let message = format!("a confidence is between {least} and {most}");
        report.error(Some(confidence.span.clone()), message, "confidence = 0.95");
    }
    if let (Some(confidence), false) = (&confidence, table.has("remaining_gain")) {
        report.warning(
            Some(confidence.span.clone()),
            "'confidence' does nothing without 'remaining_gain'",
            "remaining_gain = 0.5 stops when the model says that no more than this is left to gain",
        );
    }
    StopRule {
        target: table.number("target", report).map(|it| it.value),
        patience: patience.and_then(|it| u32::try_from(it.value).ok()),
        gain: gain.map_or(0.0, |it| it.value),
        remaining_gain: remaining_gain.map(|it| it.value),
        confidence: confidence.map(|it| it.value),
    }
}

pub(super) fn planner(root: &Table<'_>, report: &mut Report) -> PlannerSpec {
    let Some(table) = root.table("planner", "the planner", report) else { return PlannerSpec::default() };
    table.only(&["initial", "strategy", "address"], report);
    let initial = table.whole("initial", 1..MAX_EXPERIMENTS + 1, report);
    let address = table.text("address", report).and_then(|address| {
        let plausible = address.value.parse::<tonic::transport::Uri>().is_ok_and(|it| {
            it.scheme_str() == Some("http") && it.port_u16().is_some() && matches!(it.path(), "" | "/")
        });
        if !plausible {
            let message = format!("'{}' is no planner's address", shortened(address.value));
            report.error(Some(address.span), message, "for instance: address = \"http://127.0.0.1:50061\"");
        }
        plausible.then(|| address.value.to_owned())
    });
    let strategy = table.text("strategy", report).and_then(|text| match text.value {
        "improvement" => Some(Strategy::Improvement),
        "thompson" => Some(Strategy::Thompson),
        other => {
            let help = did_you_mean(other, ["improvement", "thompson"]);
            report.error(Some(text.span), format!("there is no strategy '{}'", shortened(other)), help);
            None
        }
    });
    PlannerSpec { strategy, initial: initial.and_then(|it| u32::try_from(it.value).ok()), address }
}
