//! The messages of `wheelfix patchelf` about files that it cannot edit, and that stay as they are.

use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use wheelfix_testkit::elf::{Bad, Kind, Layout, Outcome, Platform, Tool, Toolchain};

/// Runs the program in the directory of a toolchain and returns its exit code and its output.
#[expect(clippy::disallowed_methods, reason = "runs the program under test")]
fn run(toolchain: &Toolchain, args: &[&str]) -> String {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wheelfix"));
    command.arg("patchelf").args(args);
    command.current_dir(toolchain.dir()).env_clear();
    let outcome = Outcome::of(command);
    let mut text = format!("exit: {}\n", outcome.code.unwrap());
    write!(text, "{}{}", outcome.stdout, outcome.stderr).unwrap();
    text
}

fn state(path: &Path) -> Option<(Vec<u8>, u64, u32, i64, i64)> {
    let metadata = fs_err::symlink_metadata(path).ok()?;
    let bytes = if metadata.is_file() {
        fs_err::read(path).unwrap()
    } else {
        Vec::new()
    };
    let (seconds, nanoseconds) = (metadata.ctime(), metadata.ctime_nsec());
    Some((bytes, metadata.ino(), metadata.mode(), seconds, nanoseconds))
}

#[track_caller]
fn check(bad: Bad, want: &str) {
    let toolchain = Toolchain::new(Platform::Glibc);
    let path = bad.make(&toolchain);
    let before = state(&path);
    let rpath = format!("/{}", "x".repeat(400));
    let want = format!("exit: 1\npatchelf: {want}\n");
    assert_eq!(run(&toolchain, &["--set-rpath", &rpath, "subject"]), want);
    let args = ["--set-rpath", &rpath, "--output", "out", "subject"];
    assert_eq!(run(&toolchain, &args), want, "with an output");
    assert!(!toolchain.dir().join("out").try_exists().unwrap());
    assert!(state(&path) == before, "{bad:?} was touched");
}

#[test]
fn a_text() {
    check(
        Bad::NotElf,
        "subject: not an ELF file: expected the bytes 7f 45 4c 46 at 0x0, got: `23 21 2f 62`",
    );
}

#[test]
fn an_empty_file() {
    check(
        Bad::Empty,
        "subject: not an ELF file: expected the bytes 7f 45 4c 46 at 0x0, got: ``",
    );
}

#[test]
fn a_static_program() {
    check(
        Bad::Static,
        "subject: the file is not linked dynamically: it has no PT_DYNAMIC",
    );
}

#[test]
fn a_core_file() {
    check(
        Bad::Core,
        "subject: e_type at 0x10: expected a program or a shared library, got: `core`",
    );
}

#[test]
fn a_separate_debug_file_stays_as_it_is() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let path = Bad::DebugFile.make(&toolchain);
    let before = state(&path);
    for args in [
        &["--set-rpath", "/x", "subject"][..],
        &["--add-needed", "libz.so.1", "subject"],
        &["--shrink-rpath", "subject"],
        &["--print-rpath", "subject"],
    ] {
        assert_eq!(run(&toolchain, args), "exit: 0\n", "{args:?}");
    }
    assert!(state(&path) == before);
}

#[test]
fn a_library_whose_hash_table_was_stripped_is_edited() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let path = toolchain.dir().join("subject");
    toolchain.link(Kind::Library, Layout::Default, &path);
    let args = ["--remove-section=.gnu.hash", path.to_str().unwrap()];
    Tool::OBJCOPY.run(&args).expect();
    let edit = ["--set-rpath", "/x", "--add-needed", "libz.so.1", "subject"];
    assert_eq!(run(&toolchain, &edit), "exit: 0\n");
    let print = ["--print-rpath", "--print-needed", "subject"];
    assert!(run(&toolchain, &print).starts_with("exit: 0\n/x\nlibz.so.1\n"));
}

#[test]
fn an_object() {
    check(
        Bad::Object,
        "subject: e_type at 0x10: expected a program or a shared library, got: `relocatable`",
    );
}

#[test]
fn overlapping_segments() {
    check(
        Bad::OverlappingSegments,
        "subject: PT_LOAD 1 at address 0x2000 begins before the one before it ends, at 0x2010",
    );
}

#[test]
fn overlapping_tables() {
    check(
        Bad::OverlappingTables,
        "subject: the string table of 1345 bytes at 0xa40 reaches into the section at 0xe82",
    );
}

#[test]
fn unmapped_strings() {
    check(
        Bad::UnmappedStrings,
        "subject: DT_STRTAB: 1089 bytes at address 0x10000000000 are not loaded from the file",
    );
}

#[test]
fn unmapped_symbols() {
    check(
        Bad::UnmappedSymbols,
        "subject: DT_SYMTAB: 1704 bytes at address 0x10000000000 are not loaded from the file",
    );
}

#[test]
fn a_string_outside_of_the_table() {
    check(
        Bad::StringOutside,
        "subject: DT_NEEDED: string offset 0x442 is outside of the string table of 1089 bytes at 0xa40",
    );
}

#[test]
fn four_billion_sections() {
    check(
        Bad::ManySections,
        "subject: section headers at 0xf2e0 has 4294967296 entries, more than the limit of 1048576",
    );
}

#[test]
fn four_billion_program_headers() {
    check(
        Bad::ManyProgramHeaders,
        "subject: program headers at 0x40 has 65535 entries, more than the limit of 65534",
    );
}

