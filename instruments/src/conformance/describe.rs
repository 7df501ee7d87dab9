//! What an instrument says of itself.

use super::bench::{Bench, accepted, has_code};
use super::{Outcome, wrong};
use crate::machine::Manifest;
use crate::wire;
use crate::wire::field_spec::Domain;
use std::time::{Duration, Instant};
use tonic::Code;

const SERVICE: &str = "eutectic.instrument.v1.InstrumentService";
/// Within this a driver describes its instrument: it asks no hardware for it.
const DESCRIBE_LIMIT: Duration = Duration::from_secs(1);

pub(super) async fn health(bench: &mut Bench) -> Outcome {
    use tonic_health::pb::health_check_response::ServingStatus;
    let mut client = tonic_health::pb::health_client::HealthClient::new(bench.channel.clone());
    let request = tonic_health::pb::HealthCheckRequest { service: SERVICE.to_owned() };
    let expected = format!("grpc.health.v1 says SERVING for {SERVICE}");
    let mend = "serve grpc.health.v1 beside the contract; the SDKs do";
    match client.check(request).await {
        Ok(answer) if answer.get_ref().status() == ServingStatus::Serving => Ok(()),
        Ok(answer) => Err(wrong(expected, format!("{:?}", answer.get_ref().status()), mend)),
        Err(status) => Err(wrong(expected, format!("{:?}: {}", status.code(), status.message()), mend)),
    }
}

pub(super) async fn reflection(bench: &mut Bench) -> Outcome {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let expected = format!("grpc.reflection.v1 lists {SERVICE} and serves its file");
    let mend = "serve grpc.reflection.v1 with the contract's descriptors; the SDKs do";
    let ask = |message| tonic_reflection::pb::v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(message),
    };
    let requests = [
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol(SERVICE.to_owned())),
    ];
    let mut client = ServerReflectionClient::new(bench.channel.clone());
    let failed =
        |status: tonic::Status| wrong(expected.clone(), format!("{:?}: {}", status.code(), status.message()), mend);
    let mut answers = client.server_reflection_info(tokio_stream::iter(requests)).await.map_err(&failed)?.into_inner();
    let (mut listed, mut served) = (false, false);
    while let Some(answer) = answers.message().await.map_err(&failed)? {
        match answer.message_response {
            Some(MessageResponse::ListServicesResponse(it)) => listed = it.service.iter().any(|it| it.name == SERVICE),
            Some(MessageResponse::FileDescriptorResponse(it)) => served = !it.file_descriptor_proto.is_empty(),
            _ => {}
        }
    }
    if listed && served { Ok(()) } else { Err(wrong(expected, format!("listed: {listed}, served: {served}"), mend)) }
}

pub(super) async fn manifest(bench: &mut Bench) -> Outcome {
    let mut digests = Vec::new();
    for _ in 0..2 {
        let begun = Instant::now();
        let request = wire::GetInstrumentRequest { instrument: bench.instrument.id.clone() };
        let answer = accepted(bench.client.get_instrument(request).await, "GetInstrument")?.into_inner();
        if begun.elapsed() > DESCRIBE_LIMIT {
            let came = format!("{} ms", begun.elapsed().as_millis());
            return Err(wrong(
                "GetInstrument answers within 1 s",
                came,
                "describe from code, without asking the hardware",
            ));
        }
        let instrument = answer.instrument.unwrap_or_default();
        let claimed = instrument.manifest_digest.clone();
        let manifest = Manifest::new(instrument.clone())
            .map_err(|error| wrong("a valid description", error.to_string(), "see instrument.proto"))?;
        if manifest.instrument().manifest_digest != claimed {
            return Err(wrong(
                "manifest_digest is the SHA-256 over the message without it",
                "another digest",
                "compute it over the encoded message with this field cleared",
            ));
        }
        digests.push(claimed);
    }
    let [first, second] = digests.as_slice() else { return Ok(()) };
    if first == second { Ok(()) } else { Err(wrong("the same digest twice", "two digests", "describe from constants")) }
}

#[expect(clippy::unused_async, reason = "checks have one form")]
pub(super) async fn bounds(bench: &mut Bench) -> Outcome {
    for capability in &bench.instrument.capabilities {
        for field in &capability.parameters {
            let (expected, came) = match &field.domain {
                Some(Domain::Quantity(it)) if it.unit.is_empty() => ("a UCUM unit", "no unit".to_owned()),
                Some(Domain::Quantity(it)) if !(it.minimum.is_finite() && it.maximum.is_finite()) => {
                    ("finite bounds", format!("{} to {}", it.minimum, it.maximum))
                }
                Some(Domain::Quantity(it)) if it.minimum > it.maximum => {
                    ("minimum <= maximum", format!("{} to {}", it.minimum, it.maximum))
                }
                Some(Domain::Choice(it)) if it.choices.is_empty() => ("choices", "none".to_owned()),
                None => ("a kind of value", "none".to_owned()),
                Some(_) => continue,
            };
            let expected = format!("{}: parameter '{}' has {expected}", capability.id, field.id);
            return Err(wrong(expected, came, "declare what the hardware can do: it is enforced for you"));
        }
    }
    Ok(())
}

#[expect(clippy::unused_async, reason = "checks have one form")]
pub(super) async fn defaults(bench: &mut Bench) -> Outcome {
    for capability in &bench.instrument.capabilities {
        let lacking = capability.parameters.iter().find(|field| !field.required && field.default_value.is_none());
        if let Some(field) = lacking {
            let expected = format!("{}: parameter '{}' is required or has a default", capability.id, field.id);
            return Err(wrong(expected, "neither", "give it a default value, or make it required"));
        }
    }
    Ok(())
}

pub(super) async fn same(bench: &mut Bench) -> Outcome {
    let request = wire::GetInstrumentRequest { instrument: bench.instrument.id.clone() };
    let got = accepted(bench.client.get_instrument(request).await, "GetInstrument")?.into_inner().instrument;
    if got.as_ref() != Some(&bench.instrument) {
        let mend = "answer both from the same description";
        return Err(wrong("ListInstruments and GetInstrument tell the same", "they differ", mend));
    }
    let unknown = wire::GetInstrumentRequest { instrument: "nobody".into() };
    super::bench::refused(bench.client.get_instrument(unknown).await, "UNKNOWN_INSTRUMENT", "compare the id")
}

pub(super) async fn unknown_method(bench: &mut Bench) -> Outcome {
    use tonic::codegen::http::uri::PathAndQuery;
    let mut grpc = tonic::client::Grpc::new(bench.channel.clone());
    let ready = grpc.ready().await;
    ready.map_err(|error| wrong("the driver answers", error.to_string(), "is it still running?"))?;
    let path = PathAndQuery::from_static("/eutectic.instrument.v1.InstrumentService/NoSuchMethod");
    let codec = tonic_prost::ProstCodec::<wire::GetInstrumentRequest, wire::GetInstrumentResponse>::default();
    let answer = grpc.unary(tonic::Request::new(wire::GetInstrumentRequest::default()), path, codec).await;
    if has_code(&answer, Code::Unimplemented) {
        return Ok(());
    }
    let came = answer.map_or_else(|status| format!("{:?}", status.code()), |_| "an answer".to_owned());
    Err(wrong("UNIMPLEMENTED", came, "a newer client asks for methods that you don't have yet: say so by this status"))
}
