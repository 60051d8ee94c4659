//! Libraries of an output that go, and the names by which their users need others instead.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::tree::Tree;

/// The substitutions that a plan is made with.
#[derive(Clone, Debug, Default)]
pub struct Substitutions {
    /// Final paths of the objects that go.
    pub removed: BTreeSet<PathBuf>,
    /// New names of needs, by the final path of who needs: old name, new name.
    pub renames: BTreeMap<PathBuf, Vec<(String, String)>>,
}

impl Substitutions {
    /// Whether nothing goes.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.renames.is_empty()
    }

    /// The tree as it will be: without what goes, its users with their new needs.
    pub(crate) fn carried_out<'a>(&self, tree: &'a Tree) -> Cow<'a, Tree> {
        if self.is_empty() {
            return Cow::Borrowed(tree);
        }
        Cow::Owned(tree.revised(&self.removed, |object| {
            if let Some(renames) = self.renames.get(&object.path) {
                object.rename_needs(renames);
            }
        }))
    }
}
