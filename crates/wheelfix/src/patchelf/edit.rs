//! One file: print what is wanted of it, then make all edits in one go.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;

use wheelfix_elf::{
    Elf, Outcome, PatchError, ReadError, Warning, open_regular, patch_file, patch_file_to,
};

use super::arguments::Arguments;
use super::print::{self, MissingSection};
use super::request::request;
use super::shrink::ShrinkError;
use crate::message::{BREAK, escaped_report};
use crate::signals;

/// Why a file was not printed or not edited. It is as it was.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// patchelf names the file here.
    #[error("getting info about '{path}': {}", reason(.error))]
    Open { path: String, error: io::Error },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Missing(#[from] MissingSection),
    #[error(transparent)]
    Shrink(#[from] ShrinkError),
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// Standard output cannot be written to.
    #[error(transparent)]
    Print(io::Error),
}

impl FileError {
    /// Whether wheelfix itself is at fault.
    pub(super) fn is_our_fault(&self) -> bool {
        matches!(self, Self::Patch(error) if error.is_our_fault())
    }

    /// The error with its causes, as one line that names the file.
    pub(super) fn describe(&self, file: &Path) -> String {
        let mut text = match self {
            // These are patchelf's own texts: they name the file already, or never do.
            Self::Open { .. } | Self::Missing(_) => self.to_string(),
            _ => format!("{}: {self}", file.display()),
        };
        let mut source = self.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}

/// Prints and edits a file. Returns warnings about things that are worse in it than before.
pub(super) fn run(file: &Path, arguments: &Arguments) -> Result<Vec<Warning>, FileError> {
    let elf = read(file)?;
    for print in &arguments.prints {
        let text = print::text(&elf, *print)?;
        super::print(&text).map_err(FileError::Print)?;
    }
    if elf.is_debug_file() && arguments.output.is_none() {
        // No loader reads it, and it has no bytes to edit: patchelf leaves it as it is, too.
        return Ok(Vec::new());
    }
    let edits = &arguments.edits;
    if edits.interpreter.is_some() {
        print::interpreter(&elf)?;
    }
    let request = request(&elf, edits)?;
    let _unbroken = signals::unbroken();
    let outcome = match &arguments.output {
        Some(output) => patch_file_to(file, output, &request)?,
        None if request.is_empty() => return Ok(Vec::new()),
        None => patch_file(file, &request)?,
    };
    if arguments.debug {
        debug(file, &outcome);
        return Ok(Vec::new());
    }
    Ok(outcome.plan.warnings)
}

fn read(file: &Path) -> Result<Elf, FileError> {
    let open = |error: io::Error| FileError::Open {
        path: file.display().to_string(),
        error,
    };
    // The message already names the file.
    file.metadata().map_err(open)?;
    Ok(Elf::read(&open_regular(file)?)?)
}

/// The message of an error of the operating system, without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

fn debug(file: &Path, outcome: &Outcome) {
    let file = file.display();
    let plan = &outcome.plan;
    super::print_error(&escaped_report(fmt::from_fn(|f| {
        write!(f, "patching ELF file '{file}'{BREAK}{plan}")
    })));
}
