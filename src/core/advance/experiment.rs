//! An experiment under way: its next steps, or its end.

use super::dispatch::dispatch;
use crate::event::{Event, Fault, FaultCategory};
use crate::ids::StepName;
use crate::model::{Failure, FailureKind, Origin, SampleEffect, Step};
use crate::state::{Campaign, Experiment, Phase, StepPhase, StepState, Workcell};
use crate::time::Time;

/// Operations for one step, when each failed without harm and asked to be tried again.
pub(crate) const MAX_ATTEMPTS: u32 = 3;

/// New experiments at the same point, when each gave no usable result.
const MAX_REPLICATES: u32 = 2;

/// What follows for one experiment that runs.
pub(super) fn next(workcell: &Workcell, campaign: &Campaign, experiment: &Experiment, now: Time) -> Vec<Event> {
    if let Phase::Aborting { by } = &campaign.phase {
        return aborting(workcell, campaign, experiment, by);
    }
    if let Some(failure) = verdict(campaign, experiment) {
        // What still runs beside the failed step is seen through first: its result is kept in the journal.
        return if open(experiment) { Vec::new() } else { fail(campaign, experiment, failure) };
    }
    let steps = &experiment.steps;
    if steps.values().all(|step| matches!(step.phase, StepPhase::Succeeded(_))) {
        return complete(campaign, experiment);
    }
    for step in &campaign.spec.steps {
        let state = steps.get(&step.name).cloned().unwrap_or_default();
        let due = match state.phase {
            StepPhase::Pending => true,
            StepPhase::Failed { ref fault, sample } => again(fault, sample, &state),
            StepPhase::Unknown(_) | StepPhase::Buried => true,
            StepPhase::Open(_) | StepPhase::Succeeded(_) | StepPhase::Aborted | StepPhase::Asked(_) => false,
        };
        let ready = step.after.iter().all(|name| succeeded(experiment, name));
        if due
            && ready
            && let Some(event) = dispatch(workcell, campaign, experiment, step, state.attempts + 1, now)
        {
            return vec![event];
        }
    }
    Vec::new()
}

fn succeeded(experiment: &Experiment, step: &StepName) -> bool {
    matches!(experiment.steps.get(step).map(|it| &it.phase), Some(StepPhase::Succeeded(_)))
}

fn open(experiment: &Experiment) -> bool {
    experiment.steps.values().any(|step| matches!(step.phase, StepPhase::Open(_)))
}

/// Whether a failed step gets a new attempt: where the failure did nothing to the sample and asks for it, or where a
/// measurement that may be done again gave no usable result.
fn again(fault: &Fault, sample: SampleEffect, state: &StepState) -> bool {
    let harmless = fault.retry && sample == SampleEffect::None;
    let measured = fault.category == FaultCategory::Measurement && state.repeatable;
    (harmless || measured) && state.attempts < MAX_ATTEMPTS
}

/// Why the experiment can't go on, if it can't.
fn verdict(campaign: &Campaign, experiment: &Experiment) -> Option<Failure> {
    campaign.spec.steps.iter().find_map(|step| {
        let state = experiment.steps.get(&step.name)?;
        match &state.phase {
            StepPhase::Pending
            | StepPhase::Open(_)
            | StepPhase::Succeeded(_)
            | StepPhase::Asked(_)
            | StepPhase::Buried => None,
            StepPhase::Failed { fault, sample } if again(fault, *sample, state) => None,
            StepPhase::Failed { fault, .. } => Some(Failure {
                kind: match fault.category {
                    FaultCategory::Process => FailureKind::Recipe,
                    FaultCategory::Measurement => FailureKind::Measurement,
                    FaultCategory::Equipment | FaultCategory::Request | FaultCategory::Safety => FailureKind::Equipment,
                },
                message: format!("step '{}': {} ({})", step.name, fault.message, fault.reason),
            }),
            StepPhase::Aborted => {
                Some(Failure { kind: FailureKind::Cancelled, message: format!("step '{}' was aborted", step.name) })
            }
            StepPhase::Unknown(reason) => unknown(step, state, reason),
        }
    })
}

