//! Planners of one's own, over `eutectic.planner.v1`: ours served, a plain one, ones that answer nonsense, BoTorch.

use crate::bench::{Bench, Running, events, root};
use eutectic_proto::planner::v1 as wire;
use eutectic_proto::planner::v1::planner_service_server::{PlannerService, PlannerServiceServer};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tonic::{Request, Response, Status};

/// A Python with botorch, grpcio and grpcio-tools; in CI there has to be one.
const PYTHON: &str = "EUTECTIC_BOTORCH_PYTHON";

impl Bench {
    /// The first example, planned elsewhere.
    fn snar_by(&self, address: &str, experiments: u32) -> PathBuf {
        let file = self.snar(experiments, 1);
        let text = std::fs::read_to_string(&file).unwrap();
        self.write("campaign.toml", &format!("{text}\n[planner]\naddress = \"{address}\"\n"))
    }

    /// Our own planner as a service; where it listens.
    fn planner(&self, address: &str) -> (Running, String) {
        let mut served = self.start(&["planner", "serve", "--address", address]);
        let said = served.line().unwrap();
        (served, said.trim().strip_prefix("planner at ").unwrap().to_owned())
    }

    fn settings(&self) -> Vec<serde_json::Value> {
        events(&self.log(), "experiment_added").map(|event| event["setting"].clone()).collect()
    }
}

#[test]
fn our_planner_finds_the_same_points_as_a_service() {
    let (here, there) = (Bench::new(), Bench::new());
    here.run(&["run", here.snar(12, 1).to_str().unwrap()]).ok();
    let (served, address) = there.planner("127.0.0.1:0");
    let result = there.run(&["--json", "run", there.snar_by(&address, 12).to_str().unwrap()]).ok().last();
    assert_eq!(result["stop"]["reason"], "budget");
    assert!(here.settings().len() == 12 && here.settings() == there.settings());
    let answer = |bench: &Bench| events(&bench.log(), "campaign_ended").map(|it| it["answer"].clone()).next();
    assert_eq!(answer(&here), answer(&there), "and the same answer");
    let replay = there.run(&["--json", "doctor", "replay"]).ok().last();
    assert_eq!((&replay["plans"], &replay["elsewhere"]), (&0.into(), &12.into()), "{replay}");
    served.kill();
}

#[test]
fn it_names_the_same_front_as_a_service() {
    let (here, there) = (Bench::new(), Bench::new());
    let text = std::fs::read_to_string(root().join("examples/snar/front.toml")).unwrap();
    let text = text.replace("experiments = 40", "experiments = 12");
    here.snar(12, 1);
    there.snar(12, 1);
    here.run(&["run", here.write("campaign.toml", &text).to_str().unwrap()]).ok();
    let (served, address) = there.planner("127.0.0.1:0");
    let file = there.write("campaign.toml", &format!("{text}\n[planner]\naddress = \"{address}\"\n"));
    there.run(&["run", file.to_str().unwrap()]).ok();
    assert_eq!(here.settings(), there.settings(), "the reference point goes along");
    let front = |bench: &Bench| events(&bench.log(), "campaign_ended").map(|it| it["answer"]["front"].clone()).next();
    assert!(front(&here).is_some_and(|it| !it.as_array().unwrap().is_empty()));
    assert_eq!(front(&here), front(&there));
    served.kill();
}

#[test]
fn a_campaign_waits_for_a_planner_that_cant_be_reached_and_goes_on_when_it_is_there() {
    let bench = Bench::new();
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let file = bench.snar_by(&format!("http://{address}"), 3);
    let running = bench.start(&["--json", "run", file.to_str().unwrap()]);
    let paused = bench.until_event("a pause", |event| event["type"] == "campaign_paused");
    assert!(paused["reason"].as_str().unwrap().contains("can't be reached"), "{paused}");
    assert_eq!(bench.starts(), 0);
    let (served, _) = bench.planner(&address);
    bench.run(&["resume"]).ok();
    let said = running.end().ok();
    assert_eq!(said.last()["experiments"], 3);
    served.kill();
}

/// A planner that answers every call by the same function, and says UNIMPLEMENTED where it is asked to recommend.
struct Plain<F>(F);

#[tonic::async_trait]
impl<F> PlannerService for Plain<F>
where
    F: Fn(wire::SuggestRequest) -> Result<wire::SuggestResponse, Status> + Send + Sync + 'static,
{
    async fn suggest(&self, request: Request<wire::SuggestRequest>) -> Result<Response<wire::SuggestResponse>, Status> {
        (self.0)(request.into_inner()).map(Response::new)
    }
}

/// Serves it until the test ends.
fn plain(
    answer: impl Fn(wire::SuggestRequest) -> Result<wire::SuggestResponse, Status> + Send + Sync + 'static,
) -> String {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(format!("http://{}", listener.local_addr().unwrap())).unwrap();
            let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
            let service = PlannerServiceServer::new(Plain(answer));
            tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
        });
    });
    told.recv().unwrap()
}

