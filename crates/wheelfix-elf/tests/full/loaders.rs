//! Every program of wheels that are known to have been edited before, and every library with an interpreter, with a loader
//! and a run path of the lengths that they have in a Nix store.
#![expect(clippy::disallowed_methods, reason = "runs programs of wheels")]

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use wheelfix_elf::{Elf, RunPath, SegmentKind};
use wheelfix_testkit::cache;
use wheelfix_testkit::elf::{
    Editor as _, Outcome, Platform, Request, Tool, for_each_member, list_needed, unpack_members,
};

use crate::editor::Ours;

/// A count of the files that were looked at, and their faults.
#[derive(Debug, Default)]
struct Count {
    programs: usize,
    libraries: usize,
    faults: Vec<String>,
}

#[test]
fn programs_of_wheels_get_the_loader_of_a_nix_store() {
    let dir = tempfile::tempdir().unwrap();
    let mut total = Count::default();
    let wheels = cache::environment("loaders");
    assert!(15 <= wheels.len(), "{wheels:?}");
    for wheel in wheels {
        let count = edit_all(&wheel, dir.path());
        println!(
            "{}: {} programs, {} libraries",
            wheel.file_name().unwrap().display(),
            count.programs,
            count.libraries
        );
        total.programs += count.programs;
        total.libraries += count.libraries;
        total.faults.extend(count.faults);
    }
    println!("{} programs, {} libraries", total.programs, total.libraries);
    assert!(total.faults.is_empty(), "{}", total.faults.join("\n"));
    assert!(70 <= total.programs, "{}", total.programs);
}

fn edit_all(wheel: &Path, dir: &Path) -> Count {
    let root = dir.join("wheel");
    fs_err::create_dir(&root).unwrap();
    unpack_members(wheel, &root);
    let mut with_interpreter = Vec::new();
    for_each_member(wheel, &mut |member| {
        let elf = Elf::read(&member.bytes);
        if elf.is_ok_and(|elf| elf.interpreter.is_some()) {
            with_interpreter.push(root.join(member.name));
        }
    });
    let mut count = Count::default();
    for (number, file) in with_interpreter.iter().enumerate() {
        let result = edit(file, dir, number, &mut count);
        if let Err(text) = result {
            count.faults.push(format!("{}: {text}", file.display()));
        }
    }
    fs_err::remove_dir_all(&root).unwrap();
    count
}

/// Edits a file and compares what it does with what it did before.
fn edit(file: &Path, dir: &Path, number: usize, count: &mut Count) -> Result<(), String> {
    let elf = Elf::read(&fs_err::read(file).unwrap()).map_err(|error| error.to_string())?;
    let old = match elf.dynamic.as_ref().map(|dynamic| &dynamic.run_path) {
        None => return Ok(()),
        Some(RunPath::None) => String::new(),
        Some(path) => format!(":{}", path.effective().unwrap_or_default()),
    };
    let is_program = elf.dynamic.as_ref().is_some_and(|it| it.soname.is_none());
    *if is_program {
        &mut count.programs
    } else {
        &mut count.libraries
    } += 1;
    let before = behaviour(file, is_program);
    let request = Request {
        interpreter: Some(interpreter(dir, 70 + number * 7 % 71)),
        rpath: Some(format!(
            "/nix/store/{}/lib{old}",
            "x".repeat(30 + number * 61 % 870)
        )),
        ..Request::default()
    };
    Ours.edit(file, &request)?;
    let segment = elf.program_header(SegmentKind::INTERP);
    assert!(segment.is_some(), "it has one");
    let after = behaviour(file, is_program);
    if before == after {
        Ok(())
    } else {
        Err(format!("before: {before:?}\n  after: {after:?}"))
    }
}

/// A path of a length that leads to the host's loader.
fn interpreter(dir: &Path, len: usize) -> String {
    let mut path = dir.join("i").to_str().unwrap().to_owned();
    path.extend(std::iter::repeat_n('i', len - path.len()));
    if !Path::new(&path).is_symlink() {
        symlink(Platform::Glibc.interpreter(), &path).unwrap();
    }
    path
}

/// Exit code and output of a program that is asked for its version, or whether the loader maps a library.
fn behaviour(file: &Path, is_program: bool) -> (Option<i32>, String) {
    if !is_program {
        let listed = list_needed(file).map(|_| String::new());
        return (None, listed.unwrap_or_else(|_| "refused".to_owned()));
    }
    fs_err::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(Tool::TIMEOUT.names[0]);
    command.arg("20").arg(file).arg("--version");
    command.stdin(std::process::Stdio::null()).env_clear();
    let outcome = Outcome::of(command);
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    // Where it is in memory, and which process it is, differs from run to run.
    (
        outcome.code,
        said.replace(|char: char| char.is_ascii_hexdigit(), ""),
    )
}
