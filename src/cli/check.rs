//! `check`: what is wrong, before anything moves.

use super::arguments::CheckArguments;
use super::connect::{absolute, absolute_or_empty, ask};
use super::output::{bold, line, show, table};
use super::{Failure, Global, json};
use eutectic_proto::control::v1 as wire;
use serde_json::json;
use std::process::ExitCode;

pub(super) async fn check(global: &Global, arguments: CheckArguments) -> Result<ExitCode, Failure> {
    let request = wire::CheckCampaignRequest {
        path: absolute(&arguments.file)?,
        lab_path: absolute_or_empty(arguments.lab.as_deref())?,
        ask_drivers: !arguments.offline,
    };
    let checked = ask(global, async |client| client.check_campaign(request.clone()).await).await?;
    if global.json {
        json::line(&as_json(&checked));
    } else {
        print(&checked);
    }
    Ok(if checked.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(checked: &wire::CheckCampaignResponse) -> serde_json::Value {
    let validation = |it: &wire::Validation| {
        json!({
            "point": it.point,
            "step": it.step,
            "instrument": it.instrument,
            "accepted": it.accepted,
            "message": it.message,
        })
    };
    json!({
        "ok": checked.ok,
        "diagnostics": checked.diagnostics,
        "campaign": checked.campaign.as_ref().and_then(|it| it.summary.as_ref()).map(json::summary),
        "protocol": checked.protocol,
        "validations": checked.validations.iter().map(validation).collect::<Vec<_>>(),
    })
}

/// What will be done, then what is wrong, then the verdict: the last lines are the ones that are seen.
fn print(checked: &wire::CheckCampaignResponse) {
    if checked.ok || !checked.validations.is_empty() {
        plan(checked);
        line("");
    }
    for diagnostic in &checked.diagnostics {
        super::output::note(diagnostic);
    }
    line(if checked.ok { "It can be run." } else { "It can't be run as it is." });
}

fn plan(checked: &wire::CheckCampaignResponse) {
    let campaign = checked.campaign.clone().unwrap_or_default();
    let name = campaign.summary.unwrap_or_default().name;
    line(&format!("{}: {}", bold(&name), campaign.objectives.join(", ")));
    let mut parameters = table(&["parameter", "unit", "values"]);
    for it in &campaign.parameters {
        parameters.add_row([&it.name, &it.unit, &it.domain]);
    }
    show(&parameters);
    for constraint in &campaign.constraints {
        line(&format!("subject to {constraint}"));
    }
    if !checked.protocol.is_empty() {
        line("");
        line(&bold("protocol"));
        checked.protocol.iter().for_each(|step| line(&format!("  {step}")));
    }
    if !checked.validations.is_empty() {
        line("");
        line(&bold("asked of the drivers, nothing moved"));
        let mut asked = table(&["step", "instrument", "answer", "points"]);
        for (first, points) in answers(&checked.validations) {
            let answer = if first.accepted { "would do it" } else { &first.message };
            let points = match points - 1 {
                0 => first.point.clone(),
                1 => format!("{} and 1 corner", first.point),
                others => format!("{} and {others} corners", first.point),
            };
            asked.add_row([&first.step, &first.instrument, answer, &points]);
        }
        show(&asked);
    }
}

/// Each answer that a step got, with the first point that got it and how many did.
fn answers(validations: &[wire::Validation]) -> Vec<(&wire::Validation, usize)> {
    let mut answers: Vec<(&wire::Validation, usize)> = Vec::new();
    for it in validations {
        let same = |(first, _): &&mut (&wire::Validation, usize)| {
            (&first.step, first.accepted, &first.message) == (&it.step, it.accepted, &it.message)
        };
        match answers.iter_mut().find(same) {
            Some((_, count)) => *count += 1,
            None => answers.push((it, 1)),
        }
    }
    answers
}
