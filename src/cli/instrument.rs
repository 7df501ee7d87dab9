//! `instrument`: list them, take one back into service, look at a driver, bring one into the lab.

use super::arguments::{AddInstrumentArguments, InstrumentArguments, InstrumentVerb, LookArguments};
use super::connect::{ask, person, request_id};
use super::output::{line, note, number, show, table};
use super::{Failure, Global, json, reach, status};
use crate::files::{InstrumentSpec, LabSpec, load_lab};
use eutectic_instruments::child::write_description;
use eutectic_proto::control::v1 as wire;
use eutectic_proto::instrument::v1::field_spec::Domain;
use eutectic_proto::instrument::v1::{Capability, FieldSpec, Instrument, InstrumentStatus, Quantity, capability};
use eutectic_proto::instrument::v1::{GetStatusRequest, ListInstrumentsRequest};
use serde_json::json;
use std::fmt::Write as _;
use std::process::ExitCode;

pub(super) async fn instrument(global: &Global, arguments: InstrumentArguments) -> Result<ExitCode, Failure> {
    match arguments.verb {
        InstrumentVerb::List => list(global, None).await,
        InstrumentVerb::Release { instrument } => list(global, Some(instrument)).await,
        InstrumentVerb::Show(it) => look(global, &it).await,
        InstrumentVerb::Describe(it) => describe(global, &it).await,
        InstrumentVerb::Add(it) => add(global, &it).await,
    }
}

/// After one was released, if one was named.
async fn list(global: &Global, released: Option<String>) -> Result<ExitCode, Failure> {
    let lab = match released {
        None => ask(global, async |client| client.get_workcell(wire::GetWorkcellRequest {}).await).await?,
        Some(instrument) => {
            let request = wire::ReleaseInstrumentRequest { request_id: request_id(), instrument, by: person() };
            ask(global, async |client| client.release_instrument(request.clone()).await).await?
        }
    };
    if global.json {
        lab.instruments.iter().for_each(|it| json::line(&json::instrument(it)));
    } else if lab.instruments.is_empty() {
        line("no instrument yet: a campaign's lab.toml names them");
    } else {
        status::instruments(&lab.instruments);
    }
    Ok(ExitCode::SUCCESS)
}

async fn served(global: &Global, it: &LookArguments) -> Result<Vec<(Instrument, InstrumentStatus)>, Failure> {
    let (address, tls) = reach::address(global, &it.instrument, &it.lab, &it.tls)?;
    let mut client = reach::driver(&address, &tls).await?;
    let refused = |status: tonic::Status| Failure::new(format!("{address} answers: {}", status.message()), "");
    let listed = client.list_instruments(ListInstrumentsRequest::default()).await.map_err(refused)?.into_inner();
    let mut found = Vec::new();
    for instrument in listed.instruments {
        let request = GetStatusRequest { instrument: instrument.id.clone() };
        let status = client.get_status(request).await.map_err(refused)?.into_inner().status;
        found.push((instrument, status.unwrap_or_default()));
    }
    // A driver may serve several; whoever names one of a lab means that one.
    if !it.instrument.contains("://") {
        found.retain(|(instrument, _)| instrument.id == it.instrument);
    }
    match found.is_empty() {
        true => Err(Failure::new(format!("{address} serves no instrument '{}'", it.instrument), "")),
        false => Ok(found),
    }
}

async fn describe(global: &Global, it: &LookArguments) -> Result<ExitCode, Failure> {
    for (instrument, _) in served(global, it).await? {
        line(&write_description(&instrument));
    }
    Ok(ExitCode::SUCCESS)
}

