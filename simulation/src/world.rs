//! Clock, network and disk; what happens, in which order.

use super::driver::{Driver, Shared};
use super::lab::{CLEAN, METER, MIXER, campaign};
use super::process::{Died, Process};
use super::weather::{Counts, Kind, Weather};
use eutectic::gateway::{Action, Answer, Call, CallError, CallId};
use eutectic::journal::{AppendFault, Journal as _, MemoryJournal};
use eutectic_core::model::Policy;
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
/// The longest that a dead process stays away: longer than a lease.
const AWAY_MS: u64 = 25_000;

/// Where an answer goes: to this call of this process's session.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    process: u64,
    instrument: InstrumentId,
    call: CallId,
}

pub(crate) enum Delivery {
    ToDriver(Reply, Box<Call>),
    ToProcess(Reply, Result<Answer, CallError>),
    Plan(u64, Command),
    StartProcess,
    StartDriver(InstrumentId),
    /// A person clears the halt that they have seen.
    Clear(InstrumentId, String),
    /// A person looks whether the halt that they asked for was heard.
    Look(InstrumentId),
    /// A person aborts the campaign.
    GiveUp,
}

/// An entry of the log, and when it was there first. It stays here whatever becomes of the log.
pub(crate) struct Witnessed {
    pub(crate) happening: u64,
    /// The disk was full then.
    pub(crate) full: bool,
    pub(crate) recorded: Recorded,
}

pub(crate) struct World {
    pub(crate) rng: ChaCha8Rng,
    pub(crate) now_ms: u64,
    /// The number of what happens now.
    pub(crate) happening: u64,
    pub(crate) journal: MemoryJournal,
    pub(crate) process: Option<Process>,
    process_number: u64,
    pub(crate) drivers: BTreeMap<InstrumentId, Driver>,
    vials: BTreeMap<String, f64>,
    line: BTreeMap<(u64, u64), Delivery>,
    sent: u64,
    pub(crate) weather: Weather,
    pub(crate) cut_until_ms: BTreeMap<InstrumentId, u64>,
    full_until_ms: u64,
    /// How far the orchestrator's clock is off.
    pub(crate) clock_off_ms: i64,
    in_flight: u32,
    experiments: u32,
    /// What the mixer may do while nobody is there.
    policy: Option<Policy>,
    starts_twice: bool,
    pub(crate) witnessed: Vec<Witnessed>,
    seen: u64,
    pub(crate) lost_dispatches: u64,
    /// Whether to tell what happens as it happens.
    trace: bool,
    pub(crate) counts: Counts,
}

