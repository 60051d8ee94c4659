//! The libraries of the machine that the tests run on.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The libraries that compilers link to unasked, and zlib.
const RUNTIMES: &[&str] = &[
    "libstdc++.so.6",
    "libgcc_s.so.1",
    "libgfortran.so.5",
    "libquadmath.so.0",
    "libgomp.so.1",
    "libz.so.1",
];

/// Returns the path of the host's library with this soname, of the host's own architecture.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "asks the loader's cache")]
pub fn library(soname: &str) -> PathBuf {
    let output = Command::new("/sbin/ldconfig").arg("-p").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.trim().split_once(" => "))
        .find(|(name, _)| {
            let (this, kind) = name.split_once(' ').unwrap();
            this == soname && kind.contains("x86-64")
        })
        .map_or_else(
            || panic!("{soname} is missing: run `cargo xtask setup`"),
            |(_, path)| path.into(),
        )
}

/// Copies the host's run-time libraries of C++ and Fortran to `lib` below the directory, as a store
/// path would hold them.
#[track_caller]
pub fn copy_runtimes(prefix: &Path) {
    let lib = prefix.join("lib");
    fs_err::create_dir_all(&lib).unwrap();
    for soname in RUNTIMES {
        fs_err::copy(library(soname), lib.join(soname)).unwrap();
    }
}
