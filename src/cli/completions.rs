//! `completions` and `man`: made from the same words as the help.

use super::Failure;
use super::arguments::{Arguments, CompletionsArguments};
use clap::CommandFactory as _;
use std::process::ExitCode;

pub(super) fn completions(arguments: &CompletionsArguments) -> Result<ExitCode, Failure> {
    let mut bytes = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "eutectic", &mut bytes);
    super::output::line(String::from_utf8_lossy(&bytes).trim_end());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man() -> Result<ExitCode, Failure> {
    let mut bytes = Vec::new();
    let failed = |error: std::io::Error| Failure::new(error.to_string(), "");
    clap_mangen::Man::new(Arguments::command()).render(&mut bytes).map_err(failed)?;
    super::output::line(String::from_utf8_lossy(&bytes).trim_end());
    Ok(ExitCode::SUCCESS)
}
