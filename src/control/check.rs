//! `check`: the files whole, the expanded protocol, and what the drivers say to the centre and the corners.

use super::add::lab_path;
use super::view;
use crate::files::{CampaignFile, Report, check_against, load_campaign, load_lab};
use crate::lab::Keeper;
use eutectic_core::model::{Binding, CampaignSpec, Datum, Domain, Leaf, Level, Setting, Step, Value};
use eutectic_proto::control::v1 as wire;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The most corners of a search space that drivers are asked about.
const MAX_CORNERS: usize = 32;

pub(super) async fn check(keeper: &Keeper, request: wire::CheckCampaignRequest) -> wire::CheckCampaignResponse {
    let path = PathBuf::from(&request.path);
    let mut answer = wire::CheckCampaignResponse::default();
    let file = match load_campaign(&path) {
        Ok(file) => file,
        Err(report) => {
            answer.diagnostics.push(report.to_string());
            return answer;
        }
    };
    if file.warnings.warnings() > 0 {
        answer.diagnostics.push(file.warnings.to_string());
    }
    answer.ok = true;
    answer.campaign = Some(wire::Campaign {
        summary: Some(wire::CampaignSummary {
            name: file.spec.name.to_string(),
            digest: file.digest.clone(),
            budget: file.spec.budget.experiments,
            seed: file.seed.unwrap_or_default(),
            by_hand: file.spec.by_hand(),
            ..wire::CampaignSummary::default()
        }),
        ..view::specification(&file.spec)
    });
    answer.protocol = file.spec.steps.iter().map(step_line).collect();
    if !file.spec.by_hand() {
        let lab = lab_path(&path, &request.lab_path);
        if request.ask_drivers {
            ask(keeper, &file, lab, &mut answer).await;
        } else if !request.lab_path.is_empty() || lab.exists() {
            let report = load_lab(&lab).map_or_else(|report| *report, |lab| lab.warnings);
            tell(&report, &mut answer);
        }
    }
    answer
}

fn tell(report: &Report, answer: &mut wire::CheckCampaignResponse) {
    if report.errors() + report.warnings() > 0 {
        answer.ok &= report.errors() == 0;
        answer.diagnostics.push(report.to_string());
    }
}

fn step_line(step: &Step) -> String {
    let argument = |(name, binding): (&String, &Binding)| match binding {
        Binding::Literal(value) => format!("{name} = {}", literal(value)),
        Binding::Parameter(parameter) => format!("{name} = ${parameter}"),
        Binding::Output { step, output } => format!("{name} = @{step}.{output}"),
    };
    let with: Vec<_> = step.with.iter().map(argument).collect();
    let after: Vec<_> = step.after.iter().map(ToString::to_string).collect();
    let after = if after.is_empty() { String::new() } else { format!(" after {}", after.join(", ")) };
    let on = step.instrument.as_ref().map_or_else(String::new, |instrument| format!(" on {instrument}"));
    format!("{}: {}({}){on}{after}", step.name, step.capability, with.join(", "))
}

fn literal(value: &Value) -> String {
    match value {
        Value::Quantity(quantity) if quantity.unit == "1" => quantity.value.to_string(),
        Value::Quantity(quantity) => format!("{} {}", quantity.value, quantity.unit),
        Value::Integer(value) => value.to_string(),
        Value::Boolean(value) => value.to_string(),
        Value::Text(text) | Value::Choice(text) | Value::Sample(text) => format!("'{text}'"),
        Value::Series(_) => "a series".into(),
        Value::Artifact(artifact) => artifact.id.clone(),
    }
}

async fn ask(keeper: &Keeper, file: &CampaignFile, lab: PathBuf, answer: &mut wire::CheckCampaignResponse) {
    let visit = match keeper.visit(&lab).await {
        Ok(visit) => visit,
        Err(words) => {
            answer.ok = false;
            answer.diagnostics.extend(words);
            return;
        }
    };
    // It tells the file's own warnings again, so what was told before goes.
    answer.diagnostics.clear();
    tell(&check_against(file, &visit.capabilities), answer);
    for (point, setting) in points(&file.spec) {
        for step in &file.spec.steps {
            let Some((instrument, arguments)) = visit.arguments(&file.spec, step, &setting) else { continue };
            let verdict = visit.fleet.validate(&instrument, &step.capability, &arguments).await;
            answer.ok &= verdict.is_ok();
            answer.validations.push(wire::Validation {
                point: point.clone(),
                step: step.name.to_string(),
                instrument: instrument.to_string(),
                accepted: verdict.is_ok(),
                message: verdict.err().map_or_else(String::new, |refusal| refusal.to_string()),
            });
        }
    }
}

/// The centre and the corners that the known constraints allow.
fn points(spec: &CampaignSpec) -> Vec<(String, Setting)> {
    let centre = spec.parameters.iter().map(|it| (it.name.clone(), middle(&it.domain))).collect();
    let mut points = vec![("centre".to_owned(), centre)];
    let bits = spec.parameters.len().min(MAX_CORNERS.ilog2() as usize);
    for corner in 0..1_usize << bits {
        let high = |place: usize| corner >> (place % bits.max(1)) & 1 == 1;
        let setting =
            spec.parameters.iter().enumerate().map(|(place, it)| (it.name.clone(), end(&it.domain, high(place))));
        points.push(("corner".to_owned(), setting.collect()));
    }
    let allowed = |setting: &Setting| {
        let scope = |leaf: &Leaf| -> Option<Datum> {
            match leaf {
                Leaf::Parameter(name) => setting.get(name).map(Level::datum),
                Leaf::Outcome(_) | Leaf::Output { .. } => None,
            }
        };
        spec.parameter_constraints.iter().all(|it| it.holds.holds(&scope).unwrap_or(false))
    };
    points.retain(|(_, setting)| allowed(setting));
    points.into_iter().map(|(kind, setting)| (format!("{kind} {}", shown(&setting)), setting)).collect()
}

fn shown(setting: &BTreeMap<String, Level>) -> String {
    setting.iter().map(|(name, level)| format!("{name}={level}")).collect::<Vec<_>>().join(" ")
}

fn middle(domain: &Domain) -> Level {
    match domain {
        Domain::Real { low, high, log: false } => Level::Real(f64::midpoint(*low, *high)),
        Domain::Real { low, high, log: true } => Level::Real((low * high).sqrt().clamp(*low, *high)),
        Domain::Integer { low, high, .. } => Level::Integer(low + (high - low) / 2),
        Domain::Levels { values, .. } => Level::Real(values.get(values.len() / 2).copied().unwrap_or_default()),
        Domain::Categorical { choices } => Level::Choice(choices.get(choices.len() / 2).cloned().unwrap_or_default()),
    }
}

fn end(domain: &Domain, high_end: bool) -> Level {
    match domain {
        Domain::Real { low, high, .. } => Level::Real(if high_end { *high } else { *low }),
        Domain::Integer { low, high, .. } => Level::Integer(if high_end { *high } else { *low }),
        Domain::Levels { values, .. } => {
            Level::Real(if high_end { values.last() } else { values.first() }.copied().unwrap_or_default())
        }
        Domain::Categorical { choices } => {
            let choice = if high_end { choices.last() } else { choices.first() };
            Level::Choice(choice.cloned().unwrap_or_default())
        }
    }
}
