//! The other verbs, from a second terminal and alone.

use crate::bench::{Bench, Running, events, root};
use serde_json::Value;
use std::time::Duration;

/// A campaign that runs, with its first experiment ended.
fn running(bench: &Bench) -> Running {
    let file = bench.snar(200, 1);
    let mut running = bench.start(&["--json", "run", file.to_str().unwrap()]);
    running.line().unwrap();
    running
}

#[test]
fn a_second_terminal_watches_pauses_resumes_and_stops() {
    let bench = Bench::new();
    let first = running(&bench);
    let status = bench.run(&["--json", "status"]).ok().out;
    assert!(status.contains("\"snar\"") && status.contains("\"running\""), "{status}");
    bench.run(&["pause", "snar"]).ok();
    assert_eq!(phase(&bench), "paused");
    let twice = bench.run(&["pause"]);
    assert_eq!(twice.code, 1);
    assert!(twice.err.contains("paused"), "{}", twice.err);
    bench.run(&["resume"]).ok();
    assert_eq!(phase(&bench), "running");
    let watcher = bench.start(&["watch"]);
    let result = bench.run(&["--json", "result"]).ok().last();
    assert_eq!(result["phase"], "running");
    bench.run(&["stop", "snar"]).ok();
    let said = first.end().ok();
    assert_eq!(said.last()["stop"]["reason"], "stopped");
    assert!(watcher.end().ok().out.contains("stopped by"));
    let resumed = bench.run(&["resume"]);
    assert_eq!(resumed.code, 1);
    assert!(resumed.err.contains("ended"), "{}", resumed.err);
}

fn phase(bench: &Bench) -> String {
    let lines = bench.run(&["--json", "result"]).ok().last();
    lines["phase"].as_str().unwrap().to_owned()
}

#[test]
fn abort_ends_what_runs_and_keeps_what_is_known() {
    let bench = Bench::new();
    let first = running(&bench);
    bench.run(&["abort"]).ok();
    let result = first.end().ok().last();
    assert_eq!(result["stop"]["reason"], "aborted", "{result}");
    assert!(result["best"].is_object() || result["experiments"].as_u64().unwrap() >= 1);
}

#[test]
fn halt_stops_an_instrument_until_a_person_goes_on() {
    let bench = Bench::new();
    let first = running(&bench);
    let said = bench.run(&["halt", "reactor", "--reason", "smell of pyrrolidine"]).ok();
    assert!(said.out.contains("smell of pyrrolidine"), "{}", said.out);
    let ended = |bench: &Bench| events(&bench.log(), "observation_recorded").count();
    let before = ended(&bench);
    std::thread::sleep(Duration::from_secs(1));
    // What was on the HPLC may still have ended; then all waits.
    assert!(ended(&bench) <= before + 1);
    let dispatched = events(&bench.log(), "operation_dispatched").count();
    assert!(bench.starts() < dispatched, "an operation waits at the halted reactor");
    assert_eq!(phase(&bench), "running", "a halt is no failure of the campaign");
    bench.run(&["instrument", "release", "reactor"]).ok();
    assert_eq!(bench.run(&["instrument", "release", "reactor"]).code, 1);
    let goes_on = (0..150).any(|_| {
        std::thread::sleep(Duration::from_millis(200));
        ended(&bench) >= before + 3
    });
    assert!(goes_on, "the campaign stands still after its instrument was released");
    bench.run(&["abort"]).ok();
    first.end().ok();
    assert_eq!(bench.starts(), events(&bench.log(), "operation_started").count());
}

#[test]
fn halt_needs_no_owner_that_answers() {
    let bench = Bench::new();
    let first = running(&bench);
    let owner = first.id().to_string();
    let signal = |signal: &str| {
        assert!(std::process::Command::new("kill").args([signal, &owner]).status().unwrap().success());
    };
    signal("-STOP");
    let halted = bench.run(&["--json", "halt", "--all", "--reason", "smoke"]).ok().json();
    assert_eq!(halted.iter().filter(|it| it["halted"] == true).count(), 2, "{halted:?}");
    signal("-CONT");
    for name in ["reactor", "hplc"] {
        bench.run(&["instrument", "release", name]).ok();
    }
    bench.run(&["abort"]).ok();
    first.end().ok();
}

