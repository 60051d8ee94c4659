//! Whether anything imports a Python source.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use memchr::memmem;
use rayon::prelude::*;
use wheelfix_format::{PythonImport, python_import};

use crate::tree::site::SITE_PACKAGES;
use crate::tree::{PythonSource, Tree};

/// Words in names of modules and packages for other systems than Linux.
const OTHER_SYSTEMS: [&str; 13] = [
    "darwin",
    "macos",
    "macosx",
    "osx",
    "cocoa",
    "coreaudio",
    "win32",
    "win64",
    "windows",
    "mediafoundation",
    "freebsd",
    "android",
    "emscripten",
];

/// Whether a source is called, or lies in a package that is called, as one for another system.
pub(crate) fn is_for_other_system(source: &PythonSource) -> bool {
    names_below_site(&source.path.with_extension("")).any(|name| {
        let mut words = name.split('_');
        words.any(|word| {
            OTHER_SYSTEMS
                .iter()
                .any(|system| word.eq_ignore_ascii_case(system))
        })
    })
}

/// Whether a source is one of tests, which are run by those who know what they need.
pub fn is_test(path: &Path) -> bool {
    names_below_site(path).any(|name| name == "tests" || name == "test")
}

/// The names in a path, from its end up to `site-packages`: where that is says nothing of a source.
fn names_below_site(path: &Path) -> impl Iterator<Item = Cow<'_, str>> {
    let names = path.components().rev();
    let names = names.map(|name| name.as_os_str().to_string_lossy());
    names.take_while(|name| name != SITE_PACKAGES)
}

/// The sources of a tree whose names stand in others.
#[derive(Debug)]
pub(crate) struct Imports<'t> {
    tree: &'t Tree,
    holders: Holders<'t>,
}

/// For each name the sources that it stands in.
type Holders<'t> = BTreeMap<&'t str, Vec<&'t PythonSource>>;

impl<'t> Imports<'t> {
    /// Looks for the names of all sources that open libraries in all sources.
    pub(crate) fn of(tree: &'t Tree) -> Self {
        let openers = tree
            .sources
            .iter()
            .filter(|source| !source.loads.is_empty() || !source.unnamed_loads.is_empty());
        Self {
            tree,
            holders: holders(tree, openers),
        }
    }

    /// Whether a source may be imported by users of the output or by another source: one that lies in
    /// `site-packages` itself, the package of such a name, and one whose name stands in another source.
    pub(crate) fn has(&self, source: &PythonSource) -> bool {
        is_top(module(source)) || others(source, &self.holders).next().is_some()
    }

    /// Whether what goes wrong while a source is imported reaches users of the output: no other source imports it by a
    /// statement, or one that is imported does whenever it is imported itself, and does not catch the error. Tests aside.
    pub(crate) fn needs(&self, source: &PythonSource) -> bool {
        if is_top(module(source)) {
            return true;
        }
        let imports = imports(source, &self.holders, false);
        match least_optional(self.tree, imports, &ANY_ERROR) {
            Some(import) => import == PythonImport::Always,
            None => self.has(source),
        }
    }
}

/// How an import of a module may fail, and who may leave that to its users.
struct Failing<'f> {
    /// Whether all that goes wrong is an `ImportError`, as of an extension module.
    is_import_error: bool,
    /// Whether a source is imported by a statement or not at all: its name alone in another source imports nothing.
    is_choice: &'f dyn Fn(&PythonSource) -> bool,
}

const ANY_ERROR: Failing<'static> = Failing {
    is_import_error: false,
    is_choice: &|_| false,
};

/// The least optional of some ways in which sources import a module, where those count that are imported themselves. `None`
/// if there are none.
fn least_optional<'t>(
    tree: &Tree,
    imports: impl Iterator<Item = (&'t PythonSource, PythonImport)>,
    failing: &Failing<'_>,
) -> Option<PythonImport> {
    let mut importers: Vec<&PythonSource> = Vec::new();
    let mut found = None;
    for (holder, import) in imports {
        found = Some(PythonImport::Optional);
        match import {
            PythonImport::Always if is_package(holder) => return Some(import),
            PythonImport::Always => importers.push(holder),
            PythonImport::Optional => {}
        }
    }
    let is_reached = !importers.is_empty() && is_any_reached(tree, &importers, failing);
    if is_reached {
        Some(PythonImport::Always)
    } else {
        found
    }
}

