//! Drivers that lie, over sockets: each is contained, and the journal says how.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and looks for what it knows"
)]

use eutectic_benchmarks::{Lie, Rig, Stub};
use eutectic_core::{CampaignName, Event, Workcell};
use std::time::Duration;

/// A campaign of one experiment on a driver that lies.
async fn told(lie: Lie) -> (Rig, Stub, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let stub = Stub::lying(lie);
    let address = stub.clone().serve().await.unwrap();
    let rig = Rig::start(folder.path(), address, 1).await.unwrap();
    rig.add("c", 1, 1).await.unwrap();
    (rig, stub, folder)
}

fn observed(workcell: &Workcell) -> usize {
    let experiments = &workcell.campaigns[&CampaignName::new("c")].experiments;
    experiments.iter().filter(|it| matches!(it.phase, eutectic_core::ExperimentPhase::Observed(_))).count()
}

/// The first event that says so.
async fn said(rig: &Rig, like: impl Fn(&Event) -> Option<String>) -> String {
    for _ in 0..1_500 {
        let log = rig.handle().log(1, usize::MAX).await.unwrap().unwrap();
        if let Some(words) = log.iter().find_map(|(_, recorded)| like(&recorded.event)) {
            return words;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no event says so");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_can_not_be_teaches_nothing_and_its_experiment_says_why() {
    let lies = [
        (Lie::OutOfRange, "is 1.5 1, and 0 to 1 is declared"),
        (Lie::WrongUnit, "is in '%', and '1' is declared"),
        (Lie::TooSoon, "ended 60.000 s before it began"),
        (Lie::Incomplete, "has no 'y'"),
        (Lie::Bad, "calls its output 'y' bad"),
    ];
    for (lie, words) in lies {
        let (rig, _, _folder) = told(lie).await;
        let why = said(&rig, |event| match event {
            Event::ExperimentFailed { failure, .. } => Some(failure.message.clone()),
            _ => None,
        });
        let why = why.await;
        assert!(why.contains(words), "{lie:?}: {why}");
        assert_eq!(rig.handle().read(observed).await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_below_the_limit_of_detection_is_kept_as_a_limit() {
    let (rig, _, _folder) = told(Lie::BelowLimit).await;
    let limit = said(&rig, |event| match event {
        Event::ObservationRecorded { observation, .. } => Some(format!("{:?}", observation.outcomes["y"].limit)),
        _ => None,
    });
    assert_eq!(limit.await, "Some(Below)");
    // No gain: the truth falls short of it.
    let best = rig.handle().read(|workcell| workcell.campaigns[&CampaignName::new("c")].best).await.unwrap();
    assert_eq!(best, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_driver_can_not_tell_of_an_operation_is_asked_a_person() {
    let lies = [
        (Lie::OtherArguments, "other arguments"),
        (Lie::AnothersOperation, "answered about"),
        (Lie::Huge, "too large"),
    ];
    for (lie, words) in lies {
        let (rig, stub, _folder) = told(lie).await;
        let why = said(&rig, |event| match event {
            Event::InstrumentQuarantined { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        let why = why.await;
        assert!(why.contains(words), "{lie:?}: {why}");
        assert_eq!(rig.handle().read(observed).await.unwrap(), 0);
        // The stub knows nothing of an operation that it has done, so that it may be asked to do it again; not without end.
        assert!(stub.executed() <= 6, "{lie:?}: executed {} times", stub.executed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_answers_for_another_instrument_is_given_nothing() {
    let (rig, stub, _folder) = told(Lie::AnothersName).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let described = |workcell: &Workcell| workcell.instruments.values().any(|it| it.description.is_some());
    assert!(!rig.handle().read(described).await.unwrap());
    assert_eq!(stub.executed(), 0);
}
