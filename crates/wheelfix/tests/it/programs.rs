//! Programs get the loader of the Python that is named, and are proved to have it: a Python of its own
//! loader, as every Python of the Nix store is.

use std::path::{Path, PathBuf};
use std::process::Command;

use wheelfix_elf::{Elf, SegmentKind};
use wheelfix_testkit::cache;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// Where programs of this machine have their loader.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// A loader in a prefix of its own, a Python that asks for it, and a program that does not.
struct Bench {
    sandbox: Sandbox,
    loader: String,
    python: String,
}

impl Bench {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let loader = sandbox.path("libc/lib/ld-linux-x86-64.so.2");
        let python = sandbox.path("python3.11");
        fs_err::create_dir_all(loader.parent().unwrap()).unwrap();
        fs_err::copy(LOADER, &loader).unwrap();
        fs_err::copy(real_python(), &python).unwrap();
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let bench = Self {
            sandbox,
            loader: text(loader),
            python: text(python),
        };
        let args = [
            "patchelf",
            "--set-interpreter",
            &bench.loader,
            &bench.python,
        ];
        assert_eq!(bench.sandbox.run(&args), "exit: 0\n");
        bench.compile("tool", &[]);
        bench
    }

    /// Compiles a program.
    fn compile(&self, name: &str, flags: &[&str]) {
        let source = self.sandbox.path("main.c");
        fs_err::write(&source, "int main(void) { return 0; }").unwrap();
        let args = [&["-o", name, "main.c"], flags].concat();
        Tool::CC.run_in(&self.sandbox.path("."), &args).expect();
    }

    fn interpreter_of(&self, name: &str) -> String {
        let args = ["patchelf", "--print-interpreter", name];
        let text = self.sandbox.run(&args);
        let text = text.strip_prefix("exit: 0\n--- stdout\n").unwrap();
        text.trim_end().replace(
            "[DIR]",
            self.sandbox
                .path("")
                .to_str()
                .unwrap()
                .trim_end_matches('/'),
        )
    }

    #[track_caller]
    fn check(&self, args: &[&str], code: i32, want: &str) {
        let text = self.sandbox.run(args);
        assert!(
            text.starts_with(&format!("exit: {code}\n")),
            "{args:?}: {text}"
        );
        assert!(text.contains(want), "{args:?}: {text}");
    }
}

/// The program behind the Python of the tests.
#[expect(clippy::disallowed_methods, reason = "asks Python where it is")]
fn real_python() -> PathBuf {
    let mut python = Command::new(cache::tool("python3"));
    let question = "import sys; print(sys._base_executable)";
    let output = python.args(["-c", question]).output().unwrap();
    let path = String::from_utf8(output.stdout).unwrap();
    fs_err::canonicalize(Path::new(path.trim_end())).unwrap()
}

#[test]
fn programs_get_the_loader_of_the_python() {
    let bench = Bench::new();
    let python = bench.python.as_str();
    // It would start here, with another loader than what it is to be used with.
    let want = format!("asks for the interpreter `{LOADER}`, which is not the one of the target");
    bench.check(&["check", "tool", "--python", python], 1, &want);
    bench.check(
        &["why", "tool", "--python", python],
        1,
        "which is not the one of the target",
    );
    bench.check(&["patch", "tool", "--python", python], 0, "1 ELF");
    assert_eq!(bench.interpreter_of("tool"), bench.loader);
    bench.check(&["check", "tool", "--python", python], 0, "");
    bench.check(
        &["why", "tool", "--python", python],
        0,
        &bench
            .loader
            .replace(bench.sandbox.path("").to_str().unwrap(), "[DIR]/"),
    );
    bench.check(&["patch", "tool", "--python", python], 0, "0 ELF");
    Tool::CC
        .run_in(&bench.sandbox.path("."), &["--version"])
        .expect();
    let status = run(&bench.sandbox.path("tool"));
    assert!(status, "it does not start");
}

#[expect(
    clippy::disallowed_methods,
    reason = "starts the program that was patched"
)]
fn run(program: &Path) -> bool {
    Command::new(program)
        .status()
        .is_ok_and(|status| status.success())
}

