//! `kill -9` in each window of the protocol, at named failpoints, of the orchestrator and of its drivers, over running
//! campaigns; judged by the raw segments and the hardware's own count.

use crate::bench::{Bench, Running};
use crate::raw;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

/// Kills in each window on every push; `EUTECTIC_KILLS=26` makes it 520 in all, in some seven minutes.
const KILLS: usize = 4;
/// Enough to be killed in often.
const EXPERIMENTS: u32 = 40;

const WINDOWS: [&str; 20] = [
    "engine.epoch.unsynced",
    "engine.epoch.synced",
    "engine.lease.unsynced",
    "engine.lease.synced",
    "engine.proposals.unsynced",
    "engine.proposals.synced",
    "engine.dispatched.unsynced",
    "journal.written",
    "engine.dispatched.synced",
    "gateway.execute.answered",
    "engine.started.unsynced",
    "engine.started.synced",
    "engine.ended.unsynced",
    "engine.ended.synced",
    "driver.accepted.unsynced",
    "driver.running.unsynced",
    "driver.running.synced",
    "driver.ended.unsynced",
    "driver.ended.synced",
    "",
];

/// A campaign that is killed and goes on.
struct Rig {
    bench: Bench,
    file: String,
    running: Running,
}

impl Rig {
    fn new() -> Self {
        let bench = Bench::new();
        let file = bench.snar(EXPERIMENTS, 2).display().to_string();
        let running = bench.start(&["--json", "run", &file]);
        Self { bench, file, running }
    }

    fn start(&mut self) {
        self.running = self.bench.start(&["--json", "run", &self.file]);
    }

    /// Waits at the failpoint and kills whoever came there; `false` if the campaign ended before.
    fn kill(&mut self, window: &str) -> bool {
        if window.is_empty() {
            std::thread::sleep(Duration::from_millis(300));
            return !self.running.has_ended() && self.kill_process(self.running.id());
        }
        self.bench.arm(window);
        for tries in 1..=6_000 {
            if let Some(process) = self.bench.reached(window) {
                let killed = self.kill_process(process);
                self.bench.go_on(window);
                return killed;
            }
            if self.running.has_ended() {
                self.bench.disarm(window);
                return false;
            }
            if tries % 400 == 0 {
                // After three failures of equipment in a row a campaign waits for a person; a refusal says that it does not.
                // Nobody waits for the answer: whoever gives it may be held at the failpoint by now.
                drop(self.bench.start(&["resume"]));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{window} is not reached: {}", self.bench.run(&["status"]).out);
    }

    fn kill_process(&mut self, process: u32) -> bool {
        assert!(Command::new("kill").args(["-9", &process.to_string()]).status().unwrap().success());
        if process == self.running.id() {
            self.running.wait();
            self.start();
        }
        true
    }

    /// To its end, and judged.
    fn finish(mut self) {
        while !self.running.has_ended() {
            std::thread::sleep(Duration::from_secs(1));
            self.bench.run(&["resume"]);
        }
        let said = self.bench.run(&["--json", "run", &self.file]).ok().last();
        assert_eq!(said["experiments"], EXPERIMENTS, "{said}");
        let events = raw::events(&self.bench.path("data/journal/log"));
        judge(&events, &self.bench);
    }
}

/// By the journal's raw segments and the hardware's own count alone.
fn judge(events: &[serde_json::Value], bench: &Bench) {
    let of_kind = |kind: &'static str| events.iter().map(|it| &it["event"]).filter(move |it| it["type"] == kind);
    let mut dispatched: BTreeMap<&str, &str> = BTreeMap::new();
    for event in of_kind("operation_dispatched") {
        let before = dispatched.insert(event["operation"].as_str().unwrap(), event["instrument"].as_str().unwrap());
        assert!(before.is_none(), "{event} was dispatched twice");
    }
    let mut starts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ended = 0;
    for event in of_kind("operation_ended") {
        ended += 1;
        let instrument = dispatched[event["operation"].as_str().unwrap()];
        let how = &event["ended"];
        let touched = match how["state"].as_str().unwrap() {
            "succeeded" => true,
            // These instruments can tell, so that only what never started fails.
            "failed" => {
                assert_eq!(
                    (&how["sample"], &how["fault"]["reason"]),
                    (&"none".into(), &"NEVER_STARTED".into()),
                    "{how}"
                );
                false
            }
            other => panic!("{other}: {event}"),
        };
        *starts.entry(instrument).or_default() += usize::from(touched);
    }
    assert_eq!(ended, dispatched.len(), "an operation is lost, or ended twice");
    for (instrument, expected) in starts {
        let counted = bench.starts_of(&format!("{instrument}.starts"));
        assert_eq!(counted, expected, "{instrument}: the hardware's own count differs");
    }
    assert_eq!(of_kind("observation_recorded").count(), EXPERIMENTS as usize);
    assert_eq!(of_kind("campaign_ended").count(), 1);
}

#[test]
fn killed_in_each_window_of_the_protocol_a_campaign_ends_and_nothing_is_twice_or_lost() {
    let kills = std::env::var("EUTECTIC_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    // Two at a time, each with every other window.
    let rigs = (0..2).map(|rig| {
        std::thread::spawn(move || {
            let windows = WINDOWS.iter().skip(rig).step_by(2);
            let (mut rig, mut campaigns) = (Rig::new(), 1);
            for window in windows {
                let mut killed = 0;
                while killed < kills {
                    if rig.kill(window) {
                        killed += 1;
                    } else {
                        std::mem::replace(&mut rig, Rig::new()).finish();
                        campaigns += 1;
                    }
                }
                eprintln!("{killed} kills at {}", if window.is_empty() { "any moment" } else { window });
            }
            rig.finish();
            campaigns
        })
    });
    let campaigns: usize = rigs.collect::<Vec<_>>().into_iter().map(|it| it.join().unwrap()).sum();
    eprintln!("{} kills in {campaigns} campaigns", kills * WINDOWS.len());
}

/// How often the disk is full.
const FULL: u64 = 12;

#[test]
fn a_disk_that_is_full_now_and_then_loses_nothing_that_was_acknowledged_and_the_campaign_ends() {
    let mut rig = Rig::new();
    let mut ended = 0;
    for number in 0..FULL {
        // Moments of no rhythm; none decides anything.
        std::thread::sleep(Duration::from_millis(150 + number * 137 % 400));
        rig.bench.arm("disk.full");
        std::thread::sleep(Duration::from_millis(100 + number * 71 % 250));
        // Now and then until a write has met it, however slow the machine is.
        if number % 4 == 0 {
            rig.bench.until("a write that meets the full disk", |_| rig.running.has_ended().then_some(()));
        }
        rig.bench.disarm("disk.full");
        if rig.running.has_ended() {
            ended += 1;
            rig.start();
        }
    }
    eprintln!("{ended} processes ended on a full disk");
    assert!(ended > 0, "no write met the full disk");
    rig.finish();
}