async fn look(global: &Global, it: &LookArguments) -> Result<ExitCode, Failure> {
    for (instrument, status) in served(global, it).await? {
        if global.json {
            let description: serde_json::Value =
                serde_json::from_str(&write_description(&instrument)).unwrap_or_default();
            let readiness = status.readiness().as_str_name();
            json::line(&json!({"description": description, "readiness": readiness, "message": status.message}));
        } else {
            print(&instrument, &status);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(instrument: &Instrument, status: &InstrumentStatus) {
    let Instrument { id, display_name, vendor, model, serial_number, .. } = instrument;
    let made = [vendor, model, serial_number].into_iter().filter(|it| !it.is_empty()).cloned().collect::<Vec<_>>();
    line(&format!("{id}: {display_name} ({})", made.join(", ")));
    let readiness = status.readiness().as_str_name().trim_start_matches("READINESS_").to_lowercase();
    let words = if status.message.is_empty() { String::new() } else { format!(": {}", status.message) };
    line(&format!("  {readiness}{words}; {} operations under way", status.active_operations.len()));
    for it in &status.consumables {
        let sensed = if it.measured { "sensed" } else { "counted" };
        line(&format!("  {}: {} left ({sensed})", it.id, quantity(it.remaining.as_ref())));
    }
    for it in &status.calibrations {
        let state = it.state().as_str_name().trim_start_matches("STATE_").to_lowercase();
        line(&format!("  calibration {}: {state}", it.id));
    }
    for it in &status.interlocks {
        line(&format!("  interlock {}: {}", it.id, if it.closed { "closed" } else { "OPEN" }));
    }
    for it in &instrument.capabilities {
        line("");
        print_capability(it);
    }
}

fn print_capability(it: &Capability) {
    let mut facts = format!("{} {}", it.id, it.version);
    let again = it.effect() == capability::Effect::Repeatable;
    let words = [(again, "repeatable"), (!again, "once"), (it.abortable, "abortable"), (it.holdable, "holdable")];
    for (_, word) in words.iter().filter(|(holds, _)| *holds) {
        let _ = write!(facts, ", {word}");
    }
    line(&facts);
    if !it.description.is_empty() {
        line(&format!("  {}", it.description));
    }
    let mut fields = table(&["", "name", "what", "default"]);
    for (word, list) in [("takes", &it.parameters), ("brings", &it.outputs)] {
        for field in list {
            let default = field.default_value.as_ref().filter(|_| !field.required);
            fields.add_row([word, &field.id, &domain(field), &default.map_or_else(String::new, value)]);
        }
    }
    show(&fields);
    for rule in &it.rules {
        line(&format!("  only if {} ({})", rule.expression, rule.message));
    }
}

fn quantity(it: Option<&Quantity>) -> String {
    it.map_or_else(|| "?".to_owned(), |it| format!("{} {}", number(it.value), it.unit))
}

fn domain(field: &FieldSpec) -> String {
    match &field.domain {
        Some(Domain::Quantity(it)) => format!("{} .. {} {}", number(it.minimum), number(it.maximum), it.unit),
        Some(Domain::Integer(it)) => format!("{} .. {}", it.minimum, it.maximum),
        Some(Domain::Choice(it)) => it.choices.iter().map(|it| it.id.as_str()).collect::<Vec<_>>().join(" | "),
        Some(Domain::Text(_)) => "text".to_owned(),
        Some(Domain::Flag(_)) => "true | false".to_owned(),
        Some(Domain::Sample(it)) => format!("sample {}", it.labware_type),
        Some(Domain::Series(it)) => {
            let axes: Vec<_> = it.axes.iter().map(|axis| format!("{} ({})", axis.id, axis.unit)).collect();
            format!("series {}", axes.join(", "))
        }
        Some(Domain::Artifact(it)) => format!("file {}", it.media_types.join(", ")),
        None => String::new(),
    }
}

fn value(value: &eutectic_proto::instrument::v1::Value) -> String {
    use eutectic_proto::instrument::v1::value::Kind;
    match &value.kind {
        Some(Kind::Quantity(it)) => number(it.value),
        Some(Kind::Integer(it)) => it.to_string(),
        Some(Kind::Boolean(it)) => it.to_string(),
        Some(Kind::Text(it) | Kind::Choice(it) | Kind::Sample(it)) => it.clone(),
        Some(Kind::Series(_) | Kind::Artifact(_)) | None => String::new(),
    }
}

/// Reads what the driver says of itself and writes it into the lab file: an entry, and the description beside it, so that
/// campaigns can be rehearsed without the hardware.
async fn add(global: &Global, it: &AddInstrumentArguments) -> Result<ExitCode, Failure> {
    if !it.address.contains("://") {
        let help = "for instance: eutectic instrument add http://127.0.0.1:50051";
        return Err(Failure::new(format!("'{}' is no driver's address", it.address), help));
    }
    let look = LookArguments { instrument: it.address.clone(), lab: it.lab.clone(), tls: it.tls.clone() };
    let found = served(global, &look).await?;
    let unreadable = |error: &std::io::Error| Failure::new(format!("'{}': {error}", it.lab.display()), "");
    let exists = it.lab.exists();
    let mut text =
        if exists { std::fs::read_to_string(&it.lab).map_err(|error| unreadable(&error))? } else { String::new() };
    let known = match exists {
        true => Some(load_lab(&it.lab).map_err(|report| Failure::diagnostics(&[report.to_string()]))?.spec),
        false => None,
    };
    let proof = reach::proof(&it.tls)?.filter(|_| known.as_ref().is_none_or(|lab| lab.tls.is_none()));
    let known = known.map(|lab| lab.instruments).unwrap_or_default();
    let folder = it.lab.parent().map(std::path::Path::to_owned).unwrap_or_default();
    let mut entries = Vec::new();
    for (instrument, _) in &found {
        if known.iter().any(|it| it.name.as_str() == instrument.id) {
            let message = format!("there is an instrument '{}' in {} already", instrument.id, it.lab.display());
            return Err(Failure::new(message, "a driver's own name is its name in the lab: give this one another"));
        }
        let description = format!("{}.json", instrument.id);
        std::fs::write(folder.join(&description), write_description(instrument) + "\n")
            .map_err(|error| unreadable(&error))?;
        entries.push(InstrumentSpec::at(&instrument.id, &it.address, Some(description)));
    }
    let added: String = entries.iter().map(InstrumentSpec::to_toml).collect();
    if exists {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&proof.map(|proof| proof.to_toml()).unwrap_or_default());
        text.push_str(&added);
    } else {
        text = LabSpec { name: "lab".to_owned(), tls: proof, instruments: entries, ..LabSpec::default() }.to_toml();
    }
    // Written aside and renamed: a lab file that a person wrote is never half there.
    let aside = it.lab.with_extension("toml.new");
    let written = std::fs::write(&aside, text).and_then(|()| std::fs::rename(&aside, &it.lab));
    written.map_err(|error| unreadable(&error))?;
    load_lab(&it.lab).map_err(|report| Failure::diagnostics(&[report.to_string()]))?;
    if global.json {
        let names: Vec<_> = found.iter().map(|(instrument, _)| instrument.id.as_str()).collect();
        json::line(&json!({"lab": it.lab.display().to_string(), "added": names}));
        return Ok(ExitCode::SUCCESS);
    }
    line(added.trim());
    note(&format!("added to {}", it.lab.display()));
    for (instrument, _) in &found {
        for capability in &instrument.capabilities {
            note(&format!("  it can {}: `eutectic instrument show {}` tells more", capability.id, instrument.id));
        }
    }
    Ok(ExitCode::SUCCESS)
}
