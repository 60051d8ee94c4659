//! Files of this machine are read as other readers read them.

use wheelfix_testkit::elf::{Kind, Platform, Workshop};

use crate::opinion::compare;

#[test]
fn other_readers_read_the_same() {
    let workshop = Workshop::new(Platform::Glibc);
    let probe = workshop.dir().join("probe");
    for layout in Platform::Glibc.layouts() {
        for kind in Kind::ALL {
            workshop.link(kind, layout, &probe);
            compare(&fs_err::read(&probe).unwrap());
        }
    }
}
