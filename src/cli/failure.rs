//! What went wrong, as people read it.

use std::fmt;
use std::process::ExitCode;

/// Refused or failed: what is wrong, and how to mend it.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    message: String,
    help: String,
    gone: bool,
}

impl Failure {
    /// A failure with help; empty where there is none.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into(), gone: false }
    }

    /// Whether the process that owned the folder has gone: whoever asks again becomes its owner, or finds another.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// Diagnostics as they are shown already.
    #[must_use]
    pub fn diagnostics(diagnostics: &[String]) -> Self {
        Self::new(diagnostics.join("\n\n"), "")
    }

    /// Tells it, and the status to exit with.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        super::output::note(&self.to_string());
        ExitCode::FAILURE
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.message.starts_with("error:") {
            f.write_str("error: ")?;
        }
        f.write_str(&self.message)?;
        for line in self.help.lines() {
            write!(f, "\n  help: {line}")?;
        }
        Ok(())
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        let (message, help) = status.message().split_once('\n').unwrap_or((status.message(), ""));
        if status.code() == tonic::Code::Unavailable && !help.is_empty() {
            return Self { gone: true, ..Self::new(message, help) };
        }
        // Our service speaks in whole sentences with help; anything else is the way to it.
        let lost = [tonic::Code::Unavailable, tonic::Code::Unknown, tonic::Code::Cancelled];
        if lost.contains(&status.code()) && help.is_empty() {
            let gone = Self::new(
                format!("the process that owns the data folder has gone: {message}"),
                "run the same again: it goes on where it was",
            );
            return Self { gone: true, ..gone };
        }
        Self::new(message, help)
    }
}

impl From<crate::host::HostError> for Failure {
    fn from(error: crate::host::HostError) -> Self {
        Self::new(error.to_string(), "")
    }
}
