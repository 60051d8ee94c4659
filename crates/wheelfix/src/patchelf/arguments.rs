//! The command line of patchelf 0.19, as it was typed.
//!
//! Options and files come in any order, every option takes its values as separate arguments, and
//! there is no `--`. That is not a command line that clap can describe.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use super::os_abi::OsAbi;
use super::rename_map::{self, RenameMapError};

/// The action that a command line asks for.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Invocation {
    /// Nothing was typed: print the help and fail.
    Nothing,
    /// Print the help.
    Help,
    /// Print the version.
    Version,
    /// Read or edit files.
    Run(Box<Arguments>),
}

/// The files, the facts to print of each, and the changes to make.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Arguments {
    /// The facts to print.
    pub(super) prints: BTreeSet<Print>,
    /// The changes to make.
    pub(super) edits: Edits,
    /// The file to write the result to; `None` for the file itself.
    pub(super) output: Option<PathBuf>,
    /// Whether to print the plan of the edits.
    pub(super) debug: bool,
    /// Never empty.
    pub(super) files: Vec<PathBuf>,
}

/// Something to print, in the order of printing.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Print {
    Interpreter,
    OsAbi,
    Soname,
    Rpath,
    ExecutableStack,
    Needed,
}

/// Changes to the search path.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) enum RpathEdit {
    /// No change, other than of the kind by `--force-rpath`.
    #[default]
    Keep,
    /// Only directories that hold a needed library, and start with one of the prefixes if there are
    /// any.
    Shrink { prefixes: Vec<String> },
    /// None.
    Remove,
    /// This one.
    Set(String),
    /// The one that is there, and these directories at its end.
    Add(String),
}

/// All changes to a file. The default changes nothing.
#[derive(Debug, Default, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub(super) struct Edits {
    pub(super) interpreter: Option<String>,
    pub(super) os_abi: Option<OsAbi>,
    pub(super) soname: Option<String>,
    pub(super) rpath: RpathEdit,
    /// Whether a changed search path is `DT_RPATH`, whatever it was.
    pub(super) force_rpath: bool,
    pub(super) executable_stack: Option<bool>,
    pub(super) remove_needed: BTreeSet<String>,
    pub(super) replace_needed: BTreeMap<String, String>,
    pub(super) add_needed: BTreeSet<String>,
    /// Names of symbols.
    pub(super) clear_versions: BTreeSet<String>,
    pub(super) no_default_libraries: bool,
    pub(super) add_debug_tag: bool,
    /// Old and new names of symbols.
    pub(super) rename_symbols: BTreeMap<String, String>,
    /// Whether to retire segments without a section. patchelf has no such option.
    pub(super) heal: bool,
}

/// Why a command line makes no sense. The texts are patchelf's where it has one.
#[derive(Debug, thiserror::Error)]
pub(super) enum UsageError {
    #[error("missing argument")]
    MissingArgument,
    #[error("missing argument(s)")]
    MissingArguments,
    #[error("missing filename")]
    MissingFilename,
    #[error("--output option only allowed with single input file")]
    OutputOfSeveral,
    #[error("--set-rpath option not allowed with --add-rpath")]
    SetAndAdd,
    #[error("invalid argument to --page-size")]
    PageSize,
    #[error("unrecognized OS ABI")]
    OsAbi,
    #[error("the argument is not UTF-8: {0:?}")]
    NotUtf8(OsString),
    #[error("--build-resolution-cache is not offered: it is for a loader that only Nixpkgs has")]
    ResolutionCache,
    #[error("getting info about '{}': {error}", path.display())]
    ArgumentFile { path: PathBuf, error: io::Error },
    #[error(transparent)]
    RenameMap(#[from] RenameMapError),
}

/// Understands a command line, without the name of the program.
pub(super) fn parse(args: Vec<OsString>) -> Result<Invocation, UsageError> {
    if args.is_empty() {
        return Ok(Invocation::Nothing);
    }
    let mut parser = Parser::default();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--help" | "-h") => return Ok(Invocation::Help),
            Some("--version") => return Ok(Invocation::Version),
            Some(name) if parser.flag(name)? || parser.option(name, &mut args)? => {}
            _ => parser.arguments.files.push(arg.into()),
        }
    }
    let arguments = parser.finish()?;
    Ok(Invocation::Run(Box::new(arguments)))
}

/// The part of the command line that was read so far.
#[derive(Default)]
struct Parser {
    arguments: Arguments,
    shrink: bool,
    prefixes: Vec<String>,
    remove: bool,
    set: Option<String>,
    add: Option<String>,
}

