//! `campaign.toml`: what is wanted.

use super::conduct::{budget, cost, planner, stop};
use super::expression::{Names, expression};
use super::feasible::warn_if_nothing_is_left;
use super::objective::objectives;
use super::parameter::{Parameters, level, parameters};
use super::past::{past, priors};
use super::protocol::steps;
use super::reader::{Placed, Table, parse, read, shortened};
use super::report::Report;
use super::space::{fidelity, mixtures, pool};
use crate::closest::did_you_mean;
use crate::units;
use eutectic_core::CampaignName;
use eutectic_core::model::{
    Binary, CampaignSpec, Datum, EvalError, Expr, Leaf, Outcome, OutcomeConstraint, Parameter, ParameterConstraint,
    Setting, Unit,
};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

/// The most outcomes of a campaign.
pub const MAX_OUTCOMES: usize = 50;
/// The most constraints of a campaign.
pub const MAX_CONSTRAINTS: usize = 100;
/// The most experiments of a budget.
pub const MAX_EXPERIMENTS: i64 = 100_000;
/// The most experiments at once.
pub const MAX_IN_FLIGHT: i64 = 1_000;
/// The most points of a person's own in one file.
pub const MAX_OWN_POINTS: usize = 1_000;

/// A campaign file, read and checked.
#[derive(Clone, Debug)]
pub struct CampaignFile {
    /// What it says.
    pub spec: CampaignSpec,
    /// The seed that it names.
    pub seed: Option<u64>,
    /// SHA-256 over it and the data files that it names, in hexadecimal.
    pub digest: String,
    /// What may not be meant.
    pub warnings: Report,
    text: Arc<str>,
}

impl CampaignFile {
    /// The file as it was read.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// An empty report on this file, for what is found later.
    pub(super) fn report(&self) -> Report {
        self.warnings.clone()
    }
}

