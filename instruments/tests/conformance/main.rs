//! The kit passes a sound driver, and each of its checks fails a driver that is broken in just that way.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod flaw;
mod proxy;
mod sound;

use eutectic_instruments::conformance::{Level, Line, Options, Verdict, check, line};
use flaw::{FLAWS, Flaw};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Flawed drivers that are checked at once.
const AT_ONCE: usize = 12;

/// Checks a driver at an address whose hardware counts its starts in a file.
async fn checked(address: String, starts: std::path::PathBuf) -> Vec<Line> {
    let options = Options { address, starts: Some(starts), ..Options::default() };
    check(options, Level::Data, |_| {}).await.unwrap()
}

fn failed(lines: &[Line]) -> BTreeSet<u8> {
    let failed = lines.iter().filter(|line| matches!(line.verdict, Verdict::Failed(_)));
    failed.map(|line| line.number).collect()
}

fn told(lines: &[Line]) -> String {
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_driver_passes_and_so_it_does_through_a_proxy_that_changes_nothing() {
    let sound = sound::serve().await;
    let lines = checked(sound.address.clone(), sound.starts()).await;
    assert_eq!(failed(&lines), BTreeSet::new(), "{}", told(&lines));
    let passed = lines.iter().filter(|line| line.verdict == Verdict::Passed).count();
    assert!(passed >= 34, "{}", told(&lines));
    let proxy = proxy::serve(&sound, None).await;
    let lines = checked(proxy, sound.starts()).await;
    assert_eq!(failed(&lines), BTreeSet::new(), "{}", told(&lines));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_flaw_fails_its_check_and_at_most_those_that_build_on_it() {
    // Several at once: they mostly wait. Not all: each holds a hundred streams for a while.
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let run = |flaw: &'static Flaw| {
        let at_once = Arc::clone(&at_once);
        tokio::spawn(async move {
            let _turn = at_once.acquire().await.unwrap();
            let sound = sound::serve().await;
            let proxy = proxy::serve(&sound, Some(flaw.kind)).await;
            (flaw, checked(proxy, sound.starts()).await)
        })
    };
    let runs: Vec<_> = FLAWS.iter().map(run).collect();
    let mut wrong = Vec::new();
    let mut proven = BTreeSet::new();
    for run in runs {
        let (flaw, lines) = run.await.unwrap();
        let found = failed(&lines);
        let allowed: BTreeSet<u8> = [flaw.check].iter().chain(flaw.dependents).copied().collect();
        if !found.contains(&flaw.check) || !found.is_subset(&allowed) {
            let failures: Vec<_> = lines.iter().filter(|it| found.contains(&it.number)).cloned().collect();
            wrong.push(format!(
                "{:?} fails {found:?}, not {} of {allowed:?}\n{}",
                flaw.kind,
                flaw.check,
                told(&failures)
            ));
        }
        proven.insert(flaw.check);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    // Checks 18, 20, 33 and 35 need a restart (tests/drivers of the program), 47 a server that answers anything.
    let all: BTreeSet<u8> =
        (1..=17).chain(19..=19).chain(21..=27).chain(29..=31).chain(36..=38).chain([41, 45]).collect();
    assert_eq!(all.difference(&proven).copied().collect::<Vec<_>>(), Vec::<u8>::new(), "checks that no flaw proves");
}
