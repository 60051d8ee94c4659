//! Files that linker scripts and `objcopy` make: no dynamic section, notes in unusual places, program headers of a script's
//! making. patchelf edits them, and so do we.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wheelfix_elf::load::{LoaderKind, refusal};
use wheelfix_elf::{Elf, NeededEdit, Request, patch_file, verify};
use wheelfix_testkit::elf::{Image, Platform, Segment, Stripper, Tool, list_needed, segment_type};

/// A program without a C library that ends with a code.
fn exits_with(code: u8) -> String {
    format!(
        "void _start(void) {{ __asm__ volatile(\"mov $60, %eax; mov ${code}, %edi; syscall\"); }}\n"
    )
}

/// Makes a linker write a `PT_INTERP` where it would not.
const INTERPRETER: &str = "__asm__(\".section .interp,\\\"a\\\"\\n.asciz \\\"/lib64/ld-linux-x86-64.so.2\\\"\\n.text\");\n";

struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs_err::write(self.path(name), text).unwrap();
    }

    fn link(&self, args: &[&str]) {
        Tool::CC.run_in(self.dir.path(), args).expect();
    }

    /// An interpreter of a length that ends every program with the code 7.
    fn interpreter(&self, len: usize) -> String {
        self.write("loader.c", &exits_with(7));
        self.link(&["-nostdlib", "-static", "-o", "loader", "loader.c"]);
        let mut path = self.path("l").to_str().unwrap().to_owned();
        path.extend(std::iter::repeat_n('l', len.saturating_sub(path.len())));
        if !Path::new(&path).is_symlink() {
            std::os::unix::fs::symlink("loader", &path).unwrap();
        }
        path
    }
}

fn interpreter(path: &str) -> Request {
    Request {
        interpreter: Some(path.to_owned()),
        ..Request::default()
    }
}

/// Sets interpreters of several lengths, one after the other, and strips the file each time.
#[track_caller]
fn check_interpreters(place: &Place, program: &Path) {
    let known = verify(&fs_err::read(program).unwrap()).unwrap().len();
    let stripped = place.path("stripped");
    for len in [140, 60, 100, 250] {
        let path = place.interpreter(len);
        let outcome = patch_file(program, &interpreter(&path)).unwrap();
        let bytes = fs_err::read(program).unwrap();
        let elf = Elf::read(&bytes).unwrap();
        assert_eq!(elf.interpreter.as_deref(), Some(path.as_str()));
        let broken = verify(&bytes).unwrap();
        assert!(broken.len() <= known, "{len}: {broken:?}");
        let outcome_of = |file: &Path| Tool::run_path(file).code;
        assert_eq!(outcome_of(program), Some(7), "{len}");
        if outcome.plan.warnings.is_empty() {
            for stripper in Stripper::all(Platform::Glibc) {
                stripper.strip(program, &stripped).unwrap();
                assert_eq!(outcome_of(&stripped), Some(7), "{len}, {stripper:?}");
            }
        }
        let again = patch_file(program, &interpreter(&path)).unwrap();
        assert!(again.plan.is_noop());
    }
}

#[test]
fn programs_with_an_interpreter_and_no_dynamic_section() {
    let place = Place::new();
    place.write("m.c", &format!("{INTERPRETER}{}", exits_with(3)));
    for linker in ["-fuse-ld=bfd", "-fuse-ld=gold", "-fuse-ld=lld"] {
        let fixed = ["-static", "-no-pie", "-fno-pie"];
        let args = ["-O1", "-nostdlib", linker, "-o", "program", "m.c"];
        place.link(&[&args[..], &fixed].concat());
        let program = place.path("program");
        let elf = Elf::read(&fs_err::read(&program).unwrap()).unwrap();
        assert!(
            elf.dynamic.is_none() && elf.interpreter.is_some(),
            "{linker}"
        );
        check_interpreters(&place, &program);
        // What no loader would look at is not asked for in vain.
        let error = patch_file(&program, &Request::set_run_path("/x")).unwrap_err();
        let want = "the file is not linked dynamically: it has no PT_DYNAMIC";
        assert_eq!(error.to_string(), want);
    }
}

const NOTES: &str = "
.section .note.one, \"a\", %note
.align 4
.long 1f - 0f, 3f - 2f, 1
0: .asciz \"a-version-12345\"
1: .align 4
2: .long 1
3: .align 4
.section .note.two, \"a\", %note
.align 8
.long 1f - 0f, 3f - 2f, 1
0: .asciz \"a-version-1\"
1: .align 4
2: .long 1
3: .align 4
.section .note.GNU-stack, \"\", %progbits
";

