//! The default directories of a glibc loader, read from the loader itself.
//!
//! They are chosen when glibc is built, and nothing on the machine tells them but the loader:
//! `system_dirs` in `elf/dl-load.c` is an array of strings without gaps, each with a `/` at its end.

use std::io;
use std::path::Path;

/// Loaders are a quarter of a megabyte.
const MAX_LOADER: u64 = 16 << 20;

/// Reads the directories, in the order of the search.
///
/// A loader that does not show them searches its own directory.
pub(crate) fn system_directories(loader: &Path) -> io::Result<Vec<String>> {
    let own = || {
        let directory = loader.parent().unwrap_or(Path::new("/"));
        vec![format!("{}/", directory.display())]
    };
    if MAX_LOADER < fs_err::metadata(loader)?.len() {
        return Ok(own());
    }
    let bytes = fs_err::read(loader)?;
    Ok(find(&bytes).unwrap_or_else(own))
}

/// The first run of strings that are directories with a `/` at their end.
fn find(bytes: &[u8]) -> Option<Vec<String>> {
    let mut run = Vec::new();
    for text in bytes.split(|byte| *byte == 0) {
        let directory = directory(text);
        match directory {
            Some(directory) => run.push(directory),
            None if run.is_empty() => {}
            None => break,
        }
    }
    (!run.is_empty()).then_some(run)
}

/// A directory with a library's name for its last part: `/lib/`, `/nix/store/…-glibc-2.42/lib/`.
fn directory(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    // What stands before the first string is binary; it may end in anything.
    let graphic = text.bytes().all(|byte| byte.is_ascii_graphic());
    let shaped = text.starts_with('/') && text.ends_with('/') && text.len() > 2;
    let known = text.contains("/lib");
    (graphic && shaped && known).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_array_is_found_between_binary_data() {
        let bytes = b"\x05\0\t\0/proc/self/fd\0\x01\0/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0\0\0/lib/other/\0";
        assert_eq!(
            find(bytes).unwrap(),
            ["/lib/x86_64-linux-gnu/", "/lib/", "/usr/lib/"]
        );
        let nix = b"x\0/nix/store/aaa-glibc-2.42-61/lib/\0rest";
        assert_eq!(find(nix).unwrap(), ["/nix/store/aaa-glibc-2.42-61/lib/"]);
        assert_eq!(find(b"nothing"), None);
    }
}
