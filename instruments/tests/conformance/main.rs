//! The kit passes a sound driver, and each of its checks fails a driver that is broken in just that way.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod flaw;
mod proxy;
mod sound;

use eutectic_instruments::conformance::{Level, Line, Options, Start, Verdict, check, line};
use eutectic_instruments::simulated::Kind as Simulated;
use flaw::{FLAWS, Flaw, On};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Flawed drivers that are checked at once.
const AT_ONCE: usize = 12;
/// Every check; the last one reads 50 MB, and is tried where a flaw is about it.
const ALL: std::ops::RangeInclusive<u8> = 1..=50;
const LARGE_FILE: u8 = 48;
/// Where a driver that is started as a process finds what is wrong with it, its folder and its port.
const FLAW: &str = "EUTECTIC_TEST_FLAW";
const FOLDER: &str = "EUTECTIC_TEST_FOLDER";
const LISTEN: &str = "EUTECTIC_TEST_LISTEN";
/// Checks that a restart is about.
const OVER_RESTARTS: [u8; 8] = [18, 19, 20, 33, 34, 35, 36, 49];

fn free() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// What the kit needs to be told of a driver.
fn options(on: On, address: String, starts: PathBuf) -> Options {
    let only = match on {
        On::Mixer | On::LiquidHandler => ALL.filter(|it| *it != LARGE_FILE).collect(),
        On::Spectrometer => [19, 41, 44, LARGE_FILE].to_vec(),
        On::Restarted => OVER_RESTARTS.to_vec(),
    };
    let arguments = match on {
        On::Spectrometer => BTreeMap::from([("sample".to_owned(), "blank".to_owned())]),
        On::Mixer | On::LiquidHandler | On::Restarted => BTreeMap::new(),
    };
    Options { address, starts: Some(starts), only, arguments, ..Options::default() }
}

async fn checked(options: Options) -> Vec<Line> {
    check(options, Level::Simulation, |_| {}).await.unwrap()
}

async fn sound(on: On) -> sound::Sound {
    match on {
        On::Mixer => sound::mixer().await,
        On::LiquidHandler | On::Restarted => sound::simulated(Simulated::LiquidHandler).await,
        On::Spectrometer => sound::simulated(Simulated::Spectrometer).await,
    }
}

/// A driver with this flaw, before the kit.
async fn flawed(flaw: &Flaw) -> Vec<Line> {
    if flaw.on == On::Restarted {
        return restarted(Some(flaw)).await;
    }
    let sound = sound(flaw.on).await;
    let proxy = proxy::serve(&sound.address, Some(flaw.kind), free(), 0).await;
    checked(options(flaw.on, proxy, sound.starts.clone())).await
}

/// One that the kit starts, kills and starts again: this program itself, see [`a_flawed_driver`].
async fn restarted(flaw: Option<&Flaw>) -> Vec<Line> {
    let folder = tempfile::tempdir().unwrap();
    let listen = TcpListener::bind(free()).unwrap().local_addr().unwrap();
    let name = flaw.map_or_else(String::new, |flaw| format!("{:?}", flaw.kind));
    let own = std::env::current_exe().unwrap().display().to_string();
    let start = Start {
        command: [own.as_str(), "--exact", "a_flawed_driver", "--ignored", "--nocapture"].map(str::to_owned).to_vec(),
        environment: [
            (FLAW.to_owned(), name),
            (FOLDER.to_owned(), folder.path().display().to_string()),
            (LISTEN.to_owned(), listen.to_string()),
        ]
        .to_vec(),
        journal: Some(sound::journal(folder.path())),
    };
    let options = options(On::Restarted, format!("http://{listen}"), sound::starts(folder.path()));
    checked(Options { start: Some(start), ..options }).await
}

/// No test: the process that [`restarted`] starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the kit starts this as a driver's process"]
async fn a_flawed_driver() {
    let Ok(folder) = std::env::var(FOLDER).map(PathBuf::from) else { return };
    let name = std::env::var(FLAW).unwrap();
    let flaw = FLAWS.iter().find(|flaw| format!("{:?}", flaw.kind) == name).map(|flaw| flaw.kind);
    let count = folder.join("boots");
    let boots: u16 = std::fs::read_to_string(&count).map_or(0, |text| text.parse().unwrap());
    std::fs::write(&count, (boots + 1).to_string()).unwrap();
    if boots > 0 && flaw == Some(flaw::Kind::DrivesAgain) && folder.join("world/x.activity").exists() {
        let mut starts = std::fs::read_to_string(sound::starts(&folder)).unwrap_or_default();
        starts.push_str("again\n");
        std::fs::write(sound::starts(&folder), starts).unwrap();
    }
    let address = sound::simulated_in(Simulated::LiquidHandler, &folder).await;
    proxy::serve(&address, flaw, std::env::var(LISTEN).unwrap().parse().unwrap(), boots).await;
    std::future::pending::<()>().await;
}

fn failed(lines: &[Line]) -> BTreeSet<u8> {
    let failed = lines.iter().filter(|line| matches!(line.verdict, Verdict::Failed(_)));
    failed.map(|line| line.number).collect()
}

fn passed(lines: &[Line]) -> BTreeSet<u8> {
    lines.iter().filter(|line| line.verdict == Verdict::Passed).map(|line| line.number).collect()
}

fn told(lines: &[Line]) -> String {
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_drivers_pass_every_check_between_them_and_so_they_do_through_a_proxy_that_changes_nothing() {
    let mut proven = BTreeSet::new();
    for on in [On::Mixer, On::LiquidHandler, On::Spectrometer] {
        let sound = sound(on).await;
        let proxy = proxy::serve(&sound.address, None, free(), 0).await;
        for address in [sound.address.clone(), proxy] {
            let lines = checked(options(on, address, sound.starts.clone())).await;
            assert_eq!(failed(&lines), BTreeSet::new(), "{on:?}\n{}", told(&lines));
            proven.extend(passed(&lines));
        }
    }
    let lines = restarted(None).await;
    assert_eq!(failed(&lines), BTreeSet::new(), "{}", told(&lines));
    proven.extend(passed(&lines));
    assert_eq!(proven, ALL.collect(), "checks that no sound driver passes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_flaw_fails_its_check_and_at_most_those_that_build_on_it() {
    // Several at once: they mostly wait. Not all: each holds a hundred streams for a while.
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let run = |flaw: &'static Flaw| {
        let at_once = Arc::clone(&at_once);
        tokio::spawn(async move {
            let _turn = at_once.acquire().await.unwrap();
            (flaw, flawed(flaw).await)
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
    assert_eq!(proven, ALL.collect(), "checks that no flaw proves");
}
