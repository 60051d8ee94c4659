//! The one document of `--json`: on a failure that has none of its own, the errors.

use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// The document of a failure, version 1.
#[derive(Serialize)]
struct Failure {
    version: u32,
    errors: Vec<String>,
    hints: Vec<String>,
    /// The line to type next; `null` if none is known.
    next: Option<String>,
}

/// The messages that were printed so far.
static FAILURE: Mutex<Option<Failure>> = Mutex::new(Some(Failure {
    version: 1,
    errors: Vec::new(),
    hints: Vec::new(),
    next: None,
}));

fn failure() -> MutexGuard<'static, Option<Failure>> {
    FAILURE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes that the document of a command is printed: there must be no other.
pub(crate) fn begun() {
    *failure() = None;
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
        let mut stdout = io::stdout().lock();
        // If standard output is gone there is nobody left to tell; the exit code says that it failed.
        if serde_json::to_writer_pretty(&mut stdout, &failure).is_ok() {
            writeln!(stdout).ok();
        }
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
