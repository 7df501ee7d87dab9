//! `log`: the journal, readable.

use super::arguments::LogArguments;
use super::connect::Connection;
use super::output::{line, time};
use super::{Failure, Global};
use eutectic_proto::control::v1 as wire;
use std::collections::VecDeque;
use std::process::ExitCode;

pub(super) async fn log(global: &Global, arguments: LogArguments) -> Result<ExitCode, Failure> {
    let since_ms = arguments.since.as_deref().map(since).transpose()?.unwrap_or_default();
    let mut connection = Connection::open(global).await?;
    let request = wire::ReadLogRequest {
        from_seq: arguments.from,
        limit: 0,
        campaign: arguments.campaign.unwrap_or_default(),
        since_ms,
    };
    let mut entries = connection.client.read_log(request).await?.into_inner();
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let mut newest: VecDeque<wire::LogEntry> = VecDeque::new();
    while let Some(entry) = entries.message().await? {
        if limit == 0 {
            print(&entry, global.json);
            continue;
        }
        if newest.len() == limit {
            newest.pop_front();
        }
        newest.push_back(entry);
    }
    newest.iter().for_each(|entry| print(entry, global.json));
    connection.close().await?;
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