/// An outcome that nobody knows: again only where again is harmless.
fn unknown(step: &Step, state: &StepState, reason: &str) -> Option<Failure> {
    if state.repeatable && state.attempts < MAX_ATTEMPTS {
        return None;
    }
    Some(Failure { kind: FailureKind::Unknown, message: format!("step '{}': {reason}", step.name) })
}

fn fail(campaign: &Campaign, experiment: &Experiment, failure: Failure) -> Vec<Event> {
    let again = campaign.phase == Phase::Running
        && match failure.kind {
            FailureKind::Equipment => true,
            FailureKind::Measurement => {
                replicates(campaign, experiment) < MAX_REPLICATES && campaign.used < campaign.spec.budget.experiments
            }
            FailureKind::Recipe | FailureKind::Unknown | FailureKind::Cancelled => false,
        };
    let name = &campaign.spec.name;
    let mut events = vec![Event::ExperimentFailed { campaign: name.clone(), experiment: experiment.number, failure }];
    if again {
        // The point itself is not to blame: it is tried again as an experiment of its own.
        events.push(Event::ExperimentAdded {
            campaign: name.clone(),
            experiment: campaign.next_number(),
            origin: Origin::Again(experiment.number),
            setting: experiment.setting.clone(),
            why: experiment.why.clone(),
        });
    }
    events
}

/// How often this point was tried again already.
fn replicates(campaign: &Campaign, experiment: &Experiment) -> u32 {
    let before = |it: &&Experiment| match it.origin {
        Origin::Again(of) => campaign.experiment(of),
        Origin::Proposed(_) | Origin::Own => None,
    };
    let tries = std::iter::successors(Some(experiment), before).skip(1);
    tries.take(MAX_REPLICATES as usize).fold(0, |count, _| count + 1)
}

fn aborting(workcell: &Workcell, campaign: &Campaign, experiment: &Experiment, by: &str) -> Vec<Event> {
    let open = experiment.steps.values().filter_map(|step| match &step.phase {
        StepPhase::Open(id) => workcell.operations.get(id).map(|operation| (id, operation)),
        StepPhase::Pending
        | StepPhase::Succeeded(_)
        | StepPhase::Failed { .. }
        | StepPhase::Aborted
        | StepPhase::Unknown(_)
        | StepPhase::Asked(_)
        | StepPhase::Buried => None,
    });
    let open: Vec<_> = open.collect();
    if open.is_empty() {
        let failure = Failure { kind: FailureKind::Cancelled, message: format!("aborted by {by}") };
        return vec![Event::ExperimentFailed {
            campaign: campaign.spec.name.clone(),
            experiment: experiment.number,
            failure,
        }];
    }
    open.into_iter()
        .filter(|(_, operation)| operation.abort.is_none())
        .map(|(id, _)| Event::AbortRequested { operation: id.clone(), reason: format!("aborted by {by}") })
        .collect()
}

/// Every step has succeeded: the derived outcomes, or why there are none.
fn complete(campaign: &Campaign, experiment: &Experiment) -> Vec<Event> {
    let name = campaign.spec.name.clone();
    let outputs = |step: &str, output: &str| match &experiment.steps.get(&StepName::new(step))?.phase {
        StepPhase::Succeeded(outputs) => outputs.get(output)?.reading(),
        StepPhase::Pending
        | StepPhase::Open(_)
        | StepPhase::Failed { .. }
        | StepPhase::Aborted
        | StepPhase::Unknown(_)
        | StepPhase::Asked(_)
        | StepPhase::Buried => None,
    };
    match campaign.spec.derive(&experiment.setting, &outputs) {
        Ok(observation) => {
            vec![Event::ObservationRecorded { campaign: name, experiment: experiment.number, observation }]
        }
        Err(message) => fail(campaign, experiment, Failure { kind: FailureKind::Measurement, message }),
    }
}
