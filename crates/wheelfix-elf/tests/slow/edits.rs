//! Edits of damaged files, and of damaged files of other machines.

use wheelfix_elf::fuzzing;
use wheelfix_testkit::elf::{
    Cross, Kind, Layout, Platform, Toolchain, damaged_fields, scribbled, truncated,
};

use crate::damage::{check, subject};

#[test]
fn edits_of_damaged_files_do_no_harm() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let bytes = subject(&toolchain, Kind::Library, Layout::Lld);
    check(damaged_fields(&bytes), fuzzing::check_edit);
    check(truncated(&bytes), fuzzing::check_edit);
    check(scribbled(&bytes, 20_261_122, 1000), fuzzing::check_edit);
}

#[test]
fn edits_of_damaged_files_of_other_machines_do_no_harm() {
    for cross in &Cross::ALL {
        let toolchain = Toolchain::new(Platform::Cross(cross));
        let bytes = subject(&toolchain, Kind::Pie, Layout::Lld);
        check(damaged_fields(&bytes).step_by(19), fuzzing::check_edit);
        check(scribbled(&bytes, 20_261_123, 200), fuzzing::check_edit);
    }
}
