//! Who uses which library of the tree, as the relocation resolves it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wheelfix_link::{LinkPlan, Satisfied, Tree};

/// The needs within a tree. All paths are final ones of objects, links followed.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// By library and user: the names by which the user needs it.
    users: BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>,
    /// By library: who opens it while it runs.
    openers: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    /// By library outside of the tree: its path, and who needs it by which name.
    outside: BTreeMap<PathBuf, BTreeMap<PathBuf, String>>,
    /// The objects that the relocation does not leave out.
    objects: BTreeSet<PathBuf>,
}

impl Graph {
    /// The graph of a tree whose relocation is planned.
    pub(crate) fn of(tree: &Tree, plan: &LinkPlan) -> Self {
        let mut graph = Self::default();
        for object in &plan.objects {
            graph.objects.insert(object.path.clone());
            for need in &object.needed {
                if let Some(library) = in_tree(tree, &need.by) {
                    let users = graph.users.entry(library).or_default();
                    let names = users.entry(object.path.clone()).or_default();
                    names.insert(need.soname.clone());
                } else if let Satisfied::Library { path, .. } = &need.by {
                    let users = graph.outside.entry(path.clone()).or_default();
                    users.insert(object.path.clone(), need.soname.clone());
                }
            }
            for open in &object.dlopen {
                if let Some(library) = in_tree(tree, &open.by) {
                    let openers = graph.openers.entry(library).or_default();
                    openers.insert(object.path.clone());
                }
            }
        }
        graph
    }

    /// Whether the object stays in the output as far as the relocation goes.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.objects.contains(path)
    }

    /// Those that need the library, with the names by which they do.
    pub(crate) fn users(&self, library: &Path) -> impl Iterator<Item = (&Path, &BTreeSet<String>)> {
        let users = self.users.get(library).into_iter().flatten();
        users.map(|(user, names)| (user.as_path(), names))
    }

    /// The libraries outside of the tree, with those that need them and the names by which they do.
    pub(crate) fn outside(&self) -> impl Iterator<Item = (&Path, &BTreeMap<PathBuf, String>)> {
        let outside = self.outside.iter();
        outside.map(|(library, users)| (library.as_path(), users))
    }

    /// Those that open the library while they run.
    pub(crate) fn openers(&self, library: &Path) -> impl Iterator<Item = &Path> {
        let openers = self.openers.get(library).into_iter().flatten();
        openers.map(PathBuf::as_path)
    }

    /// The names by which `user` needs `library`.
    pub(crate) fn names(&self, user: &Path, library: &Path) -> Option<&BTreeSet<String>> {
        self.users.get(library)?.get(user)
    }

    /// All that load the library, directly or through others, itself left out.
    pub(crate) fn loaders(&self, library: &Path) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut pending = vec![library.to_path_buf()];
        while let Some(next) = pending.pop() {
            for (user, _) in self.users(&next) {
                if user != library && found.insert(user.to_path_buf()) {
                    pending.push(user.to_path_buf());
                }
            }
        }
        found
    }
}

fn in_tree(tree: &Tree, by: &Satisfied) -> Option<PathBuf> {
    match by {
        Satisfied::Output { path } => Some(tree.get(path)?.path.clone()),
        _ => None,
    }
}
