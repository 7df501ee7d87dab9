//! `log`: the journal, readable.

use super::arguments::LogArguments;
use super::connect::ask;
use super::output::{line, time};
use super::{Failure, Global};
use eutectic_proto::control::v1 as wire;
use std::collections::VecDeque;
use std::process::ExitCode;
use tonic::Response;

pub(super) async fn log(global: &Global, arguments: LogArguments) -> Result<ExitCode, Failure> {
    let since_ms = arguments.since.as_deref().map(since).transpose()?.unwrap_or_default();
    let campaign = arguments.campaign.unwrap_or_default();
    let mut request = wire::ReadLogRequest { from_seq: arguments.from, limit: 0, campaign, since_ms };
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let mut newest: VecDeque<wire::LogEntry> = VecDeque::new();
    let read = ask(global, async |client| {
        let mut entries = client.read_log(request.clone()).await?.into_inner();
        while let Some(entry) = entries.message().await? {
            // Should this owner go in the middle, the next one is asked for the rest.
            request.from_seq = entry.seq.saturating_add(1);
            if limit == 0 {
                print(&entry, global.json);
                continue;
            }
            if newest.len() == limit {
                newest.pop_front();
            }
            newest.push_back(entry);
        }
        Ok(Response::new(()))
    });
    read.await?;
    newest.iter().for_each(|entry| print(entry, global.json));
    Ok(ExitCode::SUCCESS)
}

fn print(entry: &wire::LogEntry, json: bool) {
    if json {
        // The event as it is stored, with its place around it.
        return line(&format!(r#"{{"seq":{},"epoch":{},"entry":{}}}"#, entry.seq, entry.epoch, entry.json));
    }
    line(&format!("{:>6}  {}  {}", entry.seq, time(entry.time_ms), entry.summary));
}

/// So long ago, as milliseconds since 1970.
fn since(text: &str) -> Result<i64, Failure> {
    let help = "write 30min, 8h, 2d or a time such as 2026-11-26T08:00:00Z";
    let wrong = || Failure::new(format!("'{text}' is no time"), help);
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let span: jiff::Span = text.parse().map_err(|_| wrong())?;
    let hours =
        span.total((jiff::Unit::Millisecond, jiff::SpanRelativeTo::days_are_24_hours())).map_err(|_| wrong())?;
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a span that a person wrote")]
    let ago = hours.abs() as i64;
    Ok(jiff::Timestamp::now().as_millisecond().saturating_sub(ago))
}
