//! The models of past campaigns.

use super::{observations, values};
use crate::frame::Frame;
use crate::memo::{Memo, SurrogateMemo};
use crate::part::{Part, Without};
use crate::problem::{Problem, Row};
use crate::rng::{Source, Stream};
use crate::surrogate::{Fitting, Learned, Member, Normal, Surrogate, Transform, lengthscale_before};
use std::sync::Arc;

/// A past campaign tells of an outcome that it has read at least so often.
const READINGS_MIN: usize = 5;

/// For each past campaign, what is known of each outcome; `None` where it has hardly read it.
#[derive(Debug)]
pub(super) struct Past(Vec<Vec<Option<Known>>>);

/// A past campaign's fit of one outcome, and the posterior at its mode.
#[derive(Debug)]
pub(super) struct Known {
    fit: Surrogate,
    pub(super) member: Option<Arc<Member>>,
}

impl Past {
    /// Of no campaign.
    pub(super) const NONE: Self = Self(Vec::new());

    pub(super) fn fit(problem: &Problem, frame: &Frame<'_>, memo: &Memo, without: Without) -> Self {
        let campaign = |(place, rows): (usize, &Vec<Row>)| {
            let warm = |index: usize| memo.past.get(place).and_then(|it| it.get(index));
            let known = |index: usize| Known::fit(problem, frame, rows, index, warm(index), without);
            (0..problem.outcomes()).map(known).collect()
        };
        Self(problem.past.iter().enumerate().map(campaign).collect())
    }

    /// How many campaigns there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What a campaign knows of an outcome.
    pub(super) fn known(&self, campaign: usize, index: usize) -> Option<&Known> {
        self.0.get(campaign)?.get(index)?.as_ref()
    }

    /// For each campaign, its posterior of an outcome.
    pub(super) fn members(&self, index: usize) -> Vec<Option<Arc<Member>>> {
        (0..self.len()).map(|campaign| self.known(campaign, index)?.member.clone()).collect()
    }

    /// What all of them tell of the lengthscales of an outcome; `None` where nothing.
    pub(super) fn learned(&self, index: usize, frame: &Frame<'_>) -> Option<Arc<Learned>> {
        let known = (0..self.len()).filter_map(|campaign| Some(self.known(campaign, index)?.fit.known().to_vec()));
        let fits: Vec<Vec<Normal>> = known.collect();
        let parameters = frame.lengthscales();
        let learned = Learned::new(&fits, parameters, lengthscale_before(parameters));
        (!learned.is_empty()).then(|| Arc::new(learned))
    }

    pub(super) fn memo(&self) -> Vec<Vec<SurrogateMemo>> {
        let fit = |it: &Option<Known>| it.as_ref().map(|it| it.fit.memo()).unwrap_or_default();
        self.0.iter().map(|campaign| campaign.iter().map(fit).collect()).collect()
    }
}

impl Known {
    /// The scale that the posterior is in.
    pub(super) fn transform(&self) -> &Transform {
        &self.fit.transform
    }

    fn fit(
        problem: &Problem,
        frame: &Frame<'_>,
        rows: &[Row],
        index: usize,
        warm: Option<&SurrogateMemo>,
        without: Without,
    ) -> Option<Self> {
        let seen = observations(frame, rows, |outcome| outcome.measure(index));
        if seen.len() < READINGS_MIN {
            return None;
        }
        let objective = index < problem.objectives;
        let transform =
            if objective { Transform::objective(&values(&seen)) } else { Transform::constraint(&values(&seen)) };
        let warm = warm.filter(|it| it.fitted_at == seen.len());
        let (groups, turns) = (&frame.groups, &frame.turns);
        let fitting = Fitting { groups, turns, warm, without, sets: 1, ..Fitting::default() };
        // One set alone draws nothing at random.
        let fit = Surrogate::fit(transform, &seen, &fitting, &mut Source::new(0, Stream::Hyper, 0));
        let fit = if without.has(Part::Learned) { fit.knowing(warm) } else { fit };
        let member = fit.at_mode().map(Arc::new);
        Some(Self { fit, member })
    }
}
