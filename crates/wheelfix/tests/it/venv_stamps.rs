//! A virtual environment that was patched before: what has not changed is not looked at, and what has is
//! never missed.

use std::fs::FileTimes;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use wheelfix_testkit::cache;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::venv::Venv;

const SITE: &str = "v/lib/python3.11/site-packages";
const STAMPS: &str = "v/.wheelfix-stamps.json";
const PATCH: [&str; 4] = ["patch", "v", "--lib-path", "libs"];
const NOTHING: &str = "nothing to do";

/// An environment with these wheels, each with a module that needs `liba.so`, patched.
fn patched(names: &[&str]) -> Venv {
    let venv = Venv::new();
    for name in names {
        venv.install("copy", &venv.wheel(name, "1.0", "a"));
    }
    venv.expect(&PATCH, 0, "edited");
    venv.expect(&PATCH, 0, NOTHING);
    venv
}

fn module(venv: &Venv, name: &str) -> PathBuf {
    venv.path(SITE).join(name).join("m.so")
}

/// A run over everything agrees with what runs over a part have left.
#[track_caller]
fn agrees(venv: &Venv) {
    fs_err::remove_file(venv.path(STAMPS)).unwrap();
    venv.expect(&PATCH, 0, "0 ELF files edited");
}

#[test]
fn only_what_was_added_is_looked_at() {
    let venv = patched(&["one", "two"]);
    let text = venv.expect(&["patch", "v", "--lib-path", "libs", "--json"], 0, "");
    assert!(
        text.contains("\"one-1.0.dist-info\",\n    \"two-1.0.dist-info\""),
        "{text}"
    );
    venv.install("copy", &venv.wheel("three", "1.0", "b"));
    let text = venv.expect(&PATCH, 0, "1 ELF file edited");
    assert!(
        text.contains("1 of 1 object proved") && text.contains("2 distributions unchanged"),
        "{text}"
    );
    venv.expect(&PATCH, 0, NOTHING);
    // Importing writes bytecode, and nobody minds.
    let cache = venv.path(SITE).join("one/__pycache__");
    fs_err::create_dir_all(&cache).unwrap();
    fs_err::write(cache.join("__init__.cpython-311.pyc"), "x").unwrap();
    venv.expect(&PATCH, 0, NOTHING);
    agrees(&venv);
}

#[test]
fn another_file_is_noticed_behind_the_same_record() {
    let venv = patched(&["one", "two"]);
    let module = module(&venv, "one");
    let patched = fs_err::read(&module).unwrap();
    let time = fs_err::metadata(&module).unwrap().modified().unwrap();
    let original = fs_err::read(venv.path("m.so")).unwrap();
    assert!(original != patched);
    let mut text = original.clone();
    text.resize(patched.len().max(original.len()), 0);
    let file = fs_err::OpenOptions::new()
        .write(true)
        .open(&module)
        .unwrap();
    std::io::Write::write_all(&mut file.file(), &text).unwrap();
    file.file()
        .set_times(FileTimes::new().set_modified(time))
        .unwrap();
    let text = venv.expect(&PATCH, 0, "1 ELF file edited");
    assert!(text.contains("1 distribution unchanged"), "{text}");
    agrees(&venv);
}

/// Sets the times of a directory as they were after a change of its names.
fn behind_its_times(directory: &Path, change: impl FnOnce()) {
    let time = fs_err::metadata(directory).unwrap().modified().unwrap();
    change();
    let directory = fs_err::File::open(directory).unwrap();
    let times = FileTimes::new().set_modified(time);
    directory.file().set_times(times).unwrap();
}

#[test]
fn other_names_are_noticed_behind_the_times_of_a_directory() {
    let venv = patched(&["one", "two"]);
    let package = venv.path(SITE).join("one");
    let original = venv.path("m.so");
    behind_its_times(&package, || {
        fs_err::copy(&original, package.join("n.so")).unwrap();
    });
    let text = venv.expect(&PATCH, 0, "1 ELF file edited");
    assert!(text.contains("1 distribution unchanged"), "{text}");
    behind_its_times(&package, || {
        fs_err::copy(&original, venv.path("new.so")).unwrap();
        fs_err::rename(venv.path("new.so"), package.join("n.so")).unwrap();
    });
    venv.expect(&PATCH, 0, "1 ELF file edited");
    behind_its_times(&package, || {
        fs_err::remove_file(package.join("n.so")).unwrap();
    });
    venv.expect(&PATCH, 0, "0 ELF files edited");
    venv.expect(&PATCH, 0, NOTHING);
    // In directories that were there and empty, and in ones that are new.
    fs_err::create_dir_all(package.join("sub/deep")).unwrap();
    venv.expect(&PATCH, 0, NOTHING);
    for name in ["sub/n.so", "sub/deep/n.so", "more/n.so"] {
        fs_err::create_dir_all(package.join("more")).unwrap();
        fs_err::copy(&original, package.join(name)).unwrap();
        venv.expect(&PATCH, 0, "1 ELF file edited");
        venv.expect(&PATCH, 0, NOTHING);
    }
    agrees(&venv);
}