#[test]
fn wheels_are_installed_with_it() {
    let bench = Bench::new();
    let tool = fs_err::read(bench.sandbox.path("tool")).unwrap();
    let wheel = WheelBuilder::new("tool", "1.0")
        .platlib()
        .tags("py3-none-linux_x86_64")
        .executable("tool-1.0.data/scripts/tool", tool);
    let wheel = bench.sandbox.wheel(&wheel);
    let args = [
        "install",
        &wheel,
        "--prefix",
        "p",
        "--python",
        &bench.python,
    ];
    bench.check(&args, 0, "");
    assert_eq!(bench.interpreter_of("p/bin/tool"), bench.loader);
    let args = ["env", &wheel, "--prefix", "e", "--python", &bench.python];
    bench.check(&args, 0, "");
    assert_eq!(bench.interpreter_of("e/bin/tool"), bench.loader);
    assert!(run(&bench.sandbox.path("e/bin/tool")));
    let python = cache::tool("python3");
    let python = python.to_str().unwrap();
    let args = ["install", &wheel, "--prefix", "q", "--python", python];
    bench.check(&args, 0, "");
    assert_eq!(bench.interpreter_of("q/bin/tool"), LOADER);
    let (was, is) = (
        fs_err::read(bench.sandbox.path("tool")),
        fs_err::read(bench.sandbox.path("q/bin/tool")),
    );
    assert!(
        was.unwrap() == is.unwrap(),
        "the loader of this Python is the one that it had"
    );
}

#[test]
fn what_does_not_start_is_a_fault_without_a_python_too() {
    let bench = Bench::new();
    bench.check(&["check", "tool"], 0, "");
    bench.compile("stub", &["-static"]);
    fs_err::write(bench.sandbox.path("script"), "#!/bin/sh\n").unwrap();
    let gone = bench.sandbox.path("gone");
    for (loader, want) in [
        (gone.to_str().unwrap(), "which is not there"),
        (
            bench.sandbox.path("stub").to_str().unwrap(),
            "which is not a dynamic loader: it is linked statically",
        ),
        (
            bench.sandbox.path("script").to_str().unwrap(),
            "which is not a dynamic loader: it is not an ELF file",
        ),
        (
            "/lib/x86_64-linux-gnu/libc.so.6",
            "which is not a dynamic loader: it is another library",
        ),
    ] {
        bench.compile("lost", &[&format!("-Wl,--dynamic-linker={loader}")]);
        bench.check(&["check", "lost"], 1, want);
        bench.check(&["why", "lost"], 1, want);
        bench.check(&["patch", "lost"], 0, want);
        if loader != "/lib/x86_64-linux-gnu/libc.so.6" {
            bench.check(&["patch", "lost", "--python", &bench.python], 0, "1 ELF");
            assert!(run(&bench.sandbox.path("lost")), "{loader}");
        }
    }
}

#[test]
fn an_interpreter_that_is_none_is_refused() {
    let bench = Bench::new();
    let before = fs_err::read(bench.sandbox.path("tool")).unwrap();
    for path in ["/etc/passwd", "tool", "/lib/x86_64-linux-gnu/libc.so.6"] {
        bench.check(
            &["patch", "tool", "--interpreter", path],
            1,
            "is not a dynamic loader",
        );
        bench.check(
            &["check", "tool", "--interpreter", path],
            1,
            "is not a dynamic loader",
        );
    }
    assert!(fs_err::read(bench.sandbox.path("tool")).unwrap() == before);
}

#[test]
fn a_program_is_mended_whose_dynamic_section_the_loader_cannot_write() {
    let bench = Bench::new();
    bench.compile("made", &["-no-pie", "-Wl,-z,norelro"]);
    let made = bench.sandbox.path("made");
    let mut bytes = fs_err::read(&made).unwrap();
    let elf = Elf::read(&bytes).unwrap();
    let dynamic = elf.program_header(SegmentKind::DYNAMIC).unwrap().vaddr;
    let headers = elf.program_headers.iter();
    let index = headers.clone().position(|header| {
        header.kind == SegmentKind::LOAD
            && (header.vaddr..header.vaddr + header.memory_len).contains(&dynamic)
    });
    // `p_flags`, the second word.
    let at = usize::try_from(elf.header.program_headers_offset).unwrap() + index.unwrap() * 56 + 4;
    assert_eq!(bytes[at], 6, "read and written");
    bytes[at] = 4;
    fs_err::write(&made, &bytes).unwrap();
    assert!(!run(&made), "it starts as it is");
    let python = bench.python.as_str();
    bench.check(
        &["check", "made", "--python", python],
        1,
        "cannot be written",
    );
    bench.check(&["patch", "made", "--python", python], 0, "1 ELF");
    bench.check(&["check", "made", "--python", python], 0, "");
    assert!(run(&made), "it does not start");
}

