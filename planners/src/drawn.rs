//! A function drawn from the model of a problem: an objective, cut off where a drawn constraint is broken.

use crate::frame::Frame;
use crate::model::Outlook;
use crate::rng::Source;
use crate::search::Score;
use crate::surrogate::{Member, Path, Paths};

/// A set of hyperparameters: the paths of the first objective, and those of what must hold.
pub(crate) struct Joint<'a> {
    pub(crate) objective: Paths<'a>,
    pub(crate) constraints: Vec<Paths<'a>>,
}

impl<'a> Joint<'a> {
    /// All sets.
    pub(crate) fn all(outlook: &'a Outlook<'_>, source: &mut Source) -> Vec<Self> {
        let mut paths = |member: &'a Member| Paths::new(member, source);
        let joint = outlook.joint().map(|(objective, constraints)| Self {
            objective: paths(objective),
            constraints: constraints.into_iter().map(&mut paths).collect(),
        });
        joint.collect()
    }
}

/// A drawn function.
pub(crate) struct Drawn<'a> {
    frame: &'a Frame<'a>,
    joint: &'a Joint<'a>,
    pub(crate) objective: Path,
    pub(crate) constraints: Vec<Path>,
}

impl<'a> Drawn<'a> {
    pub(crate) fn new(frame: &'a Frame<'a>, joint: &'a Joint<'a>, source: &mut Source) -> Self {
        Self {
            frame,
            joint,
            objective: joint.objective.draw(source),
            constraints: joint.constraints.iter().map(|it| it.draw(source)).collect(),
        }
    }

    /// The objective at a unit point, whether the constraints hold there or not.
    pub(crate) fn objective_at(&self, unit: &[f64]) -> f64 {
        self.joint.objective.value(&self.objective, &self.frame.features(unit))
    }

    fn holds(&self, features: &[f64]) -> bool {
        self.joint.constraints.iter().zip(&self.constraints).all(|(paths, path)| paths.value(path, features) <= 0.0)
    }
}

impl Score for Drawn<'_> {
    fn value(&self, unit: &[f64]) -> f64 {
        let features = self.frame.features(unit);
        if self.holds(&features) { self.joint.objective.value(&self.objective, &features) } else { f64::NEG_INFINITY }
    }

    fn value_and_gradient(&self, unit: &[f64]) -> (f64, Vec<f64>) {
        let features = self.frame.features(unit);
        if !self.holds(&features) {
            return (f64::NEG_INFINITY, vec![0.0; unit.len()]);
        }
        let (value, slope) = self.joint.objective.value_and_gradient(&self.objective, &features);
        (value, self.frame.gradient(unit, &slope))
    }

    fn has_borders(&self) -> bool {
        !self.constraints.is_empty()
    }
}