/// Notes of two alignments one behind the other, in one segment, with a `PT_DYNAMIC` that nothing is put into.
const NOTES_SCRIPT: &str = "
PHDRS {
  headers PT_PHDR PHDRS; notes PT_NOTE; text PT_LOAD FILEHDR PHDRS; data PT_LOAD;
  interp PT_INTERP; dynamic PT_DYNAMIC;
}
SECTIONS {
  . = SIZEOF_HEADERS;
  . = ALIGN(4);
  .note.one : { *(.note.one) } :notes :text
  .note.two : { *(.note.two) } :notes :text
  .interp : { *(.interp) } :text :interp
  .text : { *(.text) } :text
  .rodata : { *(.rodata) }
  .data : { *(.data) } :data
}
";

#[test]
fn notes_one_behind_the_other() {
    let place = Place::new();
    place.write("notes.s", NOTES);
    place.write("notes.ld", NOTES_SCRIPT);
    let loader = ["-pie", "-Wl,--dynamic-linker=/lib/ld.so", "-Wl,-T,notes.ld"];
    // A note of the linker's own would come to lie in `PT_INTERP`.
    let args = ["-nostdlib", "-Wl,--build-id=none", "-o", "program"];
    place.link(&[&args[..], &loader, &["notes.s"]].concat());
    let program = place.path("program");
    let notes = || {
        let file = program.to_str().unwrap();
        Tool::READELF.run(&["-nW", file]).success().unwrap()
    };
    let before = notes();
    assert!(before.contains("a-version-12345"), "{before}");
    let path = place.interpreter(120);
    patch_file(&program, &interpreter(&path)).unwrap();
    let elf = Elf::read(&fs_err::read(&program).unwrap()).unwrap();
    assert_eq!(elf.interpreter, Some(path));
    assert_eq!(notes(), before);
}

/// Links a program with the notes and a build-id, and returns it.
fn link_notes(place: &Place, script: &str, args: &[&str]) -> PathBuf {
    place.write("notes.s", NOTES);
    place.write("notes.ld", script);
    let common = ["-nostdlib", "-Wl,--build-id=sha1", "-Wl,-T,notes.ld"];
    place.link(&[&common[..], args, &["-o", "program", "notes.s"]].concat());
    place.path("program")
}

/// The notes that `readelf` finds by the sections.
fn notes(program: &Path) -> String {
    let args = ["-nW", program.to_str().unwrap()];
    Tool::READELF.run(&args).success().unwrap()
}

/// Sets interpreters that fit the old place and that do not; the notes stay, and the program starts.
#[track_caller]
fn check_notes(place: &Place, program: &Path) {
    let before = notes(program);
    assert!(before.contains("NT_GNU_BUILD_ID"), "{before}");
    assert!(before.contains("a-version-12345"), "{before}");
    for len in [0, 140, 60] {
        let path = place.interpreter(len);
        patch_file(program, &interpreter(&path)).unwrap();
        let elf = Elf::read(&fs_err::read(program).unwrap()).unwrap();
        assert_eq!(elf.interpreter, Some(path));
        assert_eq!(notes(program), before, "{len}");
        assert_eq!(Tool::run_path(program).code, Some(7), "{len}");
    }
}

/// As with the test `contiguous-note-sections` of patchelf: the kernel takes the build-id for the name, until one is set.
#[test]
fn a_build_id_before_the_interpreter_in_its_segment() {
    for len in [10, 90] {
        let place = Place::new();
        let loader = format!("-Wl,--dynamic-linker=/{}", "l".repeat(len));
        let program = link_notes(&place, NOTES_SCRIPT, &["-pie", &loader]);
        let elf = Elf::read(&fs_err::read(&program).unwrap()).unwrap();
        assert_eq!(elf.interpreter.as_deref(), Some("\u{4}"));
        check_notes(&place, &program);
    }
}

/// The kernel starts such a program if the last byte is zero.
#[test]
fn a_note_behind_the_interpreter_in_its_segment() {
    let interp = "  .interp : { *(.interp) } :text :interp\n";
    let first = "  .note.one :";
    let script = NOTES_SCRIPT.replace(interp, "");
    let script = script.replace(
        first,
        &format!("  .note.gnu.build-id : {{ *(.note.gnu.build-id) }} :text\n{interp}{first}"),
    );
    let script = script.replace("(.note.one) } :notes", "(.note.one) } :interp");
    let place = Place::new();
    let loader = format!("-Wl,--dynamic-linker={}", place.interpreter(40));
    let program = link_notes(&place, &script, &["-pie", &loader]);
    assert_eq!(Tool::run_path(&program).code, Some(7));
    check_notes(&place, &program);
}

