//! The links of an environment, for a script that makes nothing else.

use std::fmt::Write as _;
use std::path::Path;

use walkdir::WalkDir;

use crate::failure::Result;

/// Makes links that are all decided.
pub(super) const SCRIPT: &str = include_str!("links.pl");

/// The directories and links of an environment, in the form that the script reads.
pub(super) fn list(root: &Path) -> Result<String> {
    let mut list = String::new();
    for entry in WalkDir::new(root).min_depth(1).sort_by_file_name() {
        let entry = entry.map_err(|error| error.to_string())?;
        let path = entry.path().strip_prefix(root).unwrap_or(root).display();
        if entry.file_type().is_symlink() {
            let target = fs_err::read_link(entry.path())?;
            writeln!(list, "{path}\t{}", target.display()).map_err(|error| error.to_string())?;
        } else if entry.file_type().is_dir() {
            writeln!(list, "{path}").map_err(|error| error.to_string())?;
        }
    }
    Ok(list)
}
