//! What keeps an output from working, with what is needed to mend it.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as StdError;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::edges::Origin;

/// One reason why the output would not work.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// A library is needed that is nowhere.
    Missing(Missing),
    /// Several different libraries answer to one name, and nothing says which is meant.
    Ambiguous {
        /// The name.
        soname: String,
        /// Final paths of the objects that need it.
        needed_by: BTreeSet<PathBuf>,
        /// The candidates.
        candidates: Vec<PathBuf>,
        /// The directories that a run path would have to order both ways, or the one entry that
        /// holds all candidates.
        reason: String,
    },
    /// A file begins as an ELF file does, and is none.
    Unreadable {
        /// Its final path.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The user's `--ignore-missing` matches nothing that is missing.
    UnusedIgnore {
        /// The glob.
        glob: String,
    },
    /// The user's `--backend` names nothing that is there.
    UnusedBackend {
        /// The glob.
        glob: String,
        /// What could have been named.
        known: BTreeSet<String>,
    },
    /// A rule of the user applies to nothing.
    UnusedRule {
        /// The rule.
        name: String,
        /// Its file.
        file: PathBuf,
    },
    /// The library that is found does not define a version.
    Version {
        /// The library, as it is needed.
        soname: String,
        /// The version that is needed of it.
        version: String,
        /// The library that was found; `None` if the needer does not need any library by this name.
        found: Option<PathBuf>,
        /// Final paths of the objects that need the version.
        needed_by: BTreeSet<PathBuf>,
        /// What would mend it.
        fixes: Vec<Fix>,
    },
    /// Nothing that is loaded with an object defines what it refers to.
    Symbols {
        /// Final path of the object.
        path: PathBuf,
        /// Final paths of the objects with which it was opened.
        opened_by: BTreeSet<PathBuf>,
        /// The symbols, with their versions after `@`.
        symbols: Vec<String>,
        /// The libraries that should have them, as far as versions say so, with what has newer ones.
        providers: BTreeMap<String, Vec<Fix>>,
    },
    /// An object does not load by itself, but with another one that brings it along. A warning: it
    /// is only ever loaded so.
    Dependent {
        /// Final path of the object.
        path: PathBuf,
        /// Final path of one with which it loads.
        with: PathBuf,
    },
    /// A library of the driver would be taken from elsewhere than the driver path.
    Stub {
        /// The library.
        soname: String,
        /// What would be loaded.
        path: PathBuf,
        /// Final paths of the objects that need it.
        needed_by: BTreeSet<PathBuf>,
    },
    /// The loader gives up over a file that it finds on its way.
    Blocked {
        /// The file, and what is wrong with it.
        reason: String,
        /// Final paths of the objects whose need led there.
        needed_by: BTreeSet<PathBuf>,
    },
    /// A Python source that a rule is to change has another text than the rule knows.
    ChangedSource {
        /// Its final path.
        path: PathBuf,
        /// The rule.
        rule: String,
        /// The texts that the rule knows.
        expected: Vec<String>,
        /// Why the text must be replaced.
        reason: String,
    },
    /// A Python source has a text that a rule replaces.
    StaleSource {
        /// Its final path.
        path: PathBuf,
        /// The rules.
        rules: Vec<String>,
    },
    /// An element of a run path must not be there.
    Element {
        /// Final path of the object.
        path: PathBuf,
        /// The element, as it is in the file.
        element: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The program that is to open the objects cannot be started.
    Program {
        /// The program.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An object is for another machine than the program that opens the others: nothing is proved
    /// of it. A warning.
    Foreign {
        /// Its final path.
        path: PathBuf,
        /// What it is for.
        machine: String,
    },
    /// A library wants an executable stack, which new versions of the C library give to none that is
    /// opened. A warning where the C library is not known or older.
    ExecutableStack {
        /// Its final path.
        path: PathBuf,
    },
    /// A program asks for an interpreter that does not start it on the target.
    NoInterpreter {
        /// Final path of the program.
        path: PathBuf,
        /// What it asks for.
        interpreter: String,
        /// What is wrong with that, as the end of a sentence.
        reason: String,
    },
    /// The interpreter that the user names is not one of these programs.
    WrongInterpreter {
        /// The interpreter.
        interpreter: PathBuf,
        /// What it is for.
        machine: String,
        /// Final paths of the programs.
        programs: BTreeSet<PathBuf>,
    },
}

/// A library that is needed and nowhere.
#[derive(Clone, Debug, Serialize)]
pub struct Missing {
    /// The name that is needed.
    pub soname: String,
    /// Final paths of the objects that need it.
    pub needed_by: BTreeSet<PathBuf>,
    /// The `--lib-path` entries that were searched, besides the output itself.
    pub searched: Vec<PathBuf>,
    /// What is there and almost fits.
    pub near: Vec<NearMiss>,
    /// What would mend it.
    pub fixes: Vec<Fix>,
    /// What says that it is opened at run time, if no `DT_NEEDED` names it.
    pub opened: Option<Origin>,
}

/// A library that almost fits.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct NearMiss {
    /// Where it is.
    pub path: PathBuf,
    /// Why it does not fit.
    pub reason: String,
}

/// What would mend a fault.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "by", content = "name", rename_all = "lowercase")]
pub enum Fix {
    /// A package of nixpkgs has the library.
    Nixpkgs(String),
    /// A wheel has the library; its prefix is to be given as `--lib-path`.
    Wheel(String),
    /// The driver has it, and no run path leads there.
    Driver,
    /// Nothing known has it: it can be supplied, left out or ruled.
    Unknown,
}

impl fmt::Display for Fix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nixpkgs(attribute) => write!(
                f,
                "add `{attribute}` to buildInputs, or `--lib-path ${{lib.getLib pkgs.{attribute}}}`"
            ),
            Self::Wheel(name) => write!(f, "`--lib-path` of the prefix of the wheel `{name}`"),
            Self::Driver => {
                f.write_str("`wheelfix patch`, which adds the driver path to the run path")
            }
            Self::Unknown => f.write_str(
                "`--lib-path` of what has it, `--exclude` of the files that need it, or a rule",
            ),
        }
    }
}

