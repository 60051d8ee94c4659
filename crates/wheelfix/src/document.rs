//! The one document of `--json`: on a failure that has none of its own, the errors.

use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use wheelfix_inspect::Document;

/// The content of the document of a failure, version 1.
#[derive(Serialize)]
struct Failure {
    errors: Vec<String>,
    hints: Vec<String>,
    /// The line to type next; `null` if none is known.
    next: Option<String>,
}

/// The messages that were printed so far.
static FAILURE: Mutex<Option<Failure>> = Mutex::new(Some(Failure {
    errors: Vec::new(),
    hints: Vec::new(),
    next: None,
}));

fn failure() -> MutexGuard<'static, Option<Failure>> {
    FAILURE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints the document of a command: its content behind the version.
pub(crate) fn print(content: &impl Serialize) -> io::Result<()> {
    print_whole(&Document::new(content))
}

/// Prints the document of a command that has its version, or whose content says what it is.
pub(crate) fn print_whole(document: &impl Serialize) -> io::Result<()> {
    // There must be no other.
    *failure() = None;
    write(document)
}

fn write(document: &impl Serialize) -> io::Result<()> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer_pretty(&mut stdout, document)?;
    writeln!(stdout)?;
    stdout.flush()
}

/// Notes a message that is printed on standard error.
pub(crate) fn note(label: &str, message: &str) {
    if let Some(failure) = failure().as_mut() {
        match label {
            "error" => failure.errors.push(message.to_owned()),
            "hint" => failure.hints.push(message.to_owned()),
            "next" => failure.next = Some(message.to_owned()),
            _ => {}
        }
    }
}

/// Prints the errors as a document, unless the command has printed one.
pub(crate) fn print_failure() {
    if let Some(failure) = failure().take() {
        // If standard output is gone there is nobody left to tell; the exit code says that it failed.
        write(&Document::new(failure)).ok();
    }
}

/// Prints what clap says of a command line as a document.
pub(crate) fn print_usage(text: &str) {
    for paragraph in text.split("\n\n").map(str::trim) {
        match paragraph.split_once(": ") {
            Some(("error", message)) => note("error", message),
            Some(("tip", message)) => note("hint", message),
            _ => {}
        }
    }
    print_failure();
}
