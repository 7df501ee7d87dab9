//! `check`: what is wrong, before anything moves.

use super::arguments::CheckArguments;
use super::connect::{Connection, absolute, absolute_or_empty};
use super::output::{bold, line, show, table};
use super::{Failure, Global, json};
use eutectic_proto::control::v1 as wire;
use serde_json::json;
use std::process::ExitCode;

pub(super) async fn check(global: &Global, arguments: CheckArguments) -> Result<ExitCode, Failure> {
    let mut connection = Connection::open(global).await?;
    let request = wire::CheckCampaignRequest {
        path: absolute(&arguments.file)?,
        lab_path: absolute_or_empty(arguments.lab.as_deref())?,
        ask_drivers: !arguments.offline,
    };
    let checked = connection.client.check_campaign(request).await?.into_inner();
    connection.close().await?;
    if global.json {
        json::line(&as_json(&checked));
    } else {
        print(&checked);
    }
    Ok(if checked.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_json(checked: &wire::CheckCampaignResponse) -> serde_json::Value {
    let validation = |it: &wire::Validation| {
        json!({
            "point": it.point,
            "step": it.step,
            "instrument": it.instrument,
            "accepted": it.accepted,
            "message": it.message,
        })
    };
    json!({
        "ok": checked.ok,
        "diagnostics": checked.diagnostics,
        "campaign": checked.campaign.as_ref().and_then(|it| it.summary.as_ref()).map(json::summary),
        "protocol": checked.protocol,
        "validations": checked.validations.iter().map(validation).collect::<Vec<_>>(),
    })
}

fn print(checked: &wire::CheckCampaignResponse) {
    for diagnostic in &checked.diagnostics {
        super::output::note(&format!("{diagnostic}\n"));
    }
    if let Some(campaign) = &checked.campaign {
        let summary = campaign.summary.clone().unwrap_or_default();
        line(&format!("{}: {}", bold(&summary.name), campaign.objectives.join(", ")));
        let mut parameters = table(&["parameter", "unit", "values"]);
        for it in &campaign.parameters {
            parameters.add_row([&it.name, &it.unit, &it.domain]);
        }
        show(&parameters);
        for constraint in &campaign.constraints {
            line(&format!("subject to {constraint}"));
        }
    }
    if !checked.protocol.is_empty() {
        line("");
        line(&bold("protocol"));
        for step in &checked.protocol {
            line(&format!("  {step}"));
        }
    }
    if !checked.validations.is_empty() {
        line("");
        line(&bold("asked of the drivers, nothing moved"));
        let mut asked = table(&["step", "instrument", "answer", "point"]);
        for it in &checked.validations {
            let answer = if it.accepted { "would do it" } else { &it.message };
            asked.add_row([&it.step, &it.instrument, answer, &it.point]);
        }
        show(&asked);
    }
    line("");
    line(if checked.ok { "It can be run." } else { "It can't be run as it is." });
}