/// Begins a line of a message. A newline within a text is escaped where messages are printed; one
/// that is written as a `char` is not.
pub(crate) const BREAK: char = '\n';

/// How many names of objects are printed before `and N more`.
const NAMED: usize = 3;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(missing) => missing.fmt(f),
            Self::Ambiguous { .. } => self.fmt_ambiguous(f),
            Self::Version { .. } => self.fmt_version(f),
            Self::Symbols { .. } => self.fmt_symbols(f),
            Self::UnusedIgnore { .. } | Self::UnusedBackend { .. } | Self::UnusedRule { .. } => {
                self.fmt_unused(f)
            }
            Self::ChangedSource { .. } | Self::StaleSource { .. } => self.fmt_source(f),
            Self::Unreadable { .. }
            | Self::Stub { .. }
            | Self::Blocked { .. }
            | Self::Element { .. } => self.fmt_file(f),
            _ => self.fmt_object(f),
        }
    }
}

impl Fault {
    fn fmt_ambiguous(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Ambiguous {
            soname,
            needed_by,
            candidates,
            reason,
        } = self
        else {
            return Ok(());
        };
        write!(f, "`{soname}` is ambiguous: {reason}")?;
        write!(f, "{BREAK}  needed by: {}", some_of(needed_by))?;
        for candidate in candidates {
            write!(f, "{BREAK}  candidate: {}", candidate.display())?;
        }
        write!(
            f,
            "{BREAK}  fix: name the directory of one of them in an earlier `--lib-path`, or a `[[prefer]]` rule"
        )
    }

