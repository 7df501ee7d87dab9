//! `intervention`: what waits for a person.

use super::arguments::{InterventionArguments, InterventionVerb};
use super::connect::{ask, person, request_id};
use super::output::{bold, line, show, table, time};
use super::{Failure, Global, json};
use eutectic_proto::control::v1 as wire;
use std::process::ExitCode;

pub(super) async fn intervention(global: &Global, arguments: InterventionArguments) -> Result<ExitCode, Failure> {
    match arguments.verb {
        InterventionVerb::List { all } => {
            let request = wire::ListInterventionsRequest { all };
            let found = ask(global, async |client| client.list_interventions(request).await).await?;
            list(global, &found.interventions);
        }
        InterventionVerb::Show { number } => {
            let it = one(global, number).await?;
            if global.json { json::line(&json::intervention(&it)) } else { print(&it) }
        }
        InterventionVerb::Resolve { number, decision, revision } => {
            let seen = match revision {
                Some(revision) => revision,
                None => one(global, number).await?.revision,
            };
            let request_id = request_id();
            let request =
                wire::ResolveInterventionRequest { request_id, number, revision: seen, decision, by: person() };
            let it = ask(global, async |client| client.resolve_intervention(request.clone()).await).await?;
            if global.json { json::line(&json::intervention(&it)) } else { line(&resolved(&it)) }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn one(global: &Global, number: u32) -> Result<wire::Intervention, Failure> {
    let request = wire::ListInterventionsRequest { all: true };
    let all = ask(global, async |client| client.list_interventions(request).await).await?;
    all.interventions.into_iter().find(|it| it.number == number).ok_or_else(|| {
        Failure::new(format!("there is no intervention {number}"), "`eutectic intervention list --all` shows them")
    })
}

fn list(global: &Global, found: &[wire::Intervention]) {
    if global.json {
        return found.iter().for_each(|it| json::line(&json::intervention(it)));
    }
    if found.is_empty() {
        return line("nothing waits for a person");
    }
    let mut rows = table(&["number", "since", "instrument", "what", "state"]);
    for it in found {
        rows.add_row([&it.number.to_string(), &time(it.opened_ms), &it.instrument, &it.reason, &state(it)]);
    }
    show(&rows);
}

/// Where it stands, in words.
pub(super) fn state(it: &wire::Intervention) -> String {
    match it.standing.as_str() {
        "due" => format!("recovers by its policy at {}", time(it.due_ms)),
        "recovering" => format!("recovers by its policy, {} of {} done", it.recovered, it.recovery.len()),
        "repeating" => "to be repeated, as soon as its driver can't begin the old operation any more".to_owned(),
        "resolved" => format!("{}, {} by {}", it.decision, time(it.decided_ms), it.decided_by),
        _ if !it.recovery_failed.is_empty() => format!("waits for a person; tried to recover: {}", it.recovery_failed),
        _ => "waits for a person".to_owned(),
    }
}

fn print(it: &wire::Intervention) {
    line(&bold(&format!("intervention {}, {}: {}", it.number, it.instrument, it.reason)));
    line(&format!("  since {}; {}", time(it.opened_ms), state(it)));
    if !it.operation.is_empty() {
        line(&format!("  {} #{}, step {}: operation {}", it.campaign, it.experiment, it.step, it.operation));
    }
    for evidence in &it.evidence {
        line(&format!("  {}: its driver says now that {}", time(evidence.at_ms), evidence.text));
    }
    if it.decision.is_empty() {
        line("");
        choices(it);
    }
}

fn choices(it: &wire::Intervention) {
    let resolve = format!("eutectic intervention resolve {}", it.number);
    line("Once you have looked at the instrument:");
    if !it.evidence.is_empty() && it.asked {
        line(&format!("  {resolve} accept     what its driver says now is what happened"));
    }
    if it.asked {
        line(&format!("  {resolve} repeat     the step is done again on the same sample"));
        line(&format!("  {resolve} discard    the sample is never used again; the experiment ends without a result"));
    } else {
        line(&format!("  {resolve} discard    it is back in service; its experiment has ended already"));
    }
}

fn resolved(it: &wire::Intervention) -> String {
    let on = match it.standing.as_str() {
        "repeating" => "its step is done again once its driver can't begin the old operation any more",
        _ => "the instrument is back in service",
    };
    format!("intervention {}: {}; {on}", it.number, it.decision)
}
