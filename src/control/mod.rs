//! The control service: what the command line, a web page or another program asks of the owner of a data folder.

mod add;
mod check;
mod explain;
mod interventions;
mod result;
mod service;
mod table;
mod view;
mod watch;

pub use service::{ControlServer, Options};

use crate::engine::EngineError;
use eutectic_core::{Rejection, Reply};
use tonic::Status;

/// A rejection as people read it: what is wrong, and on a second line how to mend it.
fn refused(rejection: &Rejection) -> Status {
    let hint = if rejection.hint.is_empty() { String::new() } else { format!("\n{}", rejection.hint) };
    Status::failed_precondition(format!("{}{hint}", rejection.message))
}

fn invalid(message: impl Into<String>, hint: &str) -> Status {
    Status::invalid_argument(format!("{}\n{hint}", message.into()))
}

fn stopped(error: &EngineError) -> Status {
    Status::unavailable(format!("{error}\nits log says why; start it again and it goes on where it was"))
}

fn accepted(reply: Result<Reply, EngineError>) -> Result<Reply, Status> {
    let reply = reply.map_err(|error| stopped(&error))?;
    match &reply.rejection {
        Some(rejection) => Err(refused(rejection)),
        None => Ok(reply),
    }
}
