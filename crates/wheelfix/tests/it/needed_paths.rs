//! Libraries that are needed by path, and libraries that are opened over a link: relocated as the loader finds them.

use std::os::unix::fs::symlink;
use std::path::Path;

use wheelfix_testkit::elf::{Platform, Stripper, Tool};

use crate::support::Sandbox;

/// Compiles a library from C.
fn library(sandbox: &Sandbox, name: &str, args: &[&str]) {
    let path = sandbox.path(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    let source = sandbox.path("source.c");
    let function = name.replace(['/', '.', '-'], "_");
    fs_err::write(&source, format!("int {function}(void) {{ return 0; }}\n")).unwrap();
    let [path, source] = [path, source].map(|path| path.to_str().unwrap().to_owned());
    let mut all = vec![
        "-shared",
        "-fPIC",
        "-Wl,--no-as-needed",
        "-o",
        &path,
        &source,
    ];
    all.extend(args);
    Tool::CC.run(&all).expect();
}

#[track_caller]
fn patch(sandbox: &Sandbox, args: &[&str], want: &str) {
    let text = sandbox.run(&[&["patch", "tree", "--python", "python3"], args].concat());
    assert!(text.starts_with(want), "{text}");
}

#[test]
fn a_path_is_looked_up_and_not_searched() {
    let sandbox = Sandbox::new();
    for place in ["tree/libinside.so", "elsewhere/liboutside.so"] {
        // Without a soname, the linker takes the path.
        library(&sandbox, place, &[]);
        let path = sandbox.path(place).to_str().unwrap().to_owned();
        library(&sandbox, "tree/libuser.so", &[&path]);
        patch(&sandbox, &[], "exit: 0");
    }
    let path = sandbox.path("elsewhere/liboutside.so");
    fs_err::remove_file(&path).unwrap();
    let path = path.to_str().unwrap();
    patch(&sandbox, &[], "exit: 1");
    patch(&sandbox, &["--ignore-missing", path], "exit: 0");
}

#[test]
fn a_path_may_begin_with_the_directory_of_the_library() {
    let sandbox = Sandbox::new();
    library(
        &sandbox,
        "tree/deep/libinside.so",
        &["-Wl,-soname,$ORIGIN/deep/libinside.so"],
    );
    let path = sandbox.path("tree/deep/libinside.so");
    library(&sandbox, "tree/libuser.so", &[path.to_str().unwrap()]);
    patch(&sandbox, &[], "exit: 0");
    fs_err::remove_file(path).unwrap();
    patch(&sandbox, &[], "exit: 1");
}

#[test]
fn a_library_behind_a_link_finds_its_sibling() {
    let sandbox = Sandbox::new();
    library(
        &sandbox,
        "tree/lib/libkmt.so.1",
        &["-Wl,-soname,libkmt.so.1"],
    );
    let sibling = sandbox.path("tree/lib/libkmt.so.1");
    let args = ["-Wl,-soname,libhsa.so.1", sibling.to_str().unwrap()];
    library(&sandbox, "tree/lib/libhsa.so.1", &args);
    fs_err::create_dir_all(sandbox.path("tree/hsa/lib")).unwrap();
    let link = sandbox.path("tree/hsa/lib/libhsa.so.1");
    symlink("../../lib/libhsa.so.1", &link).unwrap();
    patch(&sandbox, &[], "exit: 0");
    let open = format!("import ctypes; ctypes.CDLL({:?})", link.to_str().unwrap());
    Tool::PYTHON.run(&["-c", &open]).expect();
    patch(&sandbox, &[], "exit: 0");
}

#[test]
fn what_strip_would_break_is_warned_of() {
    let sandbox = Sandbox::new();
    let (source, program) = (sandbox.path("m.c"), sandbox.path("program"));
    fs_err::write(&source, "int main(void) { return 0; }\n").unwrap();
    let [source, program] = [source, program].map(|path| path.to_str().unwrap().to_owned());
    let args = [
        "-fuse-ld=gold",
        "-Wl,--rosegment",
        "-pie",
        "-fPIE",
        "-o",
        &program,
        &source,
    ];
    Tool::CC.run(&args).expect();
    let path = "x".repeat(5000);
    let interpreter = format!("/{}", "i".repeat(120));
    let args = [
        "patchelf",
        "--set-rpath",
        &path,
        "--set-interpreter",
        &interpreter,
        "program",
    ];
    let text = sandbox.run(&args);
    let want = "exit: 0\n--- stderr\n\
        warning: program: the program headers are at the end of the file now: do not strip it\n";
    assert_eq!(text, want);
}

/// The same by `wheelfix patch`, with a loader as in a Nix store and one that is far away: what is not warned of survives.
#[test]
fn what_strip_would_break_is_warned_of_in_trees() {
    let sandbox = Sandbox::new();
    let (source, program) = (sandbox.path("m.c"), sandbox.path("tree/program"));
    fs_err::write(&source, "int main(void) { return 3; }\n").unwrap();
    fs_err::create_dir(sandbox.path("tree")).unwrap();
    let file = |path: &Path| path.to_str().unwrap().to_owned();
    for (depth, is_warned) in [(1, false), (18, true)] {
        let store = format!("store/{}", format!("{}/", "a".repeat(200)).repeat(depth));
        fs_err::create_dir_all(sandbox.path(&store)).unwrap();
        let interpreter = sandbox.path(&store).join("ld-linux-x86-64.so.2");
        symlink("/lib64/ld-linux-x86-64.so.2", &interpreter).unwrap();
        let gold = ["-fuse-ld=gold", "-Wl,--rosegment", "-pie", "-fPIE"];
        let [to, from] = [file(&program), file(&source)];
        Tool::CC
            .run(&[&gold[..], &["-o", &to, &from]].concat())
            .expect();
        let args = ["patch", "tree", "--python", "python3", "--interpreter"];
        let text = sandbox.run(&[&args[..], &[&file(&interpreter)]].concat());
        assert!(text.starts_with("exit: 0"), "{text}");
        let want = "the program headers are at the end of the file now: do not strip it\n";
        assert_eq!(text.contains(want), is_warned, "{text}");
        assert_eq!(Tool::run_path(&program).code, Some(3));
        for stripper in Stripper::all(Platform::Glibc).filter(|_| !is_warned) {
            let stripped = sandbox.path("stripped");
            stripper.strip(&program, &stripped).unwrap();
            assert_eq!(Tool::run_path(&stripped).code, Some(3), "{stripper:?}");
        }
    }
}
