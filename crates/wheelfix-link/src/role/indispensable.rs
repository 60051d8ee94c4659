//! Objects that cannot be left out: without them a package is not imported, or its distribution has no use.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wheelfix_format::PythonImport;
use wheelfix_loader::Object;

use crate::fault::Fault;
use crate::role::accelerated::is_opened;
use crate::role::{Closure, module_of};
use crate::tree::Tree;
use crate::tree::imported::{Imports, import_of};
use crate::tree::python_module::module_name;
use crate::tree::site::Owners;

/// Notes on faults that what would have to be left out cannot be.
pub(crate) fn keep(faults: &mut [Fault], tree: &Tree) {
    let mut users = None;
    for (paths, is_kept) in faults.iter_mut().filter_map(Fault::left_out) {
        let users = users.get_or_insert_with(|| Users::of(tree));
        *is_kept = users.need(&paths);
    }
}

/// All that may be imported or opened.
struct Users<'t> {
    tree: &'t Tree,
    /// The modules with their names, those that are damaged or for other machines included.
    modules: Vec<(&'t Path, &'t str)>,
    /// The objects that a source opens whenever it is imported.
    opened: Vec<&'t Object>,
    owners: Owners,
    closure: Closure<'t>,
    /// To look for imports reads all sources.
    imports: OnceCell<Imports<'t>>,
}

impl<'t> Users<'t> {
    fn of(tree: &'t Tree) -> Self {
        let opened = tree.objects().filter(|object| is_opened(tree, object));
        Self {
            tree,
            modules: modules(tree),
            opened: opened.collect(),
            owners: Owners::of(tree.objects()),
            closure: Closure::new(tree),
            imports: OnceCell::new(),
        }
    }

    fn imports(&self) -> &Imports<'t> {
        self.imports.get_or_init(|| Imports::of(self.tree))
    }

    /// Whether one of these files is a source that something may import, the only module of a distribution, is imported or opened by a source whenever that is
    /// imported itself, or is needed by such an object.
    fn need(&self, paths: &BTreeSet<PathBuf>) -> bool {
        let mut sources = self.tree.sources.iter();
        if sources.any(|source| paths.contains(&source.path) && self.imports().has(source)) {
            return true;
        }
        let leads = |object: &&'t Object| {
            let next = |object: &Object| self.closure.needed(object);
            !self.closure.of(vec![*object], next).is_disjoint(paths)
        };
        let is_user =
            |path: &Path| paths.contains(path) || self.tree.get(path).is_some_and(|it| leads(&it));
        let mut users = self.modules.iter().filter(|(path, _)| is_user(path));
        // To look for imports reads all sources.
        self.opened.iter().any(leads)
            || users.clone().any(|(path, _)| self.is_only(path))
            || users.any(|(_, name)| import_of(self.tree, name) == Some(PythonImport::Always))
    }

    fn is_only(&self, module: &Path) -> bool {
        let mut others = self.modules.iter().filter(|(other, _)| *other != module);
        !others.any(|(other, _)| self.owners.share(other, module))
    }
}

fn modules(tree: &Tree) -> Vec<(&Path, &str)> {
    let sound = tree.objects();
    let sound = sound.filter_map(|object| Some((object.path.as_path(), module_of(object)?)));
    let damaged = tree.unreadable.iter().map(|file| file.path.as_path());
    let skipped = tree.skipped.iter().filter(|skipped| skipped.is_imported);
    let others = damaged.chain(skipped.map(|skipped| skipped.path.as_path()));
    let others = others.filter_map(|path| Some((path, module_name(path, None)?)));
    sound.chain(others).collect()
}
