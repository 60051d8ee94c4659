//! The prefix to which wheels are added.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wheelfix_link::Tree;
use wheelfix_loader::Place;
use wheelfix_wheel::Wheel;

use crate::atomic::left_over::scan_clean;
use crate::atomic::staging::Staging;
use crate::files::Files;
use crate::install::InstallRequest;
use crate::layout::Layout;
use crate::pipeline::error::LinkError;

/// Whether a prefix has a RECORD of each wheel: then it may have all that is to be added.
pub(crate) fn are_recorded(wheels: &[Wheel], layout: &Layout, prefix: &Path) -> bool {
    let site_packages = prefix.join(layout.site_packages());
    let record = |wheel: &Wheel| site_packages.join(wheel.dist_info()).join("RECORD");
    wheels.iter().all(|wheel| record(wheel).is_file())
}

/// The files of a prefix to which something is added, but for those that are to be added.
pub(crate) fn beside(
    request: &InstallRequest,
    staging: &Staging,
    planned: &Files<'_>,
) -> Result<Tree, LinkError> {
    let prefix = staging.prefix();
    if !request.merge || request.libraries.is_none() || !prefix.is_dir() {
        return Ok(Tree::default());
    }
    let tree = scan_clean(&[Place::fixed(prefix.to_owned())], Tree::scan_all)?;
    let added = planned.list.iter().map(|file| prefix.join(&file.path));
    let added: BTreeSet<PathBuf> = added.collect();
    let mut tree = tree.revised(&added, |_| {});
    tree.sources.retain(|it| !added.contains(&it.path));
    tree.skipped.retain(|it| !added.contains(&it.path));
    tree.unreadable.retain(|it| !added.contains(&it.path));
    tree.data.retain(|it| !added.contains(&it.path));
    Ok(tree)
}
