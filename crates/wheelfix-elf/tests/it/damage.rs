//! Damaged files: read and edited, or refused; never a panic, a huge buffer or a loop.

use std::panic::catch_unwind;

use wheelfix_elf::fuzzing;
use wheelfix_testkit::elf::{
    Image, Kind, Layout, Mutant, Platform, Stripper, Toolchain, damaged_fields, scribbled,
    segment_type, tag, truncated,
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
pub(crate) fn subject(toolchain: &Toolchain, kind: Kind, layout: Layout) -> Vec<u8> {
    let [linked, stripped] = ["linked", "stripped"].map(|name| toolchain.dir().join(name));
    toolchain.link(kind, layout, &linked);
    Stripper::LlvmStrip.strip(&linked, &stripped).unwrap();
    fs_err::read(&stripped).unwrap()
}

#[test]
fn damaged_files_do_no_harm() {
    let toolchain = Toolchain::new(Platform::Glibc);
    for (kind, layout) in [
        (Kind::Library, Layout::Lld),
        (Kind::Pie, Layout::NoSeparateCode),
    ] {
        let bytes = subject(&toolchain, kind, layout);
        check(damaged_fields(&bytes), fuzzing::check_read);
        check(truncated(&bytes), fuzzing::check_read);
        check(scribbled(&bytes, 20_261_121, 2000), fuzzing::check_read);
        check(damaged_fields(&bytes), fuzzing::check_load);
        check(scribbled(&bytes, 20_261_130, 500), fuzzing::check_load);
        check(damaged_fields(&bytes).step_by(23), fuzzing::check_edit);
    }
}

/// Found by fuzzing: the end of a string table behind the largest number.
#[test]
fn a_string_table_that_ends_nowhere_is_refused() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let bytes = subject(&toolchain, Kind::Library, Layout::Lld);
    let image = Image::parse(&bytes).unwrap();
    let dynamic = image.segments_of(segment_type::DYNAMIC).next().unwrap();
    let entries = (dynamic.offset..).step_by(16);
    let entry = |tag| {
        let found = entries.clone().find(|at| image.word(*at) == Some(tag));
        usize::try_from(found.unwrap()).unwrap()
    };
    // The segment that has the table, and the table: as long as can be.
    let strings = image.word(entry(tag::STRTAB) as u64 + 8).unwrap();
    let mut longest = bytes.clone();
    let loads = image.segments.iter().zip(0..);
    for (_, index) in
        loads.filter(|(load, _)| load.kind == segment_type::LOAD && load.vaddr <= strings)
    {
        let at = usize::try_from(image.phoff).unwrap() + index * 56;
        longest[at + 32..at + 48].fill(0xff);
    }
    for len in [u64::MAX, u64::MAX - 1, u64::MAX - 0x1000] {
        let at = entry(tag::STRSZ);
        longest[at + 8..at + 16].copy_from_slice(&len.to_le_bytes());
        let needed = entry(tag::NEEDED);
        longest[needed + 8..needed + 16].copy_from_slice(&(len - 1).to_le_bytes());
        fuzzing::check_read(&longest);
        assert!(wheelfix_elf::Elf::read(&longest).is_err(), "{len:#x}");
    }
}
