//! Derived outcomes: what a campaign calculates from its steps' outputs.

use crate::model::{CampaignSpec, Datum, Expr, Leaf, Level, Limit, Measured, Observation, Reading, Setting};

impl CampaignSpec {
    /// Calculates every outcome, uncertainty propagated. What is calculated from a limit is a limit as well, on the side to
    /// which the expression leads there.
    ///
    /// `outputs` gives a step's output by name: [`Value::reading`](crate::model::Value::reading).
    ///
    /// # Errors
    /// In words, if an outcome has no finite value here, or nothing can be said of it.
    pub fn derive(
        &self,
        setting: &Setting,
        outputs: &dyn Fn(&str, &str) -> Option<Reading>,
    ) -> Result<Observation, String> {
        let scope = |leaf: &Leaf| match leaf {
            Leaf::Parameter(name) => setting.get(name).map(Level::datum),
            Leaf::Output { step, output } => outputs(step, output).map(|(datum, _)| datum),
            Leaf::Outcome(_) => None,
        };
        let mut observation = Observation::default();
        for outcome in &self.outcomes {
            let fault = |error: &dyn std::fmt::Display| format!("outcome '{}': {error}", outcome.name);
            let expression = outcome.value.as_ref().ok_or_else(|| fault(&"it has no value"))?;
            let number = expression.number(&scope).map_err(|error| fault(&error))?;
            let sd = Some(number.sd()).filter(|sd| *sd > 0.0);
            let limit = limit(expression, &scope, outputs).map_err(|error| fault(&error))?;
            observation.outcomes.insert(outcome.name.clone(), Measured { value: number.value, sd, limit });
        }
        Ok(observation)
    }
}

/// On which side of its value an expression's truth lies, where some of its readings are only limits.
fn limit(
    expression: &Expr,
    scope: &dyn Fn(&Leaf) -> Option<Datum>,
    outputs: &dyn Fn(&str, &str) -> Option<Reading>,
) -> Result<Option<Limit>, String> {
    let side = |leaf: &Leaf| match leaf {
        Leaf::Output { step, output } => outputs(step, output)?.1,
        Leaf::Parameter(_) | Leaf::Outcome(_) => None,
    };
    let mut limits = Vec::new();
    expression.leaves(&mut |leaf| limits.extend(side(leaf).map(|side| (leaf, side))));
    if limits.is_empty() {
        return Ok(None);
    }
    // With an uncertainty of 1 for each limit the parts are the slopes.
    let slopes = |leaf: &Leaf| match (scope(leaf)?, side(leaf)) {
        (Datum::Number(value, _), Some(_)) => Some(Datum::Number(value, 1.0)),
        (Datum::Number(value, _), None) => Some(Datum::Number(value, 0.0)),
        (Datum::Text(text), _) => Some(Datum::Text(text)),
    };
    let slopes = expression.number(&slopes).map_err(|error| error.to_string())?;
    let led = |(leaf, side): &(&Leaf, Limit)| match slopes.part(leaf) {
        slope if slope > 0.0 => Some(*side),
        slope if slope < 0.0 => Some(side.opposite()),
        _ => None,
    };
    let mut sides = limits.iter().filter_map(led);
    let first = sides.next();
    match sides.all(|side| Some(side) == first) {
        true => Ok(first),
        false => Err("its readings are beyond their limits in opposite directions: nothing can be said of it".into()),
    }
}
