//! `pause`, `resume`, `stop`, `abort`: the four ways to change a campaign's course.

use super::arguments::CampaignArguments;
use super::connect::{ask, person, request_id};
use super::output::line;
use super::{Failure, Global, json};
use eutectic_proto::control::v1 as wire;
use std::process::ExitCode;

#[derive(Clone, Copy)]
pub(super) enum Change {
    Pause,
    Resume,
    Stop,
    Abort,
}

pub(super) async fn change(global: &Global, arguments: CampaignArguments, change: Change) -> Result<ExitCode, Failure> {
    let request = wire::ChangeCampaignRequest {
        request_id: request_id(),
        campaign: arguments.campaign.unwrap_or_default(),
        by: person(),
    };
    let changed = ask(global, async |client| match change {
        Change::Pause => client.pause_campaign(request.clone()).await,
        Change::Resume => client.resume_campaign(request.clone()).await,
        Change::Stop => client.stop_campaign(request.clone()).await,
        Change::Abort => client.abort_campaign(request.clone()).await,
    });
    let summary = changed.await?.summary.unwrap_or_default();
    if global.json {
        json::line(&json::summary(&summary));
    } else {
        let running = match summary.running {
            0 => String::new(),
            1 => ", 1 experiment still runs".to_owned(),
            several => format!(", {several} experiments still run"),
        };
        line(&format!("campaign '{}' is {}{running}", summary.name, summary.phase));
    }
    Ok(ExitCode::SUCCESS)
}
