//! One call for suggestions: fills the space, then looks for what promises the most.

use crate::bayesian::{Strategy, best_tried, front};
use crate::design;
use crate::drawn::{Drawn, Joint};
use crate::frame::Frame;
use crate::memo::Memo;
use crate::model::{Expected, FEASIBLE, Model, Outlook};
use crate::normal::{cumulative, density};
use crate::part::Part;
use crate::planner::{Because, PlanError, Reason, Suggestion};
use crate::priced::Priced;
use crate::problem::{Cost, Outcome, Point, Problem, Row};
use crate::promise::Promise;
use crate::rng;
use crate::search::{self, Bounds, Score};
use std::sync::Arc;

/// Every so-many-th pick may be anywhere, even where the others stay near to the best point.
const FAR_EVERY: usize = 4;
/// The same where readings are noisy, as far as can be told: it takes longer there until a model that is wrong is found out
/// near to its best point.
const FAR_EVERY_NOISY: usize = 3;
/// A model that explains less than this share of the readings, each without it, foretells nothing.
const SKILL_MIN: f64 = 0.05;
/// From so many initial designs on: with fewer readings no model can be expected to.
const LOST_FROM: usize = 3;
/// Then one in so many picks fills a gap.
const LOST_EVERY: usize = 4;
/// Where most of so many last rows have nearly the same value of a parameter, a pick that may be anywhere takes another one.
const LAST: usize = 8;
/// See [`LAST`].
const MOST: usize = 6;
/// How far (in unit coordinates) nearly the same values are from their median.
const ALIKE: f64 = 0.05;
/// How far from there another value is.
const OTHER: f64 = 0.15;
/// One in so many points of the initial design comes from past campaigns, where there are any.
const PAST_SHARE: usize = 3;
/// At least one in so many readings is of the real experiment, where there are fidelities.
const REAL_EVERY: usize = 6;
/// How often a point is rounded until it stays as it is.
const SETTLING: usize = 8;
/// How often more of the initial design is looked at for points that may have in common what a batch shares.
const SPREAD_TRIES: usize = 50;
/// A proposal nearer than this to a point already tried (in unit coordinates) measures it again.
const SAME: f64 = 1e-4;

