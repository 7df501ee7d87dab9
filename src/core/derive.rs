//! Derived outcomes: what a campaign calculates from its steps' outputs.

use crate::model::{CampaignSpec, Datum, Leaf, Level, Measured, Observation, Setting};

impl CampaignSpec {
    /// Calculates every outcome, uncertainty propagated.
    ///
    /// `outputs` gives a step's output by name.
    ///
    /// # Errors
    /// In words, if an outcome has no finite value here.
    pub fn derive(
        &self,
        setting: &Setting,
        outputs: &dyn Fn(&str, &str) -> Option<Datum>,
    ) -> Result<Observation, String> {
        let scope = |leaf: &Leaf| match leaf {
            Leaf::Parameter(name) => setting.get(name).map(Level::datum),
            Leaf::Output { step, output } => outputs(step, output),
            Leaf::Outcome(_) => None,
        };
        let mut observation = Observation::default();
        for outcome in &self.outcomes {
            let fault = |error: &dyn std::fmt::Display| format!("outcome '{}': {error}", outcome.name);
            let expression = outcome.value.as_ref().ok_or_else(|| fault(&"it has no value"))?;
            let number = expression.number(&scope).map_err(|error| fault(&error))?;
            let sd = Some(number.sd()).filter(|sd| *sd > 0.0);
            observation.outcomes.insert(outcome.name.clone(), Measured { value: number.value, sd });
        }
        Ok(observation)
    }
}
