//! `run`: a campaign to its end.

use super::arguments::{CheckArguments, RunArguments};
use super::connect::{Client, Connection, HANDOVERS, absolute, absolute_or_empty, person, request_id};
use super::live::{Live, next};
use super::output::{line, note};
use super::signals::Signals;
use super::{Failure, Global, check, result, simulate};
use eutectic_proto::control::v1 as wire;
use std::process::ExitCode;
use std::time::Duration;

/// Where rehearsals are kept, within the data folder.
const REHEARSALS: &str = "rehearsals";
/// How often an owner looks whether somebody else's campaign still runs in its folder.
const OTHERS_INTERVAL: Duration = Duration::from_secs(1);

pub(super) async fn run(global: &Global, arguments: RunArguments) -> Result<ExitCode, Failure> {
    if arguments.simulate {
        return rehearse(global, arguments).await;
    }
    if arguments.dry_run {
        let RunArguments { file, lab, .. } = arguments;
        return check::check(global, CheckArguments { file, lab, offline: false }).await;
    }
    let mut connection = Connection::open(global).await?;
    let mut outcome = campaign(global, &arguments, &mut connection).await;
    for _ in 0..HANDOVERS {
        // The owner was a verb that only looked, or has died: the same again goes on where it was.
        if connection.hosts() || outcome.as_ref().err().is_none_or(|it| !it.is_gone()) {
            break;
        }
        connection = Connection::open(global).await?;
        outcome = campaign(global, &arguments, &mut connection).await;
    }
    let outcome = match outcome {
        Ok(()) if connection.hosts() => others(&mut connection.client).await,
        outcome => outcome,
    };
    connection.close().await?;
    outcome.map(|()| ExitCode::SUCCESS)
}

/// The same with every instrument simulated, in a data folder of its own: what is made up must never stand in one journal
/// with what was measured.
async fn rehearse(global: &Global, arguments: RunArguments) -> Result<ExitCode, Failure> {
    let beside = arguments.file.parent().map(|folder| folder.join("lab.toml")).unwrap_or_default();
    let lab = simulate::twins(arguments.lab.as_deref().unwrap_or(&beside))?;
    let data = global.data.join(REHEARSALS);
    let path = data.join("lab.toml");
    let written = std::fs::create_dir_all(&data).and_then(|()| std::fs::write(&path, lab.to_toml()));
    written.map_err(|error| Failure::new(format!("'{}' can't be written: {error}", path.display()), ""))?;
    note(&format!("a rehearsal: nothing is measured; `eutectic --data {} …` looks at it", data.display()));
    let global = Global { data, ..global.clone() };
    let arguments = RunArguments { lab: Some(path), simulate: false, ..arguments };
    Box::pin(run(&global, arguments)).await
}

async fn campaign(global: &Global, arguments: &RunArguments, connection: &mut Connection) -> Result<(), Failure> {
    let request = wire::AddCampaignRequest {
        request_id: request_id(),
        path: absolute(&arguments.file)?,
        lab_path: absolute_or_empty(arguments.lab.as_deref())?,
        has_seed: arguments.seed.is_some(),
        seed: arguments.seed.unwrap_or_default(),
        name: arguments.name.clone().unwrap_or_default(),
    };
    let client = &mut connection.client;
    let added = client.add_campaign(request).await?.into_inner();
    if added.refused {
        return Err(Failure::diagnostics(&added.diagnostics));
    }
    for warning in &added.diagnostics {
        note(warning);
    }
    let campaign = added.campaign.clone().unwrap_or_default();
    let summary = campaign.summary.clone().unwrap_or_default();
    if summary.by_hand && summary.phase != "ended" {
        return by_hand(global, &summary, added.created);
    }
    if summary.phase != "ended" {
        follow(global, &campaign, added.created, client).await?;
    }
    let found = client.get_result(wire::GetCampaignRequest { campaign: summary.name }).await?.into_inner();
    if !global.json {
        line("");
    }
    result::show(&found, global.json);
    Ok(())
}

fn by_hand(global: &Global, summary: &wire::CampaignSummary, created: bool) -> Result<(), Failure> {
    if global.json {
        super::json::line(&super::json::summary(summary));
        return Ok(());
    }
    let word = if created { "added" } else { "here already" };
    line(&format!("campaign '{}' is {word}. It has no steps: it is done by hand.", summary.name));
    line("  eutectic suggest -n 8 > plate.csv    the next points");
    line("  eutectic record plate.csv            what was measured");
    Ok(())
}

/// Shows the campaign until it has ended.
async fn follow(global: &Global, campaign: &wire::Campaign, created: bool, client: &mut Client) -> Result<(), Failure> {
    let summary = campaign.summary.clone().unwrap_or_default();
    let lab = client.get_workcell(wire::GetWorkcellRequest {}).await?.into_inner();
    let mut live = Live::new(campaign, global.json);
    if !created && !global.json {
        let open = lab.operations.iter().filter(|it| it.campaign == summary.name).count();
        note(&format!(
            "going on with campaign '{}': {} of {} experiments used, operations under way: {open}",
            summary.name, summary.used, summary.budget
        ));
    }
    live.head(campaign, &lab.instruments);
    let request = wire::GetCampaignRequest { campaign: summary.name.clone() };
    let mut updates = client.watch_campaign(request).await?.into_inner();
    let mut count = 0_u32;
    let (mut interrupts, mut hangups) = (Signals::interrupts(), Signals::hangups());
    loop {
        tokio::select! {
            update = next(&mut updates) => match update? {
                None => break,
                Some(update) => live.update(&update),
            },
            () = interrupts.next() => {
                count += 1;
                interrupted(count, &summary.name, &live, client).await?;
            }
            // A terminal that goes away ends no campaign.
            () = hangups.next() => {}
        }
    }
    live.finish();
    Ok(())
}

async fn interrupted(count: u32, campaign: &str, live: &Live, client: &mut Client) -> Result<(), Failure> {
    let request = wire::ChangeCampaignRequest { request_id: request_id(), campaign: campaign.to_owned(), by: person() };
    let changed = if count == 1 {
        live.suspend(|| note("finishing what runs, then stopping; Ctrl-C again aborts to safe states"));
        client.stop_campaign(request).await
    } else {
        live.suspend(|| note("aborting to safe states"));
        client.abort_campaign(request).await
    };
    match changed {
        Ok(_) => Ok(()),
        // It may have ended in the meantime.
        Err(status) if status.code() == tonic::Code::FailedPrecondition => {
            live.suspend(|| note(status.message()));
            Ok(())
        }
        Err(status) => Err(status.into()),
    }
}

/// The owner of a folder stays as long as a campaign of somebody else runs in it.
async fn others(client: &mut Client) -> Result<(), Failure> {
    let mut told = false;
    let mut interrupts = Signals::interrupts();
    loop {
        let lab = client.get_workcell(wire::GetWorkcellRequest {}).await?.into_inner();
        let open = |it: &&wire::CampaignSummary| !it.by_hand && !matches!(it.phase.as_str(), "ended" | "paused");
        let running: Vec<_> = lab.campaigns.iter().filter(open).map(|it| it.name.as_str()).collect();
        if running.is_empty() {
            return Ok(());
        }
        if !told {
            note(&format!(
                "still running here: {}; Ctrl-C leaves, and `eutectic run` goes on later",
                running.join(", ")
            ));
            told = true;
        }
        tokio::select! {
            () = tokio::time::sleep(OTHERS_INTERVAL) => {}
            () = interrupts.next() => return Ok(()),
        }
    }
}
