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
    /// Judges an observation by its readings alone; campaigns with several objectives have no single best.
    pub(crate) fn gained(&self, best: Option<f64>, observation: &Observation) -> Gained {
        let nothing = Gained { better: None, enough: false };
        let [objective] = self.objectives.as_slice() else { return nothing };
        let Some(measured) = observation.outcomes.get(&objective.outcome) else { return nothing };
        // A limit that the truth may fall short of is no gain.
        let worse = match objective.goal {
            Goal::Maximize => Limit::Below,
            Goal::Minimize => Limit::Above,
        };
        if !self.feasible(observation) || measured.limit == Some(worse) {
            return nothing;
        }
        let sign = if objective.goal == Goal::Maximize { 1.0 } else { -1.0 };
        match best {
            None => Gained { better: Some(measured.value), enough: true },
            Some(best) => {
                let gain = sign * (measured.value - best);
                Gained { better: (gain > 0.0).then_some(measured.value), enough: gain > self.stop.gain }
            }
        }
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
