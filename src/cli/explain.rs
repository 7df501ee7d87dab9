//! `result --explain`: what the model has learnt, in words and small plots.

use super::output::{bold, line, measured, number, percent};
use eutectic_proto::control::v1 as wire;

/// The longest bar.
const BAR: usize = 24;
/// Readings that were the least expected, and how many of them are named.
const NAMED: usize = 3;
/// The last points whose reasons are told.
const LAST: usize = 5;
/// Levels of a line of blocks.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) fn show(explanation: &wire::Explanation, campaign: &wire::Campaign) {
    for it in &explanation.outcomes {
        line("");
        let unit = if it.unit.is_empty() { String::new() } else { format!(" in {}", it.unit) };
        let what = if it.constraint { "The margin of " } else { "" };
        line(&bold(&format!("{what}{}{unit}", it.name)));
        matters(it);
        depends(it);
        predicts(it);
    }
    priors(explanation);
    reached(explanation, campaign);
    whys(campaign);
}

/// A share as a bar.
fn bar(share: f64) -> String {
    let cells = (0..BAR).filter(|cell| (*cell as f64 + 0.5) / (BAR as f64) < share).count();
    format!("{}{}", "█".repeat(cells), " ".repeat(BAR - cells))
}

/// Numbers as a line of blocks, from their least to their greatest.
fn blocks(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let span = values.iter().copied().fold(f64::NEG_INFINITY, f64::max) - least;
    let block = |value: &f64| {
        let share = if span > 0.0 { (value - least) / span } else { 0.5 };
        let reached = |(step, _): &(usize, &char)| *step as f64 <= share * (BLOCKS.len() - 1) as f64 + 0.5;
        BLOCKS.iter().enumerate().take_while(reached).last().map_or(' ', |(_, block)| *block)
    };
    values.iter().map(block).collect()
}

fn widest<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or(0)
}

fn matters(it: &wire::OutcomeExplanation) {
    let width = widest(it.parameters.iter().map(|it| it.name.as_str()));
    line("  what makes its variance over the space: by itself, and with all others");
    let mut ranked: Vec<&wire::ParameterExplanation> = it.parameters.iter().collect();
    ranked.sort_by(|a, b| b.total.total_cmp(&a.total));
    for it in ranked {
        let shares = format!("{:>5} {:>5}", percent(it.first), percent(it.total));
        line(&format!("    {:<width$}  {} {shares}", it.name, bar(it.total)));
    }
}

fn depends(it: &wire::OutcomeExplanation) {
    let width = widest(it.parameters.iter().map(|it| it.name.as_str()));
    line("  how it depends on each, on the mean over the others (nine tenths of what may be true lie within ±)");
    for parameter in &it.parameters {
        let [Some(first), Some(last)] = [parameter.at.first(), parameter.at.last()] else { continue };
        let numeric = first.level.as_ref().is_some_and(|level| level.numeric);
        let unit = if parameter.unit.is_empty() { String::new() } else { format!(" {}", parameter.unit) };
        let told = |at: &wire::parameter_explanation::At| {
            let level = at.level.clone().unwrap_or_default();
            let level = if level.numeric { format!("{}{unit}", number(level.number)) } else { level.text };
            format!("{level}: {}", measured(at.mean, Some((at.high - at.low) / 2.0)))
        };
        if numeric {
            let means: Vec<f64> = parameter.at.iter().map(|at| at.mean).collect();
            let (line_, name) = (blocks(&means), &parameter.name);
            line(&format!("    {name:<width$}  {line_}  {} … {}", told(first), told(last)));
        } else {
            let all: Vec<String> = parameter.at.iter().map(told).collect();
            line(&format!("    {:<width$}  {}", parameter.name, all.join(", ")));
        }
    }
}