fn one(point: &[f64]) -> wire::SuggestResponse {
    let suggestion = wire::Suggestion { point: point.to_vec(), ..Default::default() };
    wire::SuggestResponse { suggestions: vec![suggestion], memo: String::new(), planner: "plain 1".into() }
}

#[test]
fn a_planner_that_only_suggests_runs_a_campaign_and_the_answer_is_found_by_our_model() {
    let bench = Bench::new();
    let address = plain(|request| {
        let known: Vec<_> = request.problem.unwrap().known.into_iter().map(|it| (it.text, it.terms.len())).collect();
        assert_eq!(known, [("concentration / 1.0 + equivalents * concentration / 2.0 <= 1.0".to_owned(), 11)]);
        assert_eq!(request.memo, "m".repeat(request.rows.len()), "the memo comes back as it was");
        let mut response = one(&[1.0, 2.0, 0.2, 40.0 + 20.0 * request.rows.len() as f64]);
        response.memo = format!("{}m", request.memo);
        response.suggestions[0].text = "twenty degrees more".into();
        Ok(response)
    });
    let result = bench.run(&["--json", "run", bench.snar_by(&address, 4).to_str().unwrap()]).ok().last();
    assert_eq!(result["best"]["parameters"]["temperature"], 100.0, "{result}");
    let log = bench.log();
    let added: Vec<_> = events(&log, "experiment_added").collect();
    assert!(added.len() == 4 && added[1]["why"]["text"] == "twenty degrees more");
    let estimates = &events(&log, "campaign_ended").next().unwrap()["answer"]["estimates"];
    assert!(estimates["sty"]["mean"].is_f64(), "{estimates}");
}

#[test]
fn nonsense_from_a_planner_pauses_the_campaign_and_moves_nothing() {
    type Answer = fn() -> Result<wire::SuggestResponse, Status>;
    let answers: [(&str, Answer); 8] = [
        ("can't be tried", || Ok(one(&[1.0, 2.0, 0.2]))),
        ("can't be tried", || Ok(one(&[1.0, f64::NAN, 0.2, 40.0]))),
        ("temperature", || Ok(one(&[1.0, 2.0, 0.2, 400.0]))),
        ("concentration / 1.0 + equivalents", || Ok(one(&[1.0, 5.0, 0.5, 40.0]))),
        ("0 points for 1 asked", || Ok(wire::SuggestResponse::default())),
        ("2 points for 1 asked", || {
            let mut twice = one(&[1.0, 2.0, 0.2, 40.0]);
            twice.suggestions.push(twice.suggestions[0].clone());
            Ok(twice)
        }),
        ("the limit is 65536", || {
            let mut forgetful = one(&[1.0, 2.0, 0.2, 40.0]);
            forgetful.memo = "m".repeat(70_000);
            Ok(forgetful)
        }),
        ("I take no flow reactors", || Err(Status::invalid_argument("I take no flow reactors"))),
    ];
    for (expected, answer) in answers {
        let bench = Bench::new();
        let address = plain(move |_| answer());
        let running = bench.start(&["--json", "run", bench.snar_by(&address, 3).to_str().unwrap()]);
        let paused = bench.until_event("a pause", |event| event["type"] == "campaign_paused");
        let reason = paused["reason"].as_str().unwrap();
        assert!(reason.contains(expected), "{expected} is missing in: {reason}");
        assert_eq!(bench.starts(), 0);
        running.kill();
    }
}

#[test]
fn botorch_runs_a_campaign_by_the_example_planner() {
    let Some(python) = std::env::var_os(PYTHON) else {
        assert!(std::env::var_os("EUTECTIC_CI").is_none(), "in CI {PYTHON} has to be set");
        eprintln!("skipped: {PYTHON} names no Python with botorch, grpcio and grpcio-tools");
        return;
    };
    let mut planner = Command::new(python)
        .arg(root().join("examples/planner/botorch_planner.py"))
        .arg("--proto")
        .arg(root().join("proto"))
        .args(["--port", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(planner.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let bench = Bench::new();
    let file = bench.snar_by(said.strip_prefix("planner at ").unwrap(), 16);
    let result = bench.run(&["--json", "run", file.to_str().unwrap()]).ok().last();
    planner.kill().unwrap();
    planner.wait().unwrap();
    assert_eq!((&result["experiments"], &result["starts"]), (&16.into(), &32.into()), "{result}");
    let log = bench.log();
    let modelled = events(&log, "experiment_added").filter(|it| it["why"]["text"] == "qLogNEI by BoTorch");
    assert_eq!(modelled.count(), 6);
    let planned = events(&log, "proposals_added").next().unwrap();
    assert!(planned["planner"].as_str().unwrap().starts_with("botorch "), "{planned}");
}
