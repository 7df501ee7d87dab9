//! What is wrong with a file: where, what, and how to mend it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The most errors that are shown; a broken file can have any number.
pub const MAX_SHOWN: usize = 20;
/// The longest line that is quoted whole, in characters.
const MAX_QUOTED: usize = 120;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file can't be used.
    Error,
    /// It can, but is it meant so?
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Where in the file, in bytes; `None` for the file as a whole.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// How to mend it; empty where that is plain.
    pub help: String,
}

/// Everything that is wrong with a file. Shown as a compiler would: file, line, column, the line itself.
#[derive(Clone, Debug, Default)]
pub struct Report {
    file: String,
    text: Arc<str>,
    found: Vec<Diagnostic>,
}

impl Report {
    /// An empty report on this file.
    #[must_use]
    pub fn new(file: impl Into<String>, text: Arc<str>) -> Self {
        Self { file: file.into(), text, found: Vec::new() }
    }

    /// Adds what makes the file unusable.
    pub fn error(&mut self, span: Option<Range<usize>>, message: impl Into<String>, help: impl Into<String>) {
        self.add(Severity::Error, span, message, help);
    }

    /// Adds what may not be meant.
    pub fn warning(&mut self, span: Option<Range<usize>>, message: impl Into<String>, help: impl Into<String>) {
        self.add(Severity::Warning, span, message, help);
    }

    fn add(
        &mut self,
        severity: Severity,
        span: Option<Range<usize>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.found.push(Diagnostic { severity, span, message: message.into(), help: help.into() });
    }

    /// How many errors there are.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.found.iter().filter(|it| it.severity == Severity::Error).count()
    }

    /// How many warnings there are.
    #[must_use]
    pub fn warnings(&self) -> usize {
        self.found.len() - self.errors()
    }

    /// Line and column, both from 1, and the line's text.
    fn place(&self, span: &Range<usize>) -> (usize, usize, &str) {
        let at = (0..=span.start.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
        let (before, after) = self.text.split_at(at);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = at + after.find('\n').unwrap_or(after.len());
        let line = self.text.get(line_start..line_end).unwrap_or_default().trim_end_matches('\r');
        let column = self.text.get(line_start..at).unwrap_or_default().chars().count() + 1;
        (before.matches('\n').count() + 1, column, line)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted: Vec<_> = self.found.iter().collect();
        sorted.sort_by_key(|it| (it.severity == Severity::Warning, it.span.as_ref().map_or(0, |span| span.start)));
        for (place, diagnostic) in sorted.iter().take(MAX_SHOWN).enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            self.show(f, diagnostic)?;
        }
        if sorted.len() > MAX_SHOWN {
            write!(f, "\nand {} more", sorted.len() - MAX_SHOWN)?;
        }
        Ok(())
    }
}

impl Report {
    fn show(&self, f: &mut fmt::Formatter<'_>, diagnostic: &Diagnostic) -> fmt::Result {
        let word = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{word}: {}", diagnostic.message)?;
        match &diagnostic.span {
            None => write!(f, "\n  --> {}", self.file)?,
            Some(span) => {
                let (line, column, text) = self.place(span);
                write!(f, "\n  --> {}:{line}:{column}", self.file)?;
                // A window around the place, so that a line of a megabyte stays readable.
                let skipped = if column > MAX_QUOTED { column - MAX_QUOTED / 2 } else { 0 };
                let quoted: String = text.chars().skip(skipped).take(MAX_QUOTED).map(printable).collect();
                let margin = line.to_string().len();
                let width =
                    self.text.get(span.clone()).map_or(1, |it| it.lines().next().unwrap_or_default().chars().count());
                let width = width.clamp(1, quoted.chars().count().saturating_sub(column - 1 - skipped).max(1));
                write!(f, "\n{:margin$} |\n{line} | {quoted}", "")?;
                write!(f, "\n{:margin$} | {:indent$}{}", "", "", "^".repeat(width), indent = column - 1 - skipped)?;
            }
        }
        for line in diagnostic.help.lines() {
            write!(f, "\n  help: {line}")?;
        }
        Ok(())
    }
}

/// Tabs would shift the mark below them; other control characters could upset a terminal.
fn printable(letter: char) -> char {
    if letter.is_control() { ' ' } else { letter }
}
