//! Modification times of unpacked trees: all the same.

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};
use walkdir::WalkDir;

/// 1980-01-02 00:00:00 UTC: the first day that a zip archive can state in every time zone, so that
/// wheels can be built from the tree. nixpkgs uses it for the same reason.
const MTIME: i64 = 315_619_200;

/// Gives everything below `root`, and `root` itself, the same modification time. Links are not
/// followed.
pub fn normalise_times(root: &Path) -> io::Result<()> {
    let time = Timespec {
        tv_sec: MTIME,
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    for entry in WalkDir::new(root).contents_first(true) {
        let entry = entry?;
        rustix::fs::utimensat(CWD, entry.path(), &times, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}
