//! Real gRPC over lines that are cut, go dead and come back: nothing twice, nothing lost, and the campaign ends.

use crate::bench::{Bench, events, root};
use crate::link::Link;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use std::time::Duration;

const EXPERIMENTS: u64 = 30;
/// Seconds of the instruments in one of ours.
const SPEED: &str = "2000.0";
/// Storms; `EUTECTIC_STORMS` asks for more.
const STORMS: u64 = 2;

fn storm(seed: u64) -> (u64, u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let bench = Bench::new();
    let served =
        [("reactor", "flow_reactor"), ("hplc", "hplc")].map(|(name, kind)| (name, bench.serve(name, kind, SPEED)));
    let links = served.map(|(name, address)| (name, Link::before(&address)));
    let entry =
        |(name, link): &(&str, Link)| format!("[[instrument]]\nname = {name:?}\naddress = {:?}\n", link.address);
    bench.write("lab.toml", &format!("name = \"bench\"\n{}", links.iter().map(entry).collect::<String>()));
    let example = std::fs::read_to_string(root().join("examples/snar/campaign.toml")).unwrap();
    let body = example.split_once("[budget]").unwrap().0;
    let budget = format!("[budget]\nexperiments = {EXPERIMENTS}\nin_flight = 2\n");
    let file = bench.write("campaign.toml", &format!("{body}{budget}")).display().to_string();
    let mut running = bench.start(&["--json", "run", &file]);
    running.line().unwrap();
    let (mut cuts, mut deaths) = (0, 0);
    while !running.has_ended() {
        assert!(cuts + deaths < 2_000, "storm {seed}: it never ends\n{}", bench.run(&["status"]).out);
        let link = &links[usize::try_from(rng.next_u64() % 2).unwrap()].1;
        // No moment decides anything: a storm has no rhythm.
        std::thread::sleep(Duration::from_millis(rng.next_u64() % 300));
        if rng.next_u64().is_multiple_of(3) {
            deaths += 1;
            link.set_dead(true);
            std::thread::sleep(Duration::from_millis(rng.next_u64() % 1_500));
            if rng.next_u64().is_multiple_of(2) {
                link.cut();
            }
            link.set_dead(false);
        } else {
            cuts += 1;
            link.cut();
        }
    }
    let result = bench.run(&["--json", "result"]).ok().last();
    assert_eq!(result["experiments"], EXPERIMENTS, "storm {seed}: {result}");
    let log = bench.log();
    assert_eq!(events(&log, "instrument_quarantined").count(), 0, "storm {seed}: somebody was asked without need");
    let dispatched = events(&log, "operation_dispatched").count();
    let untouched = events(&log, "operation_ended").filter(|it| it["ended"]["sample"] == "none").count();
    assert_eq!(events(&log, "operation_ended").count(), dispatched, "storm {seed}");
    assert_eq!(bench.starts(), dispatched - untouched, "storm {seed}: the hardware's own count differs");
    (cuts, deaths)
}

#[test]
fn a_campaign_over_lines_that_are_cut_and_go_dead_does_everything_once_and_ends() {
    let storms = std::env::var("EUTECTIC_STORMS").map_or(STORMS, |text| text.parse().unwrap());
    for seed in 0..storms {
        let (cuts, deaths) = storm(seed);
        eprintln!("storm {seed}: {cuts} times the lines were cut, {deaths} times dead for a while");
        assert!(cuts + deaths > 5, "that was no storm");
    }
}
