//! `page`: what people are called for.

use super::arguments::{PageArguments, PageVerb};
use super::connect::{ask, person, request_id};
use super::output::{line, show, table, time};
use super::{Failure, Global, json};
use eutectic_proto::control::v1 as wire;
use std::process::ExitCode;

pub(super) async fn page(global: &Global, arguments: PageArguments) -> Result<ExitCode, Failure> {
    let lab = match arguments.verb {
        PageVerb::List => ask(global, async |client| client.get_workcell(wire::GetWorkcellRequest {}).await).await?,
        PageVerb::Acknowledge { ids } => {
            let request = wire::AcknowledgePagesRequest { request_id: request_id(), ids, by: person() };
            ask(global, async |client| client.acknowledge_pages(request.clone()).await).await?
        }
    };
    let pages = lab.pages;
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