/// Whether one of some modules is imported whenever its package is: a source imports it by a statement and catches no error,
/// or has its name. That users might import it by its name is no reason, as everywhere.
fn is_any_reached(tree: &Tree, modules: &[&PythonSource], failing: &Failing<'_>) -> bool {
    let holders = holders(tree, modules.iter().copied());
    modules.iter().any(|module| {
        let mut imports = imports(module, &holders, failing.is_import_error).peekable();
        match imports.peek() {
            Some(_) => imports.any(|(_, import)| import == PythonImport::Always),
            None if (failing.is_choice)(module) && others(module, &holders).all(catches) => false,
            None => is_package(module) || others(module, &holders).next().is_some(),
        }
    })
}

/// Whether a source catches what goes wrong in an import, somewhere.
fn catches(source: &PythonSource) -> bool {
    let text = fs_err::read(&source.file).unwrap_or_default();
    let mut handlers = text.split(|byte| *byte == b'\n').filter_map(|line| {
        let line = line.trim_ascii_start();
        line.strip_prefix(b"except")
    });
    let classes: [&[u8]; 3] = [b"ImportError", b"ModuleNotFoundError", b"Exception"];
    handlers.any(|kind| {
        let mut classes = classes.iter();
        kind.trim_ascii().starts_with(b":")
            || classes.any(|class| memmem::find(kind, class).is_some())
    })
}

/// How sources import an extension module of a name by a statement, tests aside: the least optional way, and that of who
/// imports the source that does. `None` if none does.
pub(crate) fn import_of(tree: &Tree, name: &str) -> Option<PythonImport> {
    import_of_choice(tree, name, &|_| false)
}

/// The same where `is_choice` says of a source that who imports it without a statement, by its name, chooses it among
/// others and goes on without.
pub(crate) fn import_of_choice(
    tree: &Tree,
    name: &str,
    is_choice: &dyn Fn(&PythonSource) -> bool,
) -> Option<PythonImport> {
    let failing = Failing {
        is_import_error: true,
        is_choice,
    };
    let holders = holders_of(tree, &BTreeSet::from([name]));
    let holders = holders.into_values().flatten();
    let imports = holders.filter_map(|holder| Some((holder, import_in(holder, name, true)?)));
    least_optional(tree, imports, &failing)
}

/// Looks for the names of some sources in all sources.
fn holders<'t>(tree: &'t Tree, of: impl Iterator<Item = &'t PythonSource>) -> Holders<'t> {
    let wanted: BTreeSet<&'t str> = of.filter_map(|source| name(module(source))).collect();
    holders_of(tree, &wanted)
}

fn holders_of<'n, 't: 'n>(
    tree: &'t Tree,
    wanted: &BTreeSet<&'n str>,
) -> BTreeMap<&'n str, Vec<&'t PythonSource>> {
    let in_each = tree.sources.par_iter().map(|source| {
        // What cannot be read imports nothing.
        let text = fs_err::read(&source.file).unwrap_or_default();
        let words = text.split(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'));
        let words = words.filter_map(|word| str::from_utf8(word).ok());
        let found: BTreeSet<&'n str> = words.filter_map(|word| wanted.get(word).copied()).collect();
        (source, found)
    });
    let mut holders: BTreeMap<&str, Vec<&PythonSource>> = BTreeMap::new();
    for (source, words) in in_each.collect::<Vec<_>>() {
        for word in words {
            holders.entry(word).or_default().push(source);
        }
    }
    holders
}

/// The sources that the name of one stands in, but for itself.
fn others<'s, 't>(
    source: &'s PythonSource,
    holders: &'s Holders<'t>,
) -> impl Iterator<Item = &'t PythonSource> + use<'s, 't> {
    let holders = name(module(source)).and_then(|name| holders.get(name));
    let holders = holders.into_iter().flatten().copied();
    holders.filter(|holder| holder.path != source.path)
}

/// The sources that import one by a statement, and how; tests aside. `is_import_error` says whether all that goes wrong in
/// it is an `ImportError`, as of an extension module.
fn imports<'s, 't>(
    source: &'s PythonSource,
    holders: &'s Holders<'t>,
    is_import_error: bool,
) -> impl Iterator<Item = (&'t PythonSource, PythonImport)> + use<'s, 't> {
    let name = name(module(source)).unwrap_or_default();
    let raises = |text: &[u8]| memmem::find(text, b"raise ImportError").is_some();
    let raises = is_import_error || fs_err::read(&source.file).is_ok_and(|text| raises(&text));
    others(source, holders)
        .filter_map(move |holder| Some((holder, import_in(holder, name, raises)?)))
}

