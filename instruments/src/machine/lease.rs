//! Leases and fencing tokens: who may give orders.

use super::{Answer, ID_LENGTH_MAX, LeaseRecord, Machine, Now, Reason, RecordKind, Refusal};
use crate::wire::operation::State;
use crate::wire::{AcquireLeaseRequest, Lease, ReleaseLeaseRequest, RenewLeaseRequest, SampleEffect};
use eutectic_failpoints::mutant;
use std::collections::BTreeMap;
use std::time::Duration;

/// Holders whose epochs are kept; a lab has a handful.
pub const HOLDERS_MAX: usize = 10_000;

/// A holder can't remember a higher token: every lease would have to be taken for ages first.
const TOKEN_MAX: i64 = 1 << 53;

/// A lease in force.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) holder: String,
    pub(super) epoch: i64,
    pub(super) token: i64,
    ttl: Duration,
    expires: Duration,
    expire_time: prost_types::Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Leases {
    held: Option<Held>,
    /// The newest token ever issued, as far as the journal knows.
    last_token: i64,
    /// The next token is above this one, too.
    floor: i64,
    /// The newest lease of each holder that the journal knows: the highest epoch, and the token.
    newest: BTreeMap<String, (i64, i64)>,
}

impl Leases {
    pub(super) fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    pub(super) fn expiry(&self) -> Option<Duration> {
        self.held.as_ref().map(|held| held.expires)
    }

    /// Ends the lease if its time is over; says whether it did.
    pub(super) fn expire(&mut self, now: Duration) -> bool {
        self.held.take_if(|held| held.expires <= now).is_some()
    }

    /// Tokens begin above every one that an earlier journal, or this one before it was put back, can have issued: else another
    /// holder could get the number that an earlier one still believes in.
    pub(super) fn begin(&mut self, now: prost_types::Timestamp) {
        let clock_ms = now.seconds.saturating_mul(1000).saturating_add(i64::from(now.nanos) / 1_000_000);
        self.floor = clock_ms.clamp(0, TOKEN_MAX / 2);
    }

    pub(super) fn restore(&mut self, record: LeaseRecord) {
        self.last_token = self.last_token.max(record.fencing_token);
        self.newest.insert(record.holder, (record.holder_epoch, record.fencing_token));
    }
}

impl Machine {
    pub(super) fn acquire_lease(&mut self, request: &AcquireLeaseRequest) -> Result<Answer, Refusal> {
        self.check_instrument(&request.instrument)?;
        let ttl = self.check_lease_request(request)?;
        let (holder, epoch) = (&request.holder, request.holder_epoch);
        let (highest, journaled) = self.leases.newest.get(holder).copied().unzip();
        if let Some(highest) = highest.filter(|highest| *highest > epoch) {
            let words = format!("epoch {epoch} of {holder:?} is over: epoch {highest} was seen");
            return Err(Reason::StaleEpoch.refuse(words).with("highest_epoch", highest));
        }
        if highest.is_none() && self.leases.newest.len() >= HOLDERS_MAX {
            return Err(Reason::TooManyHolders.refuse(format!("{HOLDERS_MAX} holders are known; start a new journal")));
        }
        if let Some(held) = self.leases.held.as_mut().filter(|held| held.holder == *holder && held.epoch == epoch) {
            held.ttl = ttl;
            return self.renewed();
        }
        self.check_free_for(holder)?;
        // Lost or put back: in either case the holder has seen more of this driver than its journal holds.
        if request.known_token > journaled.unwrap_or(0) && !mutant("no_known_token") {
            self.disown(request.known_token);
        }
        let token = self.leases.last_token.max(self.leases.floor) + 1;
        let (expires, expire_time) = deadline(self.now, ttl);
        self.leases.last_token = token;
        self.leases.newest.insert(holder.clone(), (epoch, token));
        self.leases.held = Some(Held { holder: holder.clone(), epoch, token, ttl, expires, expire_time });
        self.record(RecordKind::Lease(LeaseRecord {
            holder: holder.clone(),
            holder_epoch: epoch,
            fencing_token: token,
        }));
        self.lease_answer()
    }

    /// The journal is an older copy, or a new one: what it says of the time between is not the truth. It gets another name, so
    /// that nobody takes 'not known' for 'never accepted', and tokens go on above those that were given away.
    fn disown(&mut self, known_token: i64) {
        self.leases.floor = self.leases.floor.max(known_token);
        self.leases.held = None;
        // Once a start is enough: nobody else has seen this name yet.
        if let Some(name) = self.spare_journal_id.take() {
            self.journal_id = name;
            self.identify();
        }
        if self.running.is_empty() {
            self.rest();
        }
        // That nothing was done was only concluded from the copy.
        for id in std::mem::take(&mut self.harmless_at_boot) {
            let Some(record) = self.operations.get_mut(&id) else { continue };
            let mut fault = Reason::Interrupted.fault("the journal was put back to an older copy, which can't tell");
            fault.sample_effect = SampleEffect::Unknown.into();
            record.operation.state = State::Interrupted.into();
            record.operation.sample_effect = SampleEffect::Unknown.into();
            record.operation.fault = Some(fault);
            self.save(&id);
        }
    }

