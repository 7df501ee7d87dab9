//! SIGKILL at a hundred moments of an operation, for a driver in Rust, the host, and the host's child.
//!
//! A quarter of the moments falls into the first few milliseconds, where the journal is written, one while it waits in the
//! queue, one around its end, the rest anywhere. Which window a kill hit is told by what was known afterwards.

use crate::driver::{Driver, reason};
use crate::host::wild;
use eutectic_proto::instrument::v1 as wire;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use wire::operation::State;

const KILLS: u64 = 100;
/// ms; the operation takes about as long.
const OPERATION_MS: u64 = 120;
/// ms within which it is accepted and begun.
const BEGINNING_MS: u64 = 3;

/// Before which record the kill came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Window {
    BeforeAccepted,
    Accepted,
    BeforeTheStart,
    Running,
    Ended,
}

/// After the restart: what was known, against what the hardware did.
fn window(known: Option<&wire::Operation>, ended_before: bool, starts: usize) -> Window {
    let Some(operation) = known else { return Window::BeforeAccepted };
    let fault = operation.fault.clone().unwrap_or_default();
    // RUNNING was journaled, and the hardware, when it was asked, knew of no start.
    let asked = fault.message.contains("the instrument says");
    match (ended_before, fault.reason.as_str(), starts) {
        (true, ..) => Window::Ended,
        (false, "NEVER_STARTED", _) if !asked => Window::Accepted,
        (false, _, 0) => Window::BeforeTheStart,
        (false, ..) => Window::Running,
    }
}

/// What is killed.
pub(super) enum Victim {
    /// The driver's process: the Rust driver, or the host.
    Driver,
    /// The host's child, which says in this file which process it is.
    Child(PathBuf),
}

/// A driver and what is asked of it.
pub(super) struct Rig {
    pub(super) driver: Driver,
    pub(super) victim: Victim,
    starts: PathBuf,
    /// Whether some of the random kills let an operation wait behind another.
    queues: bool,
    request: fn(&Driver, &str, i64) -> wire::ExecuteRequest,
}

impl Rig {
    pub(super) fn starts(&self) -> usize {
        std::fs::read_to_string(&self.starts).map_or(0, |text| text.lines().count())
    }

    pub(super) fn kill(&mut self) {
        match &self.victim {
            Victim::Driver => {
                self.driver.kill();
                self.driver.restart();
            }
            Victim::Child(file) => {
                // It may be dead already, and the next one not there yet: then there is nothing to kill.
                let Ok(process) = std::fs::read_to_string(file) else { return };
                let _ = Command::new("kill").args(["-9", process.trim()]).stderr(Stdio::null()).status().unwrap();
                let _ = std::fs::remove_file(file);
            }
        }
    }

