//! Refusals as gRPC statuses: ErrorInfo, by which alone 'not accepted' is known, and the whole fault beside it.

use crate::machine::{Refusal, RefusalCode};
use eutectic_proto::ERROR_DOMAIN;
use prost::Message as _;
use prost_types::Any;
use tonic::{Code, Status};
use tonic_types::pb;

/// The refusal as it travels.
pub(super) fn status(refusal: Refusal) -> Status {
    let fault = *refusal.fault;
    let code = match refusal.reason.code() {
        RefusalCode::InvalidArgument => Code::InvalidArgument,
        RefusalCode::NotFound => Code::NotFound,
        RefusalCode::AlreadyExists => Code::AlreadyExists,
        RefusalCode::FailedPrecondition => Code::FailedPrecondition,
        RefusalCode::ResourceExhausted => Code::ResourceExhausted,
        RefusalCode::OutOfRange => Code::OutOfRange,
    };
    let info = pb::ErrorInfo {
        reason: fault.reason.clone(),
        domain: ERROR_DOMAIN.to_owned(),
        metadata: refusal.metadata.into_iter().collect(),
    };
    let message = format!("{}: {}", fault.reason, fault.message);
    let any = |name: &str, value| Any { type_url: format!("type.googleapis.com/{name}"), value };
    let details = pb::Status {
        code: code.into(),
        message: message.clone(),
        details: vec![
            any("google.rpc.ErrorInfo", info.encode_to_vec()),
            any("eutectic.instrument.v1.Fault", fault.encode_to_vec()),
        ],
    };
    Status::with_details(code, message, details.encode_to_vec().into())
}