#[test]
fn what_comes_right_after_a_run_is_noticed() {
    let venv = patched(&["one", "two"]);
    let package = venv.path(SITE).join("two");
    for number in 0..20 {
        // A look that remembers a directory, and one that does not.
        fs_err::create_dir(package.join("__pycache__")).unwrap();
        venv.expect(&PATCH, 0, NOTHING);
        fs_err::remove_dir(package.join("__pycache__")).unwrap();
        venv.expect(&PATCH, 0, NOTHING);
        let name = format!("n{number}.so");
        fs_err::copy(venv.path("m.so"), package.join(name)).unwrap();
        venv.expect(&PATCH, 0, "1 ELF file edited");
    }
    agrees(&venv);
}

#[test]
fn a_source_that_opens_another_library_is_noticed() {
    let venv = Venv::new();
    let wheel = WheelBuilder::new("opener", "1.0").file(
        "opener/__init__.py",
        "import ctypes\nctypes.CDLL('liba.so')\n",
    );
    venv.install("copy", &venv.sandbox.wheel(&wheel));
    venv.expect(&PATCH, 1, "liba.so");
    let patch = [&PATCH[..], &["--library-table"]].concat();
    venv.expect(&patch, 0, "");
    venv.expect(&patch, 0, NOTHING);
    let source = venv.path(SITE).join("opener/__init__.py");
    fs_err::write(source, "import ctypes\nctypes.CDLL('libq.so')\n").unwrap();
    venv.expect(&patch, 1, "libq.so");
    // Also where a call says no name.
    let text = "import ctypes\ndef load(name):\n    return ctypes.CDLL(name)\n";
    let helper = venv.path(SITE).join("opener/helper.py");
    fs_err::write(venv.path(SITE).join("opener/__init__.py"), "").unwrap();
    fs_err::write(&helper, text).unwrap();
    venv.expect(&patch, 0, "");
    venv.expect(&patch, 0, NOTHING);
    fs_err::write(&helper, text.replace("CDLL(name", "CDLL('libr.so'")).unwrap();
    let said = venv.expect(&patch, 0, "");
    assert!(!said.contains(NOTHING), "{said}");
}

#[test]
fn what_is_no_bytecode_is_noticed_among_it() {
    let venv = patched(&["one", "two"]);
    let cache = venv.path(SITE).join("one/__pycache__");
    fs_err::create_dir(&cache).unwrap();
    fs_err::write(cache.join("m.cpython-311.pyc"), "x").unwrap();
    fs_err::write(cache.join("m.cpython-311.pyc.140"), "x").unwrap();
    venv.expect(&PATCH, 0, NOTHING);
    for name in ["_cffi.so", "_cffi2.so"] {
        fs_err::copy(venv.path("m.so"), cache.join(name)).unwrap();
        venv.expect(&PATCH, 0, "1 ELF file edited");
        venv.expect(&PATCH, 0, NOTHING);
    }
    agrees(&venv);
}

#[test]
fn names_that_are_not_text_are_no_change_for_ever() {
    use std::os::unix::ffi::OsStrExt as _;
    let venv = patched(&["one", "two"]);
    let name = std::ffi::OsStr::from_bytes(b"a\xff.txt");
    fs_err::write(venv.path(SITE).join("one").join(name), "x").unwrap();
    venv.expect(&PATCH, 0, "0 ELF files edited");
    venv.expect(&PATCH, 0, NOTHING);
    fs_err::copy(venv.path("m.so"), venv.path(SITE).join("one/n.so")).unwrap();
    venv.expect(&PATCH, 0, "1 ELF file edited");
    venv.expect(&PATCH, 0, NOTHING);
}

