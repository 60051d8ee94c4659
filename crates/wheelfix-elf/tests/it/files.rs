//! The effect of an edit on the names, the mode and other properties of a file.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{XattrFlags, getxattr, setxattr};
use wheelfix_elf::{
    ApplyError, Data, Elf, FileEdit, FileSource, Method, PatchError, Plan, Request, Warning, Write,
    patch_file, patch_file_to, plan_file,
};
use wheelfix_testkit::elf::{Edit, Kind, Layout, Platform, Toolchain};

use crate::editor::request;

fn long() -> Request {
    Request::set_run_path(format!("/{}", "x".repeat(400)))
}

fn run_path(path: &Path) -> Option<String> {
    let elf = Elf::read(&FileSource::open(path).unwrap()).unwrap();
    elf.dynamic.unwrap().run_path.effective().map(str::to_owned)
}

/// A toolchain with a library.
fn library() -> (Toolchain, PathBuf) {
    let toolchain = Toolchain::new(Platform::Glibc);
    let path = toolchain.dir().join("library");
    toolchain.link(Kind::Library, Layout::Default, &path);
    (toolchain, path)
}

fn set_mode(path: &Path, mode: u32) {
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs_err::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn an_edit_is_taken_back_by_the_bytes_that_were_kept() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let path = toolchain.dir().join("subject");
    for (kind, layout) in [
        (Kind::Library, Layout::Default),
        (Kind::Pie, Layout::NoSeparateCode),
    ] {
        toolchain.link(kind, layout, &path);
        set_mode(&path, 0o555);
        let (before, state) = (
            fs_err::read(&path).unwrap(),
            fs_err::metadata(&path).unwrap(),
        );
        let edit = FileEdit::plan(&path, &request(&toolchain.request(Edit::All, kind))).unwrap();
        let original = edit.original(&path).unwrap();
        assert!(original.bytes.len() < before.len());
        edit.apply(&path).unwrap();
        assert_ne!(fs_err::read(&path).unwrap(), before);
        // The second time it is broken off in the middle, with another mode.
        for _ in 0..2 {
            original.restore(&path).unwrap();
            assert_eq!(fs_err::read(&path).unwrap(), before);
            let now = fs_err::metadata(&path).unwrap();
            assert_eq!(now.modified().unwrap(), state.modified().unwrap());
            assert_eq!(now.mode(), state.mode());
            set_mode(&path, 0o755);
            let mut half = edit.as_plan().clone();
            half.writes.truncate(half.writes.len() / 2);
            half.new_len = half.old_len;
            let mut options = fs_err::OpenOptions::new();
            let file = options.read(true).write(true).open(&path).unwrap();
            drop(half.apply(&file).unwrap());
        }
    }
}

#[test]
fn a_failing_write_anywhere_leaves_the_file_as_it_was() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let path = toolchain.dir().join("subject");
    let mut steps = 0;
    for (kind, layout) in [
        (Kind::Library, Layout::Default),
        (Kind::Library, Layout::Lld),
        (Kind::Pie, Layout::NoSeparateCode),
        (Kind::FixedProgram, Layout::Default),
    ] {
        toolchain.link(kind, layout, &path);
        let before = fs_err::read(&path).unwrap();
        let plan = plan_file(&path, &request(&toolchain.request(Edit::All, kind))).unwrap();
        for step in 0..=plan.writes.len() {
            let mut failing = plan.clone();
            // No file is that long, on any file system.
            let write = Write {
                offset: i64::MAX.unsigned_abs() - 10,
                what: "something impossible",
                data: Data::Bytes(vec![1]),
            };
            failing.writes.insert(step, write);
            let error = apply(&failing, &path).unwrap_err();
            assert!(
                matches!(
                    error,
                    ApplyError::Write {
                        what: "something impossible",
                        ..
                    }
                ),
                "{error}"
            );
            assert!(
                fs_err::read(&path).unwrap() == before,
                "step {step} of {plan}"
            );
            steps += 1;
        }
        // A length that no file can have fails after all writes.
        let mut failing = plan.clone();
        failing.new_len = i64::MAX.unsigned_abs();
        apply(&failing, &path).unwrap_err();
        assert!(fs_err::read(&path).unwrap() == before, "length of {plan}");
    }
    assert!(40 < steps, "{steps} writes");
}

