//! What has to be at hand before anything may move: closed interlocks, calibrations, consumables.
//!
//! A sensed consumable is what its sensor says. One that nobody senses is counted down here, durably, by what each started
//! operation typically uses; a person who refills it says so.

use super::{Answer, ConsumableRecord, Machine, Reason, RecordKind, Refusal};
use crate::wire::calibration::State as Validity;
use crate::wire::{Calibration, Capability, Consumable, Quantity, UpdateConsumableRequest};

/// Requests of people about one consumable that are remembered, so that a repeat changes nothing.
const REQUESTS_KEPT: usize = 64;

impl Machine {
    /// Everything but the arguments and the room: asked when an operation is accepted and again when it starts.
    pub(super) fn check_permissives(&self, capability: &Capability) -> Result<(), Refusal> {
        if let Some(open) = self.open_interlock() {
            return Err(Reason::InterlockOpen.refuse(format!("interlock {:?} is open: {}", open.id, open.message)));
        }
        // What brings a calibration back has to run while it is invalid.
        let invalid = |each: &&Calibration| each.state() == Validity::Invalid && each.capability != capability.id;
        match self.report.calibrations.iter().find(invalid) {
            Some(invalid) => {
                let how = match invalid.capability.as_str() {
                    "" => "calibrate it by hand".to_owned(),
                    capability => format!("run {capability}"),
                };
                Err(Reason::CalibrationInvalid.refuse(format!("calibration {:?} is invalid: {how}", invalid.id)))
            }
            None => Ok(()),
        }
    }

    /// That enough is left for this one, and for those that wait before it.
    pub(super) fn check_supplies(&self, capability: &Capability, waiting: &[&Capability]) -> Result<(), Refusal> {
        let consumables = self.consumables();
        for usage in &capability.usages {
            let stock = consumables.iter().find(|each| each.id == usage.consumable_id);
            let (Some(left), Some(typical)) = (stock.and_then(|it| it.remaining.as_ref()), &usage.typical) else {
                continue;
            };
            let promised: f64 = waiting.iter().map(|each| typical_use(each, &usage.consumable_id)).sum();
            let needed = typical.value + promised;
            let words = format!(
                "{} {} of {:?} are left, {needed} {} are needed: refill it and say so (UpdateConsumable)",
                left.value, left.unit, usage.consumable_id, typical.unit
            );
            // Numbers in two units can't be compared, and what can't be known must not start.
            if left.unit != typical.unit || left.value < needed {
                return Err(Reason::ConsumableExhausted.refuse(words));
            }
        }
        Ok(())
    }

    /// As the driver reports them, with what is counted here.
    pub(super) fn consumables(&self) -> Vec<Consumable> {
        let known = |reported: &Consumable| match self.consumables.get(&reported.id) {
            None => reported.clone(),
            Some(record) => Consumable {
                remaining: if reported.measured { reported.remaining.clone() } else { record.remaining.clone() },
                lot: record.lot.clone(),
                expire_time: record.expire_time,
                ..reported.clone()
            },
        };
        self.report.consumables.iter().map(known).collect()
    }

    /// Counts down what a start uses, in the same sync as the start.
    pub(super) fn spend(&mut self, capability: &Capability) {
        for consumable in self.consumables().into_iter().filter(|each| !each.measured) {
            let used = typical_use(capability, &consumable.id);
            let Some(left) = consumable.remaining.clone().filter(|_| used > 0.0) else { continue };
            let remaining = Some(Quantity { value: (left.value - used).max(0.0), ..left });
            self.keep_consumable(&consumable, remaining, None);
        }
    }

    pub(super) fn update_consumable(&mut self, request: &UpdateConsumableRequest) -> Result<Answer, Refusal> {
        self.check_instrument(&request.instrument)?;
        if request.person.trim().is_empty() || request.request_id.trim().is_empty() {
            return Err(Reason::InvalidRequest.refuse("say who refilled it, and name the request"));
        }
        let given = request.consumable.as_ref();
        let given = given.ok_or_else(|| Reason::InvalidRequest.refuse("the request has no 'consumable'"))?;
        let known = self.consumables().into_iter().find(|each| each.id == given.id);
        let known = known.ok_or_else(|| {
            let ids: Vec<_> = self.report.consumables.iter().map(|each| each.id.as_str()).collect();
            let words = format!("there is no consumable {:?}; this instrument has: {}", given.id, ids.join(", "));
            Reason::UnknownConsumable.refuse(words)
        })?;
        let repeated = self.consumables.get(&given.id).is_some_and(|it| it.requests.contains(&request.request_id));
        if !repeated {
            let remaining = check_remaining(&known, given.remaining.as_ref())?;
            let stated = Consumable { lot: given.lot.clone(), expire_time: given.expire_time, ..known };
            self.keep_consumable(&stated, Some(remaining), Some(&request.request_id));
            self.emit_status();
        }
        let now = self.consumables().into_iter().find(|each| each.id == given.id);
        Ok(Answer::Consumable(now.unwrap_or_default()))
    }

    fn keep_consumable(&mut self, stated: &Consumable, remaining: Option<Quantity>, request: Option<&str>) {
        let mut requests = self.consumables.remove(&stated.id).map(|it| it.requests).unwrap_or_default();
        requests.extend(request.map(ToOwned::to_owned));
        let forgotten = requests.len().saturating_sub(REQUESTS_KEPT);
        requests.drain(..forgotten);
        let record = ConsumableRecord {
            id: stated.id.clone(),
            remaining,
            lot: stated.lot.clone(),
            expire_time: stated.expire_time,
            requests,
        };
        self.record(RecordKind::Consumable(record.clone()));
        self.consumables.insert(stated.id.clone(), record);
    }
}

fn typical_use(capability: &Capability, consumable: &str) -> f64 {
    let of_it = capability.usages.iter().filter(|usage| usage.consumable_id == consumable);
    of_it.filter_map(|usage| usage.typical.as_ref()).map(|typical| typical.value).sum()
}

fn check_remaining(known: &Consumable, given: Option<&Quantity>) -> Result<Quantity, Refusal> {
    let unit = known.remaining.as_ref().or(known.capacity.as_ref()).map(|it| it.unit.as_str()).unwrap_or_default();
    let given = given.ok_or_else(|| Reason::InvalidRequest.refuse("say how much remains"))?;
    if given.unit != unit {
        let words = format!("{:?} is counted in {unit:?}, not in {:?}", known.id, given.unit);
        return Err(Reason::WrongUnit.refuse(words));
    }
    if !given.value.is_finite() {
        return Err(Reason::NotFinite.refuse("what remains must be a finite number"));
    }
    let full = known.capacity.as_ref().map_or(f64::INFINITY, |capacity| capacity.value);
    match (0.0..=full).contains(&given.value) {
        true => Ok(given.clone()),
        false => {
            Err(Reason::OutOfRange.refuse(format!("{:?} holds 0 to {full} {unit}, not {}", known.id, given.value)))
        }
    }
}
