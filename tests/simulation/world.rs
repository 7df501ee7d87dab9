//! Clock, network, crashes, and the person who comes by.

use super::driver::{Driver, Shared};
use super::lab::{METER, MIXER, campaign};
use super::process::{Died, Process, command};
use eutectic::gateway::{Action, Answer, Call, CallError, CallId};
use eutectic::journal::{AppendFault, MemoryJournal};
use eutectic_core::{Command, InstrumentId, Phase, Recorded};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Faults end here; whatever was going on has to come to an end afterwards.
const HEAL_MS: u64 = 60_000;
/// By then everything must have ended.
const END_MS: u64 = 600_000;
const TICK_MS: u64 = 50;
/// A call without answer is given up after this.
const CALL_TIMEOUT_MS: u64 = 3_000;
/// The same for a call that waits for news.
const WAIT_TIMEOUT_MS: u64 = 25_000;

/// What is wrong with the code under test, on purpose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mutant {
    None,
    StartsTwice,
    SendsAgainUnasked,
    IgnoresJournalId,
}

/// How often each kind of trouble was met.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) process_crashes: u64,
    pub(crate) append_faults: u64,
    pub(crate) driver_crashes: u64,
    pub(crate) wiped: u64,
    pub(crate) lost: u64,
    pub(crate) partitions: u64,
    pub(crate) releases: u64,
    pub(crate) starts: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.process_crashes += other.process_crashes;
        self.append_faults += other.append_faults;
        self.driver_crashes += other.driver_crashes;
        self.wiped += other.wiped;
        self.lost += other.lost;
        self.partitions += other.partitions;
        self.releases += other.releases;
        self.starts += other.starts;
    }

    pub(crate) fn all_met(&self) -> bool {
        let Self { process_crashes, append_faults, driver_crashes, wiped, lost, partitions, releases, starts } = self;
        [process_crashes, append_faults, driver_crashes, wiped, lost, partitions, releases, starts]
            .iter()
            .all(|count| **count >= 10)
    }
}

/// Where an answer goes: to this call of this process's session.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    process: u64,
    instrument: InstrumentId,
    call: CallId,
}

enum Delivery {
    ToDriver(Reply, Box<Call>),
    ToProcess(Reply, Result<Answer, CallError>),
    Plan(u64, Command),
    StartProcess,
    StartDriver(InstrumentId),
}

/// How bad it gets; drawn for each history, so that calm and stormy ones are both met.
struct Weather {
    loss: f64,
    delay_ms: u64,
    process_crash: f64,
    append_fault: f64,
    driver_crash: f64,
    wipe: f64,
    partition: f64,
}

pub(crate) struct World {
    rng: ChaCha8Rng,
    pub(crate) now_ms: u64,
    pub(crate) journal: MemoryJournal,
    pub(crate) process: Option<Process>,
    process_number: u64,
    pub(crate) drivers: BTreeMap<InstrumentId, Driver>,
    vials: BTreeMap<String, f64>,
    line: BTreeMap<(u64, u64), Delivery>,
    delivered: u64,
    weather: Weather,
    cut_until_ms: BTreeMap<InstrumentId, u64>,
    in_flight: u32,
    experiments: u32,
    mutant: Mutant,
    pub(crate) counts: Counts,
}