fn apply(plan: &Plan, path: &Path) -> Result<(), ApplyError> {
    let mut options = fs_err::OpenOptions::new();
    let file = options.read(true).write(true).open(path).unwrap();
    plan.apply(&file).map(drop)
}

#[test]
fn a_plan_is_for_a_file_of_one_length() {
    let (_toolchain, path) = library();
    let plan = plan_file(&path, &long()).unwrap();
    let mut bytes = fs_err::read(&path).unwrap();
    bytes.push(0);
    fs_err::write(&path, &bytes).unwrap();
    let error = apply(&plan, &path).unwrap_err();
    assert!(matches!(error, ApplyError::Changed { .. }), "{error}");
    assert!(fs_err::read(&path).unwrap() == bytes);
}

#[test]
fn an_edit_is_not_made_of_a_file_that_changed_after_it_was_planned() {
    let (_toolchain, path) = library();
    let edit = FileEdit::plan(&path, &long()).unwrap();
    // The same bytes, written later.
    let bytes = fs_err::read(&path).unwrap();
    fs_err::write(&path, &bytes).unwrap();
    let error = edit.apply(&path).unwrap_err();
    assert!(matches!(error, PatchError::Changed), "{error}");
    assert!(fs_err::read(&path).unwrap() == bytes);
    let edit = FileEdit::plan(&path, &long()).unwrap();
    assert_eq!(edit.apply(&path).unwrap(), Method::InPlace);
    assert_eq!(run_path(&path).unwrap().len(), 401);
}

#[test]
fn taking_back_gives_every_byte_back() {
    let (_toolchain, path) = library();
    let before = fs_err::read(&path).unwrap();
    let plan = plan_file(&path, &long()).unwrap();
    let mut options = fs_err::OpenOptions::new();
    let file = options.read(true).write(true).open(&path).unwrap();
    let applied = plan.apply(&file).unwrap();
    assert!(fs_err::read(&path).unwrap() != before);
    applied.undo(&file).unwrap();
    assert!(fs_err::read(&path).unwrap() == before);
}

#[test]
fn other_names_of_the_file_keep_its_bytes() {
    let (toolchain, path) = library();
    let other = toolchain.dir().join("other");
    fs_err::hard_link(&path, &other).unwrap();
    set_mode(&path, 0o4751);
    let before = fs_err::read(&path).unwrap();
    let outcome = patch_file(&path, &long()).unwrap();
    assert_eq!(outcome.method, Method::Replaced);
    assert!(fs_err::read(&other).unwrap() == before);
    assert_eq!(run_path(&path).unwrap().len(), 401);
    assert_eq!([mode(&path), mode(&other)], [0o4751; 2]);
    let links = fs_err::metadata(&path).unwrap().nlink();
    assert_eq!(links, 1);
}

