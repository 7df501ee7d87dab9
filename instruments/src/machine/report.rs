//! What the hardware side tells, and how an operation ends.

use super::{Hardware, Machine, Outcome, Probe, Reason, Report, StopReason, has_ended};
use crate::wire::calibration::State as Validity;
use crate::wire::fault::Retry;
use crate::wire::field_spec::Domain;
use crate::wire::instrument_event::Event;
use crate::wire::measurement::Quality;
use crate::wire::operation::State;
use crate::wire::value::Kind;
use crate::wire::{Capability, Fault, Measurement, Operation, SampleEffect};
use eutectic_failpoints::mutant;
use prost::Message as _;

/// A terminal operation is no larger than this, by the contract; what is larger is an artifact.
pub const OPERATION_BYTES_MAX: usize = 1024 * 1024;

impl Machine {
    pub(super) fn take_report(&mut self, report: Report) {
        match report {
            Report::Progress { operation_id, fraction, stage } => self.progressed(&operation_id, fraction, stage),
            Report::Intermediate { operation_id, measurement } => {
                if self.running.contains_key(&operation_id) {
                    self.emit(&operation_id, Event::Intermediate(*measurement));
                }
            }
            Report::PointOfNoReturn { operation_id, effect } => {
                if let Some(record) = self.operations.get_mut(&operation_id) {
                    record.effect_reached = effect.into();
                    self.save(&operation_id);
                }
                self.proceed(operation_id);
            }
            Report::Held(operation_id) => self.held(&operation_id),
            Report::Resumed(operation_id) => self.resumed(&operation_id),
            Report::Finished { operation_id, result: Err(fault) } if fault.reason == Reason::Interrupted.name() => {
                self.interrupted(&operation_id);
            }
            Report::Finished { operation_id, result } => self.ended(&operation_id, result),
            Report::Probed { operation_id, probe } => self.probed(&operation_id, probe),
            Report::Status(status) => {
                if self.report != status {
                    self.report = status;
                    self.emit_status();
                }
            }
        }
    }

    fn progressed(&mut self, id: &str, fraction: f64, stage: String) {
        let Some(record) = self.operations.get_mut(id).filter(|_| self.running.contains_key(id)) else { return };
        if fraction.is_finite() && fraction > record.operation.progress {
            // Not journaled: a restart forgets how far an operation was, not that it was started.
            record.operation.progress = fraction.min(1.0);
            let told = record.operation.progress;
            self.emit_progress(id, told, stage);
        }
    }

    fn probed(&mut self, id: &str, probe: Probe) {
        match probe {
            Probe::Running => {}
            Probe::Ended(result) => self.ended(id, result),
            Probe::Unknown => self.interrupted(id),
            Probe::NeverStarted => {
                if self.running.remove(id).is_some() {
                    self.never_started(id, "the instrument says that it never started");
                    self.start_queued();
                }
            }
        }
    }

    pub(super) fn interrupted(&mut self, id: &str) {
        if self.running.remove(id).is_none() {
            return;
        }
        // Nobody knows whether the hardware moves still: nothing else may begin on it before it was told to rest.
        if !mutant("no_rest") {
            let (operation_id, reason) = (id.to_owned(), StopReason::Interrupted);
            self.step.at_once.push(Hardware::Stop { operation_id, reason });
        }
        let Some(record) = self.operations.get(id) else { return };
        let reached = record.effect_reached();
        let stated = self.manifest.states_point_of_no_return(&record.operation.capability);
        let (state, effect, words) = match (reached, stated) {
            (SampleEffect::Unspecified, true) => {
                (State::Failed, SampleEffect::None, "the driver restarted before anything was done to the sample")
            }
            (SampleEffect::Unspecified, false) => {
                let words = "the driver restarted while it ran, and the instrument can't tell what became of it";
                (State::Interrupted, SampleEffect::Unknown, words)
            }
            (
                reached
                @ (SampleEffect::None | SampleEffect::Modified | SampleEffect::Consumed | SampleEffect::Unknown),
                _,
            ) => (State::Interrupted, reached, "the driver restarted past the point of no return"),
        };
        let mut fault = Reason::Interrupted.fault(words);
        fault.sample_effect = effect.into();
        if state == State::Failed {
            (fault.retry, fault.needs_person) = (Retry::NewId.into(), false);
        }
        self.end(id, state, effect, Some(fault));
        self.start_queued();
    }

    /// A late or repeated end of an operation that has ended already changes nothing.
    fn ended(&mut self, id: &str, result: Result<Outcome, Box<Fault>>) {
        let Some(running) = self.running.remove(id) else { return };
        match result {
            Ok(outcome) => self.succeeded(id, outcome),
            Err(fault) => self.failed(id, *fault, running.stop),
        }
        self.start_queued();
    }

    fn succeeded(&mut self, id: &str, outcome: Outcome) {
        let effect = match outcome.sample_effect {
            SampleEffect::Unspecified => SampleEffect::Unknown,
            stated @ (SampleEffect::None | SampleEffect::Modified | SampleEffect::Consumed | SampleEffect::Unknown) => {
                stated
            }
        };
        let Some(record) = self.operations.get_mut(id) else { return };
        let operation = &mut record.operation;
        let checked = self.manifest.capability(&operation.capability).map(|each| check_outcome(each, &outcome));
        operation.sample_outcomes = outcome.sample_outcomes;
        if let Some(Err(words)) = checked {
            // It ran, so the effect is the stated one; but a result that isn't what was declared can't be used.
            let mut fault = Reason::OutputNotAsDeclared.fault(words);
            fault.sample_effect = effect.into();
            return self.end(id, State::Failed, effect, Some(fault));
        }
        operation.measurements = outcome.measurements;
        doubt(operation);
        operation.artifacts = outcome.artifacts;
        operation.progress = 1.0;
        let size = operation.encoded_len();
        if size > OPERATION_BYTES_MAX {
            operation.measurements.clear();
            let words = format!("the result has {size} of {OPERATION_BYTES_MAX} bytes; larger ones are artifacts");
            let mut fault = Reason::OutputNotAsDeclared.fault(words);
            fault.sample_effect = effect.into();
            return self.end(id, State::Failed, effect, Some(fault));
        }
        self.end(id, State::Succeeded, effect, None);
    }

