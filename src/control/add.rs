//! A campaign file becomes a campaign, or is found to be one.

use super::{accepted, invalid, stopped, view};
use crate::engine::Handle;
use crate::files::{CampaignFile, difference, load_campaign};
use crate::lab::Keeper;
use eutectic_core::{CampaignName, Command, Request, RequestId};
use eutectic_proto::control::v1 as wire;
use std::path::{Path, PathBuf};
use tonic::Status;

/// The most bytes of a campaign, file and specification, that one entry of the journal can hold.
const MAX_CAMPAIGN_BYTES: usize = 60 * 1024;

/// What is known under the campaign's name already.
struct Known {
    digest: String,
    source: String,
    seed: u64,
    shown: wire::Campaign,
}

pub(super) async fn add(
    engine: &Handle,
    keeper: &Keeper,
    request: wire::AddCampaignRequest,
) -> Result<wire::AddCampaignResponse, Status> {
    let path = PathBuf::from(&request.path);
    let file = match load_campaign(&path) {
        Ok(file) => file,
        Err(report) => return Ok(refuse(vec![report.to_string()])),
    };
    let name = if request.name.is_empty() { file.spec.name.clone() } else { CampaignName::new(request.name.as_str()) };
    let wanted = request.has_seed.then_some(request.seed).or(file.seed);
    if let Some(known) = known(engine, &name).await? {
        if let Some(words) = differs(&file, &known, wanted, &name) {
            return Ok(refuse(vec![words]));
        }
        if known.shown.summary.as_ref().is_none_or(|it| it.phase != "ended")
            && let Err(words) = equip(keeper, &file, &path, &request.lab_path).await
        {
            return unequipped(engine, words).await;
        }
        return Ok(wire::AddCampaignResponse { campaign: Some(known.shown), ..wire::AddCampaignResponse::default() });
    }
    let mut warnings = Vec::new();
    if file.warnings.warnings() > 0 {
        warnings.push(file.warnings.to_string());
    }
    if let Err(words) = equip(keeper, &file, &path, &request.lab_path).await {
        return unequipped(engine, words).await;
    }
    let mut spec = file.spec.clone();
    spec.name = name.clone();
    let bytes = serde_json::to_vec(&eutectic_core::model::CampaignSpec { past: Vec::new(), ..spec.clone() })
        .map_or(usize::MAX, |bytes| bytes.len());
    if bytes.saturating_add(file.text().len()) > MAX_CAMPAIGN_BYTES {
        return Err(invalid(
            format!("the campaign takes {bytes} bytes beside its file; together they may take {MAX_CAMPAIGN_BYTES}"),
            "move points of your own to a CSV file and `eutectic enqueue` them",
        ));
    }
    let command = Command::AddCampaign {
        spec: Box::new(spec),
        digest: file.digest.clone(),
        source: file.text().into(),
        seed: wanted.unwrap_or_default(),
    };
    let id = Some(RequestId::new(request.request_id));
    accepted(engine.submit(Request { id, command }).await)?;
    let added = known(engine, &name).await?.map(|it| it.shown);
    Ok(wire::AddCampaignResponse {
        diagnostics: warnings,
        created: true,
        campaign: added,
        ..wire::AddCampaignResponse::default()
    })
}

async fn known(engine: &Handle, name: &CampaignName) -> Result<Option<Known>, Status> {
    let name = name.clone();
    let known = engine.read(move |workcell| {
        workcell.campaigns.get(&name).map(|campaign| Known {
            digest: campaign.digest.clone(),
            source: campaign.source.clone(),
            seed: campaign.seed,
            shown: view::campaign(workcell, campaign),
        })
    });
    known.await.map_err(|error| stopped(&error))
}

/// Why this file is not the campaign that bears its name.
fn differs(file: &CampaignFile, known: &Known, seed: Option<u64>, name: &CampaignName) -> Option<String> {
    let way_out = format!(
        "help: `--as NEW-NAME` runs it as a campaign of its own beside '{name}'; \
         to go on with '{name}', take the change back"
    );
    if file.digest != known.digest {
        let difference = difference(&known.source, file.text());
        let difference =
            if difference.is_empty() { "a data file that it names has changed".into() } else { difference };
        return Some(format!("error: campaign '{name}' exists and its file was another one\n{difference}\n{way_out}"));
    }
    seed.filter(|seed| *seed != known.seed)
        .map(|seed| format!("error: campaign '{name}' runs with seed {}, not {seed}\n{way_out}", known.seed))
}

fn refuse(diagnostics: Vec<String>) -> wire::AddCampaignResponse {
    wire::AddCampaignResponse { diagnostics, refused: true, ..wire::AddCampaignResponse::default() }
}

/// A lab that can't be got ready is a refusal; unless this owner has ended meanwhile, which the next one makes good.
async fn unequipped(engine: &Handle, words: Vec<String>) -> Result<wire::AddCampaignResponse, Status> {
    match engine.read(|_| ()).await {
        Ok(()) => Ok(refuse(words)),
        Err(error) => Err(stopped(&error)),
    }
}

async fn equip(keeper: &Keeper, file: &CampaignFile, path: &Path, lab: &str) -> Result<(), Vec<String>> {
    if file.spec.by_hand() {
        return Ok(());
    }
    let capabilities = keeper.equip(&lab_path(path, lab)).await?;
    let report = crate::files::check_against(file, &capabilities);
    if report.errors() > 0 { Err(vec![report.to_string()]) } else { Ok(()) }
}

/// The lab file: the one that was named, or the one beside the campaign file.
pub(super) fn lab_path(campaign: &Path, lab: &str) -> PathBuf {
    if lab.is_empty() { campaign.parent().unwrap_or(Path::new("")).join("lab.toml") } else { PathBuf::from(lab) }
}