    pub(super) fn renew_lease(&mut self, request: &RenewLeaseRequest) -> Result<Answer, Refusal> {
        self.check_instrument(&request.instrument)?;
        self.check_token(request.fencing_token)?;
        self.renewed()
    }

    pub(super) fn release_lease(&mut self, request: &ReleaseLeaseRequest) -> Result<Answer, Refusal> {
        self.check_instrument(&request.instrument)?;
        self.check_newest(request.fencing_token)?;
        if self.leases.held.take().is_some() {
            self.lease_lost();
        }
        Ok(Answer::Released)
    }

    /// The holder may order something new: its token is the newest and its lease is in force.
    pub(super) fn check_token(&self, token: i64) -> Result<&Held, Refusal> {
        self.check_newest(token)?;
        let expired = || Reason::LeaseExpired.refuse(format!("the lease of token {token} is over; acquire it again"));
        self.leases.held.as_ref().ok_or_else(expired)
    }

    /// The token is the newest ever issued, whether or not its lease is still in force.
    pub(super) fn check_newest(&self, token: i64) -> Result<(), Refusal> {
        match token > 0 && (token == self.leases.last_token || mutant("no_fence")) {
            true => Ok(()),
            // The newest token itself isn't told: it is its holder's alone.
            false => Err(Reason::StaleToken.refuse(format!("token {token} is not the one of the newest lease"))),
        }
    }

    pub(super) fn lease_message(&self, held: &Held) -> Lease {
        Lease {
            holder: held.holder.clone(),
            holder_epoch: held.epoch,
            fencing_token: held.token,
            expire_time: Some(held.expire_time),
            journal_id: self.journal_id.clone(),
        }
    }

    fn check_lease_request(&self, request: &AcquireLeaseRequest) -> Result<Duration, Refusal> {
        if request.holder.is_empty() || request.holder.len() > ID_LENGTH_MAX {
            return Err(Reason::InvalidRequest.refuse(format!("holder must have 1 to {ID_LENGTH_MAX} bytes")));
        }
        if !(0..=TOKEN_MAX).contains(&request.known_token) {
            return Err(Reason::InvalidRequest.refuse(format!("known_token must be 0 to {TOKEN_MAX}")));
        }
        if request.holder_epoch < 0 {
            return Err(Reason::InvalidRequest.refuse("holder_epoch must not be negative"));
        }
        if self.shutting_down {
            return Err(Reason::ShuttingDown.refuse("the driver is going down"));
        }
        let ttl = request.ttl.and_then(|ttl| Duration::try_from(ttl).ok()).filter(|ttl| !ttl.is_zero());
        let ttl = ttl.ok_or_else(|| Reason::InvalidRequest.refuse("ttl must be longer than nothing"))?;
        Ok(ttl.min(self.manifest.max_lease()))
    }

    /// Refuses while another holder has the lease or an operation of another holder has not ended.
    fn check_free_for(&self, holder: &str) -> Result<(), Refusal> {
        if let Some(held) = self.leases.held.as_ref().filter(|held| held.holder != holder) {
            let words = format!("{:?} has the lease", held.holder);
            return Err(Reason::LeaseHeld.refuse(words).with("holder", &held.holder));
        }
        let active = self.running.keys().chain(&self.queue);
        for record in active.filter_map(|id| self.operations.get(id)) {
            let other = &record.operation.holder;
            if other != holder {
                let words = format!("operation {:?} of {other:?} has not ended", record.operation.id);
                return Err(Reason::LeaseHeld.refuse(words).with("holder", other));
            }
        }
        Ok(())
    }

    fn renewed(&mut self) -> Result<Answer, Refusal> {
        let now = self.now;
        if let Some(held) = self.leases.held.as_mut() {
            (held.expires, held.expire_time) = deadline(now, held.ttl);
        }
        self.lease_answer()
    }

    fn lease_answer(&self) -> Result<Answer, Refusal> {
        let held = self.leases.held.as_ref().ok_or_else(|| Reason::LeaseExpired.refuse("no lease is held"))?;
        Ok(Answer::Lease(self.lease_message(held)))
    }
}

fn deadline(now: Now, ttl: Duration) -> (Duration, prost_types::Timestamp) {
    let mut utc = now.utc;
    utc.seconds = utc.seconds.saturating_add(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX));
    utc.nanos = utc.nanos.saturating_add(i32::try_from(ttl.subsec_nanos()).unwrap_or(0));
    utc.normalize();
    (now.monotonic.saturating_add(ttl), utc)
}
