//! A campaign as it goes on: a table that grows by a line an experiment, and bars for what runs.

use super::output::{bold, line, lively, measured, note, number, percent, reading, width};
use super::{Failure, json};
use eutectic_proto::control::v1 as wire;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use wire::experiment::State;

/// The narrowest column of numbers.
const COLUMN: usize = 9;
/// The least room in which a reason is worth a column; with less it gets a line of its own.
const REASON: usize = 24;
/// Steps of a progress bar.
const BAR: u64 = 1000;

/// What has been shown of a campaign.
pub(super) struct Live {
    json: bool,
    parameters: Vec<wire::Parameter>,
    outcomes: Vec<wire::Column>,
    shown: BTreeMap<u32, State>,
    bars: MultiProgress,
    running: BTreeMap<String, ProgressBar>,
    waiting: String,
    phase: String,
}

impl Live {
    pub(super) fn new(campaign: &wire::Campaign, json: bool) -> Self {
        let target = if lively() && !json { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self {
            json,
            parameters: campaign.parameters.clone(),
            outcomes: campaign.outcomes.clone(),
            shown: BTreeMap::new(),
            bars: MultiProgress::with_draw_target(target),
            running: BTreeMap::new(),
            waiting: String::new(),
            phase: String::new(),
        }
    }

    /// Says what is wanted, and heads the table.
    pub(super) fn head(&self, campaign: &wire::Campaign, instruments: &[wire::Instrument]) {
        if self.json {
            return;
        }
        let summary = campaign.summary.clone().unwrap_or_default();
        let wanted = campaign.objectives.join(", ");
        let subject = if campaign.constraints.is_empty() {
            String::new()
        } else {
            format!(" subject to {}", campaign.constraints.join(" and "))
        };
        line(&format!("{}: {wanted}{subject}", bold(&summary.name)));
        let past = if campaign.past > 0 { format!(", {} past observations", campaign.past) } else { String::new() };
        line(&format!("{} experiments at most, seed {}{past}", summary.budget, summary.seed));
        for it in instruments {
            let process = if it.pid > 0 { format!(", process {}", it.pid) } else { String::new() };
            let place = if it.address.is_empty() { String::new() } else { format!(" at {}{process}", it.address) };
            line(&format!("  {}: {}{place}", it.name, it.display_name));
        }
        line("");
        let (names, units) = (self.heading(|it| &it.name, |it| &it.name), self.heading(|it| &it.unit, |it| &it.unit));
        line(bold(format!("   # {names}  why this point").trim_end()).as_str());
        line(format!("     {units}").trim_end());
    }

    fn heading(
        &self,
        parameter: impl Fn(&wire::Parameter) -> &String,
        outcome: impl Fn(&wire::Column) -> &String,
    ) -> String {
        let parameters = self.parameters.iter().map(|it| format!("{:>1$}", parameter(it), column(&it.name)));
        let outcomes = self.outcomes.iter().map(|it| format!("{:>1$}", outcome(it), outcome_column(&it.name)));
        parameters.chain(outcomes).collect::<Vec<_>>().join("  ")
    }

    /// Shows what is new.
    pub(super) fn update(&mut self, update: &wire::CampaignUpdate) {
        for experiment in &update.experiments {
            let state = experiment.state();
            let ended = matches!(state, State::Observed | State::Failed | State::Cancelled);
            if ended && self.shown.insert(experiment.number, state) != Some(state) {
                self.experiment(experiment);
            }
        }
        self.progress(&update.operations);
        self.words(update);
    }

    fn experiment(&self, it: &wire::Experiment) {
        if self.json {
            return json::line(&json::experiment(it));
        }
        let level = |parameter: &wire::Parameter| {
            let level = it.setting.iter().find(|level| level.parameter == parameter.name);
            let text =
                level.map_or_else(String::new, |it| if it.numeric { number(it.number) } else { it.text.clone() });
            format!("{text:>0$}", column(&parameter.name))
        };
        let outcome = |column: &wire::Column| {
            let outcome = it.outcomes.iter().find(|outcome| outcome.name == column.name);
            let text = outcome.map_or_else(|| "-".to_owned(), reading);
            format!("{text:>0$}", outcome_column(&column.name))
        };
        let cells: Vec<_> = self.parameters.iter().map(level).chain(self.outcomes.iter().map(outcome)).collect();
        let mark = match it.state() {
            State::Observed if it.best => '*',
            State::Observed if it.feasible => ' ',
            State::Observed => '!',
            State::Unspecified | State::Waiting | State::Running | State::Failed | State::Cancelled => 'x',
        };
        let row = format!("{:>4}{mark}{}", it.number, cells.join("  "));
        let reason = if it.failure.is_empty() { self.why(it) } else { it.failure.clone() };
        let room = width().saturating_sub(row.chars().count() + 2);
        let text = if room >= REASON {
            format!("{row}  {}", cut(&reason, room))
        } else {
            format!("{row}\n       {}", cut(&reason, width().saturating_sub(7)))
        };
        self.bars.suspend(|| line(&if it.best { bold(&text) } else { text }));
    }

    /// Why this point, and what the model expected of it.
    fn why(&self, it: &wire::Experiment) -> String {
        let outcome = |name: &str| self.outcomes.iter().any(|column| column.name == name);
        let expected = it.predicted.iter().find(|it| outcome(&it.name));
        let expected = expected.map(|it| format!("{} {}", it.name, measured(it.mean, Some(it.sd))));
        let feasible =
            (it.has_p_feasible && it.p_feasible < 0.995).then(|| format!("{} feasible", percent(it.p_feasible)));
        let details: Vec<String> = expected.into_iter().chain(feasible).collect();
        if details.is_empty() { it.why.clone() } else { format!("{}: {}", it.why, details.join(", ")) }
    }

    fn progress(&mut self, operations: &[wire::Operation]) {
        let open: Vec<&String> = operations.iter().map(|it| &it.id).collect();
        self.running.retain(|id, bar| {
            let stays = open.contains(&id);
            if !stays {
                bar.finish_and_clear();
            }
            stays
        });
        for it in operations {
            let bar = self.running.entry(it.id.clone()).or_insert_with(|| {
                let style = ProgressStyle::with_template("  {prefix:24} {bar:24} {percent:>3} % {msg}");
                let bar = self.bars.add(ProgressBar::new(BAR));
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar.set_prefix(format!("{} {} on {}", it.experiment, it.step, it.instrument));
                bar
            });
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of 1000")]
            bar.set_position((it.progress.clamp(0.0, 1.0) * 1000.0) as u64);
            bar.set_message(if it.overdue { format!("{} (overdue)", it.stage) } else { it.stage.clone() });
        }
    }

    /// What people should know: a pause, a wait.
    fn words(&mut self, update: &wire::CampaignUpdate) {
        let summary = update.summary.clone().unwrap_or_default();
        let waiting = update.waiting_for.join("; ");
        if waiting != self.waiting {
            if !waiting.is_empty() && !self.json {
                self.bars.suspend(|| note(&format!("waiting: {waiting}")));
            }
            self.waiting = waiting;
        }
        if summary.phase != self.phase {
            let told = matches!(summary.phase.as_str(), "paused" | "stopping" | "aborting");
            if told && !self.json {
                let hint = if summary.phase == "paused" { "; `eutectic resume` goes on" } else { "" };
                self.bars.suspend(|| note(&format!("{} ({}){hint}", summary.phase, summary.phase_reason)));
            }
            self.phase = summary.phase;
        }
    }

    pub(super) fn suspend(&self, act: impl FnOnce()) {
        self.bars.suspend(act);
    }

    pub(super) fn finish(&mut self) {
        for bar in self.running.values() {
            bar.finish_and_clear();
        }
        self.running.clear();
    }
}

fn column(name: &str) -> usize {
    name.chars().count().max(COLUMN)
}

/// Room for `11434 ± 57`.
fn outcome_column(name: &str) -> usize {
    name.chars().count().max(COLUMN + 6)
}

fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

/// The next update of a campaign; `None` once it has ended.
pub(super) async fn next(
    updates: &mut tonic::Streaming<wire::CampaignUpdate>,
) -> Result<Option<wire::CampaignUpdate>, Failure> {
    Ok(updates.message().await?)
}
