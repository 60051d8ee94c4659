//! Excuses of the user: libraries and symbols that may be missing, and what became of each excuse.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::fault::excuse_kind::ExcuseKind;
use crate::fault::unused::UnusedIgnore;
use crate::rules::Pattern;

/// Excuses for libraries and symbols that may be missing.
#[derive(Clone, Debug, Default)]
pub struct Excuses {
    /// Globs over the names of libraries.
    pub libraries: Vec<Pattern>,
    /// Globs over the names of symbols.
    pub symbols: Vec<Pattern>,
    /// The texts of those globs that need not match anything.
    pub unchecked: BTreeSet<String>,
}

/// The file of `.dist-info` that says what the install of a distribution allowed to be missing.
pub const EXCUSES_FILE: &str = "wheelfix-excuses.json";

/// The content of [`EXCUSES_FILE`]: globs.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Written {
    version: u32,
    libraries: BTreeSet<String>,
    symbols: BTreeSet<String>,
}

/// Something that is missing and excused.
#[derive(Clone, Debug, Serialize)]
pub struct Excused {
    /// Its kind.
    pub kind: ExcuseKind,
    /// The name; alternatives are joined by ` or `.
    pub name: String,
    /// The globs that excuse it: one, or for alternatives one for each.
    pub globs: BTreeSet<String>,
    /// Final paths of the files that need, open or refer to it.
    pub needed_by: BTreeSet<PathBuf>,
}

/// Why a glob is not taken as an excuse.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExcuseError {
    /// It is not a glob.
    #[error(transparent)]
    Glob(#[from] wheelfix_format::PatternError),
    /// It matches nearly every name that there may be.
    #[error(
        "it excuses nearly every {kind}, also what nobody has thought of: name what may be missing"
    )]
    MatchesAll {
        /// The kind of the excuse.
        kind: ExcuseKind,
    },
}

impl Excuses {
    /// The text of [`EXCUSES_FILE`]. `None` if nothing is excused.
    pub fn to_json(&self) -> Option<String> {
        let texts = |globs: &[Pattern]| globs.iter().map(|glob| glob.text().to_owned()).collect();
        if self.libraries.is_empty() && self.symbols.is_empty() {
            return None;
        }
        let written = Written {
            version: 1,
            libraries: texts(&self.libraries),
            symbols: texts(&self.symbols),
        };
        serde_json::to_string(&written).ok().map(|text| text + "\n")
    }

    /// The excuses of an install, by its [`EXCUSES_FILE`]; none in what cannot be read.
    pub(crate) fn from_json(text: &str) -> Self {
        let written: Written = serde_json::from_str(text).unwrap_or_default();
        let globs = |texts: BTreeSet<String>, kind: ExcuseKind| {
            let globs = texts.into_iter().filter_map(|text| kind.glob(&text).ok());
            globs.collect()
        };
        Self {
            libraries: globs(written.libraries, ExcuseKind::Library),
            symbols: globs(written.symbols, ExcuseKind::Symbol),
            unchecked: BTreeSet::new(),
        }
    }

    /// Adds those of another install.
    pub(crate) fn extend(&mut self, other: Self) {
        self.libraries.extend(other.libraries);
        self.symbols.extend(other.symbols);
    }

    /// The globs that excuse a library, or all of several alternatives; `None` if one is not excused.
    pub(crate) fn of_library(&self, alternatives: &[&str]) -> Option<BTreeSet<String>> {
        let glob = |name: &&str| {
            let mut globs = self.libraries.iter();
            let glob = globs.find(|glob| glob.matches(name))?;
            Some(glob.text().to_owned())
        };
        let globs: Option<BTreeSet<String>> = alternatives.iter().map(glob).collect();
        globs.filter(|globs| !globs.is_empty())
    }

    /// The glob that excuses a symbol.
    pub(crate) fn of_symbol(&self, name: &str) -> Option<BTreeSet<String>> {
        let glob = self.symbols.iter().find(|glob| glob.matches(name))?;
        Some(BTreeSet::from([glob.text().to_owned()]))
    }

    /// The excuses that were of no use: each is a fault, or it would hide the next one.
    pub fn unused<'e>(&self, used: impl IntoIterator<Item = &'e Excused>) -> Vec<Fault> {
        let used: BTreeSet<(ExcuseKind, &String)> = used
            .into_iter()
            .flat_map(|excused| excused.globs.iter().map(|glob| (excused.kind, glob)))
            .collect();
        let all = [
            (ExcuseKind::Library, &self.libraries),
            (ExcuseKind::Symbol, &self.symbols),
        ];
        let all = all.into_iter().flat_map(|(kind, globs)| {
            let globs = globs.iter().map(|glob| glob.text().to_owned());
            globs.map(move |glob| (kind, glob))
        });
        let unused = all.filter(|(kind, glob)| {
            !used.contains(&(*kind, glob)) && !self.unchecked.contains(glob)
        });
        unused
            .map(|(kind, glob)| Fault::UnusedIgnore(UnusedIgnore { kind, glob }))
            .collect()
    }
}

/// The one record of what was excused, by kind and name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record(BTreeMap<(ExcuseKind, String), Excused>);

impl Record {
    /// Notes that a file lacks something that is excused.
    pub(crate) fn note(
        &mut self,
        (kind, name): (ExcuseKind, &str),
        globs: BTreeSet<String>,
        needed_by: &Path,
    ) {
        let excused = self.0.entry((kind, name.to_owned()));
        let excused = excused.or_insert_with(|| Excused {
            kind,
            name: name.to_owned(),
            globs: BTreeSet::new(),
            needed_by: BTreeSet::new(),
        });
        excused.globs.extend(globs);
        excused.needed_by.insert(needed_by.to_path_buf());
    }

