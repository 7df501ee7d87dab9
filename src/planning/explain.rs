//! What the model of a campaign has learnt, by its names and in its units.

use super::encode::{Encoded, encode, level};
use super::{PlanningError, memo};
use eutectic_core::model::Level;
use eutectic_core::{Campaign, ExperimentNumber, PlanOrder, Purpose};
use eutectic_planners::{Bayesian, OutcomeExplanation};

/// A campaign that is ready to be explained: it needs nothing from the state any more.
#[derive(Debug)]
pub struct ExplainInput {
    encoded: Encoded,
    /// The planner's memo; empty where another planner plans.
    memo: String,
    seed: u64,
}

/// What the model has learnt.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// Objectives, then constraints.
    pub outcomes: Vec<OutcomeExplained>,
    /// The experiments that no other is better than in all objectives, by their readings.
    pub front: Vec<ExperimentNumber>,
    /// What had been reached after each experiment: the best feasible objective, or the volume of the front.
    pub reached: Vec<(ExperimentNumber, f64)>,
    /// For each past campaign, the weight that it has in each of the outcomes, in their order; 0 where it is left out.
    pub priors: Vec<(String, Vec<f64>)>,
}

/// What the model has learnt of an objective, or of a constraint's margin (it holds at 0 and below).
#[derive(Clone, Debug, PartialEq)]
pub struct OutcomeExplained {
    /// The outcome's name, or the constraint as the file has it.
    pub name: String,
    /// Whether it is a constraint.
    pub constraint: bool,
    /// Each parameter, in the campaign's order.
    pub parameters: Vec<ParameterExplained>,
    /// Each reading beside what was expected of it without it.
    pub readings: Vec<ReadingExplained>,
    /// The share of the readings within their 95 % intervals.
    pub coverage: f64,
    /// The share of the readings' variance that is explained without them.
    pub skill: f64,
}

/// How an outcome depends on a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterExplained {
    /// Its name.
    pub name: String,
    /// The share of the outcome's variance over the space that it makes by itself.
    pub first: f64,
    /// The share that it makes together with all others.
    pub total: f64,
    /// Its levels.
    pub levels: Vec<Level>,
    /// At each, the outcome on the mean over all others.
    pub mean: Vec<f64>,
    /// At each, where nine tenths of the functions that may be the truth begin.
    pub low: Vec<f64>,
    /// At each, where they end.
    pub high: Vec<f64>,
}

/// A reading beside what was expected of it without it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadingExplained {
    /// Its experiment; `None` for past data.
    pub experiment: Option<ExperimentNumber>,
    /// What was read.
    pub value: f64,
    /// What was expected.
    pub expected: f64,
    /// The least that was expected with 95 %.
    pub low: f64,
    /// The most.
    pub high: f64,
}

/// Gathers what is to be explained.
#[must_use]
pub fn prepare_explanation(campaign: &Campaign) -> ExplainInput {
    let order = PlanOrder {
        campaign: campaign.spec.name.clone(),
        ticket: campaign.last_ticket,
        purpose: Purpose::Answer,
        through: u32::try_from(campaign.experiments.len()).unwrap_or(u32::MAX),
        pending: Vec::new(),
        seed: campaign.seed,
    };
    let foreign = campaign.spec.planner.address.is_some();
    let memo = if foreign { String::new() } else { campaign.memo.clone() };
    ExplainInput { encoded: encode(campaign, &order), memo, seed: campaign.seed }
}

/// Explains. Pure: the same input gives the same answer.
///
/// # Errors
/// [`PlanningError`], for instance where too little has been observed for a model.
pub fn explain(input: &ExplainInput) -> Result<Explained, PlanningError> {
    let Encoded { problem, rows, numbers, objectives, constraints, .. } = &input.encoded;
    let found = Bayesian::default().explain(problem, rows, &memo(&input.memo)?, input.seed)?;
    let named = objectives.iter().zip(&found.objectives);
    let mut outcomes: Vec<OutcomeExplained> =
        named.map(|((name, sign), it)| input.encoded.explained(name, false, *sign, it)).collect();
    let named = constraints.iter().zip(&found.constraints);
    outcomes.extend(named.map(|(name, it)| input.encoded.explained(name, true, 1.0, it)));
    let number = |row: &usize| numbers.get(*row).copied().flatten();
    let sign = if let [(_, sign)] = objectives.as_slice() { *sign } else { 1.0 };
    let reached = numbers.iter().zip(&found.reached);
    let priors = input.encoded.priors.iter().cloned().zip(found.past.iter().cloned());
    Ok(Explained {
        priors: priors.collect(),
        outcomes,
        front: found.front.iter().filter_map(number).collect(),
        reached: reached.filter_map(|(number, value)| Some(((*number)?, sign * (*value)?))).collect(),
    })
}

impl Encoded {
    fn explained(&self, name: &str, constraint: bool, sign: f64, it: &OutcomeExplanation) -> OutcomeExplained {
        let signed = |values: &[f64]| values.iter().map(|value| sign * value).collect::<Vec<f64>>();
        let ends = |low: Vec<f64>, high: Vec<f64>| if sign < 0.0 { (high, low) } else { (low, high) };
        let shown = self.parameters.iter().zip(it.sensitivities.iter().zip(&it.dependences));
        let parameters = shown.map(|(parameter, (sensitivity, dependence))| {
            let (low, high) = ends(signed(&dependence.low), signed(&dependence.high));
            ParameterExplained {
                name: parameter.name.clone(),
                first: sensitivity.first,
                total: sensitivity.total,
                levels: dependence.levels.iter().map(|value| level(&parameter.domain, *value)).collect(),
                mean: signed(&dependence.mean),
                low,
                high,
            }
        });
        let reading = |reading: &eutectic_planners::LeftOut| {
            let ends = (sign * reading.low, sign * reading.high);
            ReadingExplained {
                experiment: self.numbers.get(reading.row).copied().flatten(),
                value: sign * reading.value,
                expected: sign * reading.expected,
                low: ends.0.min(ends.1),
                high: ends.0.max(ends.1),
            }
        };
        OutcomeExplained {
            name: name.to_owned(),
            constraint,
            parameters: parameters.collect(),
            readings: it.left_out.iter().map(reading).collect(),
            coverage: it.coverage,
            skill: it.skill,
        }
    }
}
