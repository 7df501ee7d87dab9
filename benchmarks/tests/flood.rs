//! A driver that floods, in a process of its own: nobody else's memory is measured.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use eutectic_benchmarks::{Lie, Rig, Stub};
use eutectic_core::{CampaignName, ExperimentPhase, Workcell};
use std::time::Duration;

/// What three seconds of the flood may leave behind, in KiB.
const MAX_GROWTH_KB: u64 = 64 * 1024;

/// Waits until the state is so; half a minute at most.
async fn until<T: Send + 'static>(
    rig: &Rig,
    look: impl Fn(&Workcell) -> Option<T> + Clone + Send + 'static,
) -> Option<T> {
    for _ in 0..1_500 {
        if let Some(found) = rig.handle().read(look.clone()).await.unwrap() {
            return Some(found);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}

fn observed(workcell: &Workcell) -> usize {
    let experiments = &workcell.campaigns[&CampaignName::new("c")].experiments;
    experiments.iter().filter(|it| matches!(it.phase, ExperimentPhase::Observed(_))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_floods_is_worked_with_all_the_same_and_nothing_of_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let address = Stub::lying(Lie::Flood).serve().await.unwrap();
    let rig = Rig::start(folder.path(), address, 1).await.unwrap();
    rig.add("c", 1, 1).await.unwrap();
    assert!(until(&rig, |workcell| (observed(workcell) > 0).then_some(())).await.is_some());
    let before = resident_kb();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let grown = resident_kb().saturating_sub(before);
    assert!(grown < MAX_GROWTH_KB, "{grown} KiB more after three seconds of it");
    rig.add("another", 20, 1).await.unwrap();
    let ended =
        |workcell: &Workcell| (workcell.campaigns[&CampaignName::new("another")].operations >= 20).then_some(());
    assert!(until(&rig, ended).await.is_some(), "the engine has no time for anything else");
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|it| it.trim().trim_end_matches(" kB").trim().parse().ok()).unwrap_or_default()
}
