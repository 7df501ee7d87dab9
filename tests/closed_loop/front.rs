//! Campaigns with several objectives: a front of compromises, before the end by readings, at the end by the model.

use crate::bench::{Bench, root};
use serde_json::Value;

const FILE: &str = "name = \"front\"\n[[parameter]]\nname = \"dose\"\nrange = [0, 1]\n\
    [[parameter]]\nname = \"heat\"\nrange = [0, 1]\n[[outcome]]\nname = \"yield\"\n[[outcome]]\nname = \"cost\"\n\
    [[objective]]\nmaximize = \"yield\"\nreference = 0\n[[objective]]\nminimize = \"cost\"\nreference = 2\n\
    [[constraint]]\nrequire = \"cost <= 1.5\"\n";

/// More of the dose yields more and costs more; the heat has a best value that has nothing to do with the dose.
fn measured(outcome: &str, cell: &dyn Fn(&str) -> String) -> f64 {
    let [dose, heat] = ["dose", "heat"].map(|name| cell(name).parse::<f64>().unwrap());
    let missed = (heat - 0.3).powi(2);
    match outcome {
        "yield" => dose * (1.0 - missed),
        _ => 2.0 * dose * dose + missed,
    }
}

fn experiments(of: &Value) -> Vec<u64> {
    of.as_array().unwrap().iter().map(|it| it["experiment"].as_u64().unwrap()).collect()
}

/// Yield and cost of every experiment that is feasible, by number.
fn feasible(bench: &Bench) -> Vec<(u64, f64, f64)> {
    let number = |it: &Value, name: &str| it["outcomes"][name].as_f64().unwrap();
    let all = bench.run(&["--json", "export"]).ok().json();
    let read = all.iter().filter(|it| it["feasible"] == true);
    read.map(|it| (it["experiment"].as_u64().unwrap(), number(it, "yield"), number(it, "cost"))).collect()
}

fn undominated(all: &[(u64, f64, f64)]) -> Vec<u64> {
    let better = |a: &(u64, f64, f64), b: &(u64, f64, f64)| a.1 >= b.1 && a.2 <= b.2 && (a.1 > b.1 || a.2 < b.2);
    all.iter().filter(|it| !all.iter().any(|other| better(other, it))).map(|it| it.0).collect()
}

#[test]
fn several_objectives_end_in_a_front_of_which_none_is_better_than_another() {
    let bench = Bench::new();
    let file = bench.write("front.toml", &format!("{FILE}[budget]\nexperiments = 20\n"));
    for round in 0..4 {
        bench.by_hand_all(&file, 4, &["yield", "cost"], measured);
        let result = bench.run(&["--json", "result"]).ok().last();
        assert!(result["best"].is_null(), "no experiment is the best of a front: {}", result["best"]);
        assert_eq!(experiments(&result["front"]), undominated(&feasible(&bench)), "by the readings, in round {round}");
    }
    bench.by_hand_all(&file, 4, &["yield", "cost"], measured);
    let result = bench.run(&["--json", "result"]).ok().last();
    let front = experiments(&result["front"]);
    assert!(front.contains(&result["best"]["experiment"].as_u64().unwrap()), "{front:?}");
    let all = feasible(&bench);
    let inside: Vec<(u64, f64, f64)> = all.iter().filter(|it| front.contains(&it.0)).copied().collect();
    assert_eq!(inside.len(), front.len(), "all of the front hold the constraint");
    assert!(front.len() >= 5, "{front:?}");
    // The readings are exact, and so is the model where it has read; almost.
    let surely = |a: &(u64, f64, f64), b: &(u64, f64, f64)| a.1 > b.1 + 0.01 && a.2 < b.2 - 0.01;
    assert!(inside.iter().all(|it| !all.iter().any(|other| surely(other, it))), "{inside:?} of {all:?}");
    assert!(
        result["front"][0]["estimates"]["cost"]["sd"].as_f64().is_some() && result["front"][0]["p_feasible"].is_f64()
    );
    let told = bench.run(&["result", "--explain", "--html", bench.path("front.html").to_str().unwrap()]).ok().out;
    for words in ["the front the best balanced", "The front: no experiment", "model:", "The volume of the front"] {
        assert!(told.contains(words), "{words} is missing in\n{told}");
    }
    let page = std::fs::read_to_string(bench.path("front.html")).unwrap();
    assert!(page.contains("The front: no experiment") && page.contains("yield across, cost up"), "{page}");
}

#[test]
fn a_campaign_stops_where_nothing_joins_its_front_any_more() {
    let bench = Bench::new();
    let file = bench.write("front.toml", &format!("{FILE}[budget]\nexperiments = 40\n[stop]\npatience = 6\n"));
    let worse = |outcome: &str, _: &dyn Fn(&str) -> String| if outcome == "yield" { -1.0 } else { 1.4 };
    bench.by_hand_all(&file, 4, &["yield", "cost"], measured);
    bench.by_hand_all(&file, 6, &["yield", "cost"], worse);
    let result = bench.run(&["--json", "result"]).ok().last();
    assert_eq!(result["stop"]["reason"], "stagnation", "{result}");
    assert_eq!(result["stop"]["message"], "no gain in 6 experiments");
}

#[test]
fn a_file_with_several_objectives_is_written_and_the_example_can_be_run() {
    let bench = Bench::new();
    let new = bench.path("two.toml");
    let wanted = ["--maximize", "yield=%", "--minimize", "cost", "--parameter", "heat=30..110 degC", "--budget", "12"];
    bench.run(&[&["new", "two", "--output", new.to_str().unwrap()], &wanted[..]].concat()).ok();
    assert!(bench.run(&["check", new.to_str().unwrap()]).ok().out.contains("maximize yield, minimize cost"));
    let file = root().join("examples/snar/front.toml");
    bench.run(&["check", file.to_str().unwrap()]).ok();
}
