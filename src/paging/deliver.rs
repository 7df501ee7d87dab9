//! Carries a page out: a POST, a program.

use crate::files::PagingSpec;
use crate::projections::Page;
use serde_json::json;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a webhook may take.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the operator's program may take; then it is killed.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a program is looked at meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Sends a page every way there is. Returns the ways that worked; an error where none did.
pub(super) fn deliver(spec: &PagingSpec, page: &Page) -> Result<String, String> {
    let text = said(page).to_string();
    let mut ways = Vec::new();
    if let Some(address) = &spec.webhook {
        ways.push(("webhook", post(address, &text)));
    }
    if let Some((program, arguments)) = spec.command.split_first() {
        ways.push(("command", run(program, arguments, &text)));
    }
    let failed = |(way, sent): &(&str, Result<(), String>)| sent.as_ref().err().map(|why| format!("{way}: {why}"));
    let failures: Vec<_> = ways.iter().filter_map(failed).collect();
    let worked: Vec<_> = ways.iter().filter(|(_, sent)| sent.is_ok()).map(|(way, _)| *way).collect();
    match worked.is_empty() {
        true => Err(failures.join("; ")),
        false => {
            failures.iter().for_each(|why| tracing::warn!(why, "one way to call people does not work"));
            Ok(worked.join(" and "))
        }
    }
}

/// One call of the heartbeat.
pub(super) fn beat(address: &str) -> Result<(), String> {
    post(address, &json!({"alive": true}).to_string())
}

/// `text` as chat services show it, the rest for programs.
fn said(page: &Page) -> serde_json::Value {
    json!({
        "id": page.id,
        "urgent": page.urgent,
        "since": jiff::Timestamp::from_millisecond(page.since.0).map(|it| it.to_string()).unwrap_or_default(),
        "text": page.text,
        "hint": page.hint,
        "acknowledge": format!("eutectic page acknowledge {}", page.id),
    })
}

fn post(address: &str, text: &str) -> Result<(), String> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(WEBHOOK_TIMEOUT)).build().into();
    agent.post(address).content_type("application/json").send(text).map(|_| ()).map_err(|error| error.to_string())
}

fn run(program: &str, arguments: &[String], text: &str) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("'{program}' can't be started: {error}"))?;
    if let Some(mut input) = child.stdin.take() {
        // Who doesn't read what they are told has chosen so.
        let _ = input.write_all(text.as_bytes());
    }
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("'{program}' ended with {status}")),
            Ok(None) if begun.elapsed() > COMMAND_TIMEOUT => {
                // It may have ended just now.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("'{program}' took longer than {} s", COMMAND_TIMEOUT.as_secs()));
            }
            Ok(None) => std::thread::sleep(LOOK_INTERVAL),
            Err(error) => return Err(error.to_string()),
        }
    }
}