    /// The excuses that were used, by kind and name.
    pub(crate) fn into_list(self) -> Vec<Excused> {
        self.0.into_values().collect()
    }
}

/// Puts several lists of what was excused together, by kind and name.
pub fn merged_excuses<'e>(lists: impl IntoIterator<Item = &'e Excused>) -> Vec<Excused> {
    let mut record = Record::default();
    for excused in lists {
        for path in &excused.needed_by {
            let what = (excused.kind, excused.name.as_str());
            record.note(what, excused.globs.clone(), path);
        }
    }
    record.into_list()
}

impl ExcuseKind {
    /// Parses a glob that excuses something of this kind; one that excuses nearly everything is refused.
    pub fn glob(self, text: &str) -> Result<Pattern, ExcuseError> {
        let pattern = Pattern::new(text)?;
        if self.is_matched_by(std::slice::from_ref(&pattern)) {
            return Err(ExcuseError::MatchesAll { kind: self });
        }
        Ok(pattern)
    }

    /// Whether globs together match nearly every name: more than an eighth of names that are made up,
    /// each with another first letter, of any of the usual shapes.
    pub(crate) fn is_matched_by(self, globs: &[Pattern]) -> bool {
        let shapes: &[(&str, &str)] = match self {
            Self::Library => LIBRARY_SHAPES,
            Self::Symbol => SYMBOL_SHAPES,
        };
        shapes.iter().any(|(start, end)| {
            let stems = || STEMS.split_ascii_whitespace();
            let names = stems().map(|stem| format!("{start}{stem}{end}"));
            let matched = names.filter(|name| globs.iter().any(|glob| glob.matches(name)));
            stems().count() < 8 * matched.count()
        })
    }
}

/// Made-up words, no two with the same first two letters and none of them in the name of a library or
/// function that we know of.
const STEMS: &str = "aqzukv bwjoxq cvyqzu dxkuqw ejzvoq fkqwyz gvuxqj hzqkow iwqxuv jyuqkz kqvozx \
    lxwuqy mjqzvo nuqxkw ozvqyj pwqkux qyozvu rxjquw sqkvzo tvwxqu uzqjky vyqwox wkuqzj xoqvyu \
    yqzwkx zujqvo Aqwzku Jvqxoy Qzkuwv Xyqjzo 0qvzku 7wqxoj";

/// Text before and behind the stem in names of libraries.
const LIBRARY_SHAPES: &[(&str, &str)] = &[
    ("lib", ".so"),
    ("lib", ".so.0"),
    ("lib", ".so.1"),
    ("lib", ".so.2"),
    ("lib", ".so.6"),
    ("lib", ".so.12"),
    ("lib", ".so.3.2.1"),
    ("lib", "-4.5.so.6"),
    ("lib", "-1a2b3c4d.so.7.0.1"),
    ("", ".so"),
    ("", ".so.5"),
    ("", ".cpython-311-x86_64-linux-gnu.so"),
];

/// Text before and behind the stem in names of symbols.
const SYMBOL_SHAPES: &[(&str, &str)] = &[
    ("", ""),
    ("", "_create"),
    ("_", ""),
    ("__", ""),
    ("_ZN6", "3getEv"),
    ("_ZNK6", "3getEv"),
    ("_Z6", "v"),
    ("_ZTV6", ""),
    ("_ZTI6", ""),
    ("_R", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: ExcuseKind, glob: &str, want: bool) {
        assert_eq!(kind.glob(glob).is_ok(), want, "{kind} {glob}");
    }

    #[test]
    fn a_glob_that_excuses_all_is_refused() {
        for glob in [
            "*",
            "**",
            "?*",
            "*?",
            "lib*",
            "{lib,}*",
            "lib?*",
            "*.so*",
            "lib*.so.*",
            "*.so",
            "*so*",
            "lib*.so.1",
            "[a-z]*",
            "[!x]*",
            "lib[!_]*",
            "lib[a-z]*",
            "{lib[a-m]*,lib[n-z]*}",
            "l*",
            "li*",
            "*[0-9]",
            "??????*",
            "{a,b,*}",
            "*.cpython-*",
        ] {
            check(ExcuseKind::Library, glob, false);
        }
        for glob in ["*", "?*", "_*", "_Z*", "_ZN*", "[a-zA-Z_]*", "*v", "_ZTI*"] {
            check(ExcuseKind::Symbol, glob, false);
        }
    }

    #[test]
    fn a_glob_that_names_something_is_an_excuse() {
        for glob in [
            "libcuda.so.1",
            "libcuda*",
            "libnv*",
            "libQt6*.so.6",
            "lib*cuda*.so*",
            "libavcodec.so.*",
            "*mpi*",
            "libX11.so.?",
            "/nix/store/*/lib/libfoo.so",
            "lib{ssl,crypto}.so.3",
            "libQt*",
        ] {
            check(ExcuseKind::Library, glob, true);
        }
        for glob in [
            "RAND_bytes",
            "aoti_torch_*",
            "_ZN3foo*",
            "Provider_Get*",
            "ucs_*",
        ] {
            check(ExcuseKind::Symbol, glob, true);
        }
    }

    #[test]
    fn alternatives_are_excused_together() {
        let excuses = Excuses {
            libraries: ["libGL.*", "libEGL.*"]
                .map(|it| Pattern::new(it).unwrap())
                .into(),
            ..Excuses::default()
        };
        assert!(excuses.of_library(&["libGL.so.1", "libGLX.so.1"]).is_none());
        let both = excuses.of_library(&["libGL.so.1", "libEGL.so.1"]).unwrap();
        assert_eq!(both.len(), 2);
        assert!(excuses.of_library(&[]).is_none());
    }
}
