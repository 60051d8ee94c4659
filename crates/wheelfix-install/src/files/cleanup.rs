//! Files that nixpkgs' hooks remove after an installation: decided beforehand, so that they are
//! neither written nor compiled nor in RECORD.
//!
//! <https://github.com/NixOS/nixpkgs/tree/master/pkgs/development/interpreters/python/hooks>

use std::collections::BTreeSet;

use crate::layout::Layout;

/// Files to leave out, by the options of nixpkgs' hooks.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Cleanup {
    /// Packages that are namespaces by PEP 420, like `google.cloud`: neither they nor their parents
    /// keep an `__init__.py`. As `pythonNamespaces`.
    pub namespaces: Vec<String>,
    /// Whether `*-nspkg.pth` files stay where namespaces are made. As `dontRemovePth`.
    pub keep_namespace_pth: bool,
    /// Whether `tests` and `test` at the top of `site-packages` go. As `pythonRemoveTestsDirHook`.
    pub tests: bool,
    /// Whether bytecode in `bin` goes. As `pythonRemoveBinBytecodeHook`.
    pub bin_bytecode: bool,
}

/// A [`Cleanup`] at work on the files of a prefix.
#[derive(Debug)]
pub(crate) struct Cleaner<'a> {
    cleanup: &'a Cleanup,
    /// `site-packages` with a slash at its end.
    site: String,
    /// The directory of each namespace, with a slash at its end; in the order of the names.
    namespaces: Vec<String>,
    /// Positions of the namespaces in which none of the files seen lies.
    unused: BTreeSet<usize>,
}

impl<'a> Cleaner<'a> {
    pub(crate) fn new(cleanup: &'a Cleanup, layout: &Layout) -> Self {
        let directory = |name: &String| format!("{}/", name.replace('.', "/"));
        Self {
            cleanup,
            site: format!("{}/", layout.site_packages()),
            namespaces: cleanup.namespaces.iter().map(directory).collect(),
            unused: (0..cleanup.namespaces.len()).collect(),
        }
    }

    /// Whether a file goes; its path is relative to the prefix.
    pub(crate) fn removes(&mut self, path: &str) -> bool {
        let Some(path) = path.strip_prefix(&self.site) else {
            return self.cleanup.bin_bytecode && is_bin_bytecode(path);
        };
        let namespaces = &self.namespaces;
        self.unused.retain(|index| {
            let is_in = namespaces
                .get(*index)
                .is_some_and(|it| path.starts_with(it));
            !is_in
        });
        let is_test = ["tests/", "test/"].iter().any(|dir| path.starts_with(dir));
        (self.cleanup.tests && is_test) || self.is_namespace_init(path) || self.is_nspkg(path)
    }

    /// Namespaces that nothing was seen in.
    pub(crate) fn unused(&self) -> impl Iterator<Item = &'a str> {
        let names = &self.cleanup.namespaces;
        let unused = self.unused.iter().filter_map(|index| names.get(*index));
        unused.map(String::as_str)
    }

    /// Whether a path of `site-packages` is the module of a namespace or of one of its parents.
    fn is_namespace_init(&self, path: &str) -> bool {
        path.strip_suffix("__init__.py").is_some_and(|package| {
            package.ends_with('/') && self.namespaces.iter().any(|it| it.starts_with(package))
        })
    }

    /// Whether a path of `site-packages` is what `setuptools` wrote for a namespace.
    ///
    /// The hook looks for it below the parent of each package in the name; the first parent is
    /// `site-packages` itself.
    fn is_nspkg(&self, path: &str) -> bool {
        !self.cleanup.keep_namespace_pth
            && !self.namespaces.is_empty()
            && path.strip_suffix("-nspkg.pth").is_some()
    }
}

fn is_bin_bytecode(path: &str) -> bool {
    let name = path.strip_prefix("bin/");
    name.is_some_and(|name| name.strip_suffix(".pyc").is_some() || name.starts_with("__pycache__/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [&str; 10] = [
        "bin/a.pyc",
        "bin/tool",
        "lib/python3.11/site-packages/google/__init__.py",
        "lib/python3.11/site-packages/google/cloud/__init__.py",
        "lib/python3.11/site-packages/google/cloud/x/__init__.py",
        "lib/python3.11/site-packages/google_x/__init__.py",
        "lib/python3.11/site-packages/google-nspkg.pth",
        "lib/python3.11/site-packages/tests/a.py",
        "lib/python3.11/site-packages/testsuite/a.py",
        "lib/python3.11/site-packages/x/tests/a.py",
    ];

    #[track_caller]
    fn check(cleanup: &Cleanup, want: &[usize], want_unused: &[&str]) {
        let layout = Layout::new("3.11".parse().unwrap());
        let mut cleaner = Cleaner::new(cleanup, &layout);
        let removed: Vec<&str> = FILES.into_iter().filter(|it| cleaner.removes(it)).collect();
        let want: Vec<&str> = want.iter().map(|index| FILES[*index]).collect();
        assert_eq!(removed, want);
        assert_eq!(cleaner.unused().collect::<Vec<_>>(), want_unused);
    }

    #[test]
    fn what_the_hooks_remove_is_left_out() {
        let mut cleanup = Cleanup::default();
        check(&cleanup, &[], &[]);
        cleanup.tests = true;
        check(&cleanup, &[7], &[]);
        cleanup.bin_bytecode = true;
        check(&cleanup, &[0, 7], &[]);
    }

    #[test]
    fn namespaces_keep_no_module() {
        let mut cleanup = Cleanup {
            namespaces: vec!["google.cloud".to_owned(), "azure".to_owned()],
            ..Cleanup::default()
        };
        check(&cleanup, &[2, 3, 6], &["azure"]);
        cleanup.keep_namespace_pth = true;
        check(&cleanup, &[2, 3], &["azure"]);
    }
}
