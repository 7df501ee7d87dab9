//! `run`: the loop closes, ends by itself and says what it found.

use crate::bench::{Bench, events, root};

#[test]
fn the_first_example_ends_within_its_budget_and_says_so_in_one_object() {
    let bench = Bench::new();
    let file = bench.snar(14, 1);
    let said = bench.run(&["--json", "run", file.to_str().unwrap(), "--seed", "3"]).ok();
    let lines = said.json();
    assert_eq!(lines.len(), 15, "an object an experiment, then the result");
    let result = &lines[14];
    assert_eq!(result["campaign"], "snar");
    assert_eq!(result["seed"], 3);
    assert_eq!(result["experiments"], 14);
    assert_eq!(result["stop"]["reason"], "budget");
    for parameter in ["residence_time", "equivalents", "concentration", "temperature"] {
        assert!(result["best"]["parameters"][parameter].is_f64(), "{result}");
    }
    let close = |name: &str| {
        let (read, truth) = (&result["best"]["outcomes"], &result["true_best"]);
        let (value, sd) = (read[name].as_f64().unwrap(), read[format!("{name}_sd")].as_f64().unwrap());
        let truth = truth[name].as_f64().unwrap();
        assert!(sd > 0.0 && (value - truth).abs() < 5.0 * sd, "{name}: read {value} ± {sd}, true {truth}");
    };
    close("sty");
    close("e_factor");
    assert!(result["true_feasible"].is_boolean() && result["wall_s"].is_f64() && result["planner_s"].is_f64());
    assert_eq!(result["operations"], 28);
    assert_eq!(result["starts"], 28);
    assert_eq!(bench.starts(), 28);
}

#[test]
fn a_campaign_that_has_ended_is_shown_again_and_nothing_moves() {
    let bench = Bench::new();
    let file = bench.snar(4, 1);
    let first = bench.run(&["--json", "run", file.to_str().unwrap()]).ok().last();
    let again = bench.run(&["--json", "run", file.to_str().unwrap()]).ok().last();
    for part in ["best", "stop", "experiments", "operations", "starts", "wall_s"] {
        assert_eq!(first[part], again[part], "{part}");
    }
    assert_eq!(bench.starts(), 8);
    let other = bench.run(&["--json", "run", file.to_str().unwrap(), "--as", "second"]).ok().last();
    assert_eq!(other["campaign"], "second");
    assert_eq!(other["best"], first["best"], "the same seed finds the same");
}

#[test]
fn a_file_that_was_changed_is_another_campaign_and_refused_with_the_difference() {
    let bench = Bench::new();
    let file = bench.snar(4, 1);
    bench.run(&["run", file.to_str().unwrap()]).ok();
    bench.snar(5, 1);
    let said = bench.run(&["run", file.to_str().unwrap()]);
    assert_eq!(said.code, 1);
    for part in ["- line 59: experiments = 4", "+ line 59: experiments = 5", "--as"] {
        assert!(said.err.contains(part), "{part} is missing in\n{}", said.err);
    }
    assert_eq!(bench.starts(), 8);
}

#[test]
fn two_experiments_are_on_the_way_at_once() {
    let bench = Bench::new();
    let file = bench.snar(6, 2);
    bench.run(&["run", file.to_str().unwrap()]).ok();
    let log = bench.log();
    let (mut live, mut most) = (0_i32, 0);
    for entry in &log {
        match entry["entry"]["event"]["type"].as_str() {
            Some("experiment_started") => live += 1,
            Some("observation_recorded") => live -= 1,
            _ => {}
        }
        most = most.max(live);
    }
    assert_eq!((most, live), (2, 0));
    assert_eq!(bench.starts(), events(&log, "operation_dispatched").count());
}

#[test]
fn the_answer_holds_no_unit_mistakes_against_the_published_check_values() {
    // Hone et al.: (1 min, 2 eq, .3 mol/L, 75 degC) gives an STY of 3332.892 and an E-factor of 14.71461.
    let bench = Bench::new();
    let file = bench.snar(1, 1);
    let point =
        "\n[[experiment]]\nat = { residence_time = 1, equivalents = 2, concentration = 0.3, temperature = 75 }\n";
    let text = std::fs::read_to_string(&file).unwrap() + point;
    bench.write("campaign.toml", &text);
    let result = bench.run(&["--json", "run", file.to_str().unwrap()]).ok().last();
    let experiment = &bench.run(&["--json", "export"]).ok().json()[0];
    assert_eq!(experiment["origin"], "own");
    let value = |name: &str| experiment["outcomes"][name].as_f64().unwrap();
    assert!((value("sty") / 3332.892 - 1.0).abs() < 0.025, "{experiment}");
    assert!((value("e_factor") / 14.71461 - 1.0).abs() < 0.025, "{experiment}");
    assert_eq!(result["experiments"], 1);
}

#[test]
fn every_example_is_valid() {
    let folders = std::fs::read_dir(root().join("examples")).unwrap();
    let files: Vec<_> =
        folders.map(|folder| folder.unwrap().path().join("campaign.toml")).filter(|file| file.exists()).collect();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        Bench::new().run(&["check", "--offline", file.to_str().unwrap()]).ok();
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_finishes_what_runs_and_ends_with_an_answer() {
    let bench = Bench::new();
    let file = bench.snar(40, 1);
    let mut running = bench.start(&["--json", "run", file.to_str().unwrap()]);
    for _ in 0..2 {
        running.line().unwrap();
    }
    running.interrupt();
    let said = running.end().ok();
    let result = said.last();
    assert_eq!(result["stop"]["reason"], "stopped", "{result}");
    assert!(result["experiments"].as_u64().unwrap() < 10);
    assert_eq!(result["operations"].as_u64().unwrap() as usize, bench.starts());
}

#[test]
fn a_campaign_ends_when_the_model_says_that_nothing_worth_having_is_left() {
    let bench = Bench::new();
    let file = bench.snar(60, 1);
    let text = std::fs::read_to_string(&file).unwrap();
    // Without its constraint, the rate is a hill without traps.
    let (before, after) = text.split_once("[[constraint]]\nrequire = \"e_factor <= 9\"\n").unwrap();
    bench.write("campaign.toml", &format!("{before}{after}\n[stop]\nremaining_gain = 500\nconfidence = 0.9\n"));
    let said = bench.run(&["--json", "run", file.to_str().unwrap()]).ok();
    let result = said.last();
    assert_eq!(result["stop"]["reason"], "evidence", "{result}");
    assert!(result["experiments"].as_u64().unwrap() < 60, "{result}");
    let left = &result["remaining_gain"];
    assert!(left["verdict"] == "enough" && left["at_least"].as_f64() >= left["wanted"].as_f64(), "{left}");
    let log = bench.log();
    let estimates: Vec<_> = events(&log, "gain_estimated").map(|event| event["gain"]["verdict"].clone()).collect();
    assert!(estimates.len() > 2 && estimates.iter().filter(|it| **it == "enough").count() == 1, "{estimates:?}");
    let shown = bench.run(&["result"]).ok().out;
    for words in ["Stopped: no more than 500 is left to gain", "Expected remaining gain", "if the model is right"] {
        assert!(shown.contains(words), "{words} is missing in\n{shown}");
    }
    assert!(bench.run(&["doctor", "replay"]).ok().out.contains("come out the same"));
}