fn predicts(it: &wire::OutcomeExplanation) {
    line(&format!(
        "  how well it predicts each reading without it: {} within their 95 % intervals, R² {:.2}",
        percent(it.coverage),
        it.skill
    ));
    let outside = |it: &&wire::outcome_explanation::Reading| it.value < it.low || it.value > it.high;
    let mut least: Vec<&wire::outcome_explanation::Reading> = it.readings.iter().filter(outside).collect();
    let distance = |it: &wire::outcome_explanation::Reading| {
        (it.value - it.expected).abs() / (it.high - it.low).max(f64::MIN_POSITIVE)
    };
    least.sort_by(|a, b| distance(b).total_cmp(&distance(a)));
    for it in least.into_iter().take(NAMED) {
        let of = if it.experiment == 0 { "a past reading".into() } else { format!("experiment {}", it.experiment) };
        let (low, high) = (number(it.low), number(it.high));
        line(&format!("    {of}: read {}, expected between {low} and {high}", number(it.value)));
    }
}

fn reached(explanation: &wire::Explanation, campaign: &wire::Campaign) {
    let [Some(first), Some(last)] = [explanation.reached.first(), explanation.reached.last()] else { return };
    line("");
    let single = campaign.objectives.len() == 1;
    let what = if single { "The best feasible objective so far" } else { "The volume of the front" };
    line(&bold(&format!("{what}, from experiment {} to {}", first.experiment, last.experiment)));
    let values: Vec<f64> = explanation.reached.iter().map(|it| it.value).collect();
    line(&format!("  {}  {} … {}", blocks(&values), number(first.value), number(last.value)));
    if !single {
        let front: Vec<String> = explanation.front.iter().map(ToString::to_string).collect();
        line(&format!("  on the front, by their readings: experiments {}", front.join(", ")));
    }
}

/// What past campaigns count.
fn priors(explanation: &wire::Explanation) {
    if explanation.priors.is_empty() {
        return;
    }
    line("");
    line(&bold("What past campaigns count (0: left out, for it misleads or adds nothing)"));
    let width = widest(explanation.priors.iter().map(|it| it.name.as_str()));
    for it in &explanation.priors {
        let pairs = explanation.outcomes.iter().zip(&it.weights);
        let told: Vec<String> = pairs.map(|(outcome, weight)| format!("{} {weight:.2}", outcome.name)).collect();
        line(&format!("  {:<width$}  {}", it.name, told.join(", ")));
    }
}

/// Why the last points were tried.
fn whys(campaign: &wire::Campaign) {
    let modelled: Vec<&wire::Experiment> = campaign.experiments.iter().filter(|it| !it.predicted.is_empty()).collect();
    if modelled.is_empty() {
        return;
    }
    line("");
    line(&bold("Why the last points"));
    for it in modelled.iter().rev().take(LAST).rev() {
        line(&format!("  {:>4}  {}", it.number, why(it)));
    }
}

/// Why a point was tried, and what came of it.
pub(super) fn why(it: &wire::Experiment) -> String {
    let mut told = vec![it.why.clone()];
    if it.has_from_mean {
        let unknown = percent(1.0 - it.from_mean);
        told.push(format!("{} from a better mean, {unknown} from what is unknown", percent(it.from_mean)));
    }
    if it.nearest > 0 {
        told.push(format!("nearest experiment {}", it.nearest));
    }
    for predicted in &it.predicted {
        let read = it.outcomes.iter().find(|outcome| outcome.name == predicted.name);
        let read = read.map_or_else(String::new, |read| format!(", read {}", number(read.value)));
        told.push(format!("{} expected {}{read}", predicted.name, measured(predicted.mean, Some(predicted.sd))));
    }
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plots_go_from_the_least_to_the_greatest() {
        assert_eq!(blocks(&[0.0, 1.0, 2.0, 7.0]), "▁▂▃█");
        assert_eq!(blocks(&[3.0, 3.0]), "▅▅");
        assert_eq!(blocks(&[]), "");
        assert_eq!(bar(0.5).trim_end().chars().count(), BAR / 2);
        assert_eq!((bar(0.0).trim_end().len(), bar(2.0).chars().count()), (0, BAR));
    }
}
