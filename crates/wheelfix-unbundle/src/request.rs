//! What a decision about bundled libraries depends on.

use wheelfix_relocate::{LibraryIndex, Place, PlanOptions, Rules, Target, Tree};

use crate::wish::UnbundleOptions;

/// The tree, and all that is known around it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The objects of the output.
    pub tree: &'a Tree,
    /// Where its files lie; other files than libraries are looked through for names of libraries.
    pub places: &'a [Place],
    /// The libraries that may stand in.
    pub index: &'a LibraryIndex,
    /// What is known of libraries in general.
    pub rules: &'a Rules,
    /// How the relocation is planned that follows.
    pub relocation: &'a PlanOptions,
    /// What the user decides.
    pub options: &'a UnbundleOptions,
    /// What will load the tree. `None` if it is not known: then nothing may ask for a newer C library
    /// than the tree does already.
    pub target: Option<&'a Target>,
}
