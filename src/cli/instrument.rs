//! `instrument`: list them, take one back into service.

use super::arguments::{InstrumentArguments, InstrumentVerb};
use super::connect::{Connection, person, request_id};
use super::output::line;
use super::{Failure, Global, json, status};
use eutectic_proto::control::v1 as wire;
use std::process::ExitCode;

pub(super) async fn instrument(global: &Global, arguments: InstrumentArguments) -> Result<ExitCode, Failure> {
    let mut connection = Connection::open(global).await?;
    let client = &mut connection.client;
    let lab = match arguments.verb {
        InstrumentVerb::List => client.get_workcell(wire::GetWorkcellRequest {}).await?.into_inner(),
        InstrumentVerb::Release { instrument } => {
            let request = wire::ReleaseInstrumentRequest { request_id: request_id(), instrument, by: person() };
            client.release_instrument(request).await?.into_inner()
        }
    };
    connection.close().await?;
    if global.json {
        lab.instruments.iter().for_each(|it| json::line(&json::instrument(it)));
    } else if lab.instruments.is_empty() {
        line("no instrument yet: a campaign's lab.toml names them");
    } else {
        status::instruments(&lab.instruments);
    }
    Ok(ExitCode::SUCCESS)
}
