//! A campaign file from what was said on the command line.

use crate::closest::did_you_mean;
use crate::units;
use std::fmt::Write as _;

/// What `eutectic new` was told.
#[derive(Clone, Debug, Default)]
pub struct NewCampaign {
    /// The campaign's name.
    pub name: String,
    /// `temperature=30..110 degC`, `loading=0.5..5 mol% log`, `n=1..8 integer`, `ligand=XPhos|SPhos`.
    pub parameters: Vec<String>,
    /// Outcomes to maximize; at least one in all of both.
    pub maximize: Vec<String>,
    /// Outcomes to minimize.
    pub minimize: Vec<String>,
    /// `impurity <= 0.05`
    pub requirements: Vec<String>,
    /// Further outcomes: `impurity`, `impurity=%`.
    pub outcomes: Vec<String>,
    /// Experiments.
    pub budget: u32,
}

/// The campaign file's text: a campaign by hand; steps may be added.
///
/// # Errors
/// In words: what can't be understood, and on a second line how it is written.
pub fn write(new: &NewCampaign) -> Result<String, String> {
    let mut text = format!("name = {}\n", quoted(&new.name));
    for parameter in &new.parameters {
        text.push_str(&self::parameter(parameter)?);
    }
    let objectives =
        new.maximize.iter().map(|it| ("maximize", it)).chain(new.minimize.iter().map(|it| ("minimize", it)));
    let objectives: Vec<_> = objectives.map(|(goal, said)| (goal, split(said))).collect();
    let further: Vec<_> = new.outcomes.iter().map(|said| split(said)).collect();
    let mut seen = Vec::new();
    for (name, unit) in objectives.iter().map(|(_, it)| it).chain(&further) {
        if seen.contains(name) {
            continue;
        }
        seen.push(name.clone());
        let _ = write!(text, "\n[[outcome]]\nname = {}\n", quoted(name));
        if !unit.is_empty() {
            units::parse(unit)?;
            let _ = writeln!(text, "unit = {}", quoted(unit));
        }
    }
    for (goal, (name, _)) in &objectives {
        let _ = write!(text, "\n[[objective]]\n{goal} = {}\n", quoted(name));
    }
    for requirement in &new.requirements {
        let _ = write!(text, "\n[[constraint]]\nrequire = {}\n", quoted(requirement));
    }
    let _ = write!(text, "\n[budget]\nexperiments = {}\n", new.budget);
    Ok(text)
}

/// `yield=%` is the outcome yield in percent.
fn split(said: &str) -> (String, String) {
    let (name, unit) = said.split_once('=').unwrap_or((said, ""));
    (name.trim().to_owned(), unit.trim().to_owned())
}

const EXAMPLE: &str =
    "write 'temperature=30..110 degC', 'loading=0.5..5 mol% log', 'n=1..8 integer' or 'ligand=XPhos|SPhos'";

fn parameter(said: &str) -> Result<String, String> {
    let wrong = |what: &str| format!("'{said}' is no parameter: {what}\n{EXAMPLE}");
    let (name, values) = said.split_once('=').ok_or_else(|| wrong("there is no '='"))?;
    let mut text = format!("\n[[parameter]]\nname = {}\n", quoted(name.trim()));
    let Some((low, rest)) = values.split_once("..") else {
        let choices: Vec<_> = values.split('|').map(|choice| quoted(choice.trim())).collect();
        if choices.len() < 2 {
            return Err(wrong("there is neither a range nor a choice"));
        }
        let _ = writeln!(text, "choices = [{}]", choices.join(", "));
        return Ok(text);
    };
    let mut words = rest.split_whitespace();
    let high = words.next().ok_or_else(|| wrong("the range has no upper end"))?;
    let number = |end: &str| end.trim().parse::<f64>().is_ok_and(f64::is_finite);
    if !number(low) || !number(high) {
        return Err(wrong("the ends of the range are no numbers"));
    }
    let _ = writeln!(text, "range = [{}, {high}]", low.trim());
    let mut unit = Vec::new();
    for word in words {
        match word {
            "log" => text.push_str("scale = \"log\"\n"),
            "integer" => text.push_str("integer = true\n"),
            other => unit.push(other),
        }
    }
    if !unit.is_empty() {
        let unit = unit.join(" ");
        units::parse(&unit).map_err(|words| match words.split_once('\n') {
            Some((what, help)) if help.starts_with("did you mean") => wrong(&format!("{what}; {help}")),
            _ => wrong(&format!("{words}; {}", did_you_mean(&unit, ["log", "integer"]))),
        })?;
        let _ = writeln!(text, "unit = {}", quoted(&unit));
    }
    Ok(text)
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