#[test]
fn a_build_id_where_the_interpreter_should_be() {
    let place = Place::new();
    let program = link_notes(&place, NOTES_SCRIPT, &["-no-pie", "-static"]);
    let before = fs_err::read(&program).unwrap();
    let error = patch_file(&program, &interpreter("/l")).unwrap_err();
    let want = "PT_INTERP at 0x1cc: expected the interpreter's name alone, got: 36 bytes with the section \
        `.note.gnu.build-id`";
    assert_eq!(error.to_string(), want);
    assert_eq!(fs_err::read(&program).unwrap(), before);
}

#[test]
fn notes_of_two_alignments_and_an_empty_one() {
    let place = Place::new();
    place.write("notes.s", NOTES);
    place.write("m.c", "int main(void) { return 3; }\n");
    place.link(&["-pie", "-fPIE", "-o", "program", "m.c", "notes.s"]);
    let flags = ["--set-section-flags", ".note.empty=alloc,readonly,contents"];
    let add = [
        "--add-section",
        ".note.empty=empty",
        "program",
        "with-empty",
    ];
    place.write("empty", "");
    let args = [&flags[..], &add].concat();
    Tool::OBJCOPY.run_in(place.dir.path(), &args).expect();
    for name in ["program", "with-empty"] {
        let program = place.path(name);
        if name == "with-empty" {
            let bytes = fs_err::read(&program).unwrap();
            let image = Image::parse(&bytes).unwrap();
            assert_eq!(image.section(".note.empty").unwrap().size, 0);
        }
        assert_eq!(Tool::run_path(&program).code, Some(3));
        patch_file(&program, &Request::set_run_path("x".repeat(700))).unwrap();
        assert_eq!(Tool::run_path(&program).code, Some(3));
        check_interpreters(&place, &program);
    }
}

/// `PT_PHDR` at an address that differs from the offset.
const HEADERS_SCRIPT: &str = "
PHDRS { headers PT_PHDR PHDRS; text PT_LOAD FILEHDR PHDRS; interp PT_INTERP; dynamic PT_DYNAMIC; }
SECTIONS {
  . = 0x1000 + SIZEOF_HEADERS;
  .interp : { *(.interp) } :text :interp
  .dynamic : { *(.dynamic) } :text :dynamic
  .text : { *(.text) } :text
}
";

#[test]
fn program_headers_that_a_script_asks_for() {
    let place = Place::new();
    place.write("headers.ld", HEADERS_SCRIPT);
    place.write(
        "without.ld",
        &HEADERS_SCRIPT
            .replace("dynamic PT_DYNAMIC;", "")
            .replace(":dynamic", ""),
    );
    place.write(
        "m.c",
        &format!("{INTERPRETER}int f(void) {{ return 3; }}\n"),
    );
    let link = |script: &str| {
        let script = format!("-Wl,-T,{script}");
        let args = [
            "-nostdlib",
            "-shared",
            "-fPIC",
            "-Wl,--no-warn-rwx-segments",
        ];
        place.link(&[&args[..], &[&script, "-o", "library", "m.c"]].concat());
    };
    link("headers.ld");
    let library = place.path("library");
    for len in [20, 300, 4000] {
        patch_file(&library, &Request::set_run_path("x".repeat(len))).unwrap();
        let bytes = fs_err::read(&library).unwrap();
        let image = Image::parse(&bytes).unwrap();
        let headers = image.segments.iter();
        let mut headers = headers.filter(|segment| segment.kind == segment_type::PHDR);
        let header = headers.next().unwrap();
        assert!(headers.next().is_none(), "{len}: two of them");
        let load = image
            .loads()
            .find(|load| load.offset <= image.phoff)
            .unwrap();
        assert_eq!(header.offset, image.phoff);
        assert_eq!(header.vaddr, load.vaddr + (image.phoff - load.offset));
        list_needed(&library).unwrap();
    }
    // A dynamic section that no program header names is for no loader: patchelf sets a path there.
    link("without.ld");
    let error = patch_file(&library, &Request::set_run_path("/x")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the file is not linked dynamically: it has no PT_DYNAMIC"
    );
}

