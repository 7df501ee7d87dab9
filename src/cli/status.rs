//! `status`: the lab, its campaigns and what runs.

use super::connect::ask;
use super::output::{bold, line, percent, show, table, time};
use super::{Failure, Global, intervention, json};
use eutectic_proto::control::v1 as wire;
use serde_json::json;
use std::process::ExitCode;

pub(super) async fn status(global: &Global) -> Result<ExitCode, Failure> {
    let lab = ask(global, async |client| client.get_workcell(wire::GetWorkcellRequest {}).await).await?;
    let hosts = lab.pid == std::process::id();
    if global.json {
        let operation = |it: &wire::Operation| {
            json!({
                "operation": it.id, "campaign": it.campaign, "experiment": it.experiment, "step": it.step,
                "attempt": it.attempt, "instrument": it.instrument, "started": it.started, "overdue": it.overdue,
                "progress": it.progress, "stage": it.stage,
            })
        };
        json::line(&json!({
            "workcell": lab.id,
            "epoch": lab.epoch,
            "owner": (!hosts).then_some(lab.pid),
            "data": lab.data_folder,
            "suspended": lab.suspended,
            "doubt": (!lab.doubt.is_empty()).then_some(&lab.doubt),
            "interventions": lab.interventions.iter().map(json::intervention).collect::<Vec<_>>(),
            "pages": lab.pages.iter().map(json::page).collect::<Vec<_>>(),
            "log_seq": lab.log_seq,
            "campaigns": lab.campaigns.iter().map(json::summary).collect::<Vec<_>>(),
            "instruments": lab.instruments.iter().map(json::instrument).collect::<Vec<_>>(),
            "operations": lab.operations.iter().map(operation).collect::<Vec<_>>(),
        }));
        return Ok(ExitCode::SUCCESS);
    }
    print(&lab, hosts);
    Ok(ExitCode::SUCCESS)
}

fn print(lab: &wire::Workcell, hosts: bool) {
    let owner = if hosts { "nobody runs it now".to_owned() } else { format!("process {} runs it", lab.pid) };
    line(&format!("{}: {owner}, {} journal entries", lab.data_folder, lab.log_seq));
    if lab.campaigns.is_empty() {
        line("no campaign yet; `eutectic run FILE` starts one");
    } else {
        line("");
        let mut campaigns = table(&["campaign", "phase", "experiments", "running", "why"]);
        for it in &lab.campaigns {
            let used = format!("{} of {}", it.used, it.budget);
            campaigns.add_row([&it.name, &it.phase, &used, &it.running.to_string(), &it.phase_reason]);
        }
        show(&campaigns);
    }
    if !lab.instruments.is_empty() {
        line("");
        instruments(&lab.instruments);
    }
    if !lab.operations.is_empty() {
        line("");
        let mut running = table(&["operation", "campaign", "experiment", "instrument", "progress"]);
        for it in &lab.operations {
            let late = if it.overdue { " (overdue)" } else { "" };
            let progress =
                if it.started { format!("{} {}{late}", percent(it.progress), it.stage) } else { "not started".into() };
            running.add_row([&it.step, &it.campaign, &it.experiment.to_string(), &it.instrument, &progress]);
        }
        show(&running);
    }
    for reason in &lab.suspended {
        line("");
        line(&bold(&format!("nothing new is dispatched: {reason}")));
    }
    if !lab.doubt.is_empty() {
        line("");
        line(&bold(&format!("nothing is dispatched: {}", lab.doubt)));
    }
    for it in &lab.interventions {
        line("");
        line(&bold(&format!("{} is out of service since {}: {}", it.instrument, time(it.opened_ms), it.reason)));
        line(&format!("  {}; eutectic intervention show {}", intervention::state(it), it.number));
    }
    for it in lab.pages.iter().filter(|it| it.id.starts_with("recovered-")) {
        line("");
        line(&format!("{}: {}", time(it.since_ms), it.text));
    }
}

pub(super) fn instruments(list: &[wire::Instrument]) {
    let mut instruments = table(&["instrument", "what", "address", "process", "state"]);
    for it in list {
        let process = if it.pid > 0 { it.pid.to_string() } else { String::new() };
        let held = if it.leased { ", held by us" } else { "" };
        let state = if !it.quarantined.is_empty() {
            "out of service".to_owned()
        } else if it.connected {
            format!("{}{held}", it.readiness)
        } else if it.readiness.is_empty() {
            "not asked".to_owned()
        } else {
            format!("not reached: {}", it.readiness)
        };
        instruments.add_row([&it.name, &it.display_name, &it.address, &process, &state]);
    }
    show(&instruments);
}
