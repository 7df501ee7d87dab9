//! A session's calls over gRPC.

use super::call::{Answer, Call, CallError};
use eutectic_proto::ERROR_DOMAIN;
use eutectic_proto::instrument::v1 as wire;
use prost::Message as _;
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_types::StatusExt as _;
use wire::fault::{Category, Retry};
use wire::instrument_service_client::InstrumentServiceClient;

/// How long a driver may take over a call that doesn't wait for anything.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The detail of a refusal that holds the whole fault.
const FAULT_TYPE: &str = "eutectic.instrument.v1.Fault";

/// Makes the call.
pub(super) async fn perform(channel: Channel, call: Call) -> Result<Answer, CallError> {
    let mut client = InstrumentServiceClient::new(channel);
    match call {
        Call::Describe(request) => {
            let answer = client.get_instrument(within(request, Duration::ZERO)).await.map_err(failed)?;
            let instrument = answer.into_inner().instrument.ok_or_else(|| empty("GetInstrument"))?;
            Ok(Answer::Instrument(Box::new(instrument)))
        }
        Call::Lease(request) => {
            let answer = client.acquire_lease(within(request, Duration::ZERO)).await.map_err(failed)?;
            answer.into_inner().lease.map(Answer::Lease).ok_or_else(|| empty("AcquireLease"))
        }
        Call::List(request) => {
            let answer = client.list_operations(within(request, Duration::ZERO)).await.map_err(failed)?;
            Ok(Answer::Operations(answer.into_inner().operations))
        }
        Call::Execute(request) => {
            let answer = client.execute(within(request, Duration::ZERO)).await.map_err(failed)?;
            eutectic_failpoints::reach("gateway.execute.answered");
            operation(answer.into_inner().operation, "Execute")
        }
        Call::Get(request) => {
            let wait = request.wait.and_then(|wait| wait.try_into().ok()).unwrap_or_default();
            let answer = client.get_operation(within(request, wait)).await.map_err(failed)?;
            operation(answer.into_inner().operation, "GetOperation")
        }
        Call::Abort(request) => {
            let answer = client.abort_operation(within(request, Duration::ZERO)).await.map_err(failed)?;
            operation(answer.into_inner().operation, "AbortOperation")
        }
    }
}

fn within<T>(request: T, wait: Duration) -> Request<T> {
    let mut request = Request::new(request);
    request.set_timeout(CALL_TIMEOUT + wait);
    request
}

fn operation(operation: Option<wire::Operation>, call: &str) -> Result<Answer, CallError> {
    operation.map(|it| Answer::Operation(Box::new(it))).ok_or_else(|| empty(call))
}

fn empty(call: &str) -> CallError {
    CallError::Unknown(format!("the driver answered {call} with nothing"))
}

/// Only a refusal in the contract's own words means 'not accepted'.
pub(super) fn failed(status: Status) -> CallError {
    match refusal(&status) {
        Some(fault) if fault.reason == "STALE_EPOCH" => {
            let info = status.get_details_error_info();
            let highest = info.and_then(|it| it.metadata.get("highest_epoch").and_then(|text| text.parse().ok()));
            highest.map_or_else(|| CallError::Refused(Box::new(fault)), CallError::Overtaken)
        }
        Some(fault) => CallError::Refused(Box::new(fault)),
        // As tonic says it of an answer that it does not read.
        None if status.message().contains("message length too large") => {
            CallError::Unusable(format!("the driver's answer can't be read: {}", status.message()))
        }
        // As tonic says it when the time that we gave is over.
        None if status.code() == tonic::Code::Cancelled && status.message() == "Timeout expired" => {
            CallError::Unknown("no answer in time".to_owned())
        }
        None => CallError::Unknown(format!("{}: {}", status.code().description(), status.message())),
    }
}

/// The fault of a refusal: by ErrorInfo, or by `REASON: text` from a stack that can't send details.
fn refusal(status: &Status) -> Option<wire::Fault> {
    let reason = match status.get_details_error_info() {
        Some(info) => (info.domain == ERROR_DOMAIN).then_some(info.reason)?,
        None => {
            let (reason, _) = status.message().split_once(": ")?;
            let upper_snake = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
            (!reason.is_empty() && reason.chars().all(upper_snake)).then(|| reason.to_owned())?
        }
    };
    let whole = || {
        let details = tonic_types::pb::Status::decode(status.details()).ok()?.details;
        let fault = details.iter().find(|it| it.type_url.rsplit('/').next() == Some(FAULT_TYPE))?;
        wire::Fault::decode(fault.value.as_slice()).ok().filter(|fault| fault.reason == reason)
    };
    Some(whole().unwrap_or_else(|| bare(reason.clone(), status.message())))
}

/// A fault from a reason alone, for drivers that send no more.
fn bare(reason: String, message: &str) -> wire::Fault {
    let (category, retry) = match reason.as_str() {
        "BUSY"
        | "NOT_READY"
        | "SHUTTING_DOWN"
        | "OPERATION_NOT_FOUND"
        | "STALE_TOKEN"
        | "LEASE_EXPIRED"
        | "LEASE_HELD"
        | "STILL_STOPPING" => (Category::Precondition, Retry::SameId),
        "HALTED" | "INTERLOCK_OPEN" | "NEEDS_ON_SITE_RESET" => (Category::Safety, Retry::AfterPerson),
        "CALIBRATION_INVALID" | "CONSUMABLE_EXHAUSTED" => (Category::Precondition, Retry::AfterPerson),
        _ => (Category::BadRequest, Retry::Never),
    };
    wire::Fault {
        message: message.to_owned(),
        reason,
        category: category.into(),
        retry: retry.into(),
        sample_effect: wire::SampleEffect::None.into(),
        ..wire::Fault::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;
    use tonic_types::ErrorDetails;

    fn status(domain: &str) -> Status {
        let details = ErrorDetails::with_error_info("BUSY", domain, std::collections::HashMap::<String, String>::new());
        Status::with_error_details(Code::ResourceExhausted, "the queue is full", details)
    }

    #[test]
    fn a_status_without_our_words_tells_nothing() {
        for status in [
            Status::unavailable("connection refused"),
            Status::not_found("no such thing"),
            Status::internal("oops: broken"),
            Status::failed_precondition("Busy: try later"),
            status("example.com"),
        ] {
            assert!(matches!(failed(status.clone()), CallError::Unknown(_)), "{status:?}");
        }
    }

    #[test]
    fn our_error_info_and_its_plain_form_are_refusals() {
        for status in [status(ERROR_DOMAIN), Status::resource_exhausted("BUSY: the queue is full")] {
            let CallError::Refused(fault) = failed(status) else { panic!("taken for unknown") };
            assert_eq!((fault.reason.as_str(), fault.retry()), ("BUSY", Retry::SameId));
        }
    }
}
