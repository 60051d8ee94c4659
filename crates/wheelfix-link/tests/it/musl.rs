//! The simulated search of musl's loader against the real one, which lists what it loads.
#![expect(clippy::disallowed_methods, reason = "runs the loader")]

use std::path::{Path, PathBuf};
use std::process::Command;

use wheelfix_link::Rules;
use wheelfix_loader::{FileView, Outcome, Process, Target, Trace, normalize};
use wheelfix_testkit::elf::Tool;

use crate::toolchain::Toolchain;

const OLD: &str = "-Wl,--disable-new-dtags";
const NEW: &str = "-Wl,--enable-new-dtags";
const ORIGIN: &str = "-Wl,-rpath,$ORIGIN";
const USES_F: &str = "void f(void); void u(void) { f(); }";

fn interpreter() -> PathBuf {
    let path = PathBuf::from("/lib/ld-musl-x86_64.so.1");
    let there = path.try_exists().unwrap();
    assert!(there, "no loader of musl: run `apt-get install musl`");
    path
}

fn target(library_path: &[PathBuf]) -> Target {
    let mut target =
        Target::of_interpreter(&interpreter(), PathBuf::from("/run/opengl-driver/lib")).unwrap();
    let directories = library_path.iter().map(|path| path.to_str().unwrap());
    target.library_path = directories.map(ToOwned::to_owned).collect();
    target
}

/// The libraries that the real loader loads for a library, in order, whether all is well, and its
/// messages.
fn real(library: &Path, library_path: &[PathBuf]) -> (Vec<PathBuf>, bool, String) {
    let mut command = Command::new(interpreter());
    command.env_clear().current_dir("/");
    if !library_path.is_empty() {
        let path = std::env::join_paths(library_path).unwrap();
        command.env("LD_LIBRARY_PATH", path);
    }
    let output = command.arg("--list").arg(library).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let paths = text.lines().filter_map(|line| {
        let path = line.split_once(" => ")?.1.rsplit_once(" (")?.0;
        (!path.contains("ld-musl")).then(|| normalize(Path::new(path)))
    });
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (paths.collect(), output.status.success(), said)
}

/// The same, simulated.
fn simulated(library: &Path, target: &Target) -> Vec<PathBuf> {
    let (view, rules) = (FileView::default(), Rules::shipped().unwrap());
    let mut process = Process::new(&view, target, &rules, Trace::default());
    let started = process.start(library.to_str().unwrap());
    assert!(matches!(started, Outcome::Loaded(0)), "{started:?}");
    let loaded = process.loaded.iter().skip(1).map(|loaded| &loaded.path);
    let others = loaded.filter(|path| !path.contains("ld-musl"));
    others.map(|path| normalize(Path::new(path))).collect()
}

/// Compares all libraries of a toolchain; gives the names of those that do not load.
#[track_caller]
fn agree(toolchain: &Toolchain, library_path: &[PathBuf]) -> Vec<String> {
    let target = target(library_path);
    let proof = toolchain.prove_for(&target);
    let mut failing = Vec::new();
    for library in proof.loadable.iter().chain(&proof.unloadable) {
        let (paths, loads, said) = real(library, library_path);
        let proved = proof.loadable.contains(library);
        let faults = toolchain.describe(&proof);
        assert_eq!(proved, loads, "{}: {said}\n{faults}", library.display());
        assert_eq!(
            simulated(library, &target),
            paths,
            "{}: {said}",
            library.display()
        );
        if !loads {
            failing.push(toolchain.shorten(library.to_str().unwrap()));
        }
    }
    failing.sort();
    failing
}

/// Compiles a library that needs musl's C library.
fn with_libc(toolchain: &Toolchain, name: &str, source: &str, flags: &[&str]) {
    let file = toolchain.path("source.c");
    fs_err::write(&file, source).unwrap();
    let soname = format!("-Wl,-soname,{name}");
    let start = ["-shared", "-fPIC", &soname, "-o", name, "source.c"];
    let args = [&start[..], flags].concat();
    Tool::MUSL_CC.run_in(&toolchain.root(), &args).expect();
}

#[test]
fn every_run_path_is_inherited() {
    let toolchain = Toolchain::new();
    toolchain.library("deep/libdeep.so", "void f(void) {}", &[]);
    toolchain.library("mid/libmid.so", USES_F, &["-Ldeep", "-ldeep"]);
    for (name, tags) in [("libold.so", OLD), ("libnew.so", NEW)] {
        let path = "-Wl,-rpath,$ORIGIN/mid:${ORIGIN}/deep";
        let flags = ["-Lmid", "-lmid", "-Wl,-rpath-link,deep", path, tags];
        toolchain.library(name, "", &flags);
    }
    assert_eq!(agree(&toolchain, &[]), ["DIR/mid/libmid.so"]);
}

#[test]
fn the_library_path_comes_first_and_empty_elements_are_skipped() {
    let toolchain = Toolchain::new();
    toolchain.library("env/liba.so", "void g(void) {}", &[]);
    toolchain.library("lib/liba.so", "void f(void) {}", &[]);
    toolchain.library(
        "libold.so",
        USES_F,
        &["-Llib", "-la", "-Wl,-rpath,:$ORIGIN/none::$ORIGIN/lib", OLD],
    );
    toolchain.library("libempty.so", USES_F, &["-Llib", "-la", "-Wl,-rpath,:"]);
    let proof = toolchain.prove_for(&target(&[]));
    assert_eq!(proof.unloadable, [toolchain.path("libempty.so")]);
    assert_eq!(agree(&toolchain, &[]), ["DIR/libempty.so"]);
    let both = ["DIR/libempty.so", "DIR/libold.so"];
    assert_eq!(agree(&toolchain, &[toolchain.path("env")]), both);
}