impl Parser {
    /// Takes an option without a value; `false` if the name is not that of one.
    fn flag(&mut self, name: &str) -> Result<bool, UsageError> {
        let Arguments {
            prints,
            edits,
            debug,
            ..
        } = &mut self.arguments;
        match name {
            "--print-interpreter" => drop(prints.insert(Print::Interpreter)),
            "--print-os-abi" => drop(prints.insert(Print::OsAbi)),
            "--print-soname" => drop(prints.insert(Print::Soname)),
            "--print-rpath" => drop(prints.insert(Print::Rpath)),
            "--print-execstack" => drop(prints.insert(Print::ExecutableStack)),
            "--print-needed" => drop(prints.insert(Print::Needed)),
            "--remove-rpath" => self.remove = true,
            "--shrink-rpath" => self.shrink = true,
            "--force-rpath" => edits.force_rpath = true,
            "--clear-execstack" => edits.executable_stack = Some(false),
            // patchelf lets the request to clear win, whatever comes last.
            "--set-execstack" => drop(edits.executable_stack.get_or_insert(true)),
            "--no-default-lib" => edits.no_default_libraries = true,
            "--add-debug-tag" => edits.add_debug_tag = true,
            "--heal" => edits.heal = true,
            "--debug" => *debug = true,
            // We never sort headers, and never overwrite a section that something may still name.
            "--no-sort" | "--no-clobber-old-sections" => {}
            "--build-resolution-cache" => return Err(UsageError::ResolutionCache),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes an option with its values; `false` if the name is not that of one.
    fn option(
        &mut self,
        name: &str,
        args: &mut impl Iterator<Item = OsString>,
    ) -> Result<bool, UsageError> {
        let edits = &mut self.arguments.edits;
        match name {
            "--set-interpreter" | "--interpreter" => {
                // patchelf takes an empty one for none.
                edits.interpreter = Some(value(args)?).filter(|path| !path.is_empty());
            }
            "--page-size" => check_page_size(&literal(args)?)?,
            "--set-os-abi" => {
                edits.os_abi = Some(value(args)?.parse().map_err(|()| UsageError::OsAbi)?);
            }
            "--set-soname" => edits.soname = Some(value(args)?),
            "--allowed-rpath-prefixes" => self.prefixes = directories(&literal(args)?),
            "--set-rpath" => self.set = Some(value(args)?),
            "--add-rpath" => self.add = Some(value(args)?),
            "--add-needed" => drop(edits.add_needed.insert(value(args)?)),
            "--remove-needed" => drop(edits.remove_needed.insert(value(args)?)),
            "--replace-needed" => {
                let (Some(old), Some(new)) = (args.next(), args.next()) else {
                    return Err(UsageError::MissingArguments);
                };
                edits.replace_needed.insert(utf8(old)?, utf8(new)?);
            }
            "--clear-symbol-version" => drop(edits.clear_versions.insert(value(args)?)),
            "--rename-dynamic-symbols" => {
                let path = literal(args)?;
                edits.rename_symbols.extend(rename_map::read(&path)?);
            }
            "--output" => self.arguments.output = Some(value(args)?.into()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(self) -> Result<Arguments, UsageError> {
        let mut arguments = self.arguments;
        if arguments.files.is_empty() {
            return Err(UsageError::MissingFilename);
        }
        if arguments.output.is_some() && arguments.files.len() != 1 {
            return Err(UsageError::OutputOfSeveral);
        }
        // Where several are given, patchelf does the first of this list.
        arguments.edits.rpath = match (self.set, self.add) {
            (Some(_), Some(_)) => return Err(UsageError::SetAndAdd),
            _ if self.shrink => RpathEdit::Shrink {
                prefixes: self.prefixes,
            },
            _ if self.remove => RpathEdit::Remove,
            (Some(path), None) => RpathEdit::Set(path),
            (None, Some(path)) => RpathEdit::Add(path),
            (None, None) => RpathEdit::Keep,
        };
        Ok(arguments)
    }
}

/// The next argument as it is.
fn literal(args: &mut impl Iterator<Item = OsString>) -> Result<String, UsageError> {
    utf8(args.next().ok_or(UsageError::MissingArgument)?)
}

/// The next argument, or for `@FILE` the content of the file.
fn value(args: &mut impl Iterator<Item = OsString>) -> Result<String, UsageError> {
    let text = literal(args)?;
    match text.strip_prefix('@') {
        Some(path) => fs_err::read_to_string(path).map_err(|error| UsageError::ArgumentFile {
            path: path.into(),
            error,
        }),
        None => Ok(text),
    }
}

fn utf8(arg: OsString) -> Result<String, UsageError> {
    arg.into_string().map_err(UsageError::NotUtf8)
}

/// The parts of a list that colons separate.
pub(super) fn directories(list: &str) -> Vec<String> {
    list.split(':')
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Our pages are as large as the machine's can be; a size is accepted so that scripts need no
/// change.
fn check_page_size(text: &str) -> Result<(), UsageError> {
    let digits = text.trim_start().trim_start_matches('+');
    let end = digits
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(digits.len());
    match digits.get(..end).map(str::parse::<u32>) {
        Some(Ok(1..)) => Ok(()),
        _ => Err(UsageError::PageSize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(line: &str) -> Result<Box<Arguments>, String> {
        let args = line.split(' ').map(OsString::from).collect();
        match parse(args) {
            Ok(Invocation::Run(arguments)) => Ok(arguments),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[track_caller]
    fn check_error(line: &str, want: &str) {
        assert_eq!(parse_text(line).unwrap_err(), want, "for `{line}`");
    }

    #[test]
    fn options_and_files_come_in_any_order() {
        let arguments = parse_text("a --print-needed b --set-rpath /x --print-rpath c").unwrap();
        assert_eq!(arguments.files, ["a", "b", "c"].map(PathBuf::from));
        assert_eq!(
            arguments.prints,
            BTreeSet::from([Print::Rpath, Print::Needed])
        );
        assert_eq!(arguments.edits.rpath, RpathEdit::Set("/x".to_owned()));
    }

    #[test]
    fn an_option_takes_what_follows_whatever_it_looks_like() {
        let arguments = parse_text("--set-rpath --help a").unwrap();
        assert_eq!(arguments.edits.rpath, RpathEdit::Set("--help".to_owned()));
    }

    #[test]
    fn what_is_no_option_is_a_file() {
        assert_eq!(
            parse_text("--bogus").unwrap().files,
            [PathBuf::from("--bogus")]
        );
    }

    #[test]
    fn help_and_version_win_over_what_follows() {
        check_error("--help --set-rpath", "Help");
        check_error("-h", "Help");
        check_error("--print-rpath --version", "Version");
    }

    #[test]
    fn faults_have_the_texts_of_patchelf() {
        check_error("--set-rpath", "missing argument");
        check_error("--replace-needed a", "missing argument(s)");
        check_error("--replace-needed a b", "missing filename");
        check_error("--print-rpath", "missing filename");
        check_error("--page-size x a", "invalid argument to --page-size");
        check_error("--page-size 0 a", "invalid argument to --page-size");
        check_error("--set-os-abi CP/M a", "unrecognized OS ABI");
        check_error(
            "--output x a b",
            "--output option only allowed with single input file",
        );
        check_error(
            "--set-rpath x --add-rpath y a",
            "--set-rpath option not allowed with --add-rpath",
        );
    }

    #[test]
    fn of_several_search_paths_one_is_made() {
        let rpath = |line: &str| parse_text(line).unwrap().edits.rpath;
        assert_eq!(
            rpath("--set-rpath a --set-rpath b f"),
            RpathEdit::Set("b".to_owned())
        );
        assert_eq!(rpath("--set-rpath a --remove-rpath f"), RpathEdit::Remove);
        let prefixes = ["/a", "/b"].map(str::to_owned).to_vec();
        assert_eq!(
            rpath("--remove-rpath --allowed-rpath-prefixes /a::/b --shrink-rpath f"),
            RpathEdit::Shrink { prefixes }
        );
    }

    #[test]
    fn values_come_from_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rpath");
        fs_err::write(&path, "/from/a/file").unwrap();
        let line = format!("--set-rpath @{} f", path.display());
        let arguments = parse_text(&line).unwrap();
        assert_eq!(
            arguments.edits.rpath,
            RpathEdit::Set("/from/a/file".to_owned())
        );
    }

    #[test]
    fn an_empty_interpreter_is_none() {
        let args = ["--set-interpreter", "", "f"].map(OsString::from).to_vec();
        let Ok(Invocation::Run(arguments)) = parse(args) else {
            panic!("expected arguments");
        };
        assert_eq!(arguments.edits, Edits::default());
    }
}
