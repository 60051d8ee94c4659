//! Requests: the edits that a caller wants made to a file.

use std::collections::{BTreeMap, BTreeSet};

/// Edits to one file, planned and written together. The default asks for nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Request {
    /// The search path.
    pub run_path: Option<RunPathRequest>,
    /// The needed libraries; the edits are made one after the other.
    pub needed: Vec<NeededEdit>,
    /// The library's own name; set, or added if it has none.
    pub soname: Option<String>,
    /// The program that loads this one. A file without an interpreter is refused.
    pub interpreter: Option<String>,
    /// Sets `DF_1_NODEFLIB`: the loader's default directories are not searched.
    pub no_default_lib: bool,
    /// Whether the stack is executable. A file without `PT_GNU_STACK` gets one, and is refused if there is no room for it.
    pub executable_stack: Option<bool>,
    /// Adds `DT_DEBUG` if it is missing.
    pub debug_tag: bool,
    /// New names of dynamic symbols, by their old names. A name that the file does not have is passed over.
    pub rename_symbols: BTreeMap<String, String>,
    /// Dynamic symbols that lose their version. A name that the file does not have is passed over.
    pub clear_symbol_versions: BTreeSet<String>,
    /// `EI_OSABI`.
    pub os_abi: Option<u8>,
    /// Retires `PT_LOAD` segments that hold no section and that nothing refers to, and lowers a `p_align` that address and
    /// offset do not agree with. Earlier tools left both: GNU strip breaks files with the one, and glibc before 2.35 does
    /// not load those with the other.
    pub heal: bool,
}

impl Request {
    /// Asks for a search path, under the tag that the file has already.
    pub fn set_run_path(path: impl Into<String>) -> Self {
        let run_path = RunPathRequest {
            edit: RunPathEdit::Set(path.into()),
            kind: None,
        };
        Self {
            run_path: Some(run_path),
            ..Self::default()
        }
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the dynamic section, or what it names, is to be changed.
    pub(crate) fn needs_dynamic(&self) -> bool {
        let others = Self {
            interpreter: None,
            executable_stack: None,
            os_abi: None,
            heal: false,
            ..self.clone()
        };
        !others.is_empty()
    }
}

/// An edit of the search path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RunPathRequest {
    /// The change of the text.
    pub edit: RunPathEdit,
    /// The tag. `None` keeps the tag that the file has, the effective one if it has both, and is [`RunPathKind::Runpath`]
    /// for a file without a path.
    pub kind: Option<RunPathKind>,
}

/// The change of a search path's text. A path that ends up empty is removed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RunPathEdit {
    /// The path becomes this.
    Set(String),
    /// This is added at the end, after a colon.
    Append(String),
    /// The path stays; only its tag may change.
    Keep,
    /// The path goes, under both tags.
    Remove,
}

/// The tag of a search path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RunPathKind {
    /// `DT_RPATH`: also for what is loaded from here.
    Rpath,
    /// `DT_RUNPATH`: for this object alone.
    Runpath,
}

/// A change of the list of needed libraries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NeededEdit {
    /// Adds a library at the end, unless it is there.
    Append(String),
    /// Adds a library at the beginning, unless it is there.
    Prepend(String),
    /// Removes a library, with the versions that are needed from it: the symbols that had them have none then.
    Remove(String),
    /// Renames a library, also where versions are needed from it.
    Replace {
        /// The present name.
        from: String,
        /// The new name.
        to: String,
    },
}
