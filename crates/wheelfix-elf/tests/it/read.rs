//! Files of this machine are read as other readers read them.

use wheelfix_testkit::elf::{Kind, Platform, Toolchain};

use crate::opinion::compare;

#[test]
fn other_readers_read_the_same() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let probe = toolchain.dir().join("probe");
    for layout in Platform::Glibc.layouts() {
        for kind in Kind::ALL {
            toolchain.link(kind, layout, &probe);
            compare(&fs_err::read(&probe).unwrap());
        }
    }
}
