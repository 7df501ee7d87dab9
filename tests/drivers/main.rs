//! Simulated drivers as processes of their own, called over sockets as any client of the contract would.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking"
)]

mod adapters;
mod driver;
mod host;
mod kills;
mod kit;
mod new;
mod plain;
mod proxy;
mod python;
mod tls;
mod windows;

use driver::{Driver, reason};
use eutectic_proto::instrument::v1 as wire;
use proxy::Proxy;
use std::time::Duration;
use wire::operation::State;

const OPERATION: &str = "0f4c2a6e-7d1b-4c55-9a10-000000000001";

/// The first reply gets lost on the way; `starts` is the hardware's own count.
async fn lost_reply(driver: &Driver, request: impl Fn(i64) -> wire::ExecuteRequest, starts: impl Fn() -> usize) {
    let mut direct = driver.client().await;
    let token = driver.lease(&mut direct, 1).await;
    let proxy = Proxy::before(driver.address()).await;
    let mut lossy = driver::connect(&proxy.address()).await;
    proxy.swallow_replies();
    let request = request(token);
    let lost = tokio::time::timeout(Duration::from_millis(700), lossy.execute(request.clone())).await;
    assert!(lost.is_err(), "the reply was to be lost");
    let again = direct.execute(request).await.unwrap().into_inner();
    assert!(again.attached, "the same id is attached to, not started again");
    let operation = driver.ended(&mut direct, OPERATION).await;
    assert_eq!(operation.state(), State::Succeeded);
    assert_eq!(starts(), 1);
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again_and_the_hardware_starts_once() {
    let driver = Driver::start("flow_reactor", 6_000.0);
    lost_reply(&driver, |token| driver.react(OPERATION, token, 1.0), || driver.starts()).await;
}

#[tokio::test]
async fn a_lost_reply_of_a_host_is_asked_for_again_and_its_child_starts_once() {
    let (driver, starts) = host::wild("well");
    let request = |token| driver.quantity(OPERATION, token, "wild.do", "n", 4.0, "1");
    lost_reply(&driver, request, || std::fs::read_to_string(&starts).unwrap().lines().count()).await;
}

#[tokio::test]
async fn a_lost_reply_of_a_python_driver_is_asked_for_again_and_it_starts_once() {
    let Some((driver, folder)) = python::counting() else { return };
    let request = |token| driver.quantity(OPERATION, token, "bath.heat", "temperature", 60.0, "Cel");
    lost_reply(&driver, request, || std::fs::read_to_string(folder.join("starts")).unwrap().lines().count()).await;
}

#[tokio::test]
async fn a_killed_driver_finds_its_operation_again_and_its_hardware_starts_once() {
    // Three windows: just accepted, running, and ended while the driver was away.
    for (wait, away) in [(0, 0), (120, 0), (60, 1_500)] {
        let mut driver = Driver::start("flow_reactor", 600.0);
        let mut client = driver.client().await;
        let token = driver.lease(&mut client, 1).await;
        client.execute(driver.react(OPERATION, token, 0.5)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        driver.kill();
        tokio::time::sleep(Duration::from_millis(away)).await;
        driver.restart();
        let mut client = driver.client().await;
        let operation = driver.ended(&mut client, OPERATION).await;
        assert!(matches!(operation.state(), State::Succeeded | State::Interrupted), "{operation:?}");
        assert_eq!(operation.state(), State::Succeeded, "this hardware can be asked");
        let again = client.execute(driver.react(OPERATION, token, 0.5)).await;
        assert!(again.is_err() || again.unwrap().into_inner().attached);
        assert_eq!(driver.starts(), 1, "killed after {wait} ms, away for {away} ms");
    }
}

#[tokio::test]
async fn a_newer_owner_fences_the_older_one_out() {
    let driver = Driver::start("flow_reactor", 6_000.0);
    let mut client = driver.client().await;
    let old = driver.lease(&mut client, 1).await;
    let new = driver.lease(&mut client, 2).await;
    assert!(new > old);
    let refused = client.execute(driver.react(OPERATION, old, 1.0)).await.unwrap_err();
    assert_eq!(reason(&refused), "STALE_TOKEN");
    let stale = client.acquire_lease(driver.lease_request(driver::HOLDER, 1)).await.unwrap_err();
    assert_eq!(reason(&stale), "STALE_EPOCH");
    let other =
        client.acquire_lease(driver.lease_request("11111111-2222-4333-8444-555555555555", 9)).await.unwrap_err();
    assert_eq!(reason(&other), "LEASE_HELD");
    assert_eq!(driver.starts(), 0);
}

#[tokio::test]
async fn what_was_refused_is_not_remembered_and_what_was_accepted_is() {
    let driver = Driver::start("flow_reactor", 6_000.0);
    let mut client = driver.client().await;
    let token = driver.lease(&mut client, 1).await;
    let mut hot = driver.react(OPERATION, token, 1.0);
    driver::set(&mut hot, "temperature", 400.0, "Cel");
    let refused = client.execute(hot).await.unwrap_err();
    assert_eq!(reason(&refused), "OUT_OF_RANGE");
    assert!(refused.message().contains("temperature") && refused.message().contains("400"), "{}", refused.message());
    client.execute(driver.react(OPERATION, token, 1.0)).await.unwrap();
    let mut other = driver.react(OPERATION, token, 1.5);
    other.request_hash = vec![7; 32];
    assert_eq!(reason(&client.execute(other).await.unwrap_err()), "OPERATION_ID_REUSED");
    let nobody = wire::GetOperationRequest {
        instrument: driver.name().into(),
        operation_id: "0f4c2a6e-7d1b-4c55-9a10-00000000ffff".into(),
        ..Default::default()
    };
    assert_eq!(reason(&client.get_operation(nobody).await.unwrap_err()), "OPERATION_NOT_FOUND");
    driver.ended(&mut client, OPERATION).await;
    assert_eq!(driver.starts(), 1);
}

#[tokio::test]
async fn halt_is_heard_while_every_stream_is_taken() {
    let driver = Driver::start("flow_reactor", 60.0);
    let mut client = driver.client().await;
    let token = driver.lease(&mut client, 1).await;
    client.execute(driver.react(OPERATION, token, 2.0)).await.unwrap();
    let mut taken = Vec::new();
    for _ in 0..300 {
        let request = wire::WatchInstrumentRequest { instrument: driver.name().into(), ..Default::default() };
        taken.push(client.watch_instrument(request).await.unwrap().into_inner());
    }
    let halt = wire::HaltRequest { instrument: driver.name().into(), reason: "smoke".into() };
    let status = tokio::time::timeout(Duration::from_secs(5), driver.client().await.halt(halt)).await.unwrap().unwrap();
    let halt_id = status.into_inner().status.unwrap().halt_id;
    assert!(!halt_id.is_empty());
    let operation = driver.ended(&mut client, OPERATION).await;
    assert_eq!(operation.state(), State::Aborted);
    let next = "0f4c2a6e-7d1b-4c55-9a10-000000000002";
    assert_eq!(reason(&client.execute(driver.react(next, token, 1.0)).await.unwrap_err()), "HALTED");
    let clear = wire::ClearHaltRequest {
        instrument: driver.name().into(),
        halt_id,
        person: "an operator".into(),
        statement: "no smoke any more".into(),
    };
    client.clear_halt(clear).await.unwrap();
    client.execute(driver.react(next, token, 1.0)).await.unwrap();
    drop(taken);
}

#[tokio::test]
async fn a_second_process_on_the_same_memory_is_refused_and_an_idle_one_ends() {
    let driver = Driver::start("flow_reactor", 6_000.0);
    let second = driver.command().output().unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("journal"), "{second:?}");
    let mut idle = Driver::start_with("hplc", 6_000.0, &["--idle-exit-s", "1"]);
    for _ in 0..100 {
        if idle.has_ended() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("a driver that nobody calls stays for ever");
}

#[tokio::test]
async fn a_vial_that_was_never_filled_fails_by_its_recipe_and_says_so() {
    let driver = Driver::start("hplc", 6_000.0);
    let mut client = driver.client().await;
    let token = driver.lease(&mut client, 1).await;
    client.execute(driver.assay(OPERATION, token, "vial-nowhere", 1)).await.unwrap();
    let operation = driver.ended(&mut client, OPERATION).await;
    assert_eq!(operation.state(), State::Failed);
    let fault = operation.fault.unwrap();
    assert_eq!(fault.reason, "UNKNOWN_SAMPLE");
    assert!(fault.message.contains("vial-nowhere"));
}

/// The ortho reading of a vial, as experiment `experiment` of a campaign.
async fn reading(driver: &Driver, vial: &str, operation: &str, experiment: i64) -> f64 {
    let mut client = driver.client().await;
    let token = driver.lease(&mut client, 1).await;
    client.execute(driver.assay(operation, token, vial, experiment)).await.unwrap();
    let operation = driver.ended(&mut client, operation).await;
    let ortho = operation.measurements.iter().find(|it| it.output == "ortho").unwrap();
    match ortho.value.clone().unwrap().kind.unwrap() {
        wire::value::Kind::Quantity(quantity) => {
            assert!((quantity.standard_uncertainty / quantity.value - 0.005).abs() < 0.001, "{quantity:?}");
            quantity.value
        }
        _ => panic!("{ortho:?}"),
    }
}

#[tokio::test]
async fn noise_depends_on_the_experiment_and_not_on_what_its_operation_is_called() {
    let reactor = Driver::start("flow_reactor", 6_000.0);
    let mut client = reactor.client().await;
    let token = reactor.lease(&mut client, 1).await;
    client.execute(reactor.react(OPERATION, token, 1.0)).await.unwrap();
    reactor.ended(&mut client, OPERATION).await;
    let hplc = Driver::beside(&reactor, "hplc");
    let vial = format!("vial-{OPERATION}");
    let first = reading(&hplc, &vial, "0f4c2a6e-7d1b-4c55-9a10-00000000000a", 1).await;
    let again = reading(&hplc, &vial, "0f4c2a6e-7d1b-4c55-9a10-00000000000b", 1).await;
    let other = reading(&hplc, &vial, "0f4c2a6e-7d1b-4c55-9a10-00000000000c", 2).await;
    assert_eq!(first.to_bits(), again.to_bits());
    assert_ne!(first.to_bits(), other.to_bits());
    assert!((first / other - 1.0).abs() < 0.05);
}

#[tokio::test]
async fn a_driver_that_starts_twice_gives_itself_away_by_the_hardwares_count() {
    let driver = Driver::start_with("flow_reactor", 6_000.0, &["--fault", "start-twice"]);
    let mut client = driver.client().await;
    let token = driver.lease(&mut client, 1).await;
    let mut request = driver.react(OPERATION, token, 1.0);
    request.context.as_mut().unwrap().experiment = 3;
    client.execute(request).await.unwrap();
    driver.ended(&mut client, OPERATION).await;
    assert_eq!(driver.starts(), 2);
}
