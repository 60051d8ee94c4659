//! Damaged files: read or refused, never a panic, a huge buffer or a loop.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wheelfix_elf::fuzzing;
use wheelfix_testkit::elf::{
    Kind, Layout, Mutant, Platform, Workshop, damaged_fields, scribbled, truncated,
};

#[track_caller]
fn check(mutants: impl Iterator<Item = Mutant>) {
    let mut failures = Vec::new();
    let mut count = 0;
    for Mutant { damage, bytes } in mutants {
        count += 1;
        if catch_unwind(AssertUnwindSafe(|| fuzzing::check_read(&bytes))).is_err() {
            failures.push(damage);
        }
    }
    assert!(100 < count, "{count} mutants");
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn damaged_files_do_no_harm_when_read() {
    let workshop = Workshop::new(Platform::Glibc);
    let library = workshop.dir().join("library");
    workshop.link(Kind::Library, Layout::Lld, &library);
    let bytes = fs_err::read(&library).unwrap();
    check(damaged_fields(&bytes));
    check(truncated(&bytes));
    check(scribbled(&bytes, 20_261_121, 4000));
}
