//! Names by which wheels and source distributions are known.

use std::path::Path;

use crate::sdist_filename::{SdistFilename, SdistFilenameError};

/// Whether a path ends as the names of wheels do.
pub fn is_wheel_name(path: impl AsRef<Path>) -> bool {
    path.as_ref().extension().is_some_and(|it| it == "whl")
}

/// Whether a file has one of the suffixes of source distributions.
pub fn has_sdist_name(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    !matches!(
        name.parse::<SdistFilename>(),
        Err(SdistFilenameError::Extension(_))
    )
}