/// Once a look has found that only bytecode came, the next ones know the directory again.
#[test]
fn directories_are_known_again_after_bytecode_came() {
    let venv = patched(&["one", "two"]);
    let stamps = || fs_err::read(venv.path(STAMPS)).unwrap();
    let before = stamps();
    venv.expect(&PATCH, 0, NOTHING);
    assert!(stamps() == before);
    fs_err::create_dir(venv.path(SITE).join("one/__pycache__")).unwrap();
    let patch = [&PATCH[..], &["--dry-run"]].concat();
    venv.expect(&patch, 0, NOTHING);
    assert!(stamps() == before);
    sleep(Duration::from_millis(20));
    venv.expect(&PATCH, 0, NOTHING);
    let after = stamps();
    assert!(after != before);
    venv.expect(&PATCH, 0, NOTHING);
    assert!(stamps() == after);
}

#[test]
fn what_uv_did_meanwhile_is_noticed() {
    let venv = patched(&["one", "two"]);
    venv.uv(&[
        "pip",
        "install",
        "--no-index",
        "--reinstall",
        "one-1.0-cp311-cp311-linux_x86_64.whl",
    ]);
    venv.expect(&PATCH, 0, "1 ELF file edited");
    venv.install("copy", &venv.wheel("two", "2.0", "b"));
    venv.expect(&PATCH, 0, "1 ELF file edited");
    venv.uv(&["pip", "uninstall", "two"]);
    venv.expect(&PATCH, 0, "0 ELF files edited");
    venv.expect(&PATCH, 0, NOTHING);
    agrees(&venv);
}

#[test]
fn dependents_of_what_changed_are_proved_again() {
    let venv = patched(&["one"]);
    let library = ["-o", "libp.so", "-Wl,-soname,libp.so"];
    venv.sandbox.library("void p(void) {}", &library);
    let library = fs_err::read(venv.path("libp.so")).unwrap();
    let provider = WheelBuilder::new("provider", "1.0")
        .platlib()
        .tags("cp311-cp311-linux_x86_64")
        .file("provider/__init__.py", "")
        .file("provider/libp.so", library);
    let provider = venv.sandbox.wheel(&provider);
    fs_err::copy(venv.path("libp.so"), venv.path("libs/libp.so")).unwrap();
    let user = venv.wheel("user", "1.0", "p");
    fs_err::remove_file(venv.path("libs/libp.so")).unwrap();
    venv.install("copy", &provider);
    venv.install("copy", &user);
    venv.expect(&PATCH, 0, "1 ELF file edited");
    venv.install("copy", &venv.wheel("more", "1.0", "a"));
    venv.expect(&PATCH, 0, "3 distributions unchanged");
    venv.expect(&PATCH, 0, NOTHING);
    // Nothing of the user has changed.
    venv.uv(&["pip", "uninstall", "provider"]);
    venv.expect(&PATCH, 1, "`libp.so` is missing");
    venv.expect(&PATCH, 1, "`libp.so` is missing");
    venv.install("copy", &provider);
    let text = venv.expect(&PATCH, 0, "0 ELF files edited");
    assert!(text.contains("2 of 2 objects proved"), "{text}");
    agrees(&venv);
}

#[test]
fn other_libraries_and_options_look_at_everything() {
    let venv = patched(&["one", "two"]);
    fs_err::rename(venv.path("libs"), venv.path("moved")).unwrap();
    venv.expect(&PATCH, 3, "does not exist");
    venv.expect(
        &["patch", "v", "--lib-path", "moved"],
        0,
        "2 ELF files edited",
    );
    fs_err::rename(venv.path("moved"), venv.path("libs")).unwrap();
    venv.expect(&PATCH, 0, "2 ELF files edited");
    // A library of the same name that was built anew.
    let args = ["-o", "libs/liba.so", "-Wl,-soname,liba.so"];
    venv.sandbox
        .library("void a(void) {} void more(void) {}", &args);
    venv.expect(&PATCH, 0, "2 of 3 objects proved");
    venv.expect(&PATCH, 0, NOTHING);
    fs_err::create_dir(venv.path("first")).unwrap();
    fs_err::copy(venv.path("libs/liba.so"), venv.path("first/liba.so")).unwrap();
    venv.expect(
        &["patch", "v", "--lib-path", "libs:first"],
        0,
        "0 ELF files edited",
    );
    venv.expect(
        &["patch", "v", "--lib-path", "first:libs"],
        0,
        "2 ELF files edited",
    );
    venv.expect(&PATCH, 0, "2 ELF files edited");
    fs_err::write(venv.path("rules.toml"), "").unwrap();
    let with_rules = [&PATCH[..], &["--rules", "rules.toml"]].concat();
    venv.expect(&with_rules, 0, "0 ELF files edited");
    venv.expect(&with_rules, 0, NOTHING);
    fs_err::write(venv.path("rules.toml"), "\n").unwrap();
    venv.expect(&with_rules, 0, "0 ELF files edited");
}

