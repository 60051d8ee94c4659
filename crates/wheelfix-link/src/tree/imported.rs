//! Whether anything imports a Python source.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

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
    let path = source.path.with_extension("");
    let inside = path.components().rev();
    let mut inside = inside
        .map(|part| part.as_os_str().to_string_lossy())
        .take_while(|part| part != SITE_PACKAGES);
    inside.any(|part| {
        let mut words = part.split('_');
        words.any(|word| {
            OTHER_SYSTEMS
                .iter()
                .any(|system| word.eq_ignore_ascii_case(system))
        })
    })
}

/// The sources of a tree whose names stand in others.
#[derive(Debug)]
pub(crate) struct Imports {
    /// The sources that a name stands in: two at most, as one may be that of the name itself.
    holders: BTreeMap<String, Vec<PathBuf>>,
}

impl Imports {
    /// Looks for the names of all sources that open libraries in all sources.
    pub(crate) fn of(tree: &Tree) -> Self {
        let openers = tree
            .sources
            .iter()
            .filter(|source| !source.loads.is_empty() || !source.unnamed_loads.is_empty());
        let wanted: BTreeSet<&str> = openers.filter_map(|source| name(module(source))).collect();
        let in_each = tree.sources.par_iter().map(|source| {
            // What cannot be read imports nothing.
            let text = fs_err::read(&source.file).unwrap_or_default();
            let words = text.split(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'));
            let words = words.filter_map(|word| str::from_utf8(word).ok());
            let found: BTreeSet<String> = words
                .filter(|word| wanted.contains(word))
                .map(str::to_owned)
                .collect();
            (source.path.clone(), found)
        });
        let mut holders: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for (path, words) in in_each.collect::<Vec<_>>() {
            for word in words {
                let known = holders.entry(word).or_default();
                if known.len() < 2 {
                    known.push(path.clone());
                }
            }
        }
        Self { holders }
    }

    /// Whether a source may be imported by users of the output or by another source: one that lies in
    /// `site-packages` itself, the package of such a name, and one whose name stands in another source.
    pub(crate) fn has(&self, source: &PythonSource) -> bool {
        let module = module(source);
        let is_top = module.parent().is_none_or(|parent| {
            let is_site = |parent: &Path| parent.ends_with(SITE_PACKAGES);
            is_site(parent) || !parent.ancestors().any(is_site)
        });
        let holders = name(module).and_then(|name| self.holders.get(name));
        let mut holders = holders.into_iter().flatten();
        is_top || holders.any(|path| *path != source.path)
    }
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

    #[test]
    fn a_module_is_imported_by_its_name() {
        let temp = tempfile::tempdir().unwrap();
        let site = temp.path().join("lib/python3.11/site-packages");
        let files = [
            ("m/__init__.py", "from . import used\n"),
            ("m/used.py", "import othertools\n"),
            ("m/tools.py", ""),
            ("m/sub/__init__.py", ""),
            ("top.py", ""),
        ];
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
        let imports = Imports::of(&tree);
        let imported: Vec<bool> = tree
            .sources
            .iter()
            .map(|source| imports.has(source))
            .collect();
        assert_eq!(imported, [true, true, false, false, true]);
    }
}
