//! Whether anything imports a Python source.

use std::path::Path;

use memchr::memmem;
use rayon::prelude::*;

use crate::site::SITE_PACKAGES;
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

/// Whether a source of a tree may be imported by its users or by another source: one that lies in `site-packages`
/// itself, the package of such a name, and one whose name stands in another source.
pub(crate) fn is_imported(source: &PythonSource, tree: &Tree) -> bool {
    let path = source.path.as_path();
    let module = if path.ends_with("__init__.py") {
        path.parent().unwrap_or(path)
    } else {
        path
    };
    let is_top = module.parent().is_none_or(|parent| {
        let is_site = |parent: &Path| parent.ends_with(SITE_PACKAGES);
        is_site(parent) || !parent.ancestors().any(is_site)
    });
    let Some(name) = module.file_stem().and_then(|name| name.to_str()) else {
        return true;
    };
    let finder = memmem::Finder::new(name);
    is_top
        || tree.sources.par_iter().any(|other| {
            // What cannot be read may have it.
            let text = fs_err::read(&other.file);
            other.path != path && text.map_or(true, |text| has_word(&text, &finder, name.len()))
        })
}

/// Whether a text has a name that is not a part of another one.
fn has_word(text: &[u8], finder: &memmem::Finder<'_>, len: usize) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    finder.find_iter(text).any(|at| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        !before.is_some_and(is_of_name) && !text.get(at + len).is_some_and(is_of_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_for_other_systems_are_known_by_their_names() {
        let is_other = |path: &str| {
            let path = Path::new("/windows/lib/python3.11/site-packages").join(path);
            is_for_other_system(&PythonSource {
                file: path.clone(),
                path,
                loads: Vec::new(),
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
                loads: Vec::new(),
            });
        }
        let imported: Vec<bool> = tree
            .sources
            .iter()
            .map(|source| is_imported(source, &tree))
            .collect();
        assert_eq!(imported, [true, true, false, false, true]);
    }
}
