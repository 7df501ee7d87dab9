//! A driver in any language: a child process that speaks JSON lines on its standard input and output.
//!
//! The guarantees stay on this side: journal, leases, validation, start-or-attach. The child does what it is told once,
//! and can be a dozen lines of any language. The messages are described in `instruments/HOST.md`.

mod describe;
mod link;
mod message;
mod written;

pub use link::MAX_LINE_BYTES;
pub use written::write_description;

use crate::machine::{Manifest, ManifestError, Outcome, Probe, Reason, StatusReport, StopReason};
use crate::sdk::{Call, Driver, Options, ServeError, async_trait, serve_with};
use crate::wire::fault::{Category, Retry};
use crate::wire::instrument_status::Readiness;
use crate::wire::{Fault, FieldSpec, Operation, SampleEffect};
use link::{Link, LinkError};
use message::{Order, Said};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a child may take to describe itself, from its start.
const DESCRIBE_LIMIT: Duration = Duration::from_secs(30);
/// How long it may take to tell its state, and what became of an operation.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// How long it may take to stop what it was told to stop, before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// How long a child that died is waited for, to be asked what became of its operation.
const RETURN_LIMIT: Duration = Duration::from_secs(15);
/// How often a restarted child is asked about an operation that still runs.
const PROBE_INTERVAL: Duration = Duration::from_millis(200);
/// Progress is told on at most so often; a child may tell it as often as it likes.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(50);

/// Starts the command as a child and serves the instrument that it describes.
///
/// # Errors
/// [`ServeError`]; also where the child doesn't describe a valid instrument.
pub async fn serve(command: Vec<String>, options: Options) -> Result<(), ServeError> {
    let link = Link::start(command);
    let broken = |error: LinkError| ServeError::Broken(error.to_string());
    link.running(DESCRIBE_LIMIT).await.map_err(broken)?;
    let manifest = describe(&link).await?;
    serve_with(Arc::new(ChildDriver { link, manifest }), options, |routes, _| routes).await
}

async fn describe(link: &Link) -> Result<Manifest, ServeError> {
    let said = link.ask(&Order::Describe, DESCRIBE_LIMIT).await;
    let said = said.map_err(|error| ServeError::Broken(error.to_string()))?;
    let described =
        said.result.ok_or_else(|| ServeError::Broken("the child program did not describe itself".into()))?;
    let described: describe::Described = serde_json::from_value(described)
        .map_err(|error| ServeError::Broken(format!("the child program's description: {error}")))?;
    Ok(described.manifest()?)
}

/// Reads a description as a child says it.
///
/// # Errors
/// In words, what is wrong with it.
pub fn read_description(json: &str) -> Result<Manifest, String> {
    let described: describe::Described = serde_json::from_str(json).map_err(|error| error.to_string())?;
    described.manifest().map_err(|error| error.to_string())
}

struct ChildDriver {
    link: Link,
    manifest: Manifest,
}

#[async_trait]
impl Driver for ChildDriver {
    fn manifest(&self) -> Result<Manifest, ManifestError> {
        Ok(self.manifest.clone())
    }

    async fn status(&self) -> StatusReport {
        let not_ready = |message: String| StatusReport { readiness: Readiness::Offline, message, ..Default::default() };
        match self.link.ask(&Order::Status, ANSWER_LIMIT).await {
            Err(error) => not_ready(error.to_string()),
            Ok(Said { result: Some(result), .. }) => message::status(result).unwrap_or_else(not_ready),
            // A child that knows no such question is ready whenever it runs.
            Ok(_) => StatusReport::default(),
        }
    }

    async fn run(&self, mut call: Call) -> Result<Outcome, Fault> {
        let operation = call.operation().clone();
        match self.converse(&mut call).await {
            Ok(ended) => ended,
            Err(LinkError::Gone | LinkError::Late(_)) => self.after_its_death(&operation).await,
            Err(error @ LinkError::Wrong(_)) => Err(self.nonsense(&error.to_string())),
        }
    }

    async fn safe_state(&self, why: StopReason) {
        if let Err(error) = self.link.ask(&Order::SafeState { why: message::why(why) }, ANSWER_LIMIT).await {
            tracing::error!(%error, "the child program was told to bring its hardware to the safe state");
        }
    }

    async fn probe(&self, operation: &Operation) -> Probe {
        if self.link.running(RETURN_LIMIT).await.is_err() {
            return Probe::Unknown;
        }
        match self.link.ask(&message::probe(operation), ANSWER_LIMIT).await {
            Ok(Said { fault: Some(fault), .. }) => {
                fault.into_wire().map_or(Probe::Unknown, |fault| Probe::Ended(Err(Box::new(fault))))
            }
            Ok(Said { result: Some(result), .. }) => {
                message::probed(result, self.outputs(&operation.capability)).unwrap_or(Probe::Unknown)
            }
            Ok(_) | Err(_) => Probe::Unknown,
        }
    }
}

