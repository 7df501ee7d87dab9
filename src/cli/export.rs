//! `export`: every experiment.

use super::arguments::{ExportArguments, Form};
use super::connect::ask;
use super::table::Writer;
use super::{Failure, Global, json};
use eutectic_proto::control::v1 as wire;
use std::process::ExitCode;

pub(super) async fn export(global: &Global, arguments: ExportArguments) -> Result<ExitCode, Failure> {
    let request = wire::GetCampaignRequest { campaign: arguments.campaign.unwrap_or_default() };
    let campaign = ask(global, async |client| client.get_campaign(request.clone()).await).await?;
    if global.json || arguments.format == Form::Jsonl {
        campaign.experiments.iter().for_each(|it| json::line(&json::experiment(it)));
    } else {
        csv(&campaign)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Numbers exactly as they are: what is read back is what was measured.
fn csv(campaign: &wire::Campaign) -> Result<(), Failure> {
    let mut writer = Writer::new();
    let mut header = vec!["experiment".to_owned(), "origin".to_owned(), "state".to_owned()];
    header.extend(campaign.parameters.iter().map(|it| it.name.clone()));
    for it in &campaign.outcomes {
        header.extend([it.name.clone(), format!("{}_sd", it.name)]);
    }
    header.extend(["feasible", "failed", "why"].map(ToOwned::to_owned));
    writer.row(&header)?;
    for it in &campaign.experiments {
        let mut row = vec![it.number.to_string(), it.origin.clone(), json::state(it.state()).to_owned()];
        row.extend(it.setting.iter().map(|level| level.text.clone()));
        for column in &campaign.outcomes {
            let outcome = it.outcomes.iter().find(|outcome| outcome.name == column.name);
            row.push(outcome.map_or_else(String::new, |it| it.value.to_string()));
            row.push(outcome.filter(|it| it.has_sd).map_or_else(String::new, |it| it.sd.to_string()));
        }
        let observed = it.state() == wire::experiment::State::Observed;
        row.push(if observed { it.feasible.to_string() } else { String::new() });
        row.extend([it.failure.clone(), it.why.clone()]);
        writer.row(&row)?;
    }
    writer.print()
}