impl World {
    pub(crate) fn new(seed: u64, starts_twice: bool, trace: bool) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let weather = Weather::draw(&mut rng);
        let exact = rng.random_bool(0.5);
        let drivers = [MIXER, METER].map(|name| (InstrumentId::new(name), Driver::new(name, exact)));
        let (in_flight, experiments) = (rng.random_range(1..=3), rng.random_range(3..=6));
        let policy = rng.random_bool(0.7).then(|| Policy {
            recover: vec![CLEAN.to_owned(); rng.random_range(1..3)],
            at_most: rng.random_range(1..4),
            wait_ms: i64::from(rng.random_bool(0.5)) * 5_000,
        });
        let mut world = Self {
            rng,
            now_ms: 0,
            happening: 0,
            journal: MemoryJournal::of("workcell-simulated"),
            process: None,
            process_number: 0,
            drivers: drivers.into(),
            vials: BTreeMap::new(),
            line: BTreeMap::new(),
            sent: 0,
            weather,
            cut_until_ms: BTreeMap::new(),
            full_until_ms: 0,
            clock_off_ms: 0,
            in_flight,
            experiments,
            policy,
            starts_twice,
            witnessed: Vec::new(),
            seen: 0,
            lost_dispatches: 0,
            trace,
            counts: Counts::default(),
        };
        world.send(0, Delivery::StartProcess);
        for name in [MIXER, METER] {
            world.send(0, Delivery::StartDriver(InstrumentId::new(name)));
        }
        world
    }

    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        if self.trace {
            eprintln!("{:>7} ms  {}", self.now_ms, what());
        }
    }

    pub(crate) fn count(&mut self, kind: Kind) {
        *self.counts.of(kind) += 1;
    }

    pub(crate) fn send(&mut self, delay_ms: u64, delivery: Delivery) {
        self.sent += 1;
        self.line.insert((self.now_ms + delay_ms, self.sent), delivery);
    }

    pub(crate) fn stormy(&self) -> bool {
        self.now_ms < HEAL_MS
    }

    pub(crate) fn happens(&mut self, chance: f64) -> bool {
        self.stormy() && chance > 0.0 && self.rng.random_bool(chance)
    }

    pub(crate) fn play(&mut self) {
        let mut tick = 0;
        while self.now_ms < END_MS && !self.over() {
            self.happening += 1;
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
            self.witness();
        }
        self.arrive_late();
        let sum = |count: fn(&Driver) -> u64| self.drivers.values().map(count).sum();
        let sums: [(Kind, u64); 4] = [
            (Kind::DriverCrashes, sum(|it| it.crashes)),
            (Kind::Wiped, sum(|it| it.wiped)),
            (Kind::PutBack, sum(|it| it.put_back)),
            (Kind::Starts, sum(|it| it.hardware.starts.len() as u64)),
        ];
        sums.into_iter().for_each(|(kind, sum)| *self.counts.of(kind) = sum);
    }

    /// Whatever a driver was sent comes to it after all, when nobody thinks of it any more.
    fn arrive_late(&mut self) {
        while let Some(((at, _), delivery)) = self.line.pop_first() {
            if matches!(delivery, Delivery::ToDriver(..)) {
                self.happening += 1;
                self.now_ms = self.now_ms.max(at);
                self.deliver(delivery);
            }
        }
    }

    /// Takes down what has come into the log.
    fn witness(&mut self) {
        while self.seen < self.journal.head().seq {
            for entry in self.journal.read(self.seen + 1, usize::MAX).unwrap() {
                self.seen = entry.seq;
                let recorded: Recorded = serde_json::from_slice(&entry.payload).unwrap();
                self.tell(|| format!("log {}: {}", entry.seq, eutectic::projections::line(&recorded.event)));
                self.witnessed.push(Witnessed { happening: self.happening, full: !self.journal.has_spare(), recorded });
            }
        }
    }

    /// Nothing is open any more: no campaign, no operation, no question to anybody.
    pub(crate) fn over(&self) -> bool {
        self.process.as_ref().is_some_and(|process| {
            let workcell = process.step.workcell();
            let campaigns = &workcell.campaigns;
            !campaigns.is_empty()
                && campaigns.values().all(|it| matches!(it.phase, Phase::Ended(_)))
                && workcell.operations.is_empty()
                && workcell.open_interventions().next().is_none()
        })
    }

    fn tick(&mut self) {
        for name in self.drivers.keys().cloned().collect::<Vec<_>>() {
            self.trouble(&name);
            self.with_driver(&name, false, Driver::tick);
        }
        let (crash, fault, step) = (self.weather.process_crash, self.weather.append_fault, self.weather.clock_step);
        if self.happens(step) {
            self.count(Kind::ClockSteps);
            self.clock_off_ms += self.rng.random_range(-3_600_000..3_600_000);
        }
        if self.process.is_some() && self.happens(crash) {
            return self.process_ends();
        }
        if self.happens(fault) {
            self.count(Kind::AppendFaults);
            let stored = self.rng.random_bool(0.5);
            self.journal.fail_next_append(if stored { AppendFault::Stored } else { AppendFault::Cut });
        }
        self.disk();
        self.command(None, Command::Tick);
        self.person();
        self.poll();
    }

    /// The disk is full for a while.
    fn disk(&mut self) {
        let full = self.weather.full;
        if self.full_until_ms <= self.now_ms && self.happens(full) {
            self.count(Kind::Full);
            self.full_until_ms = self.now_ms + self.rng.random_range(500..10_000);
        }
        self.journal.set_full(self.now_ms < self.full_until_ms);
    }

    fn process_ends(&mut self) {
        self.tell(|| "the orchestrator dies".to_owned());
        self.count(Kind::ProcessCrashes);
        self.process = None;
        let away = if self.rng.random_bool(0.2) { AWAY_MS } else { AWAY_MS / 5 };
        let pause = self.rng.random_range(10..away);
        self.send(pause, Delivery::StartProcess);
    }

    /// By the door. A process whose journal failed it has ended.
    pub(crate) fn command(&mut self, id: Option<&str>, command: Command) {
        let wall_ms = 10_000_000 + i64::try_from(self.now_ms).unwrap() + self.clock_off_ms;
        let Some(process) = &mut self.process else { return };
        match process.take(wall_ms, id, command) {
            Err(Died) => self.process_ends(),
            Ok((_, plans)) => {
                for plan in plans {
                    let delay = self.rng.random_range(1..100);
                    self.send(delay, Delivery::Plan(self.process_number, plan));
                }
            }
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
                Action::Report(report) => self.command(None, (*report).into()),
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
        // What a person can't wait for never came the first time.
        let mut hangs = false;
        if let Delivery::ToDriver(reply, call) = &delivery
            && self.happens(loss)
        {
            // A request that the network delivers twice, the second time much later; the first time perhaps not at all.
            self.count(Kind::Doubled);
            let late = self.rng.random_range(1..10_000);
            hangs = matches!(**call, Call::Execute(_)) && self.annoyed();
            self.send(late, Delivery::ToDriver(reply.clone(), call.clone()));
        }
        if cut || hangs || self.happens(loss) {
            self.tell(|| format!("lost: {}", said(&delivery)));
            return self.count(Kind::Lost);
        }
        let slowest = if self.stormy() { self.weather.delay_ms } else { 20 };
        let delay = self.rng.random_range(1..=slowest);
        self.send(delay, delivery);
    }

    fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::StartProcess => self.start_process(),
            Delivery::StartDriver(name) => self.start_driver(&name),
            Delivery::Clear(name, halt_id) => self.clear(name, halt_id),
            Delivery::Look(name) => self.look(name),
            Delivery::GiveUp => self.give_up(),
            Delivery::ToDriver(reply, call) => {
                let name = reply.instrument.clone();
                self.tell(|| format!("{name} hears {}", called(&call)));
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

    fn start_driver(&mut self, name: &InstrumentId) {
        let (wipe, put_back) = (self.weather.wipe, self.weather.put_back);
        if self.drivers[name].crashes > 0 {
            let (wiped, put_back) = (self.happens(wipe), self.happens(put_back));
            let driver = self.drivers.get_mut(name).unwrap();
            if wiped {
                driver.wipe();
            } else if put_back && driver.put_back(&mut self.rng) {
                self.tell(|| format!("the journal of {name}'s driver is put back to a copy"));
                // An old halt may have come back with it.
                self.send(500, Delivery::Look(name.clone()));
            }
            self.tell(|| format!("{name}'s driver starts{}", if wiped { ", its journal gone" } else { "" }));
        }
        self.with_driver(name, true, Driver::start);
    }

    /// As `eutectic run` does each time.
    fn start_process(&mut self) {
        let roll_back = self.weather.roll_back;
        let head = self.journal.head().seq;
        if head > 2 && self.happens(roll_back) {
            self.count(Kind::RolledBack);
            let seq = self.rng.random_range(1..head);
            let lost = usize::try_from(head - seq).unwrap();
            let lost = self.witnessed.iter().rev().take(lost);
            let dispatches =
                lost.filter(|it| matches!(it.recorded.event, eutectic_core::Event::OperationDispatched(_)));
            self.lost_dispatches += dispatches.count() as u64;
            self.journal.put_back(seq);
            self.seen = seq;
            self.tell(|| format!("the log is put back to entry {seq}"));
        }
        self.process_number += 1;
        self.tell(|| "the orchestrator starts".to_owned());
        self.process = Some(Process::start(&self.journal, &[MIXER, METER]));
        let instruments = [(InstrumentId::new(MIXER), self.policy.clone()), (InstrumentId::new(METER), None)].into();
        self.command(None, Command::SetLab { instruments });
        let spec = Box::new(campaign(self.in_flight, self.experiments));
        let add = Command::AddCampaign { spec, digest: "d".to_owned(), source: String::new(), seed: 7 };
        self.command(Some("add"), add);
        self.poll();
    }

    pub(crate) fn with_driver<T>(
        &mut self,
        name: &InstrumentId,
        starting: bool,
        act: impl FnOnce(&mut Driver, &mut Shared<'_>) -> T,
    ) -> T {
        let crash_rate = if self.stormy() { self.weather.driver_crash } else { 0.0 };
        let driver = self.drivers.get_mut(name).unwrap();
        let (lived, before) = (driver.lives(), driver.hardware.starts.len());
        let mut shared = Shared {
            now_ms: self.now_ms,
            happening: self.happening,
            rng: &mut self.rng,
            crash_rate,
            starts_twice: self.starts_twice,
            vials: &mut self.vials,
            replies: Vec::new(),
        };
        let result = act(driver, &mut shared);
        let mut replies = shared.replies;
        // Their connections end with it.
        let reset = |reply| (reply, Err(CallError::Unknown("connection reset".to_owned())));
        replies.extend(driver.cut_off.drain(..).map(reset));
        let (lives, starts) = (driver.lives(), driver.hardware.starts.len() - before);
        if starts > 0 {
            self.tell(|| format!("{name} STARTS {}", self.drivers[name].hardware.starts[before].operation));
        }
        if !lives && (lived || starting) {
            self.tell(|| format!("{name}'s driver dies"));
            let longest = if self.rng.random_bool(0.3) { 300 } else { 8_000 };
            let pause = self.rng.random_range(10..longest);
            self.send(pause, Delivery::StartDriver(name.clone()));
        }
        for (reply, outcome) in replies {
            self.travel(Delivery::ToProcess(reply, outcome));
        }
        result
    }

    /// The whole log, read as a stranger would.
    pub(crate) fn log(&self) -> Vec<Recorded> {
        let entries = self.journal.read(1, usize::MAX).unwrap();
        entries.iter().map(|entry| serde_json::from_slice(&entry.payload).unwrap()).collect()
    }
}

fn called(call: &Call) -> String {
    match call {
        Call::Describe(_) => "Describe".to_owned(),
        Call::Lease(it) => format!("Lease for epoch {}", it.holder_epoch),
        Call::List(_) => "List".to_owned(),
        Call::Execute(it) => format!("Execute {} with token {}", it.operation_id, it.fencing_token),
        Call::Get(it) => format!("Get {}", it.operation_id),
        Call::Abort(it) => format!("Abort {}", it.operation_id),
    }
}

fn said(delivery: &Delivery) -> String {
    match delivery {
        Delivery::ToDriver(reply, call) => format!("{} for {}", called(call), reply.instrument),
        Delivery::ToProcess(reply, _) => format!("an answer of {}", reply.instrument),
        Delivery::Plan(..)
        | Delivery::StartProcess
        | Delivery::StartDriver(_)
        | Delivery::Clear(..)
        | Delivery::Look(_)
        | Delivery::GiveUp => String::new(),
    }
}
