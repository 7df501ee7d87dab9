//! `result`: what a campaign has found.

use super::arguments::ResultArguments;
use super::connect::ask;
use super::output::{self, bold, line, measured, note, number, percent, reading, table};
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
    let ended = summary.phase == "ended";
    match (&result.best, result.has_best) {
        (Some(best), true) => answer(result, best, ended),
        _ if !result.front.is_empty() => {}
        _ => line("No feasible experiment yet: there is no answer."),
    }
    front(&result.front, ended && result.has_best);
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

/// The best compromises between several objectives, and what the model believes of each.
fn front(front: &[wire::FrontPoint], by_model: bool) {
    let Some(first) = front.first().and_then(|it| it.experiment.as_ref()) else { return };
    if by_model {
        line("");
    }
    let judged = if by_model { "by the model" } else { "so far, by their readings" };
    line(&bold(&format!("The front: no experiment is better than one of these in every objective, {judged}")));
    let parameters = first.setting.iter().map(|it| it.parameter.clone());
    let head = ["#".to_owned()].into_iter().chain(parameters).chain(first.outcomes.iter().map(|it| it.name.clone()));
    let head: Vec<String> = head.collect();
    let mut rows = table(&head.iter().map(String::as_str).collect::<Vec<_>>());
    for point in front {
        let Some(experiment) = &point.experiment else { continue };
        let level = |it: &wire::Level| if it.numeric { number(it.number) } else { it.text.clone() };
        let outcome = |it: &wire::Outcome| {
            let believed = point.estimates.iter().find(|estimate| estimate.name == it.name);
            let believed =
                believed.map_or_else(String::new, |it| format!("\nmodel: {}", measured(it.mean, Some(it.sd))));
            format!("{}{believed}", reading(it))
        };
        let cells = [experiment.number.to_string()].into_iter();
        let cells = cells.chain(experiment.setting.iter().map(level)).chain(experiment.outcomes.iter().map(outcome));
        rows.add_row(cells.collect::<Vec<_>>());
    }
    output::show(&rows);
}

fn answer(result: &wire::Result, best: &wire::Experiment, ended: bool) {
    let title = match (ended, result.front.is_empty()) {
        (true, true) => "Answer",
        (true, false) => "Answer, of the front the best balanced",
        (false, _) => "Best so far, by its readings",
    };
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
    // A constraint is believed by its text, an outcome by its name.
    let constrained = result.estimates.iter().any(|it| best.outcomes.iter().all(|outcome| outcome.name != it.name));
    if ended && constrained {
        line(&format!("  every constraint on outcomes holds with probability {}", percent(result.p_feasible)));
    }
}
