//! Files on their way to their final names.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// The beginning of the name of every file and directory on its way: nothing takes them for content.
pub const TEMPORARY: &str = ".wheelfix-";

/// How many random characters follow: so many that nobody has such a name by chance.
pub const RANDOM_LEN: usize = 16;

/// Makes a file in a directory, locked for as long as it is open: so that another process can tell it from one that a killed
/// process left.
pub fn temporary_file(directory: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .rand_bytes(RANDOM_LEN)
            .tempfile_in(directory)?;
        // Some file systems have no locks. There nothing is taken for left behind.
        file.as_file().lock().ok();
        // Before it was locked, another run may have taken it for left behind.
        if file.path().try_exists()? {
            return Ok(file);
        }
    }
}

/// Whether a file name is that of something on its way.
pub fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
}