/// One call of [`Planner::suggest`].
pub(crate) struct Call<'a> {
    frame: &'a Frame<'a>,
    seed: u64,
    /// The rows given.
    given: usize,
    /// The size of the initial design.
    initial: usize,
    /// The rows, and after them the suggestions as pending ones.
    pub(crate) rows: Vec<Row>,
    /// What is left of the pool, if there is one, in unit coordinates.
    pool: Option<Vec<Vec<f64>>>,
    cost: Option<Arc<dyn Cost>>,
    /// Whether another fidelity may stand in for the real one.
    pub(crate) alike: bool,
    /// The parameters that all suggestions have in common.
    shared: Vec<usize>,
    pub(crate) suggestions: Vec<Suggestion>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(problem: &Problem, frame: &'a Frame<'a>, rows: &[Row], seed: u64) -> Result<Self, PlanError> {
        let left = || design::untried(&problem.space, rows).iter().map(|point| frame.unit(point)).collect::<Vec<_>>();
        let pool = problem.space.pool.is_some().then(left);
        if pool.as_ref().is_some_and(Vec::is_empty) {
            return Err(PlanError::Exhausted);
        }
        Ok(Self {
            frame,
            seed,
            given: rows.len(),
            initial: problem.initial_size(),
            rows: rows.to_vec(),
            pool,
            cost: problem.cost.clone(),
            alike: false,
            shared: problem.shared.clone(),
            suggestions: Vec::new(),
        })
    }

    /// Whether there are points yet to be suggested.
    pub(crate) fn missing(&self, count: usize) -> bool {
        self.suggestions.len() < count && self.pool.as_ref().is_none_or(|pool| !pool.is_empty())
    }

    fn push(&mut self, mut suggestion: Suggestion) {
        if self.suggestions.is_empty() && !self.shared.is_empty() {
            suggestion.point = self.settled(suggestion.point);
        }
        self.rows.push(Row { point: suggestion.point.clone(), outcome: Outcome::Pending });
        self.suggestions.push(suggestion);
        if let (Some(first), [_]) = (self.common(), self.suggestions.as_slice()) {
            let alike = |unit: &Vec<f64>| self.shared.iter().all(|index| unit.get(*index) == first.get(*index));
            if let Some(pool) = &mut self.pool {
                pool.retain(alike);
            }
        }
    }

    /// A point that comes back from its unit coordinates as it was, to the last bit: the others of a batch get what they have
    /// in common with it that way.
    fn settled(&self, point: Point) -> Point {
        let settled = |point: &Point| self.frame.point(&self.frame.unit(point));
        let mut found = point.clone();
        for _ in 0..SETTLING {
            let next = settled(&found);
            if next == found {
                break;
            }
            found = next;
        }
        if self.frame.space.contains(&found) { found } else { point }
    }

    /// The first suggestion, where the others have something in common with it.
    fn common(&self) -> Option<Vec<f64>> {
        let first = self.suggestions.first().filter(|_| !self.shared.is_empty())?;
        Some(self.frame.unit(&first.point))
    }

    /// Adds points that were good in past campaigns: the first of each, then points apart from those among its best tenth.
    pub(crate) fn warm(&mut self, problem: &Problem, count: usize) {
        if self.pool.is_some() || !self.shared.is_empty() {
            return;
        }
        let share = problem.initial_size() / PAST_SHARE;
        let tried = self.given + self.suggestions.len();
        let wanted = share.saturating_sub(tried).min(count);
        let best: Vec<Vec<Vec<f64>>> = problem.past.iter().map(|rows| self.best_tenth(rows)).collect();
        for place in 0..wanted {
            let Some(good) = best.get((tried + place) % best.len().max(1)) else { return };
            let apart = |unit: &&Vec<f64>| {
                let near = |row: &Row| self.frame.distance2(&self.frame.unit(&row.point), unit);
                self.rows.iter().map(near).fold(f64::INFINITY, f64::min)
            };
            let first = good.first().filter(|unit| apart(unit) > SAME);
            let farthest = || good.iter().reduce(|best, next| if apart(&next) > apart(&best) { next } else { best });
            if let Some(unit) = first.or_else(farthest).filter(|unit| apart(unit) > SAME).cloned() {
                self.push(Suggestion::unmodelled(self.frame.point(&unit), Reason::Past));
            }
        }
    }

    /// The best tenth of a past campaign's points, by their readings, that may be proposed; the best first.
    fn best_tenth(&self, rows: &[Row]) -> Vec<Vec<f64>> {
        let judged = |row: &Row| match &row.outcome {
            Outcome::Observed { objectives, constraints } => {
                let value = objectives.iter().map(|measure| measure.value).sum::<f64>();
                let holds = constraints.iter().all(|measure| measure.value <= 0.0);
                let unit = self.frame.snap(&self.frame.unit(&row.point));
                (value.is_finite() && holds && self.frame.holds(&unit)).then_some((unit, value))
            }
            Outcome::Pending | Outcome::Failed => None,
        };
        let mut found: Vec<(Vec<f64>, f64)> = rows.iter().filter_map(judged).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        let tenth = found.len().div_ceil(10);
        found.into_iter().take(tenth).map(|(unit, _)| unit).collect()
    }

    /// Adds points of the initial design, with what the first one has in common with all.
    fn spread(&mut self, count: usize, reason: Reason) -> Result<(), PlanError> {
        let wanted = self.suggestions.len() + count;
        let mut from = self.given + self.suggestions.len();
        for _ in 0..SPREAD_TRIES {
            for unit in design::initial(self.frame, self.seed, from, wanted - self.suggestions.len())? {
                from += 1;
                let bounds = Bounds::whole(self.frame);
                let unit = match self.common() {
                    Some(first) => bounds.fixed(&self.shared, &first).clamp(self.frame, &unit),
                    None => unit,
                };
                if self.frame.holds(&unit) {
                    self.push(Suggestion::unmodelled(self.frame.point(&unit), reason));
                }
            }
            if self.suggestions.len() >= wanted {
                return Ok(());
            }
        }
        Err(PlanError::NoFeasiblePoint)
    }

    /// Adds points that fill the space: of a pool as far as it goes.
    pub(crate) fn fill(&mut self, count: usize, reason: Reason) -> Result<(), PlanError> {
        if self.pool.is_none() {
            return self.spread(count, reason);
        }
        for _ in 0..count {
            let taken: Vec<Vec<f64>> = self.rows.iter().map(|row| self.frame.unit(&row.point)).collect();
            let pool = self.pool.as_deref().unwrap_or_default();
            let Some(unit) = design::farthest(self.frame, pool, &taken, self.seed).map(|index| self.take(index)) else {
                break;
            };
            self.push(Suggestion::unmodelled(self.frame.point(&unit), reason));
        }
        Ok(())
    }

    /// Adds one point that fills the space, if there is one; where it is.
    fn fill_one(&mut self) -> Option<Vec<f64>> {
        let before = self.suggestions.len();
        self.fill(1, Reason::Spread).ok()?;
        self.suggestions.get(before).map(|it| self.frame.unit(&it.point))
    }

    fn take(&mut self, index: usize) -> Vec<f64> {
        self.pool.as_mut().map(|pool| pool.remove(index)).unwrap_or_default()
    }

    /// Adds the points that promise the most, up to `count` suggestions in all; returns the last one in unit coordinates.
    pub(crate) fn improve(
        &mut self,
        model: &Model<'_>,
        memo: &Memo,
        strategy: Strategy,
        count: usize,
    ) -> Result<Vec<f64>, PlanError> {
        let outlook = model.outlook()?;
        let further = count.saturating_sub(self.suggestions.len());
        let mut promise = outlook.promise(&self.rows, self.seed, further)?;
        let best = best_tried(&outlook, self.frame, &self.rows).map(|(_, at)| at);
        let around: Vec<Vec<f64>> =
            if outlook.has_front() { front(&outlook, self.frame, &self.rows) } else { self.unit_of_best(&outlook) };
        let mut last = memo.last.clone();
        let ripe = model.without().has(Part::Lost) && self.given >= LOST_FROM * self.initial;
        let lost = ripe && outlook.skill() < SKILL_MIN;
        while self.missing(count) {
            let gap = lost && self.rows.len().is_multiple_of(LOST_EVERY);
            if let Some(filled) = gap.then(|| self.fill_one()).flatten() {
                promise.condition(&filled);
                continue;
            }
            let drawn = if strategy == Strategy::Thompson { self.draw(&outlook, &around) } else { None };
            let Some(unit) = drawn.or_else(|| self.pick(model, &promise, &around, &last)) else { break };
            let unit = self.cheaper(&outlook, unit);
            promise.condition(&unit);
            let at = outlook.expected(&unit);
            let because = self.because(&unit, &at, best.as_ref());
            let reason = self.reason(&unit, best.as_ref());
            last.clone_from(&unit);
            self.push(Suggestion {
                point: self.frame.point(&unit),
                reason,
                objectives: at.objectives,
                constraints: at.constraints,
                p_feasible: Some(at.p_feasible),
                because: Some(because),
            });
        }
        Ok(last)
    }

    /// The maximum of a drawn function; `None` with several objectives, or where it is feasible nowhere that is looked at.
    fn draw(&mut self, outlook: &Outlook<'_>, around: &[Vec<f64>]) -> Option<Vec<f64>> {
        if outlook.has_front() || !outlook.has_one_objective() {
            return None;
        }
        let number = self.rows.len() as u64;
        let seed = rng::derive(self.seed, rng::Stream::Paths, number);
        let mut source = rng::Source::new(seed, rng::Stream::Paths, 0);
        let joint = Joint::all(outlook, &mut source);
        let drawn = Drawn::new(self.frame, joint.get(source.below(joint.len()))?, &mut source);
        if let Some(pool) = &self.pool {
            let best = search::best_of(&drawn, pool)
                .filter(|index| pool.get(*index).is_some_and(|unit| drawn.value(unit).is_finite()));
            return best.map(|index| self.take(index));
        }
        let hints: Vec<Vec<f64>> = around.iter().map(|unit| self.frame.snap(unit)).collect();
        let bounds = Bounds::whole(self.frame);
        let bounds = match self.common() {
            Some(first) => bounds.fixed(&self.shared, &first),
            None => bounds,
        };
        search::search(self.frame, &drawn, &hints, &bounds, seed).filter(|unit| drawn.value(unit).is_finite())
    }

    fn unit_of_best(&self, outlook: &Outlook<'_>) -> Vec<Vec<f64>> {
        let best = best_tried(outlook, self.frame, &self.rows).and_then(|(row, _)| self.rows.get(row));
        best.map(|row| self.frame.unit(&row.point)).into_iter().collect()
    }

    /// The most promising point, looked for around the best ones (the best of all first) and where the last search ended.
    fn pick(
        &mut self,
        model: &Model<'_>,
        promise: &Promise<'_>,
        around: &[Vec<f64>],
        last: &Vec<f64>,
    ) -> Option<Vec<f64>> {
        let cost = self.cost.clone();
        let previous = self.rows.last().map(|row| row.point.clone());
        let frame = self.frame;
        let priced = cost.as_deref().map(|cost| Priced { score: promise, frame, cost, previous: previous.as_ref() });
        let score: &dyn Score = priced.as_ref().map_or(promise, |priced| priced);
        if let Some(pool) = &self.pool {
            return search::best_of(score, pool).map(|index| self.take(index));
        }
        let number = self.rows.len() as u64;
        let seed = rng::derive(self.seed, rng::Stream::Search, number);
        let known = last.len() == self.frame.dimension();
        let hints: Vec<Vec<f64>> =
            around.iter().chain(known.then_some(last)).map(|unit| self.frame.snap(unit)).collect();
        let far_every = if model.is_noisy() { FAR_EVERY_NOISY } else { FAR_EVERY };
        let bounds = match around.first().filter(|_| self.is_one_valley(model)) {
            Some(best) if !self.rows.len().is_multiple_of(far_every) => Bounds::near(self.frame, best),
            Some(_) if model.goes_elsewhere() => self.elsewhere(seed),
            Some(_) | None => Bounds::whole(self.frame),
        };
        let bounds = match self.common() {
            Some(first) => bounds.fixed(&self.shared, &first),
            None => bounds,
        };
        search::search(self.frame, score, &hints, &bounds, seed)
    }

    /// The same point in another fidelity, where that tells more of the real one for what it costs.
    ///
    /// What a reading tells is the share of the real outcome's variance there that it would take away. Each of
    /// [`REAL_EVERY`] readings is real whatever the model says: it may be wrong about how alike the fidelities are, and only
    /// real readings tell it.
    fn cheaper(&self, outlook: &Outlook<'_>, unit: Vec<f64>) -> Vec<f64> {
        let Some(cost) = self.cost.as_deref().filter(|_| self.alike && self.pool.is_none()) else { return unit };
        let is_real = |row: &Row| self.frame.is_real(&self.frame.unit(&row.point));
        let since = self.rows.iter().rev().take_while(|row| !is_real(row)).count();
        if since + 1 >= REAL_EVERY {
            return unit;
        }
        let previous = self.rows.last().map(|row| &row.point);
        let worth = |other: &[f64]| {
            let cost = cost.cost(&self.frame.point(other), previous);
            outlook.tells(other, &unit) / if cost.is_finite() && cost > 0.0 { cost } else { f64::MIN_POSITIVE }
        };
        let others = self.frame.others(&unit).into_iter().filter(|other| self.frame.holds(other));
        let judged = others.map(|other| (worth(&other), other));
        match judged.reduce(|best, next| if next.0 > best.0 { next } else { best }) {
            Some((best, other)) if best > worth(&unit) => other,
            Some(_) | None => unit,
        }
    }

    /// What of a point's promise comes from where, beside the best tried one, and which tried point is the nearest.
    fn because(&self, unit: &[f64], at: &Expected, best: Option<&Expected>) -> Because {
        let from_mean = match (at.leads.as_slice(), best.map(|best| best.leads.as_slice())) {
            ([(mean, sd)], Some([(threshold, _)])) if *sd > 0.0 => {
                let u = (mean - threshold) / sd;
                let (by_mean, by_sd) = ((mean - threshold) * cumulative(u), sd * density(u));
                Some((by_mean / (by_mean + by_sd)).clamp(0.0, 1.0)).filter(|share| !share.is_nan())
            }
            _ => None,
        };
        let tried = self.rows.iter().take(self.given).enumerate();
        let observed = tried.filter(|(_, row)| matches!(row.outcome, Outcome::Observed { .. }));
        let distances =
            observed.map(|(index, row)| (index, self.frame.distance2(&self.frame.unit(&row.point), unit).sqrt()));
        let nearest = distances.reduce(|best, next| if next.1 < best.1 { next } else { best });
        Because { from_mean, nearest }
    }

    /// Whether picks, all but one of [`FAR_EVERY`], stay near to the best point.
    ///
    /// Expected improvement averaged over hyperparameters goes on exploring while a valley that has been found is not
    /// followed to its end. Not with constraints, several objectives or categories, where what is good may lie in places
    /// that don't hang together, and leaving the first of them is what the budget is for.
    fn is_one_valley(&self, model: &Model<'_>) -> bool {
        model.is_plain() && self.frame.is_numeric()
    }

    /// The space without what the last rows have in common in one of the parameters, if they have.
    ///
    /// A model that is wrong about one parameter, by a lengthscale that is too short, finds nothing worth trying at any
    /// other value of it, and so never learns that it is wrong. Exact readings soon tell it all the same, noise hides it.
    fn elsewhere(&self, seed: u64) -> Bounds {
        let last = self.rows.iter().rev().take(LAST).map(|row| self.frame.unit(&row.point)).collect::<Vec<_>>();
        let stretch = |(parameter, moves): (usize, &bool)| {
            let mut values: Vec<f64> = last.iter().filter_map(|unit| unit.get(parameter).copied()).collect();
            values.sort_by(f64::total_cmp);
            let median = *values.get(values.len() / 2).filter(|_| *moves)?;
            let alike = values.iter().filter(|value| (*value - median).abs() <= ALIKE).count();
            (alike >= MOST).then_some((parameter, (median - OTHER, median + OTHER)))
        };
        let alike: Vec<_> = self.frame.continuous().iter().enumerate().filter_map(stretch).collect();
        let mut source = rng::Source::new(seed, rng::Stream::Search, 2);
        match alike.get(source.below(alike.len())) {
            Some((parameter, stretch)) => Bounds::beyond(self.frame, *parameter, *stretch, source.unit()),
            None => Bounds::whole(self.frame),
        }
    }

    fn reason(&self, unit: &[f64], best: Option<&Expected>) -> Reason {
        let same = |row: &Row| {
            matches!(row.outcome, Outcome::Observed { .. })
                && self.frame.distance2(&self.frame.unit(&row.point), unit).sqrt() < SAME
        };
        if self.rows.iter().any(same) {
            Reason::Remeasure
        } else if best.is_some_and(|best| best.p_feasible >= FEASIBLE) {
            Reason::Improve
        } else {
            Reason::Feasibility
        }
    }
}
