//! What waits for a person, from the first page to the last word; and drivers that fall silent.

use crate::bench::{Bench, Running, events};
use crate::link::Webhook;
use serde_json::Value;

/// Kills the reactor's driver in the middle of its first operation, which nobody can tell the end of afterwards.
fn interrupted(bench: &Bench, file: &str) -> Running {
    let running = bench.start(&["--json", "run", file]);
    bench.arm("driver.running.synced");
    let process = bench.until("an operation runs", |it| it.reached("driver.running.synced"));
    // From now on it is let go by whoever is started next.
    bench.disarm("driver.running.synced");
    assert!(std::process::Command::new("kill").args(["-9", &process.to_string()]).status().unwrap().success());
    bench.go_on("driver.running.synced");
    bench.until_event("a quarantine", |event| event["type"] == "instrument_quarantined");
    running
}

fn open(bench: &Bench) -> Vec<Value> {
    bench.run(&["--json", "intervention", "list"]).ok().json()
}

#[test]
fn a_person_is_called_and_decides_and_an_answer_that_had_not_seen_the_news_is_refused() {
    let (pages, pulse) = (Webhook::start(), Webhook::start());
    let bench = Bench::new();
    let paging = format!(
        "fault = \"no-probe\"\n[paging]\nwebhook = {:?}\nrepeat = \"1 s\"\nheartbeat = {{ webhook = {:?}, every = \"1 s\" }}\n",
        pages.address, pulse.address
    );
    let file = bench.snar_with(4, 1, &paging).display().to_string();
    let running = interrupted(&bench, &file);
    let asked = open(&bench);
    assert_eq!(
        (asked.len(), asked[0]["standing"].as_str(), asked[0]["asked"].as_bool()),
        (1, Some("waits"), Some(true))
    );
    let status = bench.run(&["status"]).ok().out;
    assert!(status.contains("out of service") && status.contains("eutectic intervention show 1"), "{status}");
    let shown = bench.run(&["intervention", "show", "1"]).ok().out;
    assert!(shown.contains("repeat") && shown.contains("discard"), "{shown}");

    // Called again and again, until somebody knows.
    let calls = || pages.heard().iter().filter(|it| it["id"] == "intervention-1").count();
    bench.until("three calls", |_| (calls() >= 3).then_some(()));
    assert_eq!(pages.heard()[0]["urgent"], true);
    bench.run(&["page", "ack"]).ok();
    let before = calls();
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(calls() <= before + 1, "one may have been under way");
    assert!(pulse.heard().len() >= 3, "the heartbeat");

    let stale = bench.run(&["intervention", "resolve", "1", "repeat", "--revision", "7"]);
    assert_eq!(stale.code, 1);
    assert!(stale.err.contains("news"), "{}", stale.err);
    assert_eq!(bench.run(&["intervention", "resolve", "1", "accept"]).code, 1, "its driver has said nothing");
    bench.run(&["intervention", "resolve", "1", "repeat"]).ok();
    assert_eq!(bench.run(&["intervention", "resolve", "1", "discard"]).code, 1, "it is decided");

    assert_eq!(running.end().ok().last()["experiments"], 4);
    let log = bench.log();
    assert_eq!(events(&log, "operation_buried").count(), 1);
    let dispatched = events(&log, "operation_dispatched").count();
    assert_eq!(dispatched, 9, "the step that was repeated has two operations");
    // Held when RUNNING was synced, its first operation had not begun.
    assert_eq!(bench.starts(), dispatched - 1);
    assert!(pages.heard().iter().any(|it| it["id"] == "ended-snar"), "the end is told before the process ends");
    let all = bench.run(&["--json", "intervention", "list", "--all"]).ok().last();
    assert_eq!((all["decision"].as_str(), all["standing"].as_str()), (Some("repeat"), Some("resolved")));
}

#[test]
fn a_policy_that_its_driver_can_not_follow_is_refused_before_anything_moves() {
    let bench = Bench::new();
    for (recover, said) in [("flow_reactor.flsh", "flow_reactor.flush"), ("flow_reactor.react", "takes no arguments")] {
        let policy = format!("[instrument.unattended]\nrecover = [{recover:?}]\nat_most = 3\n");
        let file = bench.snar_with(4, 1, &policy).display().to_string();
        let refused = bench.run(&["run", &file]);
        assert_eq!(refused.code, 1);
        assert!(refused.err.contains(said) && refused.err.contains("help:"), "{}", refused.err);
    }
}

