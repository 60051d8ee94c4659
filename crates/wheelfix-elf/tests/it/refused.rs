//! Files that cannot be edited are refused with the place and the reason, and stay as they are.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use wheelfix_elf::{Elf, FileSource, PatchError, Request, RunPath, patch_file, patch_file_to};
use wheelfix_testkit::elf::{Bad, Image, Kind, Layout, Platform, Toolchain};

/// An edit for which every file would have to grow.
fn request() -> Request {
    Request::set_run_path(format!("/{}", "x".repeat(400)))
}

/// All that must not change of a file, if there is one: its bytes and what `stat` says of it.
fn state(path: &Path) -> Option<(Vec<u8>, [u64; 4], [i64; 4])> {
    let metadata = fs_err::symlink_metadata(path).ok()?;
    let bytes = if metadata.is_file() {
        fs_err::read(path).unwrap()
    } else {
        Vec::new()
    };
    let identity = [
        metadata.ino(),
        metadata.nlink(),
        metadata.mode().into(),
        metadata.len(),
    ];
    let times = [
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    ];
    Some((bytes, identity, times))
}

/// The error without the directory of the test.
fn text(error: &PatchError, toolchain: &Toolchain) -> String {
    error
        .to_string()
        .replace(toolchain.dir().to_str().unwrap(), "[DIR]")
}