impl World {
    pub(crate) fn new(seed: u64, mutant: Mutant) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut upto = |highest: f64| if rng.random_bool(0.5) { rng.random_range(0.0..highest) } else { 0.0 };
        let weather = Weather {
            loss: upto(0.15),
            delay_ms: if upto(1.0) > 0.0 { 2_000 } else { 20 },
            process_crash: upto(0.02),
            append_fault: upto(0.02),
            driver_crash: upto(0.02),
            wipe: upto(0.5),
            partition: upto(0.01),
        };
        let exact = rng.random_bool(0.5);
        let drivers = [MIXER, METER].map(|name| (InstrumentId::new(name), Driver::new(name, exact, mutant)));
        let (in_flight, experiments) = (rng.random_range(1..=3), rng.random_range(3..=6));
        let mut world = Self {
            rng,
            now_ms: 0,
            journal: MemoryJournal::of("workcell-simulated"),
            process: None,
            process_number: 0,
            drivers: drivers.into(),
            vials: BTreeMap::new(),
            line: BTreeMap::new(),
            delivered: 0,
            weather,
            cut_until_ms: BTreeMap::new(),
            in_flight,
            experiments,
            mutant,
            counts: Counts::default(),
        };
        world.send(0, Delivery::StartProcess);
        for name in [MIXER, METER] {
            world.send(0, Delivery::StartDriver(InstrumentId::new(name)));
        }
        world
    }

    fn send(&mut self, delay_ms: u64, delivery: Delivery) {
        self.delivered += 1;
        self.line.insert((self.now_ms + delay_ms, self.delivered), delivery);
    }

    fn stormy(&self) -> bool {
        self.now_ms < HEAL_MS
    }

    fn happens(&mut self, chance: f64) -> bool {
        self.stormy() && chance > 0.0 && self.rng.random_bool(chance)
    }

    pub(crate) fn play(&mut self) {
        let mut tick = 0;
        while self.now_ms < END_MS && !self.over() {
            match self.line.first_key_value().map(|((at, _), _)| *at) {
                Some(at) if at <= tick => {
                    let ((at, _), delivery) = self.line.pop_first().unwrap();
                    self.now_ms = self.now_ms.max(at);
                    self.deliver(delivery);
                }
                _ => {
                    self.now_ms = self.now_ms.max(tick);
                    tick += TICK_MS;
                    self.tick();
                }
            }
        }
        self.counts.driver_crashes = self.drivers.values().map(|it| it.crashes).sum();
        self.counts.wiped = self.drivers.values().map(|it| it.wiped).sum();
        self.counts.starts = self.drivers.values().map(|it| it.hardware.starts.len() as u64).sum();
    }

    fn over(&self) -> bool {
        self.process.as_ref().is_some_and(|process| {
            let workcell = process.step.workcell();
            workcell.campaigns.values().any(|it| matches!(it.phase, Phase::Ended(_)))
                && workcell.campaigns.values().all(|it| matches!(it.phase, Phase::Ended(_)))
        })
    }

    fn tick(&mut self) {
        for name in self.drivers.keys().cloned().collect::<Vec<_>>() {
            let crash = self.weather.driver_crash;
            if self.drivers[&name].lives() && self.happens(crash / 4.0) {
                self.with_driver(&name, false, |driver, _| driver.crash());
            }
            self.with_driver(&name, false, Driver::tick);
            let partition = self.weather.partition;
            if self.happens(partition) {
                self.counts.partitions += 1;
                let until = self.now_ms + self.rng.random_range(500..20_000);
                self.cut_until_ms.insert(name, until);
            }
        }
        let (crash, fault) = (self.weather.process_crash, self.weather.append_fault);
        if self.process.is_some() && self.happens(crash) {
            return self.process_ends();
        }
        if self.happens(fault) {
            self.counts.append_faults += 1;
            let stored = self.rng.random_bool(0.5);
            self.journal.fail_next_append(if stored { AppendFault::Stored } else { AppendFault::Cut });
        }
        self.command(None, Command::Tick);
        self.person();
        self.poll();
    }

    fn process_ends(&mut self) {
        self.counts.process_crashes += 1;
        self.process = None;
        let pause = self.rng.random_range(10..10_000);
        self.send(pause, Delivery::StartProcess);
    }

    /// By the door. A process whose journal failed it has ended.
    fn command(&mut self, id: Option<&str>, command: Command) {
        let Some(process) = &mut self.process else { return };
        match process.take(self.now_ms, id, command) {
            Err(Died) => self.process_ends(),
            Ok((_, plans)) => {
                for plan in plans {
                    let delay = self.rng.random_range(1..100);
                    self.send(delay, Delivery::Plan(self.process_number, plan));
                }
            }
        }
    }

    /// Looks after what waits for a person, once the storm is over.
    fn person(&mut self) {
        let Some(process) = self.process.as_ref().filter(|_| !self.stormy()) else { return };
        let workcell = process.step.workcell();
        let out = workcell.instruments.iter().filter(|(_, it)| it.quarantined.is_some() && it.running.is_empty());
        let releases: Vec<_> = out.map(|(name, _)| name.clone()).collect();
        let paused = workcell.campaigns.values().filter(|it| matches!(it.phase, Phase::Paused { .. }));
        let paused: Vec<_> = paused.map(|it| it.spec.name.clone()).collect();
        for instrument in releases {
            self.counts.releases += 1;
            self.command(None, Command::ReleaseInstrument { instrument, by: "Kim".to_owned() });
        }
        for campaign in paused {
            self.command(None, Command::ResumeCampaign { campaign, by: "Kim".to_owned() });
        }
    }

    fn poll(&mut self) {
        let Some(process) = &mut self.process else { return };
        let mut actions = Vec::new();
        for (name, session) in &mut process.sessions {
            actions.extend(session.poll(self.now_ms).into_iter().map(|action| (name.clone(), action)));
        }
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<(InstrumentId, Action)>) {
        for (instrument, action) in actions {
            match action {
                Action::Report(report) => {
                    if let Some(command) = command(*report) {
                        self.command(None, command);
                    }
                }
                Action::Call(call, request) => {
                    let reply = Reply { process: self.process_number, instrument, call };
                    let waits = matches!(&*request, Call::Get(it) if it.wait.is_some_and(|it| it.seconds > 0));
                    let patience = if waits { WAIT_TIMEOUT_MS } else { CALL_TIMEOUT_MS };
                    let lost = CallError::Unknown("no answer in time".to_owned());
                    self.send(patience, Delivery::ToProcess(reply.clone(), Err(lost)));
                    self.travel(Delivery::ToDriver(reply, request));
                }
            }
        }
    }

    /// Over a network that loses, delays and repeats.
    fn travel(&mut self, delivery: Delivery) {
        let loss = self.weather.loss;
        let (Delivery::ToDriver(Reply { instrument, .. }, _) | Delivery::ToProcess(Reply { instrument, .. }, _)) =
            &delivery
        else {
            return;
        };
        let cut = self.stormy() && self.cut_until_ms.get(instrument).is_some_and(|until| *until > self.now_ms);
        if cut || self.happens(loss) {
            self.counts.lost += 1;
            return;
        }
        let slowest = if self.stormy() { self.weather.delay_ms } else { 20 };
        if let Delivery::ToDriver(reply, call) = &delivery
            && self.happens(loss)
        {
            // A request that the network delivers twice, the second time much later.
            let late = self.rng.random_range(1..10_000);
            self.send(late, Delivery::ToDriver(reply.clone(), call.clone()));
        }
        let delay = self.rng.random_range(1..=slowest);
        self.send(delay, delivery);
    }

    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::StartProcess => self.start_process(),
            Delivery::StartDriver(name) => {
                let wipe = self.weather.wipe / 4.0;
                let starts = self.drivers[&name].crashes > 0;
                if starts && self.happens(wipe) {
                    self.drivers.get_mut(&name).unwrap().wipe();
                }
                self.with_driver(&name, true, Driver::start);
            }
            Delivery::ToDriver(reply, call) => {
                let name = reply.instrument.clone();
                self.with_driver(&name, false, |driver, shared| driver.call(reply, *call, shared));
            }
            Delivery::ToProcess(reply, outcome) => {
                let now_ms = self.now_ms;
                if let Some(process) = self.process.as_mut().filter(|_| self.process_number == reply.process)
                    && let Some(session) = process.sessions.get_mut(&reply.instrument)
                {
                    let actions = session.answered(reply.call, outcome, now_ms);
                    let name = reply.instrument;
                    self.act(actions.into_iter().map(|action| (name.clone(), action)).collect());
                    self.poll();
                }
            }
            Delivery::Plan(process, plan) => {
                if process == self.process_number {
                    self.command(None, plan);
                    self.poll();
                }
            }
        }
    }

    /// As `eutectic run` does each time.
    fn start_process(&mut self) {
        self.process_number += 1;
        self.process = Some(Process::start(&self.journal, &[MIXER, METER], self.mutant));
        let instruments = vec![InstrumentId::new(MIXER), InstrumentId::new(METER)];
        self.command(None, Command::SetLab { instruments });
        let spec = Box::new(campaign(self.in_flight, self.experiments));
        let add = Command::AddCampaign { spec, digest: "d".to_owned(), source: String::new(), seed: 7 };
        self.command(Some("add"), add);
        self.poll();
    }

    fn with_driver(&mut self, name: &InstrumentId, starting: bool, act: impl FnOnce(&mut Driver, &mut Shared<'_>)) {
        let crash_rate = if self.stormy() { self.weather.driver_crash } else { 0.0 };
        let driver = self.drivers.get_mut(name).unwrap();
        let lived = driver.lives();
        let (now_ms, rng, vials) = (self.now_ms, &mut self.rng, &mut self.vials);
        let mut shared = Shared { now_ms, rng, crash_rate, vials, replies: Vec::new() };
        act(driver, &mut shared);
        let replies = shared.replies;
        if !driver.lives() && (lived || starting) {
            let pause = self.rng.random_range(10..8_000);
            self.send(pause, Delivery::StartDriver(name.clone()));
        }
        for (reply, outcome) in replies {
            self.travel(Delivery::ToProcess(reply, outcome));
        }
    }

    /// The whole log, read as a stranger would.
    pub(crate) fn log(&self) -> Vec<Recorded> {
        use eutectic::journal::Journal as _;
        let entries = self.journal.read(1, usize::MAX).unwrap();
        entries.iter().map(|entry| serde_json::from_slice(&entry.payload).unwrap()).collect()
    }

    pub(crate) fn print_log(&self) {
        for recorded in self.log() {
            println!("{}", serde_json::to_string(&recorded).unwrap());
        }
        for driver in self.drivers.values() {
            for start in &driver.hardware.starts {
                println!("{} ms: {} starts {} {:?}", start.at_ms, driver.name, start.operation, start.campaign_step);
            }
        }
    }
}
