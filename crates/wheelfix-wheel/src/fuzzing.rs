//! Properties that hold for any bytes: the body of the fuzz target, which tests run too.

use std::collections::BTreeSet;
use std::path::Path;

use wheelfix_archive::{Limits, ZipArchive};

use crate::{ElfOptions, OpenOptions, Placement, Wheel};

/// Larger members would only make the fuzzer slow.
const MAX_LEN: u64 = 1 << 20;

/// Bytes that are accepted as a wheel can be inspected, and every file has a place of its own.
pub fn check_wheel(bytes: &[u8]) {
    let Ok(archive) = ZipArchive::from_bytes(bytes.to_vec(), &Limits::default()) else {
        return;
    };
    if archive.members().iter().any(|member| MAX_LEN < member.len) {
        return;
    }
    let path = Path::new("demo-1.0-py3-none-any.whl");
    let Ok(wheel) = Wheel::from_archive(path, archive, &OpenOptions::default()) else {
        return;
    };
    wheel.verify_contents();
    wheel.contents_lint();
    wheel.python_loads();
    wheel.tag_check(&wheel.elf_members(ElfOptions { contents: true }));
    let mut places = BTreeSet::new();
    for member in wheel.members() {
        if let Placement::File { scheme, path } = member.placement {
            let scheme = if scheme.is_site() {
                "site"
            } else {
                scheme.name()
            };
            assert!(
                places.insert((scheme, path.as_str())),
                "two files go to one place"
            );
        }
    }
}
