//! `page`: what people are called for.

use super::arguments::{PageArguments, PageVerb};
use super::connect::{Connection, person, request_id};
use super::output::{line, show, table, time};
use super::{Failure, Global, json};
use eutectic_proto::control::v1 as wire;
use std::process::ExitCode;

pub(super) async fn page(global: &Global, arguments: PageArguments) -> Result<ExitCode, Failure> {
    let mut connection = Connection::open(global).await?;
    let lab = match arguments.verb {
        PageVerb::List => connection.client.get_workcell(wire::GetWorkcellRequest {}).await?,
        PageVerb::Acknowledge { ids } => {
            let request = wire::AcknowledgePagesRequest { request_id: request_id(), ids, by: person() };
            connection.client.acknowledge_pages(request).await?
        }
    };
    connection.close().await?;
    let pages = lab.into_inner().pages;
    if global.json {
        pages.iter().for_each(|it| json::line(&json::page(it)));
    } else if pages.is_empty() {
        line("nobody is called");
    } else {
        let mut rows = table(&["page", "since", "what", "then", "state"]);
        for it in &pages {
            rows.add_row([&it.id, &time(it.since_ms), &it.text, &it.hint, &state(it)]);
        }
        show(&rows);
    }
    Ok(ExitCode::SUCCESS)
}

fn state(it: &wire::Page) -> String {
    let known = if it.acknowledged { "acknowledged" } else { "" };
    let urgent = if it.urgent && !it.acknowledged { "urgent" } else { "" };
    [urgent, known, it.delivery.as_str()].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(", ")
}