#[test]
fn everything_is_halted_in_the_order_of_safe_states_and_what_stays_on_only_by_name() {
    let bench = Bench::new();
    let order = "[safe_state]\norder = [[\"hplc\"]]\nstays_on = [\"reactor\"]\n";
    let file = bench.snar_with(200, 1, order);
    let mut first = bench.start(&["--json", "run", file.to_str().unwrap()]);
    first.line().unwrap();
    let names =
        |said: Vec<Value>| said.iter().map(|it| it["instrument"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(bench.run(&["--json", "halt", "--all"]).ok().json()), ["hplc"]);
    assert_eq!(names(bench.run(&["--json", "halt", "reactor"]).ok().json()), ["reactor"]);
    let unknown = bench.run(&["halt", "reacter"]);
    assert_eq!(unknown.code, 1);
    first.kill();
}

#[test]
fn by_hand_points_go_out_as_csv_and_results_come_back() {
    let bench = Bench::new();
    let file = root().join("examples/by-hand/campaign.toml");
    let suggest = bench.run(&["suggest", "-n", "4", "--file", file.to_str().unwrap()]).ok();
    let mut lines = suggest.out.lines();
    let header = lines.next().unwrap().to_owned();
    let columns: Vec<&str> = header.split(',').collect();
    let at = |outcome: &str| columns.iter().position(|name| *name == outcome).unwrap();
    let mut plate = header.clone() + "\n";
    let mut count = 0;
    for (index, line) in lines.enumerate() {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        cells[at("yield")] = format!("{}", 50 + index);
        cells[at("impurity")] = "1.5".into();
        plate += &(cells.join(",") + "\n");
        count += 1;
    }
    assert_eq!(count, 4, "{}", suggest.out);
    let plate = bench.write("plate.csv", &plate);
    let recorded = bench.run(&["record", plate.to_str().unwrap()]).ok();
    assert!(recorded.out.contains('4'), "{}", recorded.out);
    let again = bench.run(&["record", plate.to_str().unwrap()]);
    assert_eq!(again.code, 1, "a plate is recorded once: {}", again.out);
    let exported = bench.run(&["export", "--format", "jsonl"]).ok().json();
    assert_eq!(exported.iter().filter(|it| it["state"] == "observed").count(), 4);
    let best = bench.run(&["--json", "result"]).ok().last();
    assert_eq!(best["best"]["outcomes"]["yield"], 53.0, "{best}");
    let csv = bench.run(&["export"]).ok().out;
    assert_eq!(csv.lines().count(), 5);
}

#[test]
fn the_planner_speaks_json_lines() {
    use std::io::Write as _;
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_eutectic"))
        .args(["planner", "stdio"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(
        input,
        r#"{{"op":"init","seed":1,"space":{{"params":[{{"name":"x","kind":"float","low":0,"high":1}}],"n_obj":1}}}}"#
    )
    .unwrap();
    for x in [0.1, 0.35, 0.5, 0.75, 0.9] {
        let y = (x - 0.3_f64).powi(2);
        writeln!(input, r#"{{"op":"tell","trials":[{{"params":{{"x":{x}}},"y":[{y}]}}]}}"#).unwrap();
    }
    writeln!(input, r#"{{"op":"ask","n":1}}"#).unwrap();
    writeln!(input, r#"{{"op":"recommend"}}"#).unwrap();
    writeln!(input, "nonsense").unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let lines: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let text = format!("{lines:?}");
    let asked = lines.iter().find_map(|line| line["params"].as_array()).unwrap_or_else(|| panic!("{text}"));
    let x = asked[0]["x"].as_f64().unwrap();
    assert!((x - 0.3).abs() < 0.15, "{text}");
    assert!(lines.last().unwrap().to_string().contains("error"), "{text}");
}

#[test]
fn new_writes_a_file_that_checks() {
    let bench = Bench::new();
    let file = bench.path("suzuki.toml");
    let arguments = [
        "new",
        "suzuki",
        "--parameter",
        "temperature=30..110 degC",
        "--parameter",
        "ligand=XPhos|SPhos",
        "--parameter",
        "loading=0.5..5 mol% log",
        "--parameter",
        "n=1..8 integer",
        "--maximize",
        "yield=%",
        "--outcome",
        "impurity=%",
        "--require",
        "impurity <= 2",
        "--budget",
        "30",
        "-o",
        file.to_str().unwrap(),
    ];
    bench.run(&arguments).ok();
    bench.run(&["check", "--offline", file.to_str().unwrap()]).ok();
    let again = bench.run(&arguments);
    assert_eq!(again.code, 1, "a file that is there is not overwritten");
}

#[test]
fn check_asks_the_drivers_and_moves_nothing() {
    let bench = Bench::new();
    let file = bench.snar(5, 1);
    let said = bench.run(&["check", file.to_str().unwrap()]).ok();
    for part in ["react", "assay", "centre", "corner"] {
        assert!(said.out.contains(part), "{part} is missing in\n{}", said.out);
    }
    assert_eq!(bench.starts(), 0);
    assert_eq!(said.out, bench.run(&["run", "--dry-run", file.to_str().unwrap()]).ok().out);
}

#[test]
fn completions_and_the_manual_come_for_nothing() {
    let bench = Bench::new();
    assert!(bench.run(&["completions", "bash"]).ok().out.contains("eutectic"));
    assert!(bench.run(&["man"]).ok().out.contains(".TH"));
    assert!(!bench.path("data").exists(), "a question writes nothing");
}

#[test]
fn what_is_said_wrongly_gets_a_usage_error_and_what_is_not_there_a_reason() {
    let bench = Bench::new();
    assert_eq!(bench.run(&["rum"]).code, 2);
    let missing = bench.run(&["run", "no/such/file.toml"]);
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("no/such/file.toml"), "{}", missing.err);
    let nothing = bench.run(&["result"]);
    assert_eq!(nothing.code, 1);
    assert!(nothing.err.contains("campaign"), "{}", nothing.err);
}

#[test]
fn whoever_asks_while_owners_come_and_go_is_answered() {
    let bench = Bench::new();
    let file = bench.snar(3, 1).display().to_string();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for arguments in [["--json", "log"], ["--json", "status"]] {
            let (bench, done) = (&bench, &done);
            scope.spawn(move || {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    bench.run(&arguments).ok();
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
        }
        // The first works, the others only show its result: each may find a looking verb as owner that is just ending.
        let said: Vec<_> = (0..10).map(|_| bench.run(&["--json", "run", &file])).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for it in said {
            assert_eq!(it.ok().last()["stop"]["reason"], "budget");
        }
    });
}
