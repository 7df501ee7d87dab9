//! An event as one readable line.

use eutectic_core::model::{
    Failure, FailureKind, GainVerdict, Level, Limit, Measured, Origin, RemainingGain, SampleEffect, Setting, StopReason,
};
use eutectic_core::{Dispatch, Ended, Event, Purpose};
use std::collections::BTreeMap;

/// The event's kind, as the journal has it: `operation_dispatched`.
#[must_use]
pub fn kind(event: &Event) -> &'static str {
    match event {
        Event::EpochTaken { .. } => "epoch_taken",
        Event::InstrumentAdded { .. } => "instrument_added",
        Event::InstrumentRemoved { .. } => "instrument_removed",
        Event::InstrumentDescribed { .. } => "instrument_described",
        Event::LeaseTaken { .. } => "lease_taken",
        Event::InstrumentQuarantined { .. } => "instrument_quarantined",
        Event::InstrumentSilent { .. } => "instrument_silent",
        Event::InstrumentHeard { .. } => "instrument_heard",
        Event::PolicySet { .. } => "policy_set",
        Event::EvidenceFound { .. } => "evidence_found",
        Event::InterventionResolved { .. } => "intervention_resolved",
        Event::InterventionReopened { .. } => "intervention_reopened",
        Event::OperationBuried { .. } => "operation_buried",
        Event::RecoveryStarted { .. } => "recovery_started",
        Event::RecoveryFailed { .. } => "recovery_failed",
        Event::PageAcknowledged { .. } => "page_acknowledged",
        Event::InstrumentReleased { .. } => "instrument_released",
        Event::JournalDoubted { .. } => "journal_doubted",
        Event::JournalAdopted { .. } => "journal_adopted",
        Event::DispatchSuspended { .. } => "dispatch_suspended",
        Event::DispatchResumed { .. } => "dispatch_resumed",
        Event::CampaignCreated { .. } => "campaign_created",
        Event::PastAdded { .. } => "past_added",
        Event::PoolAdded { .. } => "pool_added",
        Event::PriorAdded { .. } => "prior_added",
        Event::CampaignPaused { .. } => "campaign_paused",
        Event::CampaignResumed { .. } => "campaign_resumed",
        Event::CampaignStopping { .. } => "campaign_stopping",
        Event::CampaignAborting { .. } => "campaign_aborting",
        Event::CampaignEnded { .. } => "campaign_ended",
        Event::PlanRequested { .. } => "plan_requested",
        Event::ProposalsAdded { .. } => "proposals_added",
        Event::GainEstimated { .. } => "gain_estimated",
        Event::PlanFailed { .. } => "plan_failed",
        Event::ExperimentAdded { .. } => "experiment_added",
        Event::ExperimentStarted { .. } => "experiment_started",
        Event::OperationDispatched(_) => "operation_dispatched",
        Event::OperationStarted { .. } => "operation_started",
        Event::OperationOverdue { .. } => "operation_overdue",
        Event::AbortRequested { .. } => "abort_requested",
        Event::OperationEnded { .. } => "operation_ended",
        Event::ObservationRecorded { .. } => "observation_recorded",
        Event::ExperimentFailed { .. } => "experiment_failed",
        Event::RequestRejected { .. } => "request_rejected",
    }
}