/// Reads and checks a campaign file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_campaign(path: &Path) -> Result<CampaignFile, Box<Report>> {
    let text = read(path)?;
    let mut digest = Sha256::new();
    digest.update(text.as_bytes());
    let folder = path.parent().unwrap_or(Path::new(""));
    let (read, report) = parse(path, &text, |root, report| campaign(root, folder, &mut digest, report));
    match read {
        Some((spec, seed)) if report.errors() == 0 => {
            Ok(CampaignFile { spec, seed, digest: hex(&digest.finalize()), warnings: report, text })
        }
        Some(_) | None => Err(Box::new(report)),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

const KEYS: [&str; 17] = [
    "name",
    "description",
    "seed",
    "parameter",
    "outcome",
    "objective",
    "constraint",
    "step",
    "experiment",
    "data",
    "prior",
    "cost",
    "fidelity",
    "mixture",
    "pool",
    "budget",
    "stop",
];

fn campaign(
    root: &Table<'_>,
    folder: &Path,
    digest: &mut Sha256,
    report: &mut Report,
) -> Option<(CampaignSpec, Option<u64>)> {
    let mut known = KEYS.to_vec();
    known.push("planner");
    root.only(&known, report);
    root.text("description", report);
    let name = root.name("name = \"suzuki-yield\"", true, &mut BTreeSet::new(), report);
    let seed = root.whole("seed", 0..i64::MAX, report).and_then(|it| u64::try_from(it.value).ok());
    let Parameters { parameters, descriptors, shared } = parameters(root, folder, digest, report);
    let step_tables = root.tables("step", "a step", report);
    let by_hand = step_tables.is_empty();
    let mut names = Names {
        parameters: parameters.iter().map(|it| it.name.clone()).collect(),
        outcomes: declared(root),
        steps: step_tables.iter().filter_map(declared_name).collect(),
    };
    let steps = steps(&step_tables, &names, &parameters, report);
    let outcomes = outcomes(root, &names, &parameters, by_hand, report);
    names.outcomes = outcomes.iter().map(|it| it.name.clone()).collect();
    let objectives = objectives(root, &outcomes, report);
    let (parameter_constraints, outcome_constraints) = constraints(root, &names, &parameters, report);
    let first = root.tables("constraint", "a constraint", &mut Report::default()).first().map(|it| it.span.clone());
    warn_if_nothing_is_left(&parameters, &parameter_constraints, first, report);
    let experiments = own_points(root, &parameters, &parameter_constraints, report);
    let mixtures = mixtures(root, &parameters, report);
    let pool = pool(root, folder, &parameters, digest, report);
    let past = past(root, folder, &parameters, &outcomes, digest, report);
    let priors = priors(root, folder, &parameters, &outcomes, digest, report);
    let cost = cost(root, &names, &parameters, report);
    let fidelity = fidelity(root, &parameters, report);
    let budget = budget(root, report);
    let stop = stop(root, objectives.len(), report);
    let planner = planner(root, report);
    if fidelity.is_some() && planner.address.is_some() {
        let help = "leave out [fidelity], or the address under [planner]";
        report.error(
            None,
            "a planner of one's own is not told of fidelities, and might answer with a simulated one",
            help,
        );
    }
    let spec = CampaignSpec {
        name: CampaignName::new(name?),
        parameters,
        outcomes,
        objectives,
        parameter_constraints,
        outcome_constraints,
        steps,
        experiments,
        past,
        priors,
        fidelity,
        cost,
        mixtures,
        descriptors,
        pool,
        shared,
        budget: budget?,
        stop,
        planner,
    };
    Some((spec, seed))
}

/// Names that are declared, well or badly, so that one mistake is told once.
fn declared(root: &Table<'_>) -> BTreeSet<String> {
    let mut unheard = Report::default();
    root.tables("outcome", "an outcome", &mut unheard).iter().filter_map(declared_name).collect()
}

fn declared_name(table: &Table<'_>) -> Option<String> {
    table.text("name", &mut Report::default()).map(|it| it.value.to_owned())
}

fn outcomes(
    root: &Table<'_>,
    names: &Names,
    parameters: &[Parameter],
    by_hand: bool,
    report: &mut Report,
) -> Vec<Outcome> {
    let tables = root.tables("outcome", "an outcome", report);
    if tables.is_empty() {
        report.error(
            None,
            "nothing is measured",
            "add [[outcome]] with a name, and how it is calculated from step outputs",
        );
    }
    if tables.len() > MAX_OUTCOMES {
        report.error(None, format!("{} outcomes; the limit is {MAX_OUTCOMES}", tables.len()), "");
    }
    // An outcome is calculated from what was measured, not from other outcomes: their errors would be counted twice.
    let inputs = Names { outcomes: BTreeSet::new(), parameters: names.parameters.clone(), steps: names.steps.clone() };
    let mut taken = names.parameters.clone();
    let mut outcomes = Vec::new();
    for table in tables.into_iter().take(MAX_OUTCOMES) {
        table.only(&["name", "value", "unit"], report);
        let name = table.name("name = \"yield\"", false, &mut taken, report);
        let unit = unit(&table, report);
        let value = table.text("value", report);
        match (&value, by_hand) {
            (Some(value), true) => report.error(
                Some(value.span.clone()),
                "a campaign without steps has nothing to calculate from",
                "leave 'value' out: people record this outcome",
            ),
            (None, false) if !table.has("value") => report.error(
                Some(table.span.clone()),
                "nothing says how this outcome is calculated",
                "for instance: value = \"100 * @measure.product / $amount\"",
            ),
            (Some(_), false) | (None, true | false) => {}
        }
        let value = value.filter(|_| !by_hand).and_then(|text| {
            let read = expression(&text, &inputs, report)?;
            typed(&read, Wanted::Number, parameters, &text, report).then_some(read)
        });
        if let Some(name) = name {
            outcomes.push(Outcome { name, value, unit: unit.unwrap_or_else(Unit::one) });
        }
    }
    outcomes
}

pub(super) fn unit(table: &Table<'_>, report: &mut Report) -> Option<Unit> {
    let written = table.text("unit", report)?;
    match units::parse(written.value) {
        Ok(unit) => Some(unit),
        Err(words) => {
            let (message, help) = words.split_once('\n').unwrap_or((&words, ""));
            report.error(Some(written.span), message, help);
            None
        }
    }
}

fn constraints(
    root: &Table<'_>,
    names: &Names,
    parameters: &[Parameter],
    report: &mut Report,
) -> (Vec<ParameterConstraint>, Vec<OutcomeConstraint>) {
    let (mut known, mut learnt) = (Vec::new(), Vec::new());
    let tables = root.tables("constraint", "a constraint", report);
    if tables.len() > MAX_CONSTRAINTS {
        report.error(None, format!("{} constraints; the limit is {MAX_CONSTRAINTS}", tables.len()), "");
    }
    for table in tables.iter().take(MAX_CONSTRAINTS) {
        table.only(&["require"], report);
        let Some(text) = table.text_needed("require", "require = \"impurity <= 0.05\"", report) else { continue };
        let names =
            Names { steps: BTreeSet::new(), parameters: names.parameters.clone(), outcomes: names.outcomes.clone() };
        let Some(holds) = expression(&text, &names, report) else { continue };
        let (mut on_parameters, mut on_outcomes) = (false, false);
        holds.leaves(&mut |leaf| match leaf {
            Leaf::Parameter(_) => on_parameters = true,
            Leaf::Outcome(_) | Leaf::Output { .. } => on_outcomes = true,
        });
        match (on_parameters, on_outcomes) {
            (true, false) => {
                if typed(&holds, Wanted::Truth, parameters, &text, report) {
                    known.push(ParameterConstraint { holds, text: text.value.to_owned() });
                }
            }
            (false, true) => match margin(holds).filter(|it| typed(it, Wanted::Number, parameters, &text, report)) {
                Some(margin) => learnt.push(OutcomeConstraint { margin, text: text.value.to_owned() }),
                None => report.error(
                    Some(text.span),
                    "a constraint on outcomes compares two numbers by <= or >=",
                    "for instance: require = \"impurity <= 0.05\"; write several as several [[constraint]]",
                ),
            },
            (true, true) => report.error(
                Some(text.span),
                "a constraint is on parameters or on outcomes, not on both",
                "make the difference an outcome of its own and bound that",
            ),
            (false, false) => {
                report.error(Some(text.span), "this constraint bounds nothing", "name a parameter or an outcome")
            }
        }
    }
    (known, learnt)
}

/// What must be at most 0.
fn margin(holds: Expr) -> Option<Expr> {
    let Expr::Binary(operator, left, right) = holds else { return None };
    let (left, right) = match operator {
        Binary::Less | Binary::LessOrEqual => (left, right),
        Binary::Greater | Binary::GreaterOrEqual => (right, left),
        Binary::Add
        | Binary::Subtract
        | Binary::Multiply
        | Binary::Divide
        | Binary::Equal
        | Binary::NotEqual
        | Binary::And
        | Binary::Or => return None,
    };
    Some(Expr::Binary(Binary::Subtract, left, right))
}

#[derive(Clone, Copy)]
pub(super) enum Wanted {
    Number,
    Truth,
}

/// Whether the expression is of the wanted type, found by trying it on one value of everything.
pub(super) fn typed(
    read: &Expr,
    wanted: Wanted,
    parameters: &[Parameter],
    text: &Placed<&str>,
    report: &mut Report,
) -> bool {
    let scope = |leaf: &Leaf| match leaf {
        Leaf::Parameter(name) => parameters.iter().find(|it| it.name == *name).map(super::parameter::sample),
        Leaf::Outcome(_) | Leaf::Output { .. } => Some(Datum::Number(1.0, 0.0)),
    };
    let (tried, words) = match wanted {
        Wanted::Number => (read.number(&scope).map(|_| ()), "a number"),
        Wanted::Truth => (read.holds(&scope).map(|_| ()), "true or false"),
    };
    match tried {
        Err(EvalError::Type(expected)) => {
            report.error(
                Some(text.span.clone()),
                format!("the expression does not give {words}: somewhere {expected} is expected"),
                "numbers are compared with numbers, choices with texts in quotes: solvent == 'dmf'",
            );
            false
        }
        // Division by zero and the like can happen at one point and not at others.
        Ok(()) | Err(_) => true,
    }
}

fn own_points(
    root: &Table<'_>,
    parameters: &[Parameter],
    constraints: &[ParameterConstraint],
    report: &mut Report,
) -> Vec<Setting> {
    let tables = root.tables("experiment", "an experiment", report);
    if tables.len() > MAX_OWN_POINTS {
        let message = format!("{} points of your own; the limit is {MAX_OWN_POINTS}", tables.len());
        report.error(None, message, "`eutectic enqueue FILE.csv` takes more");
    }
    let mut points = Vec::new();
    for table in tables.iter().take(MAX_OWN_POINTS) {
        table.only(&["at"], report);
        if !table.has("at") {
            report.error(
                Some(table.span.clone()),
                "an experiment needs 'at'",
                "at = { temperature = 80, ligand = \"XPhos\" }",
            );
            continue;
        }
        let Some(at) = table.table("at", "a point", report) else { continue };
        let mut setting = Setting::new();
        for (key, value) in at.entries() {
            let Some(parameter) = parameters.iter().find(|it| it.name == key.value) else {
                let help = did_you_mean(key.value, parameters.iter().map(|it| it.name.as_str()));
                report.error(Some(key.span), format!("there is no parameter '{}'", shortened(key.value)), help);
                continue;
            };
            if let Some(level) = level(value, parameter, report) {
                setting.insert(parameter.name.clone(), level);
            }
        }
        let missing: Vec<_> = parameters.iter().map(|it| it.name.as_str()).filter(|it| !at.has(it)).collect();
        if !missing.is_empty() {
            report.error(
                Some(at.span),
                format!("the point has no {}", missing.join(", ")),
                "give every parameter a value",
            );
            continue;
        }
        let scope = |leaf: &Leaf| match leaf {
            Leaf::Parameter(name) => setting.get(name).map(eutectic_core::model::Level::datum),
            Leaf::Outcome(_) | Leaf::Output { .. } => None,
        };
        if let Some(broken) = constraints.iter().find(|it| it.holds.holds(&scope) == Ok(false)) {
            let message = format!("the point breaks the constraint {}", broken.text);
            report.error(Some(at.span), message, "move the point, or loosen the constraint if it is wrong");
        }
        points.push(setting);
    }
    points
}