/// The room that the linker left for more entries lies in no page.
const SPARE_SCRIPT: &str = "SECTIONS {
    . = SIZEOF_HEADERS;
    .hash : { *(.hash) } .gnu.hash : { *(.gnu.hash) } .dynsym : { *(.dynsym) } .dynstr : { *(.dynstr) }
    .rela.dyn : { *(.rela*) } .text : { *(.text*) } .eh_frame : { *(.eh_frame) }
    . = ALIGN(0x1000) + 0xe00;
    .dynamic : { *(.dynamic) }
}
";

/// Old editors move segments and leave the dynamic section behind the end of its own, whose last page it shares.
#[test]
fn a_dynamic_section_that_ends_behind_its_pages() {
    let place = Place::new();
    place.write("spare.ld", SPARE_SCRIPT);
    place.write("m.c", "int f(void) { return 3; }\n");
    place.write("main.c", "int f(void); int main(void) { return f(); }\n");
    let spare = "-Wl,--spare-dynamic-tags=40,-T,spare.ld,--no-warn-rwx-segments";
    place.link(&[
        "-nostdlib",
        "-shared",
        "-fPIC",
        spare,
        "-o",
        "libm3.so",
        "m.c",
    ]);
    let run_path = format!("-Wl,-rpath,{}", place.path("").display());
    place.link(&["-o", "program", "main.c", &run_path, "-L.", "-lm3"]);
    let (library, program) = (place.path("libm3.so"), place.path("program"));
    let mut bytes = fs_err::read(&library).unwrap();
    let image = Image::parse(&bytes).unwrap();
    let dynamic = image.segments_of(segment_type::DYNAMIC).next().unwrap();
    let is_load =
        |segment: &&Segment| segment.kind == segment_type::LOAD && segment.vaddr == dynamic.vaddr;
    assert!(
        dynamic.vaddr % 0x1000 + dynamic.filesz > 0x1000,
        "{dynamic:?}"
    );
    let index = image.segments.iter().position(|segment| is_load(&segment));
    let header = image.phoff + index.unwrap() as u64 * image.segment_entry_size();
    // `p_filesz` and `p_memsz`.
    let sizes = usize::try_from(header).unwrap() + 32;
    bytes[sizes..sizes + 16].copy_from_slice(&[8_u64.to_le_bytes(), 8_u64.to_le_bytes()].concat());
    fs_err::write(&library, &bytes).unwrap();
    assert_eq!(Tool::run_path(&program).code, Some(3));
    let run_path = Request::set_run_path(place.path("").to_str().unwrap().to_owned());
    patch_file(&library, &run_path).unwrap();
    for name in (1..40).map(|count| format!("lib{count}.so")) {
        place.link(&["-nostdlib", "-shared", "-fPIC", "-o", &name, "m.c"]);
        let request = Request {
            needed: vec![NeededEdit::Append(name.clone())],
            ..Request::default()
        };
        patch_file(&library, &request).unwrap();
        assert_eq!(Tool::run_path(&program).code, Some(3), "{name}");
        let bytes = fs_err::read(&library).unwrap();
        let elf = Elf::read(&bytes).unwrap();
        let refusal = refusal(&elf, bytes.as_slice(), LoaderKind::Glibc);
        assert!(refusal.is_none(), "{name}: {refusal:?}");
        let needed = list_needed(&library).unwrap();
        assert!(needed.contains(&name), "{name}: {needed:?}");
    }
}

/// The name slides up with the notes there, to make room for a program header.
#[test]
fn a_shorter_interpreter_beside_a_search_path_that_grows() {
    let place = Place::new();
    place.write("m.c", "int main(void) { return 3; }\n");
    for linker in ["-fuse-ld=bfd", "-fuse-ld=gold", "-fuse-ld=lld"] {
        for kind in ["-pie", "-no-pie"] {
            let old = format!("-Wl,--dynamic-linker=/{}", "l".repeat(100));
            place.link(&[linker, kind, "-fPIE", &old, "-o", "program", "m.c"]);
            let program = place.path("program");
            let path = place.interpreter(60);
            let request = Request {
                interpreter: Some(path.clone()),
                ..Request::set_run_path("x".repeat(500))
            };
            patch_file(&program, &request).unwrap();
            let elf = Elf::read(&fs_err::read(&program).unwrap()).unwrap();
            assert_eq!(elf.interpreter, Some(path), "{linker} {kind}");
            assert_eq!(Tool::run_path(&program).code, Some(7), "{linker} {kind}");
        }
    }
}
