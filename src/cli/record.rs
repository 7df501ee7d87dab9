//! `record`: what was measured by hand.

use super::arguments::TableArguments;
use super::connect::ask;
use super::output::line;
use super::{Failure, Global, json, table};
use eutectic_proto::control::v1 as wire;
use std::process::ExitCode;

pub(super) async fn record(global: &Global, arguments: TableArguments) -> Result<ExitCode, Failure> {
    let request = table::read(&arguments.file, arguments.campaign)?;
    let list = ask(global, async |client| client.record_observations(request.clone()).await).await?;
    if global.json {
        list.experiments.iter().for_each(|it| json::line(&json::experiment(it)));
        return Ok(ExitCode::SUCCESS);
    }
    let several = list.campaign.as_ref().is_some_and(|it| it.objectives.len() > 1);
    let campaign = list.campaign.unwrap_or_default().summary.unwrap_or_default();
    line(&format!(
        "recorded {} experiments of '{}'; {} of {} used",
        list.experiments.len(),
        campaign.name,
        campaign.used,
        campaign.budget
    ));
    let ahead = list.experiments.iter().filter(|it| it.best && it.state() == wire::experiment::State::Observed);
    let ahead: Vec<String> = ahead.map(|it| it.number.to_string()).collect();
    match ahead.as_slice() {
        [] => {}
        front if several => line(&format!("on the front so far: {}; `eutectic result` shows it", front.join(", "))),
        [best, ..] => line(&format!("experiment {best} is the best so far; `eutectic result` shows it")),
    }
    Ok(ExitCode::SUCCESS)
}
