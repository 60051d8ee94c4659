//! The bed itself: that it is as NixOS is, and that its hundreds of libraries, which wheelfix has
//! patched to one another, load in it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use walkdir::WalkDir;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::nixos::{Bed, Lib64};

/// Standard output and standard error of a command, and whether it succeeded.
fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    (output.status.success(), text)
}

/// A program that names `/lib64/ld-linux-x86-64.so.2`, as compilers of Debian have it.
fn program(dir: &Path) -> std::path::PathBuf {
    fs_err::write(dir.join("main.c"), "int main(void) { return 0; }").unwrap();
    Tool::CC.run_in(dir, &["-o", "program", "main.c"]).expect();
    dir.join("program")
}

#[test]
fn neither_the_loader_of_programs_nor_other_libraries_are_there() {
    let bed = Bed::find();
    let dir = tempfile::tempdir().unwrap();
    let program = program(dir.path());
    let (succeeded, text) = said(&mut Command::new(&program));
    assert!(succeeded, "{text}");
    let (succeeded, text) = said(&mut bed.command(&program));
    assert!(!succeeded && text.contains("No such file"), "{text}");
    let (succeeded, text) = said(&mut bed.command_with(Lib64::Stub, &program));
    assert!(!succeeded && text.contains("the stub ran"), "{text}");

    let load = "import ctypes, sys; ctypes.CDLL(sys.argv[1])";
    let mut python = bed.command(bed.python());
    let (succeeded, text) = said(python.args(["-I", "-c", load, "libstdc++.so.6"]));
    assert!(!succeeded && text.contains("cannot open shared"), "{text}");
    let mut python = bed.command(bed.python());
    let (succeeded, text) = said(python.args(["-I", "-c", load, "libm.so.6"]));
    assert!(succeeded, "{text}");
    let import = "import ctypes, readline, sqlite3, ssl, zlib";
    let (succeeded, text) = said(bed.command(bed.python()).args(["-I", "-c", import]));
    assert!(succeeded, "{text}");
    let wheelfix = Path::new(env!("CARGO_BIN_EXE_wheelfix"));
    let (succeeded, text) = said(bed.wheelfix(wheelfix).arg("--version"));
    assert!(succeeded && text.starts_with("wheelfix "), "{text}");
}

#[test]
fn every_library_of_the_bed_loads_in_it() {
    let bed = Bed::find();
    let is_library = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.contains(".so") && path.is_file() && !path.is_symlink()
    };
    let entries = WalkDir::new(bed.store()).sort_by_file_name().into_iter();
    let files: Vec<String> = entries
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| is_library(path))
        .map(|path| path.to_str().unwrap().to_owned())
        .collect();
    assert!(500 <= files.len(), "{}", files.len());

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wheels/open_each.py");
    let mut command = bed.command(bed.python());
    command.args(["-I", script]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = command.spawn().unwrap();
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(files.join("\n").as_bytes()).unwrap();
    drop(stdin);
    let output = python.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), files.len(), "{text}");
    let failing: Vec<&str> = text
        .lines()
        .filter(|line| !line.ends_with("\tok"))
        .collect();
    // Only a debugger can load it, which defines what it calls.
    let [debugger] = failing[..] else {
        panic!("{}", failing.join("\n"));
    };
    assert!(debugger.contains("libthread_db.so.1\t"), "{debugger}");
}