#[test]
fn a_driver_that_is_stopped_holds_up_nobody_else_and_is_heard_again() {
    let bench = Bench::new();
    let second = "[[instrument]]\nname = \"reactor-2\"\nsimulated = \"flow_reactor\"\nspeed = 300.0\n";
    let file = bench.snar_with(200, 2, second).display().to_string();
    let mut running = bench.start(&["--json", "run", &file]);
    running.line().unwrap();
    bench.signal("reactor", "-STOP");
    let silent = bench.until_event("silence", |event| event["type"] == "instrument_silent");
    assert_eq!(silent["instrument"], "reactor");
    let status = bench.run(&["status"]).ok().out;
    assert!(status.contains("not reached") || status.contains("does not answer"), "{status}");
    let seq = |bench: &Bench| {
        bench.log().iter().rfind(|it| it["entry"]["event"]["type"] == "operation_dispatched").unwrap()["seq"].as_u64()
    };
    let before = seq(&bench);
    bench.until("the others go on", |it| (seq(it) > before).then_some(()));
    let silenced = bench.log();
    let at = silenced.iter().position(|it| it["entry"]["event"]["type"] == "instrument_silent").unwrap();
    let after = events(&silenced[at..], "operation_dispatched").filter(|it| it["instrument"] == "reactor").count();
    assert_eq!(after, 0, "nothing is given to a driver that does not answer");
    bench.signal("reactor", "-CONT");
    bench.until_event("it is heard again", |event| event["type"] == "instrument_heard");
    bench.run(&["stop", "snar"]).ok();
    running.wait();
    let log = bench.log();
    assert_eq!(events(&log, "operation_dispatched").count(), bench.starts());
}

#[test]
fn an_instrument_that_must_not_go_on_alone_comes_to_its_safe_state_when_we_are_gone() {
    let bench = Bench::new();
    // Half a minute of one operation: longer than a lease.
    let file = bench.snar_with(2, 1, "when_alone = \"safe_state\"").display().to_string();
    let lab = std::fs::read_to_string(bench.path("lab.toml")).unwrap().replacen("20000.0", "5.0", 1);
    bench.write("lab.toml", &lab);
    let running = bench.start(&["--json", "run", &file]);
    bench.until_event("an operation runs", |event| event["type"] == "operation_started");
    running.kill();
    // The activity of the simulated hardware ends with its safe state; so does it with its end, which would be another one.
    let activity = bench.path("data/lab/world").join("reactor.activity");
    bench.until("it is at rest", |_| (!activity.exists()).then_some(()));
    let running = bench.start(&["--json", "run", &file]);
    let ended = bench.until_event("how it ended", |event| event["type"] == "operation_ended");
    assert_eq!(ended["ended"]["fault"]["reason"], "LEASE_LOST", "{ended}");
    running.kill();
}

#[test]
fn a_door_that_is_open_holds_dispatch_and_lifts_by_itself() {
    use eutectic_proto::instrument::v1 as wire;
    let bench = Bench::new();
    let door = "[[instrument]]\nname = \"room\"\nsimulated = \"balance\"\nguards_lab = true\n";
    let file = bench.snar_with(200, 1, door).display().to_string();
    let mut running = bench.start(&["--json", "run", &file]);
    running.line().unwrap();
    let address = std::fs::read_to_string(bench.path("data/lab/room.address")).unwrap();
    let address = address.lines().next().unwrap().to_owned();
    let set = |closed: Option<bool>| {
        let interlock = |closed| wire::Interlock { id: "door".into(), closed, message: String::new() };
        let request = wire::SetConditionsRequest {
            instrument: "room".into(),
            readiness: wire::instrument_status::Readiness::Ready.into(),
            interlocks: closed.map(interlock).into_iter().collect(),
            ..Default::default()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let connect = wire::simulation_service_client::SimulationServiceClient::connect(address.clone());
            connect.await.unwrap().set_conditions(request).await.unwrap();
        });
    };
    set(Some(false));
    let held =
        |event: &Value| event["type"] == "dispatch_suspended" && event["reason"].as_str().unwrap().contains("door");
    bench.until_event("the open door", held);
    let dispatched = |bench: &Bench| events(&bench.log(), "operation_dispatched").count();
    let before = dispatched(&bench);
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(dispatched(&bench), before, "nothing new is dispatched");
    let status = bench.run(&["status"]).ok().out;
    assert!(status.contains("interlock 'door'"), "{status}");
    set(Some(true));
    bench.until("it goes on", |it| (dispatched(it) > before).then_some(()));
    bench.run(&["abort"]).ok();
    running.wait();
}
