//! Damaged files: read and edited, or refused; never a panic, a huge buffer or a loop.

use std::panic::catch_unwind;

use wheelfix_elf::fuzzing;
use wheelfix_testkit::elf::{
    Kind, Layout, Mutant, Platform, Stripper, Workshop, damaged_fields, scribbled, truncated,
};

/// Runs a check on damaged files and names those that it fails for.
#[track_caller]
pub(crate) fn check(mutants: impl Iterator<Item = Mutant>, body: fn(&[u8])) {
    let mut failures = Vec::new();
    let mut count = 0;
    for Mutant { damage, bytes } in mutants {
        count += 1;
        if catch_unwind(|| body(&bytes)).is_err() {
            failures.push(damage);
        }
    }
    assert!(100 < count, "{count} mutants");
    assert!(failures.is_empty(), "{failures:#?}");
}

/// A stripped probe.
pub(crate) fn subject(workshop: &Workshop, kind: Kind, layout: Layout) -> Vec<u8> {
    let [linked, stripped] = ["linked", "stripped"].map(|name| workshop.dir().join(name));
    workshop.link(kind, layout, &linked);
    Stripper::LlvmStrip.strip(&linked, &stripped).unwrap();
    fs_err::read(&stripped).unwrap()
}

#[test]
fn damaged_files_do_no_harm() {
    let workshop = Workshop::new(Platform::Glibc);
    for (kind, layout) in [
        (Kind::Library, Layout::Lld),
        (Kind::Pie, Layout::NoSeparateCode),
    ] {
        let bytes = subject(&workshop, kind, layout);
        check(damaged_fields(&bytes), fuzzing::check_read);
        check(truncated(&bytes), fuzzing::check_read);
        check(scribbled(&bytes, 20_261_121, 2000), fuzzing::check_read);
        check(damaged_fields(&bytes).step_by(23), fuzzing::check_edit);
    }
}
