//! `suggest`: the next points of a campaign by hand, as a table to fill in.

use super::arguments::SuggestArguments;
use super::connect::{absolute, ask, request_id};
use super::table::Writer;
use super::{Failure, Global, json};
use eutectic_proto::control::v1 as wire;
use std::process::ExitCode;

pub(super) async fn suggest(global: &Global, arguments: SuggestArguments) -> Result<ExitCode, Failure> {
    let mut campaign = arguments.campaign.unwrap_or_default();
    if let Some(file) = &arguments.file {
        let request =
            wire::AddCampaignRequest { request_id: request_id(), path: absolute(file)?, ..Default::default() };
        let added = ask(global, async |client| client.add_campaign(request.clone()).await).await?;
        if added.refused {
            return Err(Failure::diagnostics(&added.diagnostics));
        }
        campaign = added.campaign.and_then(|it| it.summary).unwrap_or_default().name;
    }
    let request = wire::SuggestExperimentsRequest { request_id: request_id(), campaign, count: arguments.count };
    let list = ask(global, async |client| client.suggest_experiments(request.clone()).await).await?;
    if global.json {
        list.experiments.iter().for_each(|it| json::line(&json::experiment(it)));
        return Ok(ExitCode::SUCCESS);
    }
    let campaign = list.campaign.unwrap_or_default();
    let mut plate = Writer::new();
    let parameters = campaign.parameters.iter().map(|it| it.name.clone());
    let outcomes = campaign.outcomes.iter().map(|it| it.name.clone());
    let header: Vec<_> = ["experiment".to_owned()]
        .into_iter()
        .chain(parameters)
        .chain(outcomes)
        .chain(["failed".to_owned(), "why".to_owned()])
        .collect();
    plate.row(&header)?;
    for it in &list.experiments {
        let levels = it.setting.iter().map(|level| level.text.clone());
        let empty = campaign.outcomes.iter().map(|_| String::new());
        let row: Vec<_> = [it.number.to_string()]
            .into_iter()
            .chain(levels)
            .chain(empty)
            .chain([String::new(), it.why.clone()])
            .collect();
        plate.row(&row)?;
    }
    plate.print()?;
    Ok(ExitCode::SUCCESS)
}
