//! `new`: writes a campaign file.

use super::arguments::NewArguments;
use super::output::{line, note};
use super::{Failure, Global, json};
use crate::files::{NewCampaign, load_campaign, write};
use serde_json::json;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) fn new(global: &Global, arguments: &NewArguments) -> Result<ExitCode, Failure> {
    let new = NewCampaign {
        name: arguments.name.clone(),
        parameters: arguments.parameters.clone(),
        maximize: arguments.maximize.clone(),
        minimize: arguments.minimize.clone(),
        requirements: arguments.requirements.clone(),
        outcomes: arguments.outcomes.clone(),
        budget: arguments.budget,
    };
    let text = write(&new).map_err(|words| {
        let (message, help) = words.split_once('\n').unwrap_or((&words, ""));
        Failure::new(message, help)
    })?;
    if arguments.output.as_deref().is_some_and(|it| it.as_os_str() == "-") {
        line(text.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let path = arguments.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}.toml", arguments.name)));
    let failed = |error: std::io::Error| {
        let help = if error.kind() == ErrorKind::AlreadyExists { "name another file by --output" } else { "" };
        Failure::new(format!("'{}' can't be written: {error}", path.display()), help)
    };
    let mut file = std::fs::File::create_new(&path).map_err(failed)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
    // The reader has the last word on what was said.
    if let Err(report) = load_campaign(&path) {
        let _ = std::fs::remove_file(&path);
        return Err(Failure::new(report.to_string(), "nothing was written"));
    }
    if global.json {
        json::line(&json!({"written": path.display().to_string()}));
        return Ok(ExitCode::SUCCESS);
    }
    note(&format!("wrote {}", path.display()));
    note(&format!("  eutectic suggest --file {} -n 8 > plate.csv    by hand", path.display()));
    note("  or add [[step]] tables for your instruments, and `eutectic check` it");
    Ok(ExitCode::SUCCESS)
}
