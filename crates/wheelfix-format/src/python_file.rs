//! Names of the files that Python looks for.

use std::ffi::OsStr;

/// Whether a file of this name is a Python source.
pub fn is_python_source(name: impl AsRef<OsStr>) -> bool {
    // Python itself looks for this ending, in this case.
    name.as_ref().as_encoded_bytes().ends_with(b".py")
}