#[test]
fn an_edit_with_nothing_to_do_leaves_hard_links_and_times() {
    let (toolchain, path) = library();
    patch_file(&path, &long()).unwrap();
    let other = toolchain.dir().join("other");
    fs_err::hard_link(&path, &other).unwrap();
    let stamp = || {
        let metadata = fs_err::metadata(&path).unwrap();
        (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
    };
    let before = stamp();
    let outcome = patch_file(&path, &long()).unwrap();
    assert_eq!(outcome.method, Method::Untouched);
    assert_eq!(stamp(), before);
}

#[test]
fn the_mode_stays_also_of_a_file_that_may_not_be_written() {
    let (_toolchain, path) = library();
    for wanted in [0o444, 0o555, 0o4755, 0o2711, 0o400] {
        set_mode(&path, wanted);
        let text = format!("/{wanted:o}");
        let outcome = patch_file(&path, &Request::set_run_path(&text)).unwrap();
        assert_eq!(outcome.method, Method::InPlace);
        assert_eq!(run_path(&path).unwrap(), text);
        assert_eq!(mode(&path), wanted, "{wanted:o}");
    }
}

#[test]
fn extended_attributes_stay() {
    let (toolchain, path) = library();
    let attribute = |path: &Path| {
        let mut value = [0; 16];
        let len = getxattr(path, "user.wheelfix", &mut value[..]).unwrap();
        value[..len].to_vec()
    };
    setxattr(&path, "user.wheelfix", b"kept", XattrFlags::empty()).unwrap();
    patch_file(&path, &long()).unwrap();
    assert_eq!(attribute(&path), b"kept");
    let other = toolchain.dir().join("other");
    fs_err::hard_link(&path, &other).unwrap();
    patch_file(&path, &Request::set_run_path("/short")).unwrap();
    assert_eq!(attribute(&path), b"kept", "after a copy and a rename");
}

#[test]
fn a_symbolic_link_stays_and_its_file_is_edited() {
    let (toolchain, path) = library();
    let link = toolchain.dir().join("link");
    symlink("library", &link).unwrap();
    patch_file(&link, &long()).unwrap();
    assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(run_path(&path).unwrap().len(), 401);
    // The same where the file has to be replaced.
    fs_err::hard_link(&path, toolchain.dir().join("other")).unwrap();
    patch_file(&link, &Request::set_run_path("/short")).unwrap();
    assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(run_path(&path).unwrap(), "/short");
    assert_eq!(run_path(&toolchain.dir().join("other")).unwrap().len(), 401);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "runs a program from the file")]
fn a_running_program_goes_on_with_its_own_file() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let path = toolchain.dir().join("program");
    let sleep = ["/usr/bin/sleep", "/bin/sleep"];
    let sleep = sleep.into_iter().find(|path| Path::new(path).exists());
    fs_err::copy(sleep.unwrap(), &path).unwrap();
    let mut running = loop {
        // Another test may be starting a process while the copy is still open in it.
        match Command::new(&path).arg("600").spawn() {
            Ok(child) => break child,
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ExecutableFileBusy),
        }
    };
    let image = PathBuf::from(format!("/proc/{}/exe", running.id()));
    let before = fs_err::read(&path).unwrap();
    let outcome = patch_file(&path, &long());
    let old = fs_err::read(&image).unwrap();
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(outcome.unwrap().method, Method::Replaced);
    assert!(old == before, "the running file was changed");
    assert_eq!(run_path(&path).unwrap().len(), 401);
}

#[test]
fn an_output_is_whole_and_the_file_stays() {
    let (toolchain, path) = library();
    set_mode(&path, 0o751);
    let before = fs_err::read(&path).unwrap();
    let output = toolchain.dir().join("output");
    patch_file_to(&path, &output, &long()).unwrap();
    assert!(fs_err::read(&path).unwrap() == before);
    assert_eq!(run_path(&output).unwrap().len(), 401);
    assert_eq!(mode(&output), 0o751);
    // It is written also if there is nothing to change.
    patch_file_to(&path, &output, &Request::default()).unwrap();
    assert!(fs_err::read(&output).unwrap() == before);
    let names = fs_err::read_dir(toolchain.dir()).unwrap();
    let hidden = names
        .filter(|entry| entry.as_ref().unwrap().file_name().as_encoded_bytes()[0] == b'.')
        .count();
    assert_eq!(hidden, 0);
}

#[test]
fn growing_behind_appended_data_is_warned_about() {
    let (_toolchain, path) = library();
    let warnings = |request: &Request| plan_file(&path, request).unwrap().warnings;
    assert_eq!(warnings(&long()), []);
    let mut bytes = fs_err::read(&path).unwrap();
    bytes.extend(b"archive and trailer");
    fs_err::write(&path, bytes).unwrap();
    assert_eq!(warnings(&long()), [Warning::DataBehindEnd]);
    assert_eq!(warnings(&Request::default()), []);
}