    fn fmt_version(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Version {
            soname,
            version,
            found,
            needed_by,
            fixes,
        } = self
        else {
            return Ok(());
        };
        write!(f, "`{soname}` does not define the version `{version}`")?;
        write!(f, "{BREAK}  needed by: {}", some_of(needed_by))?;
        match found {
            Some(found) => write!(f, "{BREAK}  found: {}", found.display())?,
            None => write!(
                f,
                "{BREAK}  found: nothing by that name is needed, only its version"
            )?,
        }
        for fix in fixes {
            write!(f, "{BREAK}  fix: a newer one: {fix}")?;
        }
        Ok(())
    }

    fn fmt_symbols(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Symbols {
            path,
            opened_by,
            symbols,
            providers,
        } = self
        else {
            return Ok(());
        };
        let named = symbols
            .iter()
            .take(NAMED)
            .map(|symbol| format!("`{symbol}`"));
        let named = named.collect::<Vec<_>>().join(", ");
        write!(
            f,
            "`{}` refers to what nothing that is loaded with it defines: {named}",
            path.display()
        )?;
        if NAMED < symbols.len() {
            write!(f, " and {} more", symbols.len() - NAMED)?;
        }
        if opened_by.iter().any(|root| root != path) {
            write!(f, "{BREAK}  opened by: {}", some_of(opened_by))?;
        }
        for (library, fixes) in providers {
            for fix in fixes {
                write!(f, "{BREAK}  fix: a newer `{library}`: {fix}")?;
            }
        }
        Ok(())
    }

