//! Where files lie, and where they will be used.

use std::path::{Path, PathBuf};

/// A directory tree that lies elsewhere now than where it will be used: the staging directory of an
/// installation, and the prefix that it will become. The same path twice for a tree in its place.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where the files lie now.
    pub on_disk: PathBuf,
    /// Where they will be used: absolute.
    pub used_at: PathBuf,
}

impl Place {
    /// A tree that lies where it is used.
    pub fn fixed(path: PathBuf) -> Self {
        Self {
            on_disk: path.clone(),
            used_at: path,
        }
    }

    /// The final path of a file of the tree.
    pub fn used(&self, file: &Path) -> PathBuf {
        match file.strip_prefix(&self.on_disk) {
            // Joining an empty path would add a `/` at the end.
            Ok(inside) if inside.as_os_str().is_empty() => self.used_at.clone(),
            Ok(inside) => self.used_at.join(inside),
            Err(_) => file.to_path_buf(),
        }
    }
}
