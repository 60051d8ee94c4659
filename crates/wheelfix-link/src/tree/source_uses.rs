//! The use that Python sources make of libraries without naming them in full: by a stem, or by a path that
//! is put together while they run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use wheelfix_format::{LibraryName, LibraryUse};
use wheelfix_loader::Object;

use crate::tree::PythonSource;
use crate::tree::python_module::module_name;
use crate::tree::site::Owners;

/// Shorter parts of names are words of any source.
const SHORTEST: usize = 4;

/// The use that the sources of an output make of its libraries.
#[derive(Debug, Default)]
pub(crate) struct SourceUses {
    /// The parts of names of libraries that stand in some source.
    words: BTreeSet<String>,
    /// Sources that open what they do not name.
    openers: BTreeSet<PathBuf>,
    /// Sources that make symbols visible to all that is opened later.
    globals: BTreeSet<PathBuf>,
    /// The distributions of sources and objects.
    owners: Owners,
}

impl SourceUses {
    /// Looks through the sources for parts of the names of objects.
    pub(crate) fn of<'a>(
        sources: &[PythonSource],
        objects: impl Iterator<Item = &'a Object> + Clone,
    ) -> Self {
        let wanted: BTreeSet<String> = objects.clone().flat_map(parts).collect();
        let in_each = sources
            .par_iter()
            .map(|source| Self::in_source(source, &wanted));
        let mut uses = in_each.reduce(Self::default, |mut all, more| {
            all.words.extend(more.words);
            all.openers.extend(more.openers);
            all.globals.extend(more.globals);
            all
        });
        if !uses.openers.is_empty() || !uses.globals.is_empty() {
            uses.owners = Owners::of(objects);
        }
        uses
    }

    /// One that cannot be read uses nothing.
    fn in_source(source: &PythonSource, wanted: &BTreeSet<String>) -> Self {
        let text = fs_err::read(&source.file).unwrap_or_default();
        let words = text.split(|byte| !is_of_name(*byte));
        let words = words.filter_map(|word| str::from_utf8(word).ok());
        let words = words.flat_map(|word| [word, stem(word), attribute(word)]);
        let words = words.filter(|word| wanted.contains(*word));
        let is_compiled = source
            .path
            .extension()
            .is_some_and(|ending| ending == "pyc");
        let found = if is_compiled {
            LibraryUse::in_bytecode(&text)
        } else {
            LibraryUse::in_source(&text)
        };
        let path = |is_one: bool| is_one.then(|| source.path.clone()).into_iter().collect();
        Self {
            words: words.map(str::to_owned).collect(),
            openers: path(found.opens_unnamed),
            globals: path(found.is_global),
            owners: Owners::default(),
        }
    }

    /// Whether some source may open an object.
    pub(crate) fn has(&self, object: &Object) -> bool {
        self.opens_unnamed_beside(object) || self.has_part_of(object)
    }

    /// Whether a source of the same distribution opens what it does not name.
    fn opens_unnamed_beside(&self, object: &Object) -> bool {
        let mut openers = self.openers.iter();
        openers.any(|opener| self.owners.share(opener, &object.path))
    }

    /// Whether some source has a part of the name of an object.
    pub(crate) fn has_part_of(&self, object: &Object) -> bool {
        parts(object).iter().any(|part| self.words.contains(part))
    }

    /// Whether a source may open an object: one has its name or what stands before `.so` in it, or a shorter part where a
    /// source of the distribution opens what it does not name.
    pub(crate) fn may_open(&self, object: &Object) -> bool {
        let mut names = names_of(object);
        if names.any(|name| self.words.contains(name) || self.words.contains(stem(name))) {
            return true;
        }
        self.has_part_of(object) && self.opens_unnamed_beside(object)
    }

    /// Whether some source has the whole name of an object.
    pub(crate) fn names(&self, object: &Object) -> bool {
        names_of(object).any(|name| self.words.contains(name))
    }

    /// Whether a source of the same distribution makes symbols visible to an object.
    pub(crate) fn completes(&self, path: &Path) -> bool {
        let mut globals = self.globals.iter();
        globals.any(|source| self.owners.share(source, path))
    }

    /// Whether the `__init__.py` of a package that a module lies in, which Python runs before it imports the module, makes
    /// symbols visible to it.
    pub(crate) fn precedes(&self, module: &Path) -> bool {
        let mut packages = module.ancestors().skip(1);
        packages.any(|package| self.globals.contains(&package.join("__init__.py")))
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte)
}

fn names_of(object: &Object) -> impl Iterator<Item = &str> {
    let file_name = object.file_name().to_str().into_iter();
    file_name.chain(object.soname.as_deref())
}

/// The parts of the names of an object that a source may put more to: the file name, the soname, each
/// without version and hash, without a number at its end, and without `lib`.
fn parts(object: &Object) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    for name in names_of(object) {
        let stem = stem(name);
        let unnumbered = stem.trim_end_matches(|c: char| c.is_ascii_digit());
        for part in [stem, unnumbered] {
            let bare = part.strip_prefix("lib").unwrap_or(part);
            parts.extend([part, bare].map(str::to_owned));
        }
        parts.insert(name.to_owned());
    }
    // As `import` has it, whose place is not asked here.
    parts.extend(module_name(&object.path, None).map(str::to_owned));
    parts.retain(|part| SHORTEST <= part.len());
    parts
}

/// The last part of a dotted name.
fn attribute(word: &str) -> &str {
    word.rsplit('.').next().unwrap_or(word)
}

fn stem(name: &str) -> &str {
    match LibraryName::parse(name) {
        Some(_) => name.split_once(".so").map_or(name, |(stem, _)| stem),
        None => name,
    }
}