    /// Waits until it takes operations, by a child that lives: the host may not have noticed yet that the last one died.
    pub(super) async fn ready(&self) {
        if let Victim::Child(file) = &self.victim {
            for _ in 0..1000 {
                if file.exists() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert!(file.exists(), "the host starts no child again");
        }
        self.driver.ready().await;
    }

    pub(super) async fn get(&self, id: &str) -> Option<wire::Operation> {
        let instrument = self.driver.name().to_owned();
        let request = wire::GetOperationRequest { instrument, operation_id: id.to_owned(), ..Default::default() };
        self.driver.client().await.get_operation(request).await.ok()?.into_inner().operation
    }

    pub(super) fn request(&self, id: &str, token: i64) -> wire::ExecuteRequest {
        (self.request)(&self.driver, id, token)
    }

    pub(super) async fn execute(&self, id: &str, token: i64) -> Result<wire::ExecuteResponse, tonic::Status> {
        let answer = self.driver.client().await.execute(self.request(id, token)).await;
        answer.map(tonic::Response::into_inner)
    }

    /// Sends it again, until the driver takes it: a child that has just died is offline until it is back.
    pub(super) async fn again(&self, id: &str, token: i64) -> wire::ExecuteResponse {
        for _ in 0..100 {
            match self.execute(id, token).await {
                Ok(answer) => return answer,
                Err(refused) => assert_eq!(reason(&refused), "NOT_READY"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the driver does not get ready again");
    }
}

/// One kill; the window that it hit.
async fn kill(rig: &mut Rig, number: u64, rng: &mut ChaCha8Rng) -> Window {
    let id = format!("0f4c2a6e-7d1b-4c55-9a10-{number:012}");
    let occupying = format!("0f4c2a6e-7d1b-4c55-9a11-{number:012}");
    let epoch = i64::try_from(2 * number).unwrap();
    let mut client = rig.driver.client().await;
    let token = rig.driver.lease(&mut client, epoch + 1).await;
    let mut before = rig.starts();
    let (from, limit) = match number % 4 {
        0 => (0, BEGINNING_MS),
        1 => (OPERATION_MS, OPERATION_MS),
        3 if rig.queues => (2 * BEGINNING_MS, 8 * BEGINNING_MS),
        _ => (0, OPERATION_MS),
    };
    // One in four waits behind another: what is accepted and has not begun.
    let waits = rig.queues && number % 4 == 3 && rig.execute(&occupying, token).await.is_ok();
    before += usize::from(waits && matches!(rig.victim, Victim::Driver));
    let sending = {
        let (mut client, request) = (rig.driver.client().await, rig.request(&id, token));
        tokio::spawn(async move { client.execute(request).await })
    };
    tokio::time::sleep(Duration::from_micros(from * 1_000 + rng.next_u64() % (limit * 1_000))).await;
    // Asking takes time of its own, which the kills at the beginning don't have.
    let late = number % 4 == 1;
    let ended_before = late && rig.get(&id).await.is_some_and(|it| it.state() == State::Succeeded);
    rig.kill();
    let told = sending.await.unwrap();
    let known = rig.get(&id).await;
    assert!(known.is_some() || told.is_err(), "kill {number}: what was answered is forgotten");
    let mut client = rig.driver.client().await;
    let token = rig.driver.lease(&mut client, epoch + 2).await;
    if waits {
        rig.driver.ended(&mut client, &occupying).await;
        before = before.min(rig.starts());
    }
    let known = match known {
        Some(_) => Some(rig.driver.ended(&mut client, &id).await),
        None => None,
    };
    let starts = rig.starts() - before;
    assert!(starts <= 1, "kill {number}: started {starts} times");
    if let Some(operation) = &known {
        let reason = operation.fault.as_ref().map(|it| it.reason.as_str()).unwrap_or_default();
        match (operation.state(), reason) {
            (State::Succeeded | State::Interrupted, _) => {}
            (State::Failed, "NEVER_STARTED") => assert_eq!(starts, 0, "kill {number}: told as never started"),
            other => panic!("kill {number}: {other:?}"),
        }
    }
    // Sent again it attaches to what is known, or starts for the first time.
    assert_eq!(rig.again(&id, token).await.attached, known.is_some(), "kill {number}");
    rig.driver.ended(&mut client, &id).await;
    assert!(rig.starts() - before <= 1, "kill {number}: the same id started again");
    window(known.as_ref(), ended_before, starts)
}

/// Kills at a hundred moments; tells how often each window was hit.
async fn kills(mut rig: Rig, seed: u64, windows: &[Window]) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut hit: BTreeMap<Window, u32> = BTreeMap::new();
    for number in 0..KILLS {
        *hit.entry(kill(&mut rig, number, &mut rng).await).or_default() += 1;
    }
    eprintln!("kills in each window: {hit:?}");
    // How often depends on how quick the machine is; `windows` hits each as often as it says.
    for window in windows {
        assert!(hit.contains_key(window), "{window:?} was never hit: {hit:?}");
    }
}

pub(super) fn rust_driver() -> Rig {
    let driver = Driver::start("flow_reactor", 1_250.0);
    let starts = driver.starts_file();
    let request = |driver: &Driver, id: &str, token| driver.react(id, token, 0.5);
    Rig { driver, victim: Victim::Driver, starts, queues: true, request }
}

/// The host, which is killed itself, or whose child is.
pub(super) fn host(kills_the_child: bool) -> Rig {
    let (driver, starts) = wild("well");
    let request = |driver: &Driver, id: &str, token| driver.quantity(id, token, "wild.do", "n", 4.0, "1");
    let victim = if kills_the_child { Victim::Child(starts.with_extension("process")) } else { Victim::Driver };
    Rig { driver, victim, starts, queues: false, request }
}

#[tokio::test]
async fn a_rust_driver_killed_at_a_hundred_moments_starts_nothing_twice() {
    // Before it is accepted is a moment that a busy machine never hits by chance; `windows` holds the process there.
    kills(rust_driver(), 1, &[Window::Accepted, Window::Running, Window::Ended]).await;
}

#[tokio::test]
async fn a_host_killed_at_a_hundred_moments_starts_nothing_twice() {
    kills(host(false), 2, &[Window::Running, Window::Ended]).await;
}

#[tokio::test]
async fn a_child_killed_at_a_hundred_moments_starts_nothing_twice() {
    kills(host(true), 3, &[Window::Running, Window::Ended]).await;
}
