//! `result`: what a campaign has found.

use super::arguments::ResultArguments;
use super::connect::ask;
use super::output::{bold, line, measured, note, number, percent, reading};
use super::{Failure, Global, explain, html, json};
use eutectic_proto::control::v1 as wire;
use std::process::ExitCode;

pub(super) async fn result(global: &Global, arguments: ResultArguments) -> Result<ExitCode, Failure> {
    let request = wire::GetCampaignRequest { campaign: arguments.campaign.unwrap_or_default() };
    let result = ask(global, async |client| client.get_result(request.clone()).await).await?;
    if !arguments.explain && arguments.html.is_none() {
        show(&result, global.json);
        return Ok(ExitCode::SUCCESS);
    }
    let campaign = ask(global, async |client| client.get_campaign(request.clone()).await).await?;
    let explanation = ask(global, async |client| client.explain_campaign(request.clone()).await).await?;
    match (global.json, arguments.explain) {
        (true, _) => json::line(&json::explained(&result, &explanation)),
        (false, true) => {
            show(&result, false);
            explain::show(&explanation, &campaign);
        }
        (false, false) => show(&result, false),
    }
    if let Some(file) = arguments.html {
        let failed = |error| Failure::new(format!("'{}' can't be written: {error}", file.display()), "");
        std::fs::write(&file, html::page(&result, &explanation, &campaign)).map_err(failed)?;
        note(&format!("written to {}", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The answer, why it stopped, and the count of what was done.
pub(super) fn show(result: &wire::Result, as_json: bool) {
    if as_json {
        return json::line(&json::result(result));
    }
    let summary = result.summary.clone().unwrap_or_default();
    match (&result.best, result.has_best) {
        (Some(best), true) => answer(result, best, summary.phase == "ended"),
        _ => line("No feasible experiment yet: there is no answer."),
    }
    line("");
    match &result.stop {
        Some(stop) => line(&format!("Stopped: {}", stop.message)),
        None => line(&format!("{}: {} of {} experiments used", summary.phase, summary.used, summary.budget)),
    }
    if let Some(gain) = &result.remaining_gain {
        let words =
            gain.message.get(..1).unwrap_or_default().to_uppercase() + gain.message.get(1..).unwrap_or_default();
        line(&words);
    }
    let starts = if result.has_starts {
        format!(", {} physical starts by the hardware's own count", result.starts)
    } else {
        String::new()
    };
    line(&format!("{} experiments, {} operations{starts}", result.experiments, result.operations));
    line(&format!("{} s in all, {} s of them planning", number(result.wall_s), number(result.planner_s)));
}

fn answer(result: &wire::Result, best: &wire::Experiment, ended: bool) {
    let title = if ended { "Answer" } else { "Best so far, by its readings" };
    line(&bold(&format!("{title}: experiment {}", best.number)));
    for level in &best.setting {
        let text = if level.numeric { number(level.number) } else { level.text.clone() };
        line(&format!("  {:<24} {text}", level.parameter));
    }
    for outcome in &best.outcomes {
        let read = reading(outcome);
        let believed = result.estimates.iter().find(|it| it.name == outcome.name);
        let believed = believed.map_or_else(String::new, |it| format!("  model: {}", measured(it.mean, Some(it.sd))));
        let truth = result.true_best.iter().find(|it| it.name == outcome.name && result.has_truth);
        let truth = truth.map_or_else(String::new, |it| format!("  without noise: {}", number(it.value)));
        line(&format!("  {:<24} {read}{believed}{truth}", outcome.name));
    }
    if ended {
        line(&format!("  every constraint on outcomes holds with probability {}", percent(result.p_feasible)));
    }
}
