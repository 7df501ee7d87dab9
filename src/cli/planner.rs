//! `planner stdio`: the planner as a child process.

use super::Failure;
use super::arguments::{PlannerArguments, PlannerVerb};
use eutectic_planners::{Bayesian, stdio};
use std::process::ExitCode;

pub(super) fn planner(arguments: &PlannerArguments) -> Result<ExitCode, Failure> {
    let PlannerVerb::Stdio = arguments.verb;
    stdio::run(&Bayesian::default(), std::io::stdin().lock(), std::io::stdout().lock())
        .map_err(|error| Failure::new(error.to_string(), ""))?;
    Ok(ExitCode::SUCCESS)
}
