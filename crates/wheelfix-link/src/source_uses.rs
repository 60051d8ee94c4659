//! The use that Python sources make of libraries without naming them in full: by a stem, or by a path that
//! is put together while they run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use memchr::memmem;
use rayon::prelude::*;
use wheelfix_format::LibraryName;

use crate::object::Object;
use crate::site::package_of;
use crate::tree::PythonSource;

/// Calls that open the library, or the extension module, that their first argument leads to.
const OPENERS: [&str; 8] = [
    "CDLL(",
    "PyDLL(",
    "LoadLibrary(",
    "dlopen(",
    "load_library(",
    "load_op_library(",
    "load_extension(",
    "ExtensionFileLoader(",
];

/// Names that make the symbols of a library visible to those that are opened after it.
const GLOBAL: [&str; 2] = ["RTLD_GLOBAL", "setdlopenflags"];

/// Shorter parts of names are words of any source.
const SHORTEST: usize = 4;

/// The use that the sources of an output make of its libraries.
#[derive(Debug, Default)]
pub(crate) struct SourceUses {
    /// The parts of names of libraries that stand in some source.
    words: BTreeSet<String>,
    /// The packages with a source that opens what it does not name; an empty path stands for all.
    openers: BTreeSet<PathBuf>,
    /// Whether a source makes symbols visible to all that is opened later.
    pub(crate) is_global: bool,
}

impl SourceUses {
    /// Looks through the sources for parts of the names of objects.
    pub(crate) fn of<'a>(
        sources: &[PythonSource],
        objects: impl Iterator<Item = &'a Object>,
    ) -> Self {
        let wanted: BTreeSet<String> = objects.flat_map(parts).collect();
        let in_each = sources
            .par_iter()
            .map(|source| Self::in_source(source, &wanted));
        in_each.reduce(Self::default, |mut all, more| {
            all.words.extend(more.words);
            all.openers.extend(more.openers);
            all.is_global |= more.is_global;
            all
        })
    }

    /// One that cannot be read uses nothing.
    fn in_source(source: &PythonSource, wanted: &BTreeSet<String>) -> Self {
        let text = fs_err::read(&source.file).unwrap_or_default();
        let has = |needle: &&str| memmem::find(&text, needle.as_bytes()).is_some();
        let words = text.split(|byte| !is_of_name(*byte));
        let words = words.filter_map(|word| str::from_utf8(word).ok());
        let words = words.flat_map(|word| [word, stem(word)]);
        let words = words.filter(|word| wanted.contains(*word));
        let opens = OPENERS.iter().any(|call| opens_unnamed(&text, call));
        Self {
            words: words.map(str::to_owned).collect(),
            openers: opens.then(|| package(&source.path)).into_iter().collect(),
            is_global: GLOBAL.iter().any(has),
        }
    }

    /// Whether some source may open an object.
    pub(crate) fn has(&self, object: &Object) -> bool {
        let package = package(&object.path);
        let mut openers = self.openers.iter();
        openers.any(|opener| {
            let everywhere = opener.as_os_str().is_empty() || package.as_os_str().is_empty();
            everywhere || *opener == package
        }) || parts(object).iter().any(|part| self.words.contains(part))
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte)
}

/// The parts of the names of an object that a source may put more to: the file name, the soname, each
/// without version and hash, without a number at its end, and without `lib`.
fn parts(object: &Object) -> BTreeSet<String> {
    let file_name = object.file_name().to_str();
    let names = file_name.into_iter().chain(object.soname.as_deref());
    let mut parts = BTreeSet::new();
    for name in names {
        let stem = stem(name);
        let unnumbered = stem.trim_end_matches(|c: char| c.is_ascii_digit());
        for part in [stem, unnumbered] {
            let bare = part.strip_prefix("lib").unwrap_or(part);
            parts.extend([part, bare].map(str::to_owned));
        }
        parts.insert(name.to_owned());
    }
    parts.retain(|part| SHORTEST <= part.len());
    parts
}

fn stem(name: &str) -> &str {
    match LibraryName::parse(name) {
        Some(_) => name.split_once(".so").map_or(name, |(stem, _)| stem),
        None => name,
    }
}

/// The package of a file; empty for one that is in none.
fn package(path: &Path) -> PathBuf {
    package_of(path).map(Path::to_path_buf).unwrap_or_default()
}

/// Whether a source has a call whose first argument is not a plain text.
fn opens_unnamed(text: &[u8], call: &str) -> bool {
    let mut calls = memmem::find_iter(text, call.as_bytes());
    calls.any(|at| {
        let before = text.get(..at).unwrap_or_default();
        let after = text
            .get(at + call.len()..)
            .unwrap_or_default()
            .trim_ascii_start();
        let defines = before.ends_with(b"def ") || before.ends_with(b"class ");
        let is_text = |start: &[u8]| matches!(start, [b'"' | b'\'', ..]);
        let is_plain = is_text(after)
            || matches!(after, [b'r' | b'b' | b'R' | b'B', rest @ ..] if is_text(rest))
            || after.starts_with(b")")
            || after.starts_with(b"None");
        !defines && !is_plain
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: bool) {
        let found = OPENERS
            .iter()
            .any(|call| opens_unnamed(text.as_bytes(), call));
        assert_eq!(found, want, "for {text}");
    }

    #[test]
    fn a_path_that_is_put_together_is_seen() {
        check("x = ctypes.CDLL(path)", true);
        check("torch.ops.load_library(\n    here / 'x.so')", true);
        check("CDLL(f'libx{n}.so')", true);
        check("ExtensionFileLoader(name, path)", true);
    }

    #[test]
    fn a_plain_name_is_none() {
        check("CDLL('libx.so'); CDLL(None); CDLL()", false);
        check("def load_library(name): pass", false);
        check("x.load(path)", false);
    }
}