/// How a source imports a module of a name by a statement; `None` if it does not, or is one of tests.
fn import_in(holder: &PythonSource, name: &str, raises_import_error: bool) -> Option<PythonImport> {
    if is_test(&holder.path) {
        return None;
    }
    let text = fs_err::read(&holder.file).ok()?;
    python_import(&text, name, raises_import_error)
}

/// Whether a source is a package, which is imported with whatever lies in it, or lies in `site-packages` itself.
fn is_package(source: &PythonSource) -> bool {
    source.path.ends_with("__init__.py") || is_top(module(source))
}

/// Whether a module lies in `site-packages` itself.
fn is_top(module: &Path) -> bool {
    module.parent().is_none_or(|parent| {
        let is_site = |parent: &Path| parent.ends_with(SITE_PACKAGES);
        is_site(parent) || !parent.ancestors().any(is_site)
    })
}

/// The path of the module or package that a source is.
fn module(source: &PythonSource) -> &Path {
    let path = source.path.as_path();
    match path.parent() {
        Some(package) if path.ends_with("__init__.py") => package,
        _ => path,
    }
}

fn name(module: &Path) -> Option<&str> {
    module.file_stem().and_then(|name| name.to_str())
}

#[cfg(test)]
mod tests {
    use wheelfix_format::python_loads;

    use super::*;

    #[test]
    fn modules_for_other_systems_are_known_by_their_names() {
        let is_other = |path: &str| {
            let path = Path::new("/windows/lib/python3.11/site-packages").join(path);
            is_for_other_system(&PythonSource {
                file: path.clone(),
                path,
                loads: Vec::new(),
                unnamed_loads: Vec::new(),
            })
        };
        assert!(is_other("pyglet/libs/darwin/coreaudio.py"));
        assert!(is_other("m/_windows.py") && is_other("m/backend_win32.py"));
        assert!(!is_other("m/linux.py") && !is_other("m/darwinian.py"));
    }

    /// Sources that all open a library, in a directory.
    fn tree_of(temp: &Path, files: &[(&str, &str)]) -> Tree {
        let site = temp.join("lib/python3.11/site-packages");
        let mut tree = Tree::default();
        for (path, text) in files {
            let path = site.join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(&path, text).unwrap();
            tree.sources.push(PythonSource {
                file: path.clone(),
                path,
                loads: python_loads(b"CDLL('libx.so')"),
                unnamed_loads: Vec::new(),
            });
        }
        tree
    }

    #[test]
    fn an_import_that_may_fail_needs_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let caught = "try:\n    from . import egl\nexcept OSError:\n    pass\n";
        let files = [
            (
                "m/__init__.py",
                "from . import font\nBACKENDS = ['m.egl', 'm.dynamic']\n",
            ),
            ("m/backend.py", caught),
            ("m/qt.py", "def f():\n    from . import egl, font\n"),
            ("m/tests/all.py", "from .. import egl\n"),
            ("m/egl.py", ""),
            ("m/font.py", ""),
            ("m/dynamic.py", ""),
            ("m/io/image.py", ""),
            ("m/image.py", "from .io.image import *\n"),
            ("m/io/shape.py", ""),
            ("m/io/used.py", "from . import shape\n"),
            ("m/io/user.py", "from .used import area\n"),
        ];
        let tree = tree_of(temp.path(), &files);
        let imports = Imports::of(&tree);
        let needed = tree.sources.iter().filter(|source| imports.needs(source));
        let names: Vec<_> = needed.map(|source| source.path.file_name()).collect();
        let want = ["__init__.py", "font.py", "dynamic.py", "shape.py"];
        assert_eq!(names, want.map(|name| Some(name.as_ref())));
    }

    #[test]
    fn a_module_is_imported_by_its_name() {
        let temp = tempfile::tempdir().unwrap();
        let files = [
            ("m/__init__.py", "from . import used\n"),
            ("m/used.py", "import othertools\n"),
            ("m/tools.py", ""),
            ("m/sub/__init__.py", ""),
            ("top.py", ""),
        ];
        let tree = tree_of(temp.path(), &files);
        let imports = Imports::of(&tree);
        let imported: Vec<bool> = tree
            .sources
            .iter()
            .map(|source| imports.has(source))
            .collect();
        assert_eq!(imported, [true, true, false, false, true]);
    }
}
