//! `planner`: the planner for other programs, as a child process or as a service.

use super::Failure;
use super::arguments::{PlannerArguments, PlannerVerb};
use super::output::line;
use crate::planning;
use eutectic_planners::{Bayesian, stdio};
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

pub(super) async fn planner(arguments: PlannerArguments) -> Result<ExitCode, Failure> {
    match arguments.verb {
        PlannerVerb::Stdio => {
            stdio::run(&Bayesian::default(), std::io::stdin().lock(), std::io::stdout().lock())
                .map_err(|error| Failure::new(error.to_string(), ""))?;
            Ok(ExitCode::SUCCESS)
        }
        PlannerVerb::Serve { address } => serve(&address).await,
    }
}

async fn serve(address: &str) -> Result<ExitCode, Failure> {
    let taken = |error: std::io::Error| {
        Failure::new(format!("'{address}' can't be listened at: {error}"), "another one: --address 127.0.0.1:0")
    };
    let listener = TcpListener::bind(address).await.map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    let failed = |error: &dyn std::fmt::Display| Failure::new(format!("the service stopped: {error}"), "");
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(eutectic_proto::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| failed(&error))?;
    line(&format!("planner at http://{address}"));
    let server = Server::builder().add_service(planning::service()).add_service(reflection);
    let stopped = async {
        // Whether it was heard or can't be: either way nobody waits any more.
        let _ = tokio::signal::ctrl_c().await;
    };
    let served = server.serve_with_incoming_shutdown(TcpListenerStream::new(listener), stopped).await;
    served.map_err(|error| failed(&error))?;
    Ok(ExitCode::SUCCESS)
}
