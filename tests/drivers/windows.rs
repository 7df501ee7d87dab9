//! SIGKILL in each window of an operation, at named failpoints: ten kills in each, of a driver in Rust, the host, and the
//! host's child. What is known afterwards is what had been synced, no more and no less.

use crate::kills::{Rig, Victim, host, rust_driver};
use eutectic_proto::instrument::v1 as wire;
use std::time::Duration;
use wire::operation::State;

const KILLS: u64 = 10;

/// A window, and what must be known after the driver's own process was killed in it.
struct Window {
    failpoint: Option<&'static str>,
    /// It waits behind another operation.
    waits: bool,
    /// Whether the driver may know it afterwards.
    known: bool,
    /// How often the hardware has started by then.
    starts: usize,
}

const WINDOWS: [Window; 6] = [
    Window { failpoint: Some("driver.accepted.unsynced"), waits: false, known: false, starts: 0 },
    Window { failpoint: Some("driver.accepted.synced"), waits: true, known: true, starts: 0 },
    Window { failpoint: Some("driver.running.unsynced"), waits: true, known: true, starts: 0 },
    Window { failpoint: Some("driver.running.synced"), waits: true, known: true, starts: 0 },
    Window { failpoint: None, waits: false, known: true, starts: 1 },
    Window { failpoint: Some("driver.ended.unsynced"), waits: false, known: true, starts: 1 },
];

/// Waits until the hardware has started so often.
async fn started(rig: &Rig, starts: usize) {
    for _ in 0..1000 {
        if rig.starts() >= starts {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("the hardware doesn't start");
}

/// Begins an operation and kills in this window of it. Returns the starts before it, and whether its Execute was answered.
async fn kill(rig: &mut Rig, window: &Window, id: &str, occupying: &str, token: i64) -> (usize, bool) {
    let mut before = rig.starts();
    if window.waits {
        rig.again(occupying, token).await;
        started(rig, before + 1).await;
        before += 1;
    } else {
        rig.ready().await;
    }
    if let Some(failpoint) = window.failpoint {
        rig.driver.arm(failpoint);
    }
    let (mut client, request) = (rig.driver.client().await, rig.request(id, token));
    let sending = tokio::spawn(async move { client.execute(request).await });
    match window.failpoint {
        Some(failpoint) => rig.driver.reached(failpoint).await,
        None => started(rig, before + 1).await,
    }
    assert_eq!(rig.starts() - before, window.starts, "{:?}: the hardware began too early", window.failpoint);
    rig.kill();
    if let Some(failpoint) = window.failpoint {
        rig.driver.go_on(failpoint);
    }
    (before, sending.await.unwrap().is_ok())
}

async fn round(rig: &mut Rig, window: &Window, number: u64) {
    let what = format!("kill {number} at {}", window.failpoint.unwrap_or("its start"));
    let id = format!("0f4c2a6e-7d1b-4c55-9a12-{number:012}");
    let occupying = format!("0f4c2a6e-7d1b-4c55-9a13-{number:012}");
    let epoch = i64::try_from(2 * number).unwrap();
    let mut client = rig.driver.client().await;
    let token = rig.driver.lease(&mut client, epoch + 1).await;
    let (before, told) = kill(rig, window, &id, &occupying, token).await;
    let known = rig.get(&id).await;
    let of_driver = matches!(rig.victim, Victim::Driver);
    assert_eq!(known.is_some(), window.known || !of_driver, "{what}: {known:?}");
    assert!(known.is_some() || !told, "{what}: what was answered is forgotten");
    let mut client = rig.driver.client().await;
    let token = rig.driver.lease(&mut client, epoch + 2).await;
    if known.is_some() {
        let ended = rig.driver.ended(&mut client, &id).await;
        let (starts, reason) = (rig.starts() - before, ended.fault.clone().unwrap_or_default().reason);
        match (ended.state(), reason.as_str()) {
            (State::Succeeded, _) => assert_eq!(starts, 1, "{what}"),
            (State::Failed, "NEVER_STARTED") => assert_eq!(starts, 0, "{what}"),
            (State::Interrupted, _) => assert!(starts <= 1, "{what}"),
            _ => panic!("{what}: {ended:?}"),
        }
        assert!(!of_driver || starts == window.starts, "{what}: {starts} starts");
    }
    assert_eq!(rig.again(&id, token).await.attached, known.is_some(), "{what}");
    rig.driver.ended(&mut client, &id).await;
    assert!(rig.starts() - before <= 1, "{what}: started twice");
}

async fn rounds(mut rig: Rig) {
    let mut number = 0;
    for window in &WINDOWS {
        for _ in 0..KILLS {
            round(&mut rig, window, number).await;
            number += 1;
        }
    }
}

#[tokio::test]
async fn a_rust_driver_killed_in_each_window_knows_what_was_synced() {
    rounds(rust_driver()).await;
}

#[tokio::test]
async fn a_host_killed_in_each_window_knows_what_was_synced() {
    rounds(host(false)).await;
}

#[tokio::test]
async fn a_child_killed_in_each_window_starts_nothing_twice() {
    rounds(host(true)).await;
}
