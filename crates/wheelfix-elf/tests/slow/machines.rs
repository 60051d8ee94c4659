//! Files of other machines: 32 and 64 bits, both byte orders.

use wheelfix_elf::fuzzing;
use wheelfix_testkit::elf::{
    Cross, Kind, Layout, Platform, Workshop, damaged_fields, scribbled, truncated,
};

use crate::opinion::compare;

#[test]
fn files_of_other_machines_are_read_as_others_read_them() {
    for cross in &Cross::ALL {
        let workshop = Workshop::new(Platform::Cross(cross));
        let probe = workshop.dir().join("probe");
        for kind in Kind::ALL {
            workshop.link(kind, Layout::Lld, &probe);
            compare(&fs_err::read(&probe).unwrap());
        }
        let bytes = fs_err::read(workshop.libraries().join("libdep.so.1")).unwrap();
        let mutants = damaged_fields(&bytes).chain(truncated(&bytes));
        for mutant in mutants.chain(scribbled(&bytes, 1, 500)) {
            fuzzing::check_read(&mutant.bytes);
        }
    }
}