#[test]
fn a_segment_longer_than_the_file() {
    check(
        Bad::LongSegment,
        "subject: PT_LOAD 3 needs the file up to 0x40005d4c, but it ends at 0xfce0",
    );
}

#[test]
fn a_device() {
    check(
        Bad::Device,
        "subject: expected a regular file, got a device",
    );
}

#[test]
fn a_directory() {
    check(
        Bad::Directory,
        "subject: expected a regular file, got a directory",
    );
}

#[test]
fn a_pipe() {
    check(Bad::Pipe, "subject: expected a regular file, got a pipe");
}

#[test]
fn a_dangling_link() {
    check(
        Bad::DanglingLink,
        "getting info about 'subject': No such file or directory",
    );
}

#[test]
fn a_missing_file() {
    check(
        Bad::Missing,
        "getting info about 'subject': No such file or directory",
    );
}

#[test]
fn all_faults_of_several_files_are_told() {
    let toolchain = Toolchain::new(Platform::Glibc);
    Bad::Core.make(&toolchain);
    toolchain.link(
        Kind::Library,
        Layout::Default,
        &toolchain.dir().join("good"),
    );
    let text = run(
        &toolchain,
        &["--set-rpath", "/found", "subject", "good", "missing"],
    );
    let want = "exit: 1
patchelf: subject: e_type at 0x10: expected a program or a shared library, got: `core`
patchelf: getting info about 'missing': No such file or directory
";
    assert_eq!(text, want);
    assert_eq!(
        run(&toolchain, &["--print-rpath", "good"]),
        "exit: 0\n/found\n"
    );
}

#[test]
fn a_file_that_is_truncated_anywhere() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let whole = toolchain.dir().join("whole");
    toolchain.link(Kind::Library, Layout::Default, &whole);
    let bytes = fs_err::read(&whole).unwrap();
    let path = toolchain.dir().join("subject");
    for part in 0..50 {
        fs_err::write(&path, &bytes[..bytes.len() * part / 50]).unwrap();
        let before = state(&path);
        let text = run(&toolchain, &["--set-rpath", "/somewhere/else", "subject"]);
        let named = text.starts_with("exit: 1\npatchelf: subject: ") && text.contains("0x");
        assert!(named, "{part} of 50: {text}");
        assert!(state(&path) == before, "{part} of 50: touched");
    }
}

#[test]
fn a_file_that_may_not_be_written_keeps_its_mode() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let path = toolchain.dir().join("subject");
    toolchain.link(Kind::Library, Layout::Default, &path);
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    assert_eq!(
        run(&toolchain, &["--set-rpath", "/new", "subject"]),
        "exit: 0\n"
    );
    assert_eq!(
        run(&toolchain, &["--print-rpath", "subject"]),
        "exit: 0\n/new\n"
    );
    assert_eq!(fs_err::metadata(&path).unwrap().mode() & 0o777, 0o444);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "mounts a small file system")]
fn a_full_disk_leaves_the_file_as_it_was() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let path = toolchain.dir().join("subject");
    toolchain.link(Kind::Library, Layout::Default, &path);
    fs_err::create_dir(toolchain.dir().join("disk")).unwrap();
    let program = env!("CARGO_BIN_EXE_wheelfix");
    // A mount of its own name space, so that nothing is left of it. The file leaves less than a page.
    let script = format!(
        "mount -t tmpfs -o size=1m none disk || exit 99
        cp subject disk/ && {{ head -c 2m /dev/zero > disk/filler; }} 2>&-
        {program} patchelf --set-rpath /$(printf %08000d 0) disk/subject
        echo exit: $?
        {program} patchelf --set-rpath /$(printf %08000d 0) --output disk/out disk/subject
        echo exit: $?
        cmp subject disk/subject && ls -A disk"
    );
    let output = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .current_dir(toolchain.dir())
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stdout, "exit: 1\nexit: 1\nfiller\nsubject\n", "{stderr}");
    assert_eq!(
        stderr.matches("No space left on device").count(),
        2,
        "{stderr}"
    );
    assert!(stderr.contains("the file was restored"), "{stderr}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "sets a limit")]
fn a_limit_of_file_lengths_leaves_the_file_as_it_was() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let path = toolchain.dir().join("subject");
    toolchain.link(Kind::Library, Layout::Default, &path);
    let before = state(&path).unwrap().0;
    let program = env!("CARGO_BIN_EXE_wheelfix");
    // In blocks of 512 bytes: no byte can be added, and nothing be written behind the first blocks.
    for blocks in [1, 8, 64, before.len() / 512] {
        let script = format!(
            "ulimit -f {blocks}; exec {program} patchelf --set-rpath /$(printf %08000d 0) subject"
        );
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &script]).current_dir(toolchain.dir());
        let outcome = Outcome::of(command);
        assert_ne!(outcome.code, Some(0), "{blocks} blocks");
        assert!(
            fs_err::read(&path).unwrap() == before,
            "{blocks} blocks: {outcome}"
        );
    }
}

#[test]
fn a_file_that_is_named_twice_is_edited_twice() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let path = toolchain.dir().join("subject");
    toolchain.link(Kind::Library, Layout::Default, &path);
    fs_err::hard_link(&path, toolchain.dir().join("link")).unwrap();
    let args = ["--add-needed", "libm.so.6", "subject", "link", "subject"];
    assert_eq!(run(&toolchain, &args), "exit: 0\n");
    for name in ["subject", "link"] {
        let text = run(&toolchain, &["--print-needed", name]);
        assert_eq!(text.matches("libm.so.6\n").count(), 1, "{name}: {text}");
    }
}