impl ChildDriver {
    fn outputs(&self, capability: &str) -> &[FieldSpec] {
        self.manifest.capability(capability).map_or(&[], |it| it.outputs.as_slice())
    }

    /// The child runs the operation: everything that it says about it, to its end.
    async fn converse(&self, call: &mut Call) -> Result<Result<Outcome, Fault>, LinkError> {
        let mut talk = self.link.talk(&message::run(call.operation(), call.context()))?;
        let outputs = self.outputs(&call.operation().capability).to_vec();
        let mut told = Instant::now();
        let mut stopping: Option<Instant> = None;
        let mut held = false;
        loop {
            let hold = call.hold_changed(held);
            let said = tokio::select! {
                said = talk.next() => said?,
                why = call.cancelled(), if stopping.is_none() => {
                    stopping = Some(Instant::now());
                    self.link.talk(&Order::Stop { run: talk.id, why: message::why(why) }).map(drop)?;
                    continue;
                }
                () = hold => {
                    held = !held;
                    let order = if held { Order::Hold { run: talk.id } } else { Order::Resume { run: talk.id } };
                    self.link.talk(&order).map(drop)?;
                    continue;
                }
                () = overdue(stopping) => {
                    self.link.kill();
                    return Err(LinkError::Late(STOP_LIMIT.as_secs()));
                }
            };
            match said {
                Said { result: Some(result), .. } => {
                    return self.outcome(call, result, &outputs).await;
                }
                Said { fault: Some(fault), .. } => return fault.into_wire().map(Err).map_err(LinkError::Wrong),
                Said { progress: Some(progress), stage, .. } => {
                    if told.elapsed() >= PROGRESS_INTERVAL {
                        told = Instant::now();
                        call.progress(progress, stage.as_deref().unwrap_or_default());
                    }
                }
                Said { held: Some(held), .. } => call.tell_held(held),
                Said { intermediate: Some(values), .. } => {
                    let declared = self.manifest.capability(&call.operation().capability);
                    let declared = declared.map_or(&[] as &[_], |it| it.intermediates.as_slice());
                    for (output, value) in values {
                        call.intermediate(message::measurement(&output, &value, declared).map_err(LinkError::Wrong)?);
                    }
                }
                Said { point_of_no_return: Some(effect), .. } => {
                    let effect = message::sample_effect(&effect).map_err(LinkError::Wrong)?;
                    if let Err(fault) = call.point_of_no_return(effect).await {
                        return Ok(Err(fault));
                    }
                    talk.say(&Order::Proceed);
                }
                Said { .. } => return Err(LinkError::Wrong("a line that says nothing".into())),
            }
        }
    }

    /// What it says in the end; files that it names are taken in.
    async fn outcome(
        &self,
        call: &Call,
        mut result: serde_json::Value,
        outputs: &[FieldSpec],
    ) -> Result<Result<Outcome, Fault>, LinkError> {
        let files = message::take_files(&mut result, outputs).map_err(LinkError::Wrong)?;
        let mut outcome = message::outcome(result, outputs).map_err(LinkError::Wrong)?;
        for file in files {
            match call.artifact_file(&file.output, &file.media_type, &file.path).await {
                Ok(artifact) => outcome = outcome.artifact(&file.output, artifact),
                Err(fault) => return Ok(Err(fault)),
            }
        }
        Ok(Ok(outcome))
    }

    /// The child died in the middle: the next one is asked, for the hardware may know.
    async fn after_its_death(&self, operation: &Operation) -> Result<Outcome, Fault> {
        loop {
            match self.probe(operation).await {
                Probe::Running => tokio::time::sleep(PROBE_INTERVAL).await,
                Probe::Ended(ended) => return ended.map_err(|fault| *fault),
                Probe::NeverStarted => {
                    return Err(Fault {
                        retry: Retry::NewId.into(),
                        sample_effect: SampleEffect::None.into(),
                        ..Reason::NeverStarted.fault("the child program died before it began")
                    });
                }
                Probe::Unknown => {
                    return Err(Reason::Interrupted.fault("the child program died while it ran and can't tell its end"));
                }
            }
        }
    }

    fn nonsense(&self, words: &str) -> Fault {
        Fault {
            category: Category::DriverBug.into(),
            sample_effect: SampleEffect::Unknown.into(),
            ..Reason::DriverBug.fault(words)
        }
    }
}

async fn overdue(stopping: Option<Instant>) {
    match stopping {
        None => std::future::pending().await,
        Some(since) => tokio::time::sleep(STOP_LIMIT.saturating_sub(since.elapsed())).await,
    }
}
