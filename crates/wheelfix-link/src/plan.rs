//! The plan of a relocation: plain data. Printing it is the dry run, serialising it is `--json`.

pub(crate) mod backend;
pub(crate) mod environment;
pub(crate) mod foresight;
pub(crate) mod near_miss;
pub(crate) mod planner;
#[cfg(test)]
mod planner_tests;
pub(crate) mod replace;
pub(crate) mod resolve;
pub(crate) mod run_path_plan;
pub(crate) mod substitutions;
pub(crate) mod unused;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wheelfix_loader::{Abi, Loader, LoaderKind, RunPath};

use crate::excuse::{Excused, Excuses};
use crate::fault::unusable::Unusable;
use crate::fault::{BREAK, Fault};
use crate::plan::replace::SourceEdit;
use crate::plan::substitutions::Substitutions;
use crate::rules::Pattern;
use crate::tree::Skipped;

/// How run paths are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RunPathStyle {
    /// `$ORIGIN`-relative inside of the output, absolute outside.
    #[default]
    Origin,
    /// Absolute, in the order in which nixpkgs' auto-patchelf writes them.
    Absolute,
}

/// The choices of the user for a plan.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// Where the libraries of the driver are at run time.
    pub driver_path: PathBuf,
    /// The interpreter of programs that the user names.
    pub interpreter: Option<PathBuf>,
    /// The loader of the target, which programs get that it can start: that of `interpreter`, or else
    /// of the Python. `None` keeps what they ask for.
    pub loader: Option<Loader>,
    /// How run paths are written.
    pub style: RunPathStyle,
    /// The libraries and symbols that may be missing.
    pub excuses: Excuses,
    /// Backends to keep, by their name or accelerator; empty keeps those that can be loaded.
    pub backends: Vec<Pattern>,
    /// Elements to append to every run path that is written.
    pub append: Vec<String>,
    /// Directories that the run paths of programs begin with.
    pub runtime_dependencies: Vec<PathBuf>,
    /// The ABI of the target; `None` takes the one that most of the objects have.
    pub target: Option<Abi>,
    /// The C library of the target; `None` takes glibc where some object is for it.
    pub c_library: Option<LoaderKind>,
    /// Libraries that go, and what is needed instead.
    pub substitutions: Substitutions,
}

impl PlanOptions {
    /// The options of a plain call.
    pub fn new(driver_path: PathBuf) -> Self {
        Self {
            driver_path,
            interpreter: None,
            loader: None,
            style: RunPathStyle::Origin,
            excuses: Excuses::default(),
            backends: Vec::new(),
            append: Vec::new(),
            runtime_dependencies: Vec::new(),
            target: None,
            c_library: None,
            substitutions: Substitutions::default(),
        }
    }
}

/// All that is to be done to the objects of an output.
#[derive(Clone, Debug, Serialize)]
pub struct LinkPlan {
    /// The ABI of the target. `None` if it is not given and there are no objects.
    pub target: Option<Abi>,
    /// One entry per object of the target, by path.
    pub objects: Vec<ObjectPlan>,
    /// Files to leave out.
    pub drops: Vec<DroppedFile>,
    /// Final paths of the objects that the substitutions remove.
    #[serde(skip)]
    pub removed: BTreeSet<PathBuf>,
    /// ELF files that are left alone.
    pub skipped: Vec<Skipped>,
    /// Files of the libraries that cannot be read, which nothing needs.
    #[serde(skip)]
    pub unusable: Vec<Unusable>,
    /// Python sources in which rules replace texts.
    pub sources: Vec<SourceEdit>,
    /// Things that are missing and excused. A proof finds more.
    pub excused: Vec<Excused>,
    /// Warnings of the files to leave out, with the libraries that these lack.
    pub warnings: Vec<Fault>,
    /// Faults that keep the output from working. Nothing may be written unless this is empty.
    pub faults: Vec<Fault>,
}

/// The plan for one object.
#[derive(Clone, Debug, Serialize)]
pub struct ObjectPlan {
    /// Its final path.
    pub path: PathBuf,
    /// Where its bytes lie now.
    #[serde(skip)]
    pub file: PathBuf,
    /// The changes to it.
    pub edit: Edit,
    /// Its needs and what satisfies each, in the order of the file.
    pub needed: Vec<Need>,
    /// The libraries that rules and notes say it opens while it runs, and what satisfies each.
    pub dlopen: Vec<Need>,
}

/// The changes to one object.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Edit {
    /// `None` leaves the run path as it is.
    pub run_path: Option<RunPathEdit>,
    /// The new interpreter.
    pub interpreter: Option<String>,
    /// `DT_NEEDED` to rename, with their version needs: old and new name.
    pub rename_needed: Vec<(String, String)>,
}

