//! A long journal, made by the engine's own step without drivers, and the time from opening it to the first operation.

use eutectic::engine::Step;
use eutectic::journal::EmbeddedJournal;
use eutectic_benchmarks::Fault;
use eutectic_benchmarks::{CAPABILITY, Rig, Stub, campaign, names};
use eutectic_core::model::{CapabilityDescription, InstrumentDescription, Quantity, RepeatEffect, Value};
use eutectic_core::{Command, Effect, Ended, PlanAnswer, Purpose, Report, Request, RequestId, Time};
use std::path::Path;
use std::time::{Duration, Instant};

/// Instruments, and operations at once.
const INSTRUMENTS: u32 = 16;
/// Experiments of each campaign.
const EXPERIMENTS: u32 = 500;

/// What came of it.
pub(crate) struct Opened {
    pub(crate) events: u64,
    pub(crate) megabytes: f64,
    pub(crate) replayed: Duration,
    pub(crate) dispatched: Duration,
}

/// Fills a journal with at least so many events.
pub(crate) fn fill(folder: &Path, events: u64) -> Result<(), Fault> {
    let (journal, _) = EmbeddedJournal::open(folder)?;
    let mut step = Step::open(Box::new(journal), "the benchmark")?;
    let tell = |command| Request { id: None, command };
    let lab = names(INSTRUMENTS).into_iter().map(|name| (name, None)).collect();
    step.take(Time(1), vec![tell(Command::SetLab { instruments: lab })])?;
    let able = CapabilityDescription { version: "1.0.0".to_owned(), effect: RepeatEffect::Once, max_duration_ms: None };
    for (instrument, token) in names(INSTRUMENTS).into_iter().zip(1..) {
        let description = InstrumentDescription {
            digest: "d".to_owned(),
            max_concurrency: 1,
            capabilities: [(CAPABILITY.to_owned(), able.clone())].into(),
            ..InstrumentDescription::default()
        };
        let described = tell(Command::DescribeInstrument { instrument: instrument.clone(), description });
        let epoch = step.workcell().epoch;
        let leased = Command::TakeLease { instrument, epoch, journal_id: "stub".to_owned(), token };
        step.take(Time(1), vec![described, tell(leased)])?;
    }
    let mut number = 0;
    while step.seq() < events {
        number += 1;
        let name = format!("c{number}");
        let spec = Box::new(campaign(&name, EXPERIMENTS, INSTRUMENTS));
        let add = Command::AddCampaign { spec, digest: "d".to_owned(), source: String::new(), seed: 7 };
        step.take(Time(1), vec![Request { id: Some(RequestId::new(name)), command: add }])?;
        work(&mut step)?;
    }
    Ok(step.close()?)
}

/// Until nothing is owed any more.
fn work(step: &mut Step) -> Result<(), Fault> {
    loop {
        let open: Vec<_> = step.workcell().operations.keys().cloned().collect();
        let one = Value::Quantity(Quantity { value: 1.0, unit: "1".to_owned(), sd: None, limit: None });
        let ended = Ended::Succeeded { outputs: [("y".to_owned(), one)].into() };
        let report = |operation, report| Request { id: None, command: Command::ReportOperation { operation, report } };
        let mut requests: Vec<_> = open.iter().map(|id| report(id.clone(), Report::Started)).collect();
        requests.extend(open.iter().map(|id| report(id.clone(), Report::Ended(ended.clone()))));
        requests.extend(step.workcell().owed().values().filter_map(|effect| match effect {
            Effect::Plan(order) if order.purpose == Purpose::Answer => {
                let (campaign, ticket) = (order.campaign.clone(), order.ticket);
                let answer = PlanAnswer::Answer(None);
                Some(Request { id: None, command: Command::AddProposals { campaign, ticket, answer } })
            }
            Effect::Plan(_) | Effect::Hold { .. } | Effect::Attend(_) => None,
        }));
        if requests.is_empty() {
            return Ok(());
        }
        step.take(Time(2), requests)?;
    }
}

/// From opening the folder to the first operation that a driver hears of.
pub(crate) async fn open(folder: &Path) -> Result<Opened, Fault> {
    let stub = Stub::default();
    let address = stub.clone().serve().await?;
    let begun = Instant::now();
    let rig = Rig::start(folder, address, INSTRUMENTS).await?;
    let replayed = begun.elapsed();
    rig.add("the-next", EXPERIMENTS, INSTRUMENTS).await?;
    let dispatched = loop {
        match stub.first() {
            Some(first) => break first.duration_since(begun),
            None => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    };
    let events = *rig.handle().seq().borrow();
    rig.engine.close().await?;
    let segments = std::fs::read_dir(folder.join("log"))?.flatten().filter_map(|it| it.metadata().ok());
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let megabytes = segments.map(|it| it.len()).sum::<u64>() as f64 / 1e6;
    Ok(Opened { events, megabytes, replayed, dispatched })
}
