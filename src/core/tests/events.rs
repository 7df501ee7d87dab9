//! The journal's form. A line of `golden/events_v1.jsonl` is never changed and never removed: journals hold such lines.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use eutectic_core::{Event, FORMAT_VERSION, Recorded, Workcell, evolve};
use std::collections::BTreeSet;

const LINES: &str = include_str!("golden/events_v1.jsonl");

/// A number for each kind of event. A new kind doesn't compile until it stands here, and fails until a line shows it.
fn kind(event: &Event) -> usize {
    match event {
        Event::EpochTaken { .. } => 0,
        Event::InstrumentAdded { .. } => 1,
        Event::InstrumentRemoved { .. } => 2,
        Event::InstrumentDescribed { .. } => 3,
        Event::LeaseTaken { .. } => 4,
        Event::InstrumentQuarantined { .. } => 5,
        Event::InstrumentReleased { .. } => 6,
        Event::CampaignCreated { .. } => 7,
        Event::PastAdded { .. } => 8,
        Event::CampaignPaused { .. } => 9,
        Event::CampaignResumed { .. } => 10,
        Event::CampaignStopping { .. } => 11,
        Event::CampaignAborting { .. } => 12,
        Event::CampaignEnded { .. } => 13,
        Event::PlanRequested { .. } => 14,
        Event::ProposalsAdded { .. } => 15,
        Event::PlanFailed { .. } => 16,
        Event::ExperimentAdded { .. } => 17,
        Event::ExperimentStarted { .. } => 18,
        Event::OperationDispatched(_) => 19,
        Event::OperationStarted { .. } => 20,
        Event::OperationOverdue { .. } => 21,
        Event::AbortRequested { .. } => 22,
        Event::OperationEnded { .. } => 23,
        Event::ObservationRecorded { .. } => 24,
        Event::ExperimentFailed { .. } => 25,
        Event::RequestRejected { .. } => 26,
        Event::JournalDoubted { .. } => 27,
        Event::JournalAdopted { .. } => 28,
        Event::DispatchSuspended { .. } => 29,
        Event::DispatchResumed { .. } => 30,
        Event::PolicySet { .. } => 31,
        Event::EvidenceFound { .. } => 32,
        Event::InterventionResolved { .. } => 33,
        Event::OperationBuried { .. } => 34,
        Event::InterventionReopened { .. } => 35,
        Event::RecoveryStarted { .. } => 36,
        Event::RecoveryFailed { .. } => 37,
        Event::PageAcknowledged { .. } => 38,
        Event::InstrumentSilent { .. } => 39,
        Event::InstrumentHeard { .. } => 40,
        Event::GainEstimated { .. } => 41,
        Event::PoolAdded { .. } => 42,
        Event::PriorAdded { .. } => 43,
    }
}

const KINDS: usize = 44;

#[test]
fn every_kind_of_event_is_read_and_written_back_to_the_letter() {
    let mut kinds = BTreeSet::new();
    for line in LINES.lines() {
        let recorded: Recorded = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(serde_json::to_string(&recorded).unwrap(), line);
        assert!(recorded.v <= FORMAT_VERSION);
        kinds.insert(kind(&recorded.event));
    }
    assert_eq!(kinds, (0..KINDS).collect(), "a kind has no line in the golden file");
}

#[test]
fn no_order_of_events_makes_the_state_panic() {
    // A damaged or foreign log must end in an error further up, never in a crash here.
    let events: Vec<Recorded> = LINES.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for start in 0..events.len() {
        let mut workcell = Workcell::default();
        events.iter().cycle().skip(start).take(events.len()).for_each(|event| evolve(&mut workcell, event));
        let mut backwards = Workcell::default();
        events.iter().rev().cycle().skip(start).take(events.len()).for_each(|event| evolve(&mut backwards, event));
    }
}
