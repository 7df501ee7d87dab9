//! `watch`: follows a campaign from another terminal.

use super::arguments::CampaignArguments;
use super::connect::Connection;
use super::live::{Live, next};
use super::output::{line, note};
use super::signals::Signals;
use super::{Failure, Global, result};
use eutectic_proto::control::v1 as wire;
use std::process::ExitCode;

/// How a campaign goes on that nobody runs.
fn goes_on(summary: Option<&wire::CampaignSummary>) -> &'static str {
    if summary.is_some_and(|it| it.by_hand) {
        "it is done by hand: `eutectic suggest` gives the next points, `eutectic record` takes the results"
    } else {
        "nobody runs this campaign now; `eutectic run FILE` goes on with it"
    }
}

pub(super) async fn watch(global: &Global, arguments: CampaignArguments) -> Result<ExitCode, Failure> {
    let mut connection = Connection::open(global).await?;
    let hosts = connection.hosts();
    let client = &mut connection.client;
    let request = wire::GetCampaignRequest { campaign: arguments.campaign.unwrap_or_default() };
    let campaign = client.get_campaign(request.clone()).await?.into_inner();
    let lab = client.get_workcell(wire::GetWorkcellRequest {}).await?.into_inner();
    let ended = campaign.summary.as_ref().is_some_and(|it| it.phase == "ended");
    let mut live = Live::new(&campaign, global.json);
    live.head(&campaign, &lab.instruments);
    if hosts && !ended {
        // Nothing would ever change: this process performs nothing.
        let operations = Vec::new();
        live.update(&wire::CampaignUpdate { experiments: campaign.experiments, operations, ..Default::default() });
        note(goes_on(campaign.summary.as_ref()));
        connection.close().await?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut updates = client.watch_campaign(request.clone()).await?.into_inner();
    let mut interrupts = Signals::interrupts();
    loop {
        tokio::select! {
            // The owner ends with its campaign, or dies: either way the folder knows what there is to tell.
            update = next(&mut updates) => match update {
                Ok(None) | Err(_) => break,
                Ok(Some(update)) => live.update(&update),
            },
            // Who only looks on disturbs nothing by leaving.
            () = interrupts.next() => {
                live.finish();
                connection.close().await?;
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    live.finish();
    let found = match client.get_result(request.clone()).await {
        Ok(found) => found.into_inner(),
        Err(_) => {
            connection.close().await?;
            connection = Connection::open(global).await?;
            connection.client.get_result(request).await?.into_inner()
        }
    };
    if !global.json {
        line("");
    }
    result::show(&found, global.json);
    if found.summary.as_ref().is_some_and(|it| it.phase != "ended") {
        note(goes_on(found.summary.as_ref()));
    }
    connection.close().await?;
    Ok(ExitCode::SUCCESS)
}