#[track_caller]
fn check(bad: Bad, want: &str) {
    let toolchain = Toolchain::new(Platform::Glibc);
    let path = bad.make(&toolchain);
    let names = || -> Vec<_> {
        let entries = fs_err::read_dir(toolchain.dir()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = (state(&path), names());
    let error = patch_file(&path, &request()).unwrap_err();
    assert_eq!(text(&error, &toolchain), want);
    let output = toolchain.dir().join("output");
    let error = patch_file_to(&path, &output, &request()).unwrap_err();
    assert_eq!(text(&error, &toolchain), want, "with an output");
    assert!((state(&path), names()) == before, "{bad:?} was touched");
}

#[test]
fn a_text() {
    check(
        Bad::NotElf,
        "not an ELF file: expected the bytes 7f 45 4c 46 at 0x0, got: `23 21 2f 62`",
    );
}

#[test]
fn an_empty_file() {
    check(
        Bad::Empty,
        "not an ELF file: expected the bytes 7f 45 4c 46 at 0x0, got: ``",
    );
}

#[test]
fn a_static_program() {
    check(
        Bad::Static,
        "the file is not linked dynamically: it has no PT_DYNAMIC",
    );
}

#[test]
fn a_search_path_of_a_static_program_that_relocates_itself() {
    check(
        Bad::StaticPie,
        "the file is a static program, which relocates itself and does not start with a search path",
    );
}

#[test]
fn the_loader() {
    check(
        Bad::Loader,
        "the file is glibc's dynamic loader, which relocates itself and does not start after an edit of its dynamic section",
    );
}

#[test]
fn a_core_file() {
    check(
        Bad::Core,
        "e_type at 0x10: expected a program or a shared library, got: `core`",
    );
}

#[test]
fn a_separate_debug_file() {
    check(
        Bad::DebugFile,
        "the file holds separate debug information, its dynamic section has no bytes",
    );
}

#[test]
fn an_object() {
    check(
        Bad::Object,
        "e_type at 0x10: expected a program or a shared library, got: `relocatable`",
    );
}

#[test]
fn overlapping_segments() {
    check(
        Bad::OverlappingSegments,
        "PT_LOAD 1 at address 0x2000 begins before the one before it ends, at 0x2010",
    );
}

#[test]
fn overlapping_tables() {
    check(
        Bad::OverlappingTables,
        "the string table of 1345 bytes at 0xa40 reaches into the section at 0xe82",
    );
}

#[test]
fn unmapped_strings() {
    check(
        Bad::UnmappedStrings,
        "DT_STRTAB: 1089 bytes at address 0x10000000000 are not loaded from the file",
    );
}

#[test]
fn unmapped_symbols() {
    check(
        Bad::UnmappedSymbols,
        "DT_SYMTAB: 1704 bytes at address 0x10000000000 are not loaded from the file",
    );
}

#[test]
fn a_string_outside_of_the_table() {
    check(
        Bad::StringOutside,
        "DT_NEEDED: string offset 0x442 is outside of the string table of 1089 bytes at 0xa40",
    );
}

#[test]
fn four_billion_sections() {
    check(
        Bad::ManySections,
        "section headers at 0xf2e0 has 4294967296 entries, more than the limit of 1048576",
    );
}

#[test]
fn four_billion_program_headers() {
    check(
        Bad::ManyProgramHeaders,
        "program headers at 0x40 has 65535 entries, more than the limit of 65534",
    );
}

#[test]
fn a_segment_longer_than_the_file() {
    check(
        Bad::LongSegment,
        "PT_LOAD 3 needs the file up to 0x40005d4c, but it ends at 0xfce0",
    );
}

#[test]
fn a_device() {
    check(Bad::Device, "expected a regular file, got a device");
}

#[test]
fn a_directory() {
    check(Bad::Directory, "expected a regular file, got a directory");
}

#[test]
fn a_pipe() {
    check(Bad::Pipe, "expected a regular file, got a pipe");
}

#[test]
fn a_dangling_link() {
    check(
        Bad::DanglingLink,
        "failed to query resolved metadata `[DIR]/subject`: No such file or directory (os error 2)",
    );
}

#[test]
fn a_missing_file() {
    check(
        Bad::Missing,
        "failed to query resolved metadata `[DIR]/subject`: No such file or directory (os error 2)",
    );
}

/// Offsets just before, at and just behind the ends of everything in a file, and at each fiftieth of it.
fn lengths(image: &Image<'_>) -> Vec<usize> {
    let mut ends = vec![
        64,
        image.pht_end(),
        image.shoff,
        image.shoff + 64 * image.shnum,
    ];
    for segment in &image.segments {
        ends.extend([segment.offset, segment.offset + segment.filesz]);
    }
    for section in image.sections.iter().filter(|section| section.has_bytes()) {
        ends.extend([section.offset, section.offset + section.size]);
    }
    let around = ends
        .iter()
        .flat_map(|end| [end.saturating_sub(1), *end, end + 1]);
    let parts = (0..50).map(|part| image.len() * part / 50);
    let mut lengths: Vec<u64> = around.chain(parts).collect();
    lengths.retain(|len| *len < image.len());
    lengths.sort_unstable();
    lengths.dedup();
    lengths
        .into_iter()
        .map(|len| usize::try_from(len).unwrap())
        .collect()
}

#[test]
fn a_truncated_file() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let whole = toolchain.dir().join("whole");
    toolchain.link(Kind::Library, Layout::Default, &whole);
    let bytes = fs_err::read(&whole).unwrap();
    let lengths = lengths(&Image::parse(&bytes).unwrap());
    assert!(150 < lengths.len(), "{}", lengths.len());
    let path = toolchain.dir().join("truncated");
    for len in lengths {
        fs_err::write(&path, &bytes[..len]).unwrap();
        let before = state(&path);
        let error = patch_file(&path, &request()).unwrap_err().to_string();
        // All that a file of this length lacks is named by offset and length.
        assert!(error.contains("0x"), "{len} bytes: {error}");
        assert!(state(&path) == before, "{len} bytes: touched");
    }
}

#[test]
fn a_file_without_section_headers_is_edited() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let path = toolchain.dir().join("library");
    toolchain.link(Kind::Library, Layout::Default, &path);
    let mut bytes = fs_err::read(&path).unwrap();
    bytes[40..48].fill(0);
    bytes[58..64].fill(0);
    fs_err::write(&path, &bytes).unwrap();
    patch_file(&path, &request()).unwrap();
    let elf = Elf::read(&FileSource::open(&path).unwrap()).unwrap();
    let RunPath::Runpath { path: run_path } = elf.dynamic.unwrap().run_path else {
        panic!("no run path");
    };
    assert_eq!(run_path.len(), 401);
    toolchain
        .run(
            Kind::Library,
            &path,
            &wheelfix_testkit::elf::Request::default(),
        )
        .unwrap();
}
