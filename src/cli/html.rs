//! `result --html`: the result and what the model has learnt as one page that needs nothing else.

use super::explain::why;
use super::output::{measured, number, percent};
use super::plots;
use eutectic_proto::control::v1 as wire;
use std::fmt::Write as _;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}\
h1,h2,h3{line-height:1.2}table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}\
figure{display:inline-block;margin:.5rem 1rem .5rem 0}figcaption{font-size:.9rem;color:#555;max-width:22rem}\
.note{color:#555}svg{background:#fff}";

/// The page.
pub(super) fn page(result: &wire::Result, explanation: &wire::Explanation, campaign: &wire::Campaign) -> String {
    let summary = result.summary.clone().unwrap_or_default();
    let mut page = String::new();
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{0}</title><style>{STYLE}</style><h1>{0}</h1>",
        text(&summary.name)
    );
    answer(&mut page, result, campaign);
    reached(&mut page, explanation, campaign);
    explanation.outcomes.iter().for_each(|it| outcome(&mut page, it));
    priors(&mut page, explanation);
    experiments(&mut page, campaign);
    let _ = write!(page, "<p class=\"note\">Seed {}, files {}.</p></html>", result.seed, text(&result.digest));
    page
}

/// Text that can't be taken for markup.
fn text(raw: &str) -> String {
    raw.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn answer(page: &mut String, result: &wire::Result, campaign: &wire::Campaign) {
    let wanted = campaign.objectives.iter().chain(&campaign.constraints);
    let _ = write!(page, "<p>{}</p>", wanted.map(|it| text(it)).collect::<Vec<_>>().join("; "));
    let Some(best) = result.best.as_ref().filter(|_| result.has_best) else {
        if result.front.is_empty() {
            page.push_str("<p>No feasible experiment yet: there is no answer.</p>");
        }
        return front(page, result, campaign);
    };
    let _ = write!(page, "<h2>Answer: experiment {}</h2><table>", best.number);
    for level in &best.setting {
        let value = if level.numeric { number(level.number) } else { text(&level.text) };
        let unit = campaign.parameters.iter().find(|it| it.name == level.parameter).map_or("", |it| it.unit.as_str());
        let _ = write!(page, "<tr><th>{}<td>{value} {}", text(&level.parameter), text(unit));
    }
    for outcome in &best.outcomes {
        let read = measured(outcome.value, outcome.has_sd.then_some(outcome.sd));
        let believed = result.estimates.iter().find(|it| it.name == outcome.name);
        let believed = believed.map_or_else(String::new, |it| format!(" (model: {})", measured(it.mean, Some(it.sd))));
        let unit = campaign.outcomes.iter().find(|it| it.name == outcome.name).map_or("", |it| it.unit.as_str());
        let _ = write!(page, "<tr><th>{}<td>{read} {}{believed}", text(&outcome.name), text(unit));
    }
    page.push_str("</table>");
    let stopped = result.stop.as_ref().map(|it| it.message.as_str());
    front(page, result, campaign);
    for words in stopped.into_iter().chain(result.remaining_gain.as_ref().map(|it| it.message.as_str())) {
        let _ = write!(page, "<p>{}</p>", text(words));
    }
}

/// The best compromises between several objectives.
fn front(page: &mut String, result: &wire::Result, campaign: &wire::Campaign) {
    if result.front.is_empty() {
        return;
    }
    page.push_str("<h2>The front: no experiment is better than one of these in every objective</h2><table><tr><th>#");
    heads(page, campaign);
    for point in &result.front {
        let Some(experiment) = &point.experiment else { continue };
        let _ = write!(page, "<tr><td>{}", experiment.number);
        cells(page, experiment, campaign, &point.estimates);
    }
    page.push_str("</table>");
}

/// The names of all parameters and outcomes.
fn heads(page: &mut String, campaign: &wire::Campaign) {
    let parameters = campaign.parameters.iter().map(|it| &it.name);
    for name in parameters.chain(campaign.outcomes.iter().map(|it| &it.name)) {
        let _ = write!(page, "<th>{}", text(name));
    }
}

/// The values of all parameters and outcomes, and what the model believes of them.
fn cells(page: &mut String, it: &wire::Experiment, campaign: &wire::Campaign, estimates: &[wire::Prediction]) {
    for level in &it.setting {
        let value = if level.numeric { number(level.number) } else { text(&level.text) };
        let _ = write!(page, "<td>{value}");
    }
    for column in &campaign.outcomes {
        let outcome = it.outcomes.iter().find(|outcome| outcome.name == column.name);
        let value = outcome.map_or_else(String::new, |it| measured(it.value, it.has_sd.then_some(it.sd)));
        let believed = estimates.iter().find(|it| it.name == column.name);
        let believed = believed.map_or_else(String::new, |it| format!("<br>model: {}", measured(it.mean, Some(it.sd))));
        let _ = write!(page, "<td>{value}{believed}");
    }
}

fn reached(page: &mut String, explanation: &wire::Explanation, campaign: &wire::Campaign) {
    let single = campaign.objectives.len() == 1;
    let caption = if single { "The best feasible objective so far" } else { "The volume of the front so far" };
    page.push_str("<h2>What was reached</h2>");
    figure(page, plots::trace(&explanation.reached), caption);
    if let [first, second, ..] = campaign.objectives.as_slice() {
        let names = [first, second].map(|it| it.split_once(' ').map_or(it.as_str(), |(_, name)| name).to_owned());
        let [across, up] = &names;
        let caption =
            format!("{across} across, {up} up; filled: no other is better in all objectives, by their readings");
        figure(page, plots::front(&campaign.experiments, &explanation.front, &names), &caption);
    }
}

fn figure(page: &mut String, drawn: Option<String>, caption: &str) {
    let _ = match drawn {
        Some(svg) => write!(page, "<figure>{svg}<figcaption>{}</figcaption></figure>", text(caption)),
        None => write!(page, "<p class=\"note\">{}: nothing to show.</p>", text(caption)),
    };
}

fn outcome(page: &mut String, it: &wire::OutcomeExplanation) {
    let what = if it.constraint { "The margin of " } else { "" };
    let unit = if it.unit.is_empty() { String::new() } else { format!(" in {}", text(&it.unit)) };
    let _ = write!(page, "<h2>{what}{}{unit}</h2><h3>Which parameters matter</h3>", text(&it.name));
    let caption =
        "Shares of the variance over the space: dark by itself, light together with all others (Sobol indices)";
    figure(page, plots::shares(&it.parameters), caption);
    page.push_str("<h3>How it depends on each, on the mean over the others</h3>");
    for parameter in &it.parameters {
        let unit = if parameter.unit.is_empty() { String::new() } else { format!(", {}", parameter.unit) };
        figure(page, plots::dependence(parameter), &format!("{}{unit}", parameter.name));
    }
    page.push_str("<h3>How well it predicts each reading without it</h3>");
    let caption = format!(
        "{} of the readings lie within their 95 % intervals; R² {:.2}. On the line, expected is read.",
        percent(it.coverage),
        it.skill
    );
    figure(page, plots::parity(&it.readings), &caption);
}

fn priors(page: &mut String, explanation: &wire::Explanation) {
    if explanation.priors.is_empty() {
        return;
    }
    page.push_str("<h2>What past campaigns count</h2><table><tr><th>");
    for it in &explanation.outcomes {
        let _ = write!(page, "<th>{}", text(&it.name));
    }
    for it in &explanation.priors {
        let _ = write!(page, "<tr><th>{}", text(&it.name));
        for weight in &it.weights {
            let _ = write!(page, "<td>{weight:.2}");
        }
    }
    page.push_str("</table><p class=\"note\">0: left out, for it misleads or adds nothing.</p>");
}

fn experiments(page: &mut String, campaign: &wire::Campaign) {
    page.push_str("<h2>Experiments</h2><table><tr><th>#");
    heads(page, campaign);
    page.push_str("<th>why this point");
    for it in &campaign.experiments {
        let _ = write!(page, "<tr><td>{}", it.number);
        cells(page, it, campaign, &[]);
        let reason = if it.failure.is_empty() { why(it) } else { it.failure.clone() };
        let _ = write!(page, "<td>{}", text(&reason));
    }
    page.push_str("</table>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_never_markup() {
        let summary = wire::CampaignSummary { name: "<script>&\"".into(), ..Default::default() };
        let result = wire::Result { summary: Some(summary), ..Default::default() };
        let page = page(&result, &wire::Explanation::default(), &wire::Campaign::default());
        assert!(page.contains("&lt;script&gt;&amp;&quot;") && !page.contains("<script"), "{page}");
    }
}
