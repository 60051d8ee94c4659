//! `wheelfix patchelf`: the command line of patchelf 0.19, also when the program is called by that
//! name.
//!
//! The intended differences are in `docs/patchelf-differences.md`.

mod arguments;
mod edit;
mod os_abi;
mod print;
mod rename_map;
mod request;
mod shrink;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rayon::prelude::*;
use wheelfix_elf::Warning;

use self::arguments::{Arguments, Invocation};
use self::edit::FileError;
use crate::error::{Error, REPORT};
use crate::message::escaped;

/// The version of patchelf whose command line this is.
const PATCHELF_VERSION: &str = "0.19.3";

const HELP: &str = "\
options:
  --set-interpreter FILE          set the program interpreter
  --print-interpreter             print the program interpreter
  --set-rpath RPATH               set the search path, of the kind that the file has
  --add-rpath RPATH               add to the end of the search path what is not there yet
  --remove-rpath                  remove the search path
  --shrink-rpath                  keep only directories that hold a needed library
  --allowed-rpath-prefixes LIST   with --shrink-rpath: and that start with one of these
  --force-rpath                   with a change of the search path: make it a DT_RPATH
  --print-rpath                   print the search path
  --add-needed LIBRARY            add a needed library, before the others
  --remove-needed LIBRARY         remove a needed library, with the versions that are needed of it
  --replace-needed OLD NEW        rename a needed library, also where versions are needed of it
  --print-needed                  print the needed libraries, one per line
  --set-soname NAME               set the library's own name
  --print-soname                  print the library's own name
  --no-default-lib                search no default directories
  --clear-execstack               mark the stack as not executable
  --set-execstack                 mark the stack as executable
  --print-execstack               print whether the stack is executable
  --set-os-abi ABI                set the operating system in the ELF header
  --print-os-abi                  print the operating system in the ELF header
  --add-debug-tag                 add a DT_DEBUG entry
  --clear-symbol-version SYMBOL   make a symbol have no version
  --rename-dynamic-symbols FILE   rename symbols: an old and a new name per line
  --heal                          repair what older versions of patchelf left behind
  --output FILE                   write there and leave the file as it is
  --debug                         say what is done
  --version
  --help
accepted, as there is nothing to be done about it:
  --page-size SIZE  --no-sort  --no-clobber-old-sections
A value that starts with `@` is the name of a file that holds the value.
";

/// Edit one ELF file or several with patchelf's command line
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct PatchelfArgs {
    /// As for patchelf; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

pub(crate) fn run(args: PatchelfArgs) -> Result<(), Error> {
    command("wheelfix patchelf", args.args)
}

/// Returns the command line if the program was called by the name `patchelf`.
pub(crate) fn called_as_patchelf(
    mut args: impl Iterator<Item = OsString>,
) -> Option<Vec<OsString>> {
    let program = args.next()?;
    (Path::new(&program).file_name()? == "patchelf").then(|| args.collect())
}

/// Does what the program `patchelf` does.
pub(crate) fn run_as_patchelf(args: Vec<OsString>) -> Result<(), Error> {
    command("patchelf", args)
}

/// Every error is printed here, as patchelf prints it, and leads to exit code 1, as with patchelf.
fn command(program: &str, args: Vec<OsString>) -> Result<(), Error> {
    let arguments = match arguments::parse(args) {
        Ok(Invocation::Run(mut arguments)) => {
            arguments.debug |= std::env::var_os("PATCHELF_DEBUG").is_some();
            arguments
        }
        Ok(Invocation::Version) => {
            let version = env!("CARGO_PKG_VERSION");
            return Ok(print(&format!(
                "patchelf {PATCHELF_VERSION} (wheelfix {version})\n"
            ))?);
        }
        Ok(Invocation::Help) => {
            print_error(&help(program));
            return Ok(());
        }
        Ok(Invocation::Nothing) => {
            print_error(&help(program));
            return Err(Error::Reported);
        }
        Err(error) => return Err(report(&error.to_string())),
    };
    run_all(&arguments)
}

fn help(program: &str) -> String {
    format!("syntax: {program} [OPTION [VALUE]...]... FILE...\n{HELP}")
}

/// Goes on after a file that fails: all faults are reported in one run, in the order of the files.
fn run_all(arguments: &Arguments) -> Result<(), Error> {
    // Taken back later, what a killed run left would overwrite the edits.
    let cleaned = wheelfix_install::clean_up_above(&arguments.files);
    cleaned.map_err(|error| report(&error.to_string()))?;
    let mut result = Ok(());
    let mut note = |file: &Path, outcome: Result<Vec<Warning>, FileError>| -> Result<(), Error> {
        match outcome {
            Ok(warnings) => {
                for warning in warnings {
                    let path = escaped(file.display());
                    print_error(&format!("warning: {path}: {warning}\n"));
                }
            }
            Err(FileError::Print(error)) => return Err(error.into()),
            Err(error) => {
                let reported = report(&error.describe(file));
                let is_worse = matches!(result, Err(Error::ReportedFault));
                if error.is_our_fault() {
                    print_error(&format!("{REPORT}\n"));
                    result = Err(Error::ReportedFault);
                } else if !is_worse {
                    result = Err(reported);
                }
            }
        }
        Ok(())
    };
    if are_independent(arguments) {
        let files = arguments.files.par_iter();
        let outcomes: Vec<_> = files.map(|file| edit::run(file, arguments)).collect();
        for (file, outcome) in arguments.files.iter().zip(outcomes) {
            note(file, outcome)?;
        }
    } else {
        for file in &arguments.files {
            note(file, edit::run(file, arguments))?;
        }
    }
    result
}

/// Whether the files can be edited at the same time: nothing is printed in between, no edit looks at other files, and no
/// file is there twice.
fn are_independent(arguments: &Arguments) -> bool {
    let shrinks = matches!(arguments.edits.rpath, arguments::RpathEdit::Shrink { .. });
    let mut seen = BTreeSet::new();
    arguments.prints.is_empty()
        && !arguments.debug
        && !shrinks
        && arguments.files.iter().all(|file| {
            // One that cannot be looked at is only reported.
            file.metadata()
                .map_or(true, |it| seen.insert((it.dev(), it.ino())))
        })
}

fn report(text: &str) -> Error {
    print_error(&format!("patchelf: {}\n", escaped(text)));
    Error::Reported
}

fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

fn print_error(text: &str) {
    // If standard error is gone there is nobody left to tell.
    io::stderr().lock().write_all(text.as_bytes()).ok();
}
