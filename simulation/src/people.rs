//! What comes from outside: crashes, cut lines, people who halt and clear, another holder, the person who looks after things.

use super::lab::CAMPAIGN;
use super::weather::Kind;
use super::world::{Delivery, World};
use eutectic_core::model::Decision;
use eutectic_core::{CampaignName, Command, InstrumentId, Intervention, Phase, Standing};
use eutectic_instruments::machine::{Answer, Call};
use eutectic_instruments::wire;
use rand::RngExt as _;

/// The instrument's other user.
const OTHER_HOLDER: &str = "another-workcell";

impl World {
    /// Trouble that comes to an instrument by itself.
    pub(crate) fn trouble(&mut self, name: &InstrumentId) {
        let (crash, cut) = (self.weather.driver_crash / 4.0, self.weather.partition);
        if self.drivers[name].lives() && self.happens(crash) {
            self.with_driver(name, false, |driver, _| driver.crash());
        }
        if self.happens(cut) {
            self.count(Kind::Partitions);
            let until = self.now_ms + self.rng.random_range(500..20_000);
            self.cut_until_ms.insert(name.clone(), until);
        }
        let (halt, borrow) = (self.weather.halt, self.weather.borrow);
        if self.happens(halt) {
            self.halt(name);
        }
        if self.happens(borrow) {
            self.borrow(name);
        }
    }

    /// A person halts it, and will clear that halt when they have looked.
    fn halt(&mut self, name: &InstrumentId) {
        let request = wire::HaltRequest { instrument: name.to_string(), reason: "smoke".to_owned() };
        let answer = self.with_driver(name, false, |driver, shared| driver.ask(Call::Halt(request), shared));
        self.count(Kind::Halts);
        match answer {
            Some(Ok(Answer::Status(status))) => self.halted(name, status.halt_id),
            // Whether it was heard, nobody knows: somebody looks.
            _ => self.send(500, Delivery::Look(name.clone())),
        }
    }

    fn halted(&mut self, name: &InstrumentId, halt_id: String) {
        self.tell(|| format!("{name} is halted: {halt_id}"));
        self.drivers.get_mut(name).unwrap().halt = Some(halt_id.clone());
        let looks = self.rng.random_range(100..8_000);
        self.send(looks, Delivery::Clear(name.clone(), halt_id));
    }

    pub(crate) fn look(&mut self, name: InstrumentId) {
        match self.with_driver(&name, false, |driver, shared| driver.ask(Call::Status, shared)) {
            Some(Ok(Answer::Status(status))) if status.halt_id.is_empty() => {}
            Some(Ok(Answer::Status(status))) => self.halted(&name, status.halt_id),
            _ => self.send(500, Delivery::Look(name)),
        }
    }

    pub(crate) fn clear(&mut self, name: InstrumentId, halt_id: String) {
        let request = wire::ClearHaltRequest {
            instrument: name.to_string(),
            halt_id: halt_id.clone(),
            person: "Kim".to_owned(),
            statement: "it was toast".to_owned(),
        };
        let driver = self.drivers.get_mut(&name).unwrap();
        let newest = driver.halt.as_ref() == Some(&halt_id);
        if newest {
            // From now on it may be cleared, whether or not the person hears of it.
            driver.halt = None;
        }
        match self.with_driver(&name, false, |driver, shared| driver.ask(Call::ClearHalt(request), shared)) {
            Some(Ok(_)) => {}
            Some(Err(refusal)) if refusal.fault.reason != "STILL_STOPPING" => {
                *self.counts.of(Kind::StaleClears) += u64::from(!newest);
            }
            _ => self.send(500, Delivery::Clear(name, halt_id)),
        }
    }

    /// Another workcell takes the instrument when it is free.
    fn borrow(&mut self, name: &InstrumentId) {
        let seconds = self.rng.random_range(1..6);
        let request = wire::AcquireLeaseRequest {
            instrument: name.to_string(),
            holder: OTHER_HOLDER.to_owned(),
            holder_epoch: i64::try_from(self.happening).unwrap(),
            ttl: Some(prost_types::Duration { seconds, nanos: 0 }),
            ..Default::default()
        };
        let answer = self.with_driver(name, false, |driver, shared| driver.ask(Call::AcquireLease(request), shared));
        // It may have died of it after all.
        if let Some(Ok(Answer::Lease(_))) = answer
            && self.drivers[name].lives()
        {
            self.count(Kind::Borrowed);
            self.tell(|| format!("{name} is borrowed for {seconds} s"));
            let until = self.now_ms + u64::try_from(seconds).unwrap() * 1_000;
            self.drivers.get_mut(name).unwrap().borrowed_until_ms = until;
        }
    }

    /// Something hangs: a person loses patience now and then. Returns whether it is so.
    pub(crate) fn annoyed(&mut self) -> bool {
        let abort = self.weather.abort;
        let annoyed = self.happens(abort);
        if annoyed {
            let patience = self.rng.random_range(100..5_000);
            self.send(patience, Delivery::GiveUp);
        }
        annoyed
    }

    pub(crate) fn give_up(&mut self) {
        if self.process.is_some() {
            self.count(Kind::Aborts);
            self.command(None, Command::AbortCampaign { campaign: CampaignName::new(CAMPAIGN), by: "Kim".to_owned() });
        }
    }

    /// Answers a question, one way or another.
    fn decide(&mut self, it: &Intervention) {
        let by = "Kim".to_owned();
        let (kind, decision) = match (it.evidence.is_empty(), self.rng.random_range(0..3)) {
            (false, _) => (Kind::LateWords, Decision::Accept),
            (true, 0) => {
                self.count(Kind::Releases);
                let instrument = it.instrument.clone();
                return self.command(None, Command::ReleaseInstrument { instrument, by });
            }
            (true, 1) => (Kind::Discards, Decision::Discard),
            (true, _) => (Kind::Repeats, Decision::Repeat),
        };
        self.count(kind);
        let resolve = |decision| Command::ResolveIntervention {
            intervention: it.number,
            revision: it.revision,
            decision,
            by: by.clone(),
        };
        self.command(None, resolve(decision));
        // Refused where no experiment waits for it: then the instrument is simply back in service.
        self.command(None, resolve(Decision::Discard));
    }

    /// Looks after what waits for a person.
    pub(crate) fn person(&mut self) {
        let visit = self.weather.visit;
        if self.stormy() && !self.happens(visit) {
            return;
        }
        let Some(process) = self.process.as_ref() else { return };
        let workcell = process.step.workcell();
        let waiting = |it: &&Intervention| matches!(workcell.standing(it), Standing::Waits | Standing::Due(_));
        let waiting: Vec<_> = workcell.open_interventions().filter(waiting).cloned().collect();
        let paused = workcell.campaigns.values().filter(|it| matches!(it.phase, Phase::Paused { .. }));
        let paused: Vec<_> = paused.map(|it| it.spec.name.clone()).collect();
        let doubted = workcell.doubt.is_some();
        for it in waiting {
            self.decide(&it);
        }
        for campaign in paused {
            self.command(None, Command::ResumeCampaign { campaign, by: "Kim".to_owned() });
        }
        if doubted {
            self.count(Kind::Adoptions);
            self.command(None, Command::AdoptJournal { by: "Kim".to_owned() });
        }
    }
}