#[test]
fn stamps_that_are_not_ours_count_for_nothing() {
    let venv = patched(&["one"]);
    let stamps = fs_err::read(venv.path(STAMPS)).unwrap();
    for text in [&b"{"[..], b"", b"[]", &stamps[..stamps.len() / 2], b"\xff"] {
        fs_err::write(venv.path(STAMPS), text).unwrap();
        venv.expect(&PATCH, 0, "0 ELF files edited");
        venv.expect(&PATCH, 0, NOTHING);
    }
    fs_err::rename(venv.path("v"), venv.path("other")).unwrap();
    venv.uv(&["venv", "v", "--python", "other/bin/python"]);
    venv.install("copy", "one-1.0-cp311-cp311-linux_x86_64.whl");
    fs_err::write(venv.path(STAMPS), &stamps).unwrap();
    venv.expect(&PATCH, 0, "1 ELF file edited");
    fs_err::remove_file(venv.path(STAMPS)).unwrap();
    std::os::unix::fs::symlink("/dev/zero", venv.path(STAMPS)).unwrap();
    venv.expect(&PATCH, 0, "0 ELF files edited");
    venv.expect(&PATCH, 0, NOTHING);
}

#[test]
fn a_dry_run_writes_no_stamp() {
    let venv = Venv::new();
    venv.install("copy", &venv.wheel("one", "1.0", "a"));
    let dry = [&PATCH[..], &["--dry-run"]].concat();
    venv.expect(&dry, 0, "m.so");
    venv.expect(&dry, 0, "m.so");
    assert!(!venv.path(STAMPS).is_file());
    venv.expect(&PATCH, 0, "1 ELF file edited");
}

#[test]
fn two_runs_at_once_both_succeed() {
    let venv = Venv::new();
    for name in ["one", "two", "three"] {
        venv.install("copy", &venv.wheel(name, "1.0", "a"));
    }
    let run = || venv.sandbox.command(&PATCH).spawn().unwrap();
    let runs = [run(), run(), run()];
    for mut run in runs {
        assert!(run.wait().unwrap().success());
    }
    venv.expect(&PATCH, 0, NOTHING);
    agrees(&venv);
}

/// A program in the place of a Python that notes each start and becomes it.
const NOTING: &str = "#include <stdio.h>\n#include <unistd.h>\n\
    int main(int count, char **words) {\n\
    FILE *file = fopen(STARTED, \"a\");\n\
    fputs(\"started\\n\", file);\n\
    fclose(file);\n\
    execv(PYTHON, words);\n\
    return 1; }\n";

#[test]
fn a_python_that_is_known_is_not_started() {
    let venv = Venv::new();
    let started = venv.path("started");
    let python = fs_err::canonicalize(cache::tool("python3")).unwrap();
    fs_err::write(venv.path("python.c"), NOTING).unwrap();
    let paths = [("STARTED", &started), ("PYTHON", &python)];
    let defines = paths.map(|(name, path)| format!("-D{name}=\"{}\"", path.display()));
    let [first, second] = &defines;
    let args = [first, second, "-o", "noting", "python.c"];
    Tool::CC.run_in(&venv.path("."), &args).expect();
    let place = venv.path("v/bin/python");
    fs_err::remove_file(&place).unwrap();
    fs_err::rename(venv.path("noting"), &place).unwrap();
    let starts = |name: &str| {
        venv.install("copy", &venv.wheel(name, "1.0", "a"));
        // uv asks it, too.
        fs_err::write(&started, "").unwrap();
        venv.expect(&PATCH, 0, "1 ELF file edited");
        fs_err::read_to_string(&started).unwrap().lines().count()
    };
    assert_eq!(starts("one"), 1);
    assert_eq!(starts("two"), 0);
    let bytes = fs_err::read(&place).unwrap();
    fs_err::write(&place, bytes).unwrap();
    assert_eq!(starts("three"), 1, "another file is asked");
}