    fn fmt_unused(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnusedIgnore { glob } => {
                write!(
                    f,
                    "`--ignore-missing {glob}` matches nothing that is missing"
                )?;
                write!(f, "{BREAK}  fix: remove it")
            }
            Self::UnusedBackend { glob, known } => {
                write!(f, "`--backend {glob}` names no backend of these files")?;
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                write!(f, "{BREAK}  there are: {}", known.join(", "))
            }
            Self::UnusedRule { name, file } => {
                write!(
                    f,
                    "rule `{name}` of `{}` applies to nothing",
                    file.display()
                )?;
                write!(f, "{BREAK}  fix: remove it, or correct its globs")
            }
            _ => Ok(()),
        }
    }

    /// Faults of a Python source.
    fn fmt_source(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChangedSource {
                path,
                rule,
                expected,
                reason,
            } => {
                let path = path.display();
                write!(
                    f,
                    "`{path}` has none of the texts that rule `{rule}` replaces"
                )?;
                for (index, text) in expected.iter().enumerate() {
                    let word = if index == 0 { "expected" } else { "or" };
                    write!(f, "{BREAK}  {word}: {}", text.trim())?;
                }
                write!(f, "{BREAK}  why: {reason}")?;
                write!(
                    f,
                    "{BREAK}  fix: a `[[replace]]` rule for this file in a file named with `--rules`: with its text, or with `old = []` to leave it"
                )
            }
            Self::StaleSource { path, rules } => {
                let rules = rules.join("`, `");
                write!(
                    f,
                    "`{}` has a text that rule `{rules}` replaces",
                    path.display()
                )?;
                write!(f, "{BREAK}  fix: `wheelfix patch`")
            }
            _ => Ok(()),
        }
    }

    /// Faults of one file.
    fn fmt_file(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, reason } => {
                write!(f, "`{}` is a damaged ELF file: {reason}", path.display())?;
                write!(f, "{BREAK}  fix: `--exclude` it if nothing loads it")
            }
            Self::Stub {
                soname,
                path,
                needed_by,
            } => {
                write!(
                    f,
                    "`{soname}` would be loaded from `{}`, not from the driver",
                    path.display()
                )?;
                write!(f, "{BREAK}  needed or opened by: {}", some_of(needed_by))?;
                write!(f, "{BREAK}  fix: the driver path before that directory")
            }
            Self::Blocked { reason, needed_by } => {
                write!(f, "the loader stops at a file: {reason}")?;
                write!(f, "{BREAK}  needed by: {}", some_of(needed_by))
            }
            Self::Element {
                path,
                element,
                reason,
            } => {
                write!(
                    f,
                    "`{}` has `{element}` in its run path: {reason}",
                    path.display()
                )?;
                write!(f, "{BREAK}  fix: `wheelfix patch`")
            }
            _ => Ok(()),
        }
    }

    /// Faults of one object as a whole.
    fn fmt_object(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dependent { path, with } => {
                write!(
                    f,
                    "`{}` does not load by itself, only with `{}`",
                    path.display(),
                    with.display()
                )
            }
            Self::Program { path, reason } => {
                write!(f, "`{}` cannot be started: {reason}", path.display())
            }
            Self::Foreign { path, machine } => {
                let path = path.display();
                write!(
                    f,
                    "`{path}` is for another machine, {machine}: nothing is proved of it"
                )
            }
            Self::ExecutableStack { path } => {
                let path = path.display();
                write!(
                    f,
                    "`{path}` wants an executable stack, which glibc 2.41 and later give to no library that is opened"
                )?;
                write!(
                    f,
                    "{BREAK}  fix: `wheelfix patchelf --clear-execstack`, if its code can do without"
                )
            }
            Self::NoInterpreter {
                path,
                interpreter,
                reason,
            } => {
                write!(
                    f,
                    "program `{}` asks for the interpreter `{interpreter}`, which {reason}",
                    path.display()
                )?;
                f.write_char(BREAK)?;
                f.write_str("  fix: `wheelfix patch --python EXE`, which sets that of the Python, or `--interpreter` with the one of the target's C library")
            }
            Self::WrongInterpreter {
                interpreter,
                machine,
                programs,
            } => {
                let interpreter = interpreter.display();
                write!(f, "`{interpreter}` is a loader for {machine}")?;
                write!(f, "{BREAK}  asked for: {}", some_of(programs))?;
                f.write_char(BREAK)?;
                f.write_str("  fix: `--interpreter` with the one for the machine and the C library of these programs")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.opened {
            None => "needed",
            Some(Origin::Data) => "perhaps opened at run time",
            Some(_) => "opened at run time",
        };
        write!(f, "`{}` is missing", self.soname)?;
        write!(f, "{BREAK}  {how} by: {}", some_of(&self.needed_by))?;
        if let Some(origin) = &self.opened {
            write!(f, " ({origin})")?;
        }
        write!(f, "{BREAK}  searched: the output")?;
        for entry in &self.searched {
            // An empty element of a run path is the current directory.
            let here = entry.as_os_str().is_empty();
            write!(
                f,
                ", {}",
                if here { Path::new(".") } else { entry }.display()
            )?;
        }
        for near in &self.near {
            write!(
                f,
                "{BREAK}  near miss: {}: {}",
                near.path.display(),
                near.reason
            )?;
        }
        for fix in &self.fixes {
            write!(f, "{BREAK}  fix: {fix}")?;
        }
        if self.soname == "ldconfig" {
            write!(
                f,
                "{BREAK}  fix: a `[[replace]]` rule for the text, where it matters: there is no such program on Nix"
            )?;
        }
        if matches!(self.opened, Some(Origin::Data | Origin::Source(_))) {
            let name = &self.soname;
            write!(
                f,
                "{BREAK}  fix: `--ignore-missing {name}` or a `[[dlopen]]` rule with `optional = true`, if all works without it"
            )?;
        }
        Ok(())
    }
}

/// The first few paths, and how many more there are.
fn some_of(paths: &BTreeSet<PathBuf>) -> String {
    let names: Vec<String> = paths
        .iter()
        .take(NAMED)
        .map(|path| path.display().to_string())
        .collect();
    let mut text = names.join(", ");
    if NAMED < paths.len() {
        let more = paths.len() - NAMED;
        text = format!("{text} and {more} more");
    }
    text
}

/// The message of an error with those of its causes.
pub(crate) fn with_causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