impl Edit {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A change of the run path.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunPathEdit {
    /// Write this one; its kind is the one of the file, or `DT_RUNPATH` for a file that had none.
    Set(RunPath),
    /// Remove the tag: nothing that it names is of use.
    Remove,
}

/// One need of an object and what satisfies it.
#[derive(Clone, Debug, Serialize)]
pub struct Need {
    /// The name that is needed.
    pub soname: String,
    /// The file, or the reason, that satisfies it.
    pub by: Satisfied,
}

/// The file, or the reason, that satisfies a need.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "by", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Satisfied {
    /// A file of the output.
    Output {
        /// Its final path.
        path: PathBuf,
    },
    /// A library of a library path.
    Library {
        /// Where the loader finds it.
        path: PathBuf,
        /// The library path it comes from; `None` for a directory of the run path that was there.
        lib_path: Option<PathBuf>,
    },
    /// The C library of the target has it.
    Libc {
        /// The rule that says so.
        rule: String,
    },
    /// The driver of the machine has it.
    Driver {
        /// The rule that says so.
        rule: String,
    },
    /// Nothing; the user allows it.
    Ignored {
        /// The glob of the user; for alternatives one for each, joined by ` and `.
        glob: String,
    },
    /// Nothing; the object works without it.
    Optional {
        /// The rule, or `.note.dlopen`.
        rule: String,
    },
    /// Nothing: a fault.
    Missing,
}

/// A file to leave out of the output.
#[derive(Clone, Debug, Serialize)]
pub struct DroppedFile {
    /// Its final path.
    pub path: PathBuf,
    /// Where its bytes lie now.
    #[serde(skip)]
    pub file: PathBuf,
    /// The rule that allows it.
    pub rule: String,
    /// The name of the backend.
    pub backend: String,
    /// Whether the user may choose it by its name.
    #[serde(skip)]
    pub is_backend: bool,
    /// In bytes; 0 if it cannot be told.
    pub len: u64,
    /// The names that it needs and that nothing provides; empty if only the user's choice leaves it
    /// out.
    pub missing: Vec<String>,
}

impl LinkPlan {
    /// The plan that changes nothing.
    pub fn empty() -> Self {
        Self {
            target: None,
            objects: Vec::new(),
            drops: Vec::new(),
            removed: BTreeSet::new(),
            skipped: Vec::new(),
            unusable: Vec::new(),
            sources: Vec::new(),
            excused: Vec::new(),
            warnings: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Whether it can be carried out.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// The objects that are to be changed.
    pub fn edits(&self) -> impl Iterator<Item = &ObjectPlan> {
        self.objects.iter().filter(|object| !object.edit.is_empty())
    }

    /// The plan for the object at a final path.
    pub fn object(&self, path: &Path) -> Option<&ObjectPlan> {
        let at = self
            .objects
            .binary_search_by(|object| object.path.as_path().cmp(path));
        self.objects.get(at.ok()?)
    }
}

impl fmt::Display for LinkPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for object in self.edits() {
            write!(f, "edit {}{BREAK}", object.path.display())?;
            object.edit.fmt(f)?;
        }
        for source in &self.sources {
            let rules = source.rules.join("`, `");
            write!(
                f,
                "replace texts in {} (rule `{rules}`){BREAK}",
                source.path.display()
            )?;
        }
        for drop in &self.drops {
            write!(
                f,
                "drop {} ({}, rule `{}`",
                drop.path.display(),
                drop.backend,
                drop.rule
            )?;
            if drop.missing.is_empty() {
                write!(f, ": not asked for){BREAK}")?;
            } else {
                write!(f, ": without {}){BREAK}", drop.missing.join(", "))?;
            }
        }
        for skipped in &self.skipped {
            write!(
                f,
                "skip {}: {}{BREAK}",
                skipped.path.display(),
                skipped.reason
            )?;
        }
        let kept = self
            .objects
            .iter()
            .filter(|object| object.edit.is_empty())
            .count();
        let edited = self.objects.len() - kept;
        write!(
            f,
            "{edited} to edit, {kept} to keep, {} to drop{BREAK}",
            self.drops.len()
        )
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.run_path {
            Some(RunPathEdit::Set(path)) => write!(f, "  set {path}{BREAK}")?,
            Some(RunPathEdit::Remove) => write!(f, "  remove the run path{BREAK}")?,
            None => {}
        }
        if let Some(interpreter) = &self.interpreter {
            write!(f, "  set interpreter {interpreter}{BREAK}")?;
        }
        for (old, new) in &self.rename_needed {
            write!(f, "  need {new} instead of {old}{BREAK}")?;
        }
        Ok(())
    }
}