/// The dynamic section of a program with a fixed address, half of it in a page that can be written: the loader writes
/// one entry only, the debugger's.
#[test]
fn a_fixed_program_needs_to_have_one_dynamic_entry_that_can_be_written() {
    let bench = Bench::new();
    bench.compile("made", &["-no-pie", "-Wl,-z,norelro"]);
    let made = bench.sandbox.path("made");
    let bytes = fs_err::read(&made).unwrap();
    // What PT_DYNAMIC says of it is nothing to that.
    for (after, flags, expected) in [(1, 6, 0), (0, 6, 1), (1, 4, 0), (0, 4, 1)] {
        fs_err::write(&made, with_parted_dynamic_section(&bytes, after, flags)).unwrap();
        assert_eq!(run(&made), expected == 0, "{after}");
        let text = ["", "cannot be written"][usize::from(expected == 1)];
        bench.check(&["check", "made"], expected, text);
    }
}

/// Puts the dynamic section into two pages more, of which the first can be written: the entries up to `DT_DEBUG` with
/// `after` of 1 end it, with 0 that one begins the second.
fn with_parted_dynamic_section(program: &[u8], after: usize, flags: u32) -> Vec<u8> {
    const PAGE: usize = 0x1000;
    let elf = Elf::read(program).unwrap();
    let array = &elf.dynamic.as_ref().unwrap().array;
    let debug = array.entries.iter().position(|entry| entry.tag.0 == 21);
    let start = PAGE - 16 * (debug.unwrap() + after);
    let from = usize::try_from(array.offset).unwrap();
    let mut bytes = program.to_vec();
    bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
    let (offset, vaddr) = (bytes.len() as u64, 0x80_0000_u64);
    bytes.resize(bytes.len() + start, 0);
    bytes.extend_from_slice(&program[from..from + 16 * array.capacity]);
    bytes.resize(usize::try_from(offset).unwrap() + 2 * PAGE, 0);
    let (page, start) = (PAGE as u64, start as u64);
    let mut pages = [(6_u32, offset, vaddr), (4, offset + page, vaddr + page)].into_iter();
    let mut put = |index: usize, [kind, flags]: [u32; 2], [offset, vaddr, len, align]: [u64; 4]| {
        let at = usize::try_from(elf.header.program_headers_offset).unwrap() + 56 * index;
        bytes[at..at + 4].copy_from_slice(&kind.to_le_bytes());
        bytes[at + 4..at + 8].copy_from_slice(&flags.to_le_bytes());
        for (field, value) in [offset, vaddr, vaddr, len, len, align].iter().enumerate() {
            bytes[at + 8 * (field + 1)..][..8].copy_from_slice(&value.to_le_bytes());
        }
    };
    for (index, header) in elf.program_headers.iter().enumerate() {
        match header.kind {
            SegmentKind::DYNAMIC => put(
                index,
                [2, flags],
                [offset + start, vaddr + start, header.file_len, 8],
            ),
            SegmentKind::NOTE => {
                if let Some((flags, offset, vaddr)) = pages.next() {
                    put(index, [1, flags], [offset, vaddr, page, page]);
                }
            }
            _ => {}
        }
    }
    let sections = usize::try_from(elf.header.section_headers_offset).unwrap();
    for (index, section) in elf.sections.iter().enumerate() {
        let at = sections + 64 * index;
        if section.name == ".dynamic" {
            bytes[at + 16..at + 24].copy_from_slice(&(vaddr + start).to_le_bytes());
            bytes[at + 24..at + 32].copy_from_slice(&(offset + start).to_le_bytes());
        }
    }
    bytes
}

#[test]
fn a_program_that_its_package_makes_executable_is_so_at_once() {
    let bench = Bench::new();
    let tool = fs_err::read(bench.sandbox.path("tool")).unwrap();
    let wheel = WheelBuilder::new("tool", "1.0")
        .tags("py3-none-linux_x86_64")
        .file("tool/__init__.py", "import os\nos.chmod(__file__, 0o755)\n")
        .file("tool/programs/tool", tool.clone())
        .file("other/__init__.py", "")
        .file("other/tool", tool);
    let wheel = bench.sandbox.wheel(&wheel);
    let args = [
        "install",
        &wheel,
        "--prefix",
        "p",
        "--no-bytecode",
        "--python",
        &bench.python,
    ];
    bench.check(&args, 0, "`tool/programs/tool` may be executed now");
    let site = bench.sandbox.path("p/lib/python3.11/site-packages");
    assert!(run(&site.join("tool/programs/tool")));
    assert!(!run(&site.join("other/tool")), "as the wheel has it");
}
