//! The input of a decision about bundled libraries.

use wheelfix_link::{LibraryIndex, LinkPlan, Rules, Tree};
use wheelfix_loader::{Place, Target};

use crate::overrides::UnbundleOptions;

/// The tree, and all that is known around it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The objects of the output.
    pub tree: &'a Tree,
    /// Where its files lie; other files than libraries are looked through for names of libraries.
    pub places: &'a [Place],
    /// The libraries that may stand in.
    pub index: &'a LibraryIndex,
    /// Facts about libraries in general.
    pub rules: &'a Rules,
    /// The plan of the linking as if nothing went: it says who uses what.
    pub link_plan: &'a LinkPlan,
    /// The choices of the user.
    pub options: &'a UnbundleOptions,
    /// The target that will load the tree. `None` if it is not known: then nothing may ask for a
    /// newer C library than the tree does already.
    pub target: Option<&'a Target>,
}
