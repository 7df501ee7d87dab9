//! What is owed less what is being performed.

use eutectic_core::{Effect, EffectKey};
use std::collections::BTreeMap;

/// A change in what is owed.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// It is owed from now on, or it is owed differently.
    Owed(EffectKey, Effect),
    /// It is owed no more.
    Settled(EffectKey),
}

/// What the performer was told last. Volatile: after a restart everything that is owed is told again.
#[derive(Debug, Default)]
pub struct Performing {
    told: BTreeMap<EffectKey, Effect>,
}

impl Performing {
    /// What the performer must hear, now that this is owed.
    pub fn changes(&mut self, owed: &BTreeMap<EffectKey, Effect>) -> Vec<Change> {
        let settled: Vec<_> = self.told.keys().filter(|key| !owed.contains_key(*key)).cloned().collect();
        let mut changes: Vec<_> = settled.into_iter().map(Change::Settled).collect();
        let new = owed.iter().filter(|(key, effect)| self.told.get(*key) != Some(*effect));
        changes.extend(new.map(|(key, effect)| Change::Owed(key.clone(), effect.clone())));
        for change in &changes {
            match change {
                Change::Owed(key, effect) => self.told.insert(key.clone(), effect.clone()),
                Change::Settled(key) => self.told.remove(key),
            };
        }
        changes
    }
}