    fn failed(&mut self, id: &str, mut fault: Fault, stop: Option<StopReason>) {
        let effect = match fault.sample_effect() {
            SampleEffect::Unspecified => SampleEffect::Unknown,
            stated @ (SampleEffect::None | SampleEffect::Modified | SampleEffect::Consumed | SampleEffect::Unknown) => {
                stated
            }
        };
        let Some((state, reason, words)) = stop.map(how_stopped) else {
            fault.sample_effect = effect.into();
            return self.end(id, State::Failed, effect, Some(fault));
        };
        // Why it was stopped comes first; what the driver's code said of it is kept in the words.
        let said = format!("{words} ({}: {})", fault.reason, fault.message);
        fault = Fault { vendor_code: fault.vendor_code, person_action: fault.person_action, ..reason.fault(said) };
        fault.sample_effect = effect.into();
        self.end(id, state, effect, Some(fault));
    }

    fn end(&mut self, id: &str, state: State, effect: SampleEffect, fault: Option<Fault>) {
        let utc = self.now.utc;
        let Some(record) = self.operations.get_mut(id) else { return };
        let operation: &mut Operation = &mut record.operation;
        debug_assert!(!has_ended(operation.state()), "an end state never changes");
        operation.state = state.into();
        operation.end_time = Some(utc);
        operation.sample_effect = effect.into();
        operation.fault = fault;
        self.save(id);
    }
}

/// Results under a calibration that is due are there, but not to be trusted blindly.
fn doubt(operation: &mut Operation) {
    let due = operation.calibrations.iter().find(|each| each.state() == Validity::Due);
    let Some(note) = due.map(|due| format!("calibration {:?} was due", due.id)) else { return };
    for measurement in &mut operation.measurements {
        if matches!(measurement.quality(), Quality::Unspecified | Quality::Good) {
            measurement.quality = Quality::Suspect.into();
            measurement.quality_note.clone_from(&note);
        }
    }
}

/// How a stopped operation ends, and the words for a person.
fn how_stopped(stop: StopReason) -> (State, Reason, &'static str) {
    match stop {
        StopReason::Abort => (State::Aborted, Reason::Aborted, "stopped by request"),
        StopReason::Shutdown => (State::Aborted, Reason::Aborted, "stopped because the driver was shut down"),
        StopReason::Interrupted => (State::Interrupted, Reason::Interrupted, "nobody can tell what became of it"),
        StopReason::Halt => (State::Aborted, Reason::Halted, "stopped by a halt"),
        StopReason::LeaseLost => (State::Aborted, Reason::LeaseLost, "stopped because the lease was lost"),
        StopReason::MaxDuration => {
            (State::Failed, Reason::MaxDurationExceeded, "stopped past the capability's declared limit")
        }
    }
}

/// Holds the driver's code to its own declaration; the words say what is wrong.
fn check_outcome(capability: &Capability, outcome: &Outcome) -> Result<(), String> {
    outcome.measurements.iter().try_for_each(|measurement| check_measurement(capability, measurement))
}

fn check_measurement(capability: &Capability, measurement: &Measurement) -> Result<(), String> {
    let id = &measurement.output;
    let Some(field) = capability.outputs.iter().find(|field| field.id == *id) else {
        return Err(format!("{} declares no output {id:?}", capability.id));
    };
    let kind = measurement.value.as_ref().and_then(|value| value.kind.as_ref());
    match (&field.domain, kind) {
        (Some(Domain::Quantity(domain)), Some(Kind::Quantity(quantity))) => {
            if quantity.unit != domain.unit {
                return Err(format!("{id:?} came in {:?}, declared is {:?}", quantity.unit, domain.unit));
            }
            if !quantity.value.is_finite() || !quantity.standard_uncertainty.is_finite() {
                return Err(format!("{id:?} is not a finite number"));
            }
            match domain.states_uncertainty && quantity.standard_uncertainty <= 0.0 {
                true => Err(format!("{id:?} lacks the standard uncertainty that is promised")),
                false => Ok(()),
            }
        }
        (Some(Domain::Series(domain)), Some(Kind::Series(series))) => {
            let declared: Vec<_> = domain.axes.iter().map(|axis| (&axis.id, &axis.unit)).collect();
            let given: Vec<_> = series.columns.iter().map(|column| (&column.id, &column.unit)).collect();
            match declared == given {
                true => Ok(()),
                false => Err(format!("{id:?} has other columns or units than declared")),
            }
        }
        (Some(Domain::Integer(_)), Some(Kind::Integer(_)))
        | (Some(Domain::Choice(_)), Some(Kind::Choice(_)))
        | (Some(Domain::Text(_)), Some(Kind::Text(_)))
        | (Some(Domain::Flag(_)), Some(Kind::Boolean(_)))
        | (Some(Domain::Artifact(_)), Some(Kind::Artifact(_)))
        | (Some(Domain::Sample(_)), Some(Kind::Sample(_))) => Ok(()),
        _ => Err(format!("{id:?} is of another kind than declared")),
    }
}
