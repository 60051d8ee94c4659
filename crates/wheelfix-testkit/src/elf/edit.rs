//! Edits that are described for no tool in particular, so that the same edit can be given to each.

/// The changes to make in a file. The default changes nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Request {
    /// The search path to set, of the kind that the file has.
    pub rpath: Option<String>,
    /// The program interpreter to set.
    pub interpreter: Option<String>,
    /// Needed libraries to rename, version needs included: old and new name.
    pub replace_needed: Vec<(String, String)>,
    /// Needed libraries to add.
    pub add_needed: Vec<String>,
}

impl Request {
    /// The edits as options of patchelf.
    pub fn patchelf_args(&self) -> Vec<String> {
        let mut args = Vec::new();
        let mut option = |name: &str, values: &[&String]| {
            args.push(name.to_owned());
            args.extend(values.iter().map(|value| (*value).clone()));
        };
        if let Some(rpath) = &self.rpath {
            option("--set-rpath", &[rpath]);
        }
        if let Some(interpreter) = &self.interpreter {
            option("--set-interpreter", &[interpreter]);
        }
        for (old, new) in &self.replace_needed {
            option("--replace-needed", &[old, new]);
        }
        for name in &self.add_needed {
            option("--add-needed", &[name]);
        }
        args
    }
}

/// The edits of the matrix.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Edit {
    /// A search path of 400 characters, in a file that had none.
    LongRpath,
    /// An interpreter with a long path; programs only.
    LongInterpreter,
    /// A needed library with versions gets a long name.
    LongReplace,
    /// Seven more needed libraries.
    SevenNeeded,
    /// All of the above at once.
    All,
}

impl Edit {
    /// Every edit that makes sense for a file with or without an interpreter.
    pub fn all(has_interpreter: bool) -> impl Iterator<Item = Self> {
        [
            Self::LongRpath,
            Self::LongInterpreter,
            Self::LongReplace,
            Self::SevenNeeded,
            Self::All,
        ]
        .into_iter()
        .filter(move |edit| has_interpreter || *edit != Self::LongInterpreter)
    }
}
