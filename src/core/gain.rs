//! What a single observation is worth, by its readings alone.

use crate::model::{CampaignSpec, Datum, Goal, Leaf, Limit, Observation};

/// What an observation gains over the best before it.
pub(crate) struct Gained {
    /// The new best value, if it is one.
    pub(crate) better: Option<f64>,
    /// Whether the gain counts.
    pub(crate) enough: bool,
}

impl CampaignSpec {
    /// Judges an observation against the best before it, where there is one objective.
    pub(crate) fn gained(&self, best: Option<f64>, observation: &Observation) -> Gained {
        let (Some(&[worth]), [objective]) = (self.worth(observation).as_deref(), self.objectives.as_slice()) else {
            return Gained { better: None, enough: false };
        };
        let value = objective.goal.sign() * worth;
        match best {
            None => Gained { better: Some(value), enough: true },
            Some(best) => {
                let gain = worth - objective.goal.sign() * best;
                Gained { better: (gain > 0.0).then_some(value), enough: gain > self.stop.gain }
            }
        }
    }

    /// The objectives of an observation, larger is better in each; `None` where it isn't feasible, or where one is a limit
    /// that the truth may fall short of.
    #[must_use]
    pub fn worth(&self, observation: &Observation) -> Option<Vec<f64>> {
        let each = self.objectives.iter().map(|objective| {
            let measured = observation.outcomes.get(&objective.outcome)?;
            let worse = match objective.goal {
                Goal::Maximize => Limit::Below,
                Goal::Minimize => Limit::Above,
            };
            (measured.limit != Some(worse)).then_some(objective.goal.sign() * measured.value)
        });
        each.collect::<Option<Vec<f64>>>().filter(|_| self.feasible(observation))
    }

    /// Whether every outcome constraint holds by these readings.
    #[must_use]
    pub fn feasible(&self, observation: &Observation) -> bool {
        let scope = |leaf: &Leaf| match leaf {
            Leaf::Outcome(name) => observation.outcomes.get(name).map(|it| Datum::Number(it.value, 0.0)),
            Leaf::Parameter(_) | Leaf::Output { .. } => None,
        };
        self.outcome_constraints.iter().all(|it| it.margin.number(&scope).is_ok_and(|margin| margin.value <= 0.0))
    }
}

/// Whether one worth is at least as good as the other in every objective, and better in one.
pub(crate) fn dominates(one: &[f64], other: &[f64]) -> bool {
    let pairs = || one.iter().zip(other);
    pairs().all(|(one, other)| one >= other) && pairs().any(|(one, other)| one > other)
}
