//! A prefix with the run-time libraries of C++ and Fortran, as a store path would hold them.

use std::path::Path;

use crate::failure::Result;
use crate::libraries;

/// The libraries that compilers link to unasked, and zlib.
const SONAMES: &[&str] = &[
    "libstdc++.so.6",
    "libgcc_s.so.1",
    "libgfortran.so.5",
    "libquadmath.so.0",
    "libgomp.so.1",
    "libz.so.1",
];

/// Copies the host's libraries to `lib` below the new directory.
pub(crate) fn copy_to(prefix: &Path) -> Result {
    let lib = prefix.join("lib");
    fs_err::create_dir_all(&lib)?;
    let cached = libraries::cached()?;
    for soname in SONAMES {
        let host = cached.get(*soname).ok_or_else(|| {
            format!("the loader's cache has no {soname}: run `cargo xtask setup`")
        })?;
        fs_err::copy(host, lib.join(soname))?;
    }
    Ok(())
}