#[test]
fn other_tokens_switch_the_path_off() {
    let toolchain = Toolchain::new();
    toolchain.library("lib/liba.so", "void f(void) {}", &[]);
    toolchain.library("libAL/liba.so", "void f(void) {}", &[]);
    for (name, path) in [
        ("liblib.so", "$ORIGIN/lib:$LIB"),
        ("liborigin.so", "$ORIGIN/lib"),
        ("libgoeson.so", "$ORIGIN/lib:/x/$ORIGINAL"),
    ] {
        let flag = format!("-Wl,-rpath,{path}");
        toolchain.library(name, USES_F, &["-Llib", "-la", &flag]);
    }
    assert_eq!(agree(&toolchain, &[]), ["DIR/liblib.so"]);
}

#[test]
fn what_is_loaded_answers_to_its_file_name_alone() {
    let toolchain = Toolchain::new();
    toolchain.library("libreal.so.1", "void f(void) {}", &[]);
    fs_err::rename(toolchain.path("libreal.so.1"), toolchain.path("other.so")).unwrap();
    toolchain.library("libname.so", "", &[]);
    // By the soname, of which there is no file, and by the name of the file.
    toolchain.library("libuser.so", USES_F, &["-L.", "-lname", "other.so", ORIGIN]);
    fs_err::remove_file(toolchain.path("libname.so")).unwrap();
    fs_err::hard_link(toolchain.path("other.so"), toolchain.path("libname.so")).unwrap();
    toolchain.library("a/libtwice.so", "void f(void) {}", &[]);
    toolchain.library("b/libtwice.so", "void g(void) {}", &[]);
    toolchain.library(
        "b/libb.so",
        "void g(void); void h(void) { g(); }",
        &["b/libtwice.so", ORIGIN],
    );
    let path = "-Wl,-rpath,$ORIGIN/a:$ORIGIN/b";
    toolchain.library(
        "libboth.so",
        "",
        &[
            "a/libtwice.so",
            "b/libb.so",
            path,
            "-Wl,--allow-shlib-undefined",
        ],
    );
    assert_eq!(agree(&toolchain, &[]), ["DIR/libboth.so", "DIR/libuser.so"]);
}

#[test]
fn versions_are_not_looked_at() {
    let toolchain = Toolchain::new();
    let source = "void f(void) {}";
    toolchain.versioned("liba.so", source, "A_1 { f; };");
    toolchain.library("libuser.so", USES_F, &["-L.", "-la", ORIGIN]);
    for script in ["A_1 { f; };", "A_2 { f; };", "liba.so { f; };"] {
        toolchain.versioned("liba.so", source, script);
        assert!(agree(&toolchain, &[]).is_empty(), "{script}");
    }
    toolchain.library("liba.so", source, &[]);
    assert!(agree(&toolchain, &[]).is_empty());
    toolchain.versioned("liba.so", "void g(void) {}", "A_1 { g; };");
    assert_eq!(agree(&toolchain, &[]), ["DIR/libuser.so"]);
}

#[test]
fn parts_of_the_c_library_are_the_loader() {
    let toolchain = Toolchain::new();
    let source =
        "#include <stdio.h>\n#include <math.h>\ndouble u(double x) { puts(\"\"); return cos(x); }";
    with_libc(
        &toolchain,
        "libmath.so",
        source,
        &["-Wl,--no-as-needed", "-lm", "-lpthread", "-ldl", "-lc"],
    );
    with_libc(
        &toolchain,
        "libweak.so",
        "__attribute__((weak)) void nowhere(void); void u(void) { if (nowhere) nowhere(); }",
        &[],
    );
    with_libc(
        &toolchain,
        "libstrong.so",
        "void nowhere(void); void u(void) { nowhere(); }",
        &[],
    );
    // glibc's own name for a part that musl has in one piece.
    toolchain.library("libm.so.6", "", &[]);
    toolchain.library("libglibc.so", "", &["-L.", "-l:libm.so.6"]);
    fs_err::remove_file(toolchain.path("libm.so.6")).unwrap();
    assert_eq!(agree(&toolchain, &[]), ["DIR/libstrong.so"]);
}

#[test]
fn files_in_the_way_stop_it() {
    let toolchain = Toolchain::new();
    toolchain.library("lib/liba.so", "void f(void) {}", &[]);
    let user = |directory: &str| {
        let path = format!("-Wl,-rpath,$ORIGIN/{directory}:$ORIGIN/lib");
        let name = format!("lib{directory}.so");
        toolchain.library(&name, USES_F, &["-Llib", "-la", &path]);
    };
    for (directory, text) in [("text", "INPUT(x)"), ("empty", "")] {
        fs_err::create_dir(toolchain.path(directory)).unwrap();
        fs_err::write(toolchain.path(directory).join("liba.so"), text).unwrap();
        user(directory);
    }
    fs_err::create_dir_all(toolchain.path("directory/liba.so")).unwrap();
    user("directory");
    fs_err::write(toolchain.path("nodirectory"), "").unwrap();
    user("nodirectory");
    let failing = ["DIR/libdirectory.so", "DIR/libempty.so", "DIR/libtext.so"];
    assert_eq!(agree(&toolchain, &[]), failing);
}
