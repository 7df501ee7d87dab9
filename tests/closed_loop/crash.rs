//! `kill -9` in the middle of a campaign, and again `eutectic run`.

use crate::bench::{Bench, events};
use eutectic::planning;
use eutectic_core::model::{Origin, Proposal};
use eutectic_core::{Campaign, Effect, Event, PlanAnswer, Purpose, Recorded, Ticket, Workcell, evolve};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const EXPERIMENTS: u32 = 12;
/// How many campaigns are killed, each once.
const KILLS: u64 = 20;
/// The greatest wait after an experiment's end before the kill: about as long as one takes.
const WAIT_MS: u64 = 300;

/// What must not depend on crashes: the points, their outcomes and the answer.
fn story(bench: &Bench) -> (Vec<String>, Value) {
    let experiments = bench.run(&["--json", "export"]).ok().json();
    let told = |it: &Value| format!("{} {} {} {}", it["experiment"], it["parameters"], it["outcomes"], it["predicted"]);
    let result = bench.run(&["--json", "result"]).ok().last();
    (experiments.iter().map(told).collect(), result["best"].clone())
}

/// Runs a campaign, kills it at a moment that depends on `moment`, and runs it again to its end.
fn killed(bench: &Bench, in_flight: u32, moment: u64) {
    let file = bench.snar(EXPERIMENTS, in_flight);
    let run = ["--json", "run", file.to_str().unwrap()];
    let mut source = ChaCha8Rng::seed_from_u64(moment);
    // In the first half, so that at least half of the campaign is computed by the process after it.
    let ended = 1 + source.next_u64() % u64::from(EXPERIMENTS / 2 - 2);
    let mut running = bench.start(&run);
    for _ in 0..ended {
        assert!(running.line().is_some());
    }
    std::thread::sleep(Duration::from_millis(source.next_u64() % WAIT_MS));
    running.kill();
    bench.run(&run).ok();
}

/// Every operation that was dispatched has started once, by the hardware's own count.
fn audit(bench: &Bench, log: &[Value]) {
    let dispatched: Vec<&str> =
        events(log, "operation_dispatched").map(|it| it["operation"].as_str().unwrap()).collect();
    let ended: Vec<&str> = events(log, "operation_ended").map(|it| it["operation"].as_str().unwrap()).collect();
    let unique = |ids: &[&str]| ids.iter().copied().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(unique(&dispatched).len(), dispatched.len(), "an operation was dispatched twice");
    assert_eq!(unique(&dispatched), unique(&ended), "an operation was lost");
    assert_eq!(ended.len(), dispatched.len(), "an operation ended twice");
    assert_eq!(bench.starts(), dispatched.len(), "the hardware's own count differs");
}

#[test]
fn a_killed_campaign_ends_as_if_nothing_had_happened_at_twenty_moments() {
    let whole = Bench::new();
    let file = whole.snar(EXPERIMENTS, 1);
    whole.run(&["--json", "run", file.to_str().unwrap()]).ok();
    let expected = story(&whole);
    assert_eq!(expected.0.len(), EXPERIMENTS as usize);
    let check = |moment: u64| {
        let bench = Bench::new();
        killed(&bench, 1, moment);
        assert_eq!(story(&bench), expected, "moment {moment}");
        let log = bench.log();
        audit(&bench, &log);
        let last = log.iter().map(|entry| entry["epoch"].as_u64().unwrap()).max().unwrap();
        let after = |entry: &&Value| {
            entry["epoch"].as_u64() == Some(last) && entry["entry"]["event"]["type"] == "experiment_added"
        };
        let computed = log.iter().filter(after).count();
        assert!(
            last >= 2 && computed >= EXPERIMENTS as usize / 2,
            "moment {moment}: epoch {last}, {computed} after it"
        );
    };
    std::thread::scope(|scope| {
        for worker in 0..2 {
            scope.spawn(move || (0..KILLS).filter(|moment| moment % 2 == worker).for_each(check));
        }
    });
}

#[test]
fn with_two_in_flight_nothing_is_twice_or_lost_and_the_log_replays_to_the_same_proposals() {
    for moment in 100..104 {
        let bench = Bench::new();
        killed(&bench, 2, moment);
        let log = bench.log();
        audit(&bench, &log);
        let added = events(&log, "experiment_added").count();
        assert_eq!(added, EXPERIMENTS as usize);
        assert_eq!(events(&log, "observation_recorded").count(), added);
        let (plans, other) = replay(&log, |campaign| campaign);
        assert!(plans >= 6 && other == 0, "{other} of {plans} plans are others when made again");
        let forgetful = |campaign: Campaign| Campaign { memo: String::new(), ..campaign };
        assert!(replay(&log, forgetful).1 > 0, "a planner that ignored its memo would go unnoticed");
    }
}

/// Makes every plan of the log again from what the log says its planner could see; returns how many there were, and how
/// many differ from the recorded ones.
fn replay(log: &[Value], seen: impl Fn(Campaign) -> Campaign) -> (usize, usize) {
    let mut workcell = Workcell::default();
    let mut made = BTreeMap::new();
    let mut recorded: BTreeMap<Ticket, (Vec<Proposal>, String)> = BTreeMap::new();
    for entry in log {
        let event: Recorded = serde_json::from_value(entry["entry"].clone()).unwrap();
        match &event.event {
            Event::ProposalsAdded { ticket, memo, .. } => {
                recorded.insert(*ticket, (Vec::new(), memo.clone()));
            }
            Event::ExperimentAdded { origin: Origin::Proposed(ticket), setting, why, .. } => {
                let proposal = Proposal { setting: setting.clone(), why: why.clone().unwrap() };
                recorded.get_mut(ticket).unwrap().0.push(proposal);
            }
            _ => {}
        }
        evolve(&mut workcell, &event);
        if let Event::PlanRequested { ticket, campaign, purpose: Purpose::Propose { .. }, .. } = &event.event {
            let order = workcell.owed().values().find_map(|effect| match effect {
                Effect::Plan(order) if order.ticket == *ticket => Some(order.clone()),
                _ => None,
            });
            let campaign = seen(workcell.campaigns[campaign].clone());
            let input = planning::prepare(&campaign, &order.unwrap());
            let PlanAnswer::Proposals { proposals, memo, .. } = planning::plan_here(&input).unwrap() else {
                panic!("proposals were asked for")
            };
            made.insert(*ticket, (proposals, memo));
        }
    }
    let other = recorded.iter().filter(|(ticket, plan)| made[ticket] != **plan).count();
    (recorded.len(), other)
}

#[test]
fn a_driver_that_starts_twice_is_caught_by_the_hardwares_count() {
    let bench = Bench::new();
    let file = bench.snar_with(6, 1, "fault = \"start-twice\"");
    bench.run(&["--json", "run", file.to_str().unwrap()]).ok();
    let caught = std::panic::catch_unwind(|| audit(&bench, &bench.log()));
    assert!(caught.is_err(), "the audit does not see a start too many");
}