/// The event in words.
#[must_use]
pub fn line(event: &Event) -> String {
    match event {
        Event::EpochTaken { owner, epoch, .. } => format!("epoch {epoch} taken by {owner}"),
        Event::InstrumentAdded { instrument } => format!("instrument {instrument} added"),
        Event::InstrumentRemoved { instrument } => format!("instrument {instrument} removed"),
        Event::InstrumentDescribed { instrument, description } => {
            let capabilities: Vec<_> = description.capabilities.keys().map(String::as_str).collect();
            format!("{instrument} is {}, can {}", description.display_name, capabilities.join(", "))
        }
        Event::LeaseTaken { instrument, epoch, token, .. } => {
            format!("lease of {instrument} taken for epoch {epoch}, token {token}")
        }
        Event::InstrumentSilent { instrument, reason } => format!("{instrument}'s driver does not answer: {reason}"),
        Event::InstrumentHeard { instrument } => format!("{instrument}'s driver answers again"),
        Event::PolicySet { instrument, policy } => match policy {
            Some(it) => {
                format!("{instrument} may recover by itself, {} times a day: {}", it.at_most, it.recover.join(", "))
            }
            None => format!("{instrument} waits for a person"),
        },
        Event::InstrumentQuarantined { intervention, instrument, reason, .. } => {
            format!("{instrument} quarantined: {reason} (intervention {intervention})")
        }
        Event::EvidenceFound { intervention, ended } => {
            format!("intervention {intervention}: its driver says now that the operation {}", end(ended))
        }
        Event::InterventionResolved { intervention, decision, by } => {
            format!("intervention {intervention}: {decision}, says {by}")
        }
        Event::InterventionReopened { intervention, ended } => {
            format!("intervention {intervention} is open again: the operation to be repeated {}", end(ended))
        }
        Event::OperationBuried { operation } => {
            format!("operation {operation} can't begin any more: its step is repeated")
        }
        Event::RecoveryStarted { intervention, capabilities } => {
            format!(
                "intervention {intervention}: nobody is there, the instrument recovers: {}",
                capabilities.join(", ")
            )
        }
        Event::RecoveryFailed { intervention, reason } => {
            format!("intervention {intervention}: the instrument could not recover: {reason}")
        }
        Event::PageAcknowledged { page, by } => format!("page '{page}' acknowledged by {by}"),
        Event::InstrumentReleased { instrument, by } => format!("{instrument} back in service, by {by}"),
        Event::JournalDoubted { instrument, epoch, operation } => match operation {
            Some(operation) => {
                format!("{instrument}'s driver works on operation {operation}, which this journal never had")
            }
            None => format!("{instrument}'s driver has seen epoch {epoch}, which this journal never had"),
        },
        Event::JournalAdopted { by, epoch } => format!("the journal stands as it is, says {by}; epoch {epoch}"),
        Event::DispatchSuspended { reason, .. } => format!("nothing new is dispatched: {reason}"),
        Event::DispatchResumed { cause } => format!("dispatch goes on: what held it is over ({cause})"),
        Event::CampaignCreated { spec, seed, .. } => format!("campaign {} created, seed {seed}", spec.name),
        Event::PastAdded { campaign, rows } => format!("{campaign}: {} past observations", rows.len()),
        Event::PriorAdded { campaign, prior, rows } => format!("{campaign}: {} observations of {prior}", rows.len()),
        Event::PoolAdded { campaign, settings } => format!("{campaign}: {} candidates of its pool", settings.len()),
        Event::CampaignPaused { campaign, by, reason } => format!("{campaign} paused by {by}: {reason}"),
        Event::CampaignResumed { campaign, by } => format!("{campaign} resumed by {by}"),
        Event::CampaignStopping { campaign, reason } => format!("{campaign} stops: {}", stop(reason)),
        Event::CampaignAborting { campaign, by } => format!("{campaign} aborts, asked by {by}"),
        Event::CampaignEnded { campaign, reason, answer } => {
            let found = answer.as_ref().map_or_else(
                || "nothing was observed".into(),
                |it| format!("answer: experiment {} at {}", it.experiment, setting(&it.setting)),
            );
            format!("{campaign} ended: {}; {found}", stop(reason))
        }
        Event::PlanRequested { campaign, ticket, purpose, through, pending, .. } => {
            let what = match purpose {
                Purpose::Propose { count } => format!("{count} proposals"),
                Purpose::Answer => "the answer".into(),
            };
            format!("{campaign}: plan {ticket} asked for {what}, sees 1..{through}, {} of them pending", pending.len())
        }
        Event::ProposalsAdded { campaign, ticket, took_ms, .. } => {
            format!("{campaign}: plan {ticket} answered in {took_ms} ms")
        }
        Event::GainEstimated { campaign, gain, .. } => format!("{campaign}: {}", remaining(gain)),
        Event::PlanFailed { campaign, ticket, message } => format!("{campaign}: plan {ticket} failed: {message}"),
        Event::ExperimentAdded { campaign, experiment, origin, setting: at, why } => {
            let why = why.as_ref().map_or_else(String::new, |why| format!(", {}", why.text));
            format!("{campaign} #{experiment} added ({}) at {}{why}", self::origin(origin), setting(at))
        }
        Event::ExperimentStarted { campaign, experiment } => format!("{campaign} #{experiment} started"),
        Event::OperationDispatched(dispatch) => format!("{} dispatched to {}", work(dispatch), dispatch.instrument),
        Event::OperationStarted { operation } => format!("operation {operation} runs"),
        Event::OperationOverdue { operation } => format!("operation {operation} takes longer than declared"),
        Event::AbortRequested { operation, reason } => format!("operation {operation} to be stopped: {reason}"),
        Event::OperationEnded { operation, ended } => format!("operation {operation} {}", end(ended)),
        Event::ObservationRecorded { campaign, experiment, observation } => {
            format!("{campaign} #{experiment} observed {}", outcomes(&observation.outcomes))
        }
        Event::ExperimentFailed { campaign, experiment, failure } => {
            format!("{campaign} #{experiment} {}", self::failure(failure))
        }
        Event::RequestRejected { command, rejection } => format!("refused to {command}: {rejection}"),
    }
}

