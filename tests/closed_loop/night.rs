//! A night without people: five instruments, a driver that dies and can't tell, a reactor that clogs, a link that goes dead.
#![expect(clippy::print_stdout, reason = "the morning is told")]

use crate::bench::{Bench, events, root};
use crate::link::Link;

const POLICY: &str =
    "[instrument.unattended]\nrecover = [\"flow_reactor.flush\", \"flow_reactor.self_test\"]\nat_most = 50\n";
/// Seconds of the instruments in one of ours.
const SPEED: &str = "400.0";

fn campaign(bench: &Bench, link: &str) -> String {
    let entry = |name: &str, kind: &str, speed: &str, more: &str| {
        format!("[[instrument]]\nname = \"{name}\"\nsimulated = \"{kind}\"\nspeed = {speed}\n{more}\n")
    };
    let simulated = |name: &str, kind: &str, more: &str| entry(name, kind, SPEED, more);
    let pages = bench.path("pages.jsonl");
    let lab = [
        "name = \"bench\"\n".to_owned(),
        format!("[paging]\ncommand = [\"sh\", \"-c\", \"cat >> {}; echo >> {0}\"]\n", pages.display()),
        simulated("reactor-1", "flow_reactor", &format!("fault = \"clogs\"\n{POLICY}")),
        // Slow enough to be killed in the middle.
        entry("reactor-2", "flow_reactor", "100.0", &format!("fault = \"no-probe\"\n{POLICY}")),
        simulated("hplc-1", "hplc", ""),
        format!("[[instrument]]\nname = \"hplc-2\"\naddress = {link:?}\n"),
        simulated("scale", "balance", ""),
    ];
    bench.write("lab.toml", &lab.concat());
    let example = std::fs::read_to_string(root().join("examples/snar/campaign.toml")).unwrap();
    let body = example.split_once("[budget]").unwrap().0;
    bench.write("campaign.toml", &format!("{body}[budget]\nexperiments = 24\nin_flight = 3\n")).display().to_string()
}

#[test]
fn a_night_without_people_loses_samples_and_nothing_else() {
    let bench = Bench::new();
    let address = bench.serve("hplc-2", "hplc", SPEED);
    let link = Link::before(&address);
    let file = campaign(&bench, &link.address);
    let running = bench.start(&["--json", "run", &file]);

    // A driver dies in the middle of an operation, and its instrument can't tell.
    let runs = |name: &'static str| {
        move |it: &Bench| {
            let status = it.run(&["--json", "status"]).ok().last();
            let operations = status["operations"].as_array().unwrap();
            operations.iter().any(|it| it["instrument"] == name && it["started"] == true).then_some(())
        }
    };
    bench.until("the second reactor runs", runs("reactor-2"));
    bench.signal("reactor-2", "-9");
    // The link to the second HPLC goes dead while it measures.
    bench.until("the second HPLC runs", runs("hplc-2"));
    link.set_dead(true);
    bench.until_event("silence", |event| event["type"] == "instrument_silent" && event["instrument"] == "hplc-2");
    // The first reactor, which has most to do, clogs by itself, sooner or later.
    let clogged = |event: &serde_json::Value| event["reason"].as_str().is_some_and(|it| it.contains("CLOGGED"));
    bench.until_event("a clog", |event| event["type"] == "instrument_quarantined" && clogged(event));

    // The morning.
    for arguments in [&["status"][..], &["page", "list"], &["log", "--since", "8h", "--limit", "0"]] {
        println!("$ eutectic {}\n{}", arguments.join(" "), bench.run(arguments).ok().out);
    }
    link.set_dead(false);
    bench.until_event("the link lives", |event| event["type"] == "instrument_heard" && event["instrument"] == "hplc-2");
    let result = running.end().ok().last();
    assert_eq!(result["stop"]["reason"], "budget", "{result}");

    let log = bench.log();
    let asked: Vec<_> = events(&log, "instrument_quarantined").collect();
    assert!(asked.iter().any(|it| it["instrument"] == "reactor-1"), "{asked:?}");
    assert!(asked.iter().any(|it| it["instrument"] == "reactor-2"), "{asked:?}");
    let recovered = events(&log, "intervention_resolved").filter(|it| it["by"] == "the unattended policy").count();
    assert_eq!(recovered, asked.len(), "each has recovered by its policy");
    let pages = std::fs::read_to_string(bench.path("pages.jsonl")).unwrap();
    for id in ["recovered-1", "silent-hplc-2", "ended-snar"] {
        assert!(pages.contains(&format!("\"{id}\"")), "nobody was told of {id}:\n{pages}");
    }
    // What was refused because it was clogged never began; everything else began once.
    let untouched = events(&log, "operation_ended").filter(|it| it["ended"]["sample"] == "none").count();
    assert_eq!(events(&log, "operation_dispatched").count() - untouched, bench.starts());
}
