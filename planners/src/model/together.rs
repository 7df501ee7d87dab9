//! One process over this campaign and past ones: where they are alike, a past reading tells as much as one of this campaign's,
//! with its uncertainty; what their models' means alone would lose.
//!
//! Campaigns differ by a feature each, whose lengthscale says how far: the correlation between two of them, which is a
//! coregionalised process of their own scales. Source: E. Bonilla, K. Chai and C. Williams, "Multi-task Gaussian process
//! prediction", NIPS 2007.

use super::{Care, Model, Order, observations};
use crate::frame::Frame;
use crate::memo::Memo;
use crate::part::Part;
use crate::problem::{Outcome, Row};
use crate::surrogate::{Observation, Surrogate};

/// Readings of all campaigns together that one process is made of at most.
const ROWS: usize = 256;
/// With fewer readings of its own nobody can tell how a campaign's outcomes compare to another one's.
const OWN_MIN: usize = 5;

/// The row of what no row of this campaign has read.
pub(super) const ELSEWHERE: usize = usize::MAX;

impl<'a> Model<'a> {
    /// The model with the readings of past campaigns as part of one process, where that foretells this campaign's better.
    ///
    /// Not to stop by: that another campaign is alike is what only the fit itself says.
    pub(crate) fn or_together(mut self, order: &Order<'_>, frame: &Frame<'a>, memo: &Memo) -> Self {
        let Order { problem, rows, without, care, .. } = *order;
        let observed = rows.iter().filter(|row| matches!(row.outcome, Outcome::Observed { .. })).count();
        let all = observed + problem.past.iter().map(Vec::len).sum::<usize>();
        let wanted = care == Care::Plan && without.has(Part::Together);
        if problem.past.is_empty() || !wanted || observed < OWN_MIN || all > ROWS {
            return self;
        }
        let frame = frame.bent(self.frame.warps()).beside(problem.past.len());
        let order = Order { beside: Some(&self), ..*order };
        let warm = Memo { surrogates: memo.together.clone(), ..Memo::default() };
        let Some(mut together) = Model::fit_under(&order, frame, &warm) else { return self };
        let foretells = |model: &Model<'_>| model.outlook().map_or(f64::NEG_INFINITY, |it| it.foretells(rows));
        let fits = together.outcomes().map(Surrogate::memo).collect();
        if foretells(&together) > foretells(&self) {
            together.alone = Some(Box::new(self.memo(Vec::new())));
            together.together = fits;
            return together;
        }
        self.together = fits;
        self
    }

    /// What a past campaign counts in an outcome's model: the weight of its mean or, where it is part of the process, the
    /// correlation with it.
    pub(super) fn weight(&self, outcome: &Surrogate, campaign: usize) -> f64 {
        if self.frame.campaigns() == 0 {
            return outcome.weights().get(campaign).copied().unwrap_or(0.0);
        }
        let here = vec![0.0; self.frame.groups.len()];
        let there = self.frame.in_campaign(here.clone(), campaign);
        let is_part = outcome.features().any(|row| self.frame.is_in_campaign(row, campaign));
        if is_part { outcome.correlation(&here, &there) } else { 0.0 }
    }

    /// What past campaigns have read of an outcome, in the scale of this campaign's readings.
    ///
    /// The scale is the line along which this campaign's readings are what a past one's model expects of their points; a past
    /// campaign whose outcomes fall where these rise is left out.
    pub(super) fn read_before(
        &self,
        past: &[Vec<Row>],
        frame: &Frame<'_>,
        index: usize,
        own: &[Observation],
    ) -> Vec<Observation> {
        let values: Vec<f64> = own.iter().map(|it| it.value).collect();
        let campaign = |(place, rows): (usize, &Vec<Row>)| {
            let known = self.past.known(place, index)?;
            let member = known.member.as_ref()?;
            let bare = |it: &Observation| {
                let features = it.features.get(..self.frame.groups.len())?;
                Some(known.transform().invert(member.expected(features)))
            };
            let said: Vec<f64> = own.iter().filter_map(bare).collect();
            let (rise, start) = line(&said, &values).filter(|(rise, _)| *rise > 0.0)?;
            let read = observations(frame, rows, |outcome| outcome.measure(index));
            let here = move |it: Observation| Observation {
                row: ELSEWHERE,
                features: frame.in_campaign(it.features, place),
                value: start + rise * it.value,
                sd: it.sd.map(|sd| rise * sd),
            };
            let finite = |it: &Observation| it.value.is_finite();
            Some(read.into_iter().map(here).filter(finite).collect::<Vec<_>>())
        };
        past.iter().enumerate().filter_map(campaign).flatten().collect()
    }
}

/// The line from what was said to what was read: its rise and where it begins.
fn line(said: &[f64], read: &[f64]) -> Option<(f64, f64)> {
    let count = said.len().max(1) as f64;
    let (at, mean) = (said.iter().sum::<f64>() / count, read.iter().sum::<f64>() / count);
    let along: f64 = said.iter().zip(read).map(|(x, y)| (x - at) * (y - mean)).sum();
    let square: f64 = said.iter().map(|x| (x - at) * (x - at)).sum();
    let rise = along / square;
    (rise.is_finite() && mean.is_finite()).then_some((rise, mean - rise * at))
}

#[cfg(test)]
#[path = "together_tests.rs"]
mod tests;