fn work(dispatch: &Dispatch) -> String {
    let Dispatch { campaign, experiment, step, attempt, operation, .. } = dispatch;
    format!("{campaign} #{experiment} {step}, attempt {attempt}: operation {operation}")
}

/// How an operation ended, in words that follow its name.
#[must_use]
pub fn end(ended: &Ended) -> String {
    match ended {
        Ended::Succeeded { outputs } => {
            format!("succeeded: {}", outputs.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
        }
        Ended::Failed { fault, sample } => {
            format!("failed: {} ({}), sample {}", fault.message, fault.reason, self::sample(*sample))
        }
        Ended::Aborted { sample: SampleEffect::None } => "never started".into(),
        Ended::Aborted { sample } => format!("aborted, sample {}", self::sample(*sample)),
        Ended::Interrupted => "was interrupted: its driver can't tell what became of it".into(),
        Ended::Unknown { reason } => format!("has an unknown end: {reason}"),
    }
}

fn sample(effect: SampleEffect) -> &'static str {
    match effect {
        SampleEffect::None => "untouched",
        SampleEffect::Modified => "changed",
        SampleEffect::Consumed => "used up",
        SampleEffect::Unknown => "in an unknown state",
    }
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Proposed(ticket) => format!("plan {ticket}"),
        Origin::Own => "own".into(),
        Origin::Again(of) => format!("#{of} again"),
    }
}

fn failure(failure: &Failure) -> String {
    let kind = match failure.kind {
        FailureKind::Recipe => "failed by its recipe",
        FailureKind::Equipment => "let down by equipment",
        FailureKind::Measurement => "gave no usable result",
        FailureKind::Unknown => "has an unknown end",
        FailureKind::Cancelled => "cancelled",
    };
    format!("{kind}: {}", failure.message)
}

fn setting(setting: &Setting) -> String {
    let level = |(name, level): (&String, &Level)| match level {
        Level::Real(value) => format!("{name} = {value:.6}"),
        Level::Integer(_) | Level::Choice(_) => format!("{name} = {level}"),
    };
    setting.iter().map(level).collect::<Vec<_>>().join(", ")
}

fn outcomes(outcomes: &BTreeMap<String, Measured>) -> String {
    let one = |(name, it): (&String, &Measured)| {
        let sign = match it.limit {
            None => "=",
            Some(Limit::Below) => "<",
            Some(Limit::Above) => ">",
        };
        match it.sd {
            Some(sd) => format!("{name} {sign} {:.6} ± {sd:.2}", it.value),
            None => format!("{name} {sign} {:.6}", it.value),
        }
    };
    outcomes.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// What is left to gain, in words.
#[must_use]
pub fn remaining(gain: &RemainingGain) -> String {
    let RemainingGain { tolerance, expected, quantiles: [.., most], paths, within, .. } = gain;
    let follows = match gain.verdict {
        GainVerdict::Enough => {
            format!("no more than {tolerance} with {} % confidence, if the model is right", 100.0 * gain.confidence)
        }
        GainVerdict::MoreToGain => format!("no more than {tolerance} in {within} of {paths} cases"),
        GainVerdict::Uncalibrated => format!(
            "not believed: only {:.0} % of the readings lie within the model's 95 % intervals",
            100.0 * gain.coverage
        ),
        GainVerdict::Unsettled => "not believed yet: the model has just changed its form".into(),
        GainVerdict::Noisy => format!("{tolerance} is less than noise lets anybody tell"),
    };
    format!("expected remaining gain {expected:.4}, in 95 % of cases at most {most:.4}; {follows}")
}

/// Why a campaign stops, in words.
#[must_use]
pub fn stop(reason: &StopReason) -> String {
    match reason {
        StopReason::Budget { experiments } => format!("the budget of {experiments} experiments is used"),
        StopReason::Cost { spent, budget } => format!("{spent:.6} of {budget:.6} are spent"),
        StopReason::Target { experiment, target } => format!("experiment {experiment} reached the target {target}"),
        StopReason::Stagnation { experiments, gain } => {
            let least = if *gain > 0.0 { format!(" of more than {gain}") } else { String::new() };
            format!("no gain{least} in {experiments} experiments")
        }
        StopReason::Evidence { tolerance, confidence } => format!(
            "no more than {tolerance} is left to gain, with {} % confidence if the model is right",
            100.0 * confidence
        ),
        StopReason::Stopped { by } => format!("stopped by {by}"),
        StopReason::Aborted { by } => format!("aborted by {by}"),
    }
}
