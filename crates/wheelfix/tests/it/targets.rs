//! Targets that are named: nothing of them is run, and most of them is not here.

use fs_err as fs;
use wheelfix_testkit::elf::{Cross, Tool};
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

const ARM: &Cross = &Cross::ALL[1];

/// A module for 64-bit Arm that needs the C library, Python's C API and what `args` name.
fn arm_module(sandbox: &Sandbox, args: &[&str]) -> Vec<u8> {
    let source = "extern int PyModule_Create2(void *, int);\n\
        extern int abs(int);\n\
        int PyInit_m(void) { return PyModule_Create2(0, abs(1013)); }\n";
    fs::write(sandbox.path("m.c"), source).unwrap();
    let triple = format!("--target={}", ARM.triple);
    let libc = format!("{}/lib/libc.so.6", ARM.sysroot);
    let start = [&triple, "-shared", "-fPIC", "-nostdlib", "-fuse-ld=lld"];
    let rest = ["-Wl,--no-as-needed", "m.c", &libc, "-o", "m.so"];
    let words = [&start[..], &rest, args].concat();
    Tool::CLANG.run_in(&sandbox.path(""), &words).expect();
    fs::read(sandbox.path("m.so")).unwrap()
}

/// A library for 64-bit Arm below a directory.
fn arm_library(sandbox: &Sandbox, path: &str) {
    fs::create_dir_all(sandbox.path(path).parent().unwrap()).unwrap();
    fs::write(sandbox.path("dep.c"), "int dep(void) { return 1; }\n").unwrap();
    let triple = format!("--target={}", ARM.triple);
    let start = [&triple, "-shared", "-fPIC", "-nostdlib", "-fuse-ld=lld"];
    let rest = ["-Wl,-soname,libdep.so.1", "dep.c", "-o", path];
    let words = [&start[..], &rest].concat();
    Tool::CLANG.run_in(&sandbox.path(""), &words).expect();
}

fn wheel(tags: &str, name: &str, module: Vec<u8>) -> WheelBuilder {
    WheelBuilder::new("m", "1.0")
        .platlib()
        .tags(tags)
        .file("m.py", "x = 1\n")
        .file(name, module)
        .entry_points("[console_scripts]\nm = m:x\n")
}

/// A sandbox with a wheel for 64-bit Arm and CPython 3.12.
fn with_wheel() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let module = arm_module(&sandbox, &[]);
    let tags = "cp312-cp312-manylinux_2_17_aarch64";
    let name = "_m.cpython-312-aarch64-linux-gnu.so";
    let file = sandbox.wheel(&wheel(tags, name, module));
    (sandbox, file)
}

const TARGET: [&str; 2] = ["--target", "aarch64-linux-cp312"];

fn install(sandbox: &Sandbox, more: &[&str]) -> String {
    sandbox.run(&[&["install", "--prefix", "out"], more].concat())
}

#[test]
fn a_wheel_of_another_machine_is_installed_and_proved() {
    let (sandbox, file) = with_wheel();
    let got = install(&sandbox, &[&[file.as_str()], &TARGET[..]].concat());
    assert!(got.starts_with("exit: 0\n"), "{got}");
    assert!(got.contains("1 of 1 object proved to load"), "{got}");
    for line in [
        "warning: sources are not compiled: no Python 3.12 that runs here is named",
        "note: taken for granted: the C library (name its loader with --interpreter); \
        the C API of Python (name it with --target-python)",
    ] {
        assert!(got.contains(line), "{got}");
    }
    let tree = sandbox.tree("out");
    assert!(
        tree.contains("lib/python3.12/site-packages/_m.cpython-312"),
        "{tree}"
    );
    assert!(!tree.contains("__pycache__"), "{tree}");
    let script = fs::read_to_string(sandbox.path("out/bin/m")).unwrap();
    assert!(
        script.starts_with("#!/usr/bin/env python3.12\n"),
        "{script}"
    );
}

#[test]
fn another_python_machine_or_c_library_is_refused() {
    let (sandbox, file) = with_wheel();
    for (target, want) in [
        (
            "aarch64-linux-cp313",
            "the wheel is for cp312, the target is cp313",
        ),
        ("aarch64-linux-cp312d", ""),
        (
            "x86_64-linux-cp312",
            "the wheel is for Linux on aarch64 with glibc 2.17, the target is Linux on x86_64",
        ),
        (
            "aarch64-musl-cp312",
            "the target is Linux on aarch64 with musl 1.2",
        ),
        (
            "aarch64-glibc2.5-cp312",
            "the target is Linux on aarch64 with glibc 2.5",
        ),
        ("arm64-macos-cp312", "is a target of lock files alone"),
        ("aarch64-linux-pp311", "is a target of lock files alone"),
    ] {
        let got = install(&sandbox, &[&file, "--target", target]);
        assert_eq!(got.starts_with("exit: 1\n"), !want.is_empty(), "{got}");
        assert!(got.contains(want), "{got}");
        assert_eq!(sandbox.path("out").is_dir(), want.is_empty());
        fs::remove_dir_all(sandbox.path("out")).ok();
    }
    let got = install(&sandbox, &[&file, "--target", "aarch46-cp312"]);
    assert!(got.starts_with("exit: 2\n"), "{got}");
    assert!(got.contains("did you mean `aarch64-linux-cp312`?"), "{got}");
}

#[test]
fn what_the_tags_promise_is_not_believed() {
    let sandbox = Sandbox::new();
    sandbox.library("int PyInit_m(void) { return 0; }", &["-o", "x86.so"]);
    let x86 = fs::read(sandbox.path("x86.so")).unwrap();
    for (tags, name) in [
        ("py3-none-any", "_m.abi3.so"),
        ("py3-none-any", "_m.so"),
        (
            "cp312-cp312-manylinux_2_17_aarch64",
            "_m.cpython-312-aarch64-linux-gnu.so",
        ),
        (
            "cp312-cp312-manylinux_2_17_aarch64",
            "_m.cpython-312-x86_64-linux-gnu.so",
        ),
        ("cp312-cp312-manylinux_2_17_aarch64", "m.libs/libx.so"),
    ] {
        let file = sandbox.wheel(&wheel(tags, name, x86.clone()));
        let got = install(&sandbox, &[&[file.as_str()], &TARGET[..]].concat());
        assert!(got.starts_with("exit: 1\n"), "{tags} {name}: {got}");
        assert!(
            got.contains("is for another machine or system, x86-64"),
            "{got}"
        );
    }
}

#[test]
fn only_libraries_of_the_target_serve() {
    let sandbox = Sandbox::new();
    arm_library(&sandbox, "arm/lib/libdep.so.1");
    let module = arm_module(&sandbox, &["arm/lib/libdep.so.1"]);
    fs::create_dir_all(sandbox.path("x86/lib")).unwrap();
    let x86 = "x86/lib/libdep.so.1";
    sandbox.library(
        "int dep(void) { return 1; }",
        &["-Wl,-soname,libdep.so.1", "-o", x86],
    );
    let tags = "cp312-cp312-manylinux_2_17_aarch64";
    let file = sandbox.wheel(&wheel(tags, "_m.cpython-312-aarch64-linux-gnu.so", module));
    let with = |paths: &[&str]| {
        let words = [&[file.as_str()], &TARGET[..], paths].concat();
        install(&sandbox, &words)
    };
    let got = with(&["--lib-path", "x86"]);
    assert!(got.starts_with("exit: 1\n"), "{got}");
    assert!(got.contains("error: `libdep.so.1` is missing"), "{got}");
    assert!(
        got.contains("it is for x86-64, 64 bits, not for AArch64, 64 bits"),
        "{got}"
    );
    let got = with(&["--lib-path", "x86", "--lib-path", "arm"]);
    assert!(got.starts_with("exit: 0\n"), "{got}");
    let proved = sandbox.run(&[&["check", "out"], &TARGET[..]].concat());
    assert!(proved.contains("1 of 1 object proved to load"), "{proved}");
    fs::remove_file(sandbox.path("arm/lib/libdep.so.1")).unwrap();
    let lost = sandbox.run(&[&["check", "out"], &TARGET[..]].concat());
    assert!(lost.starts_with("exit: 1\n"), "{lost}");
}

#[test]
fn the_target_counts_and_not_what_most_objects_are_for() {
    let sandbox = Sandbox::new();
    arm_library(&sandbox, "arm/lib/libdep.so.1");
    let module = arm_module(&sandbox, &["arm/lib/libdep.so.1"]);
    sandbox.library("int f(void) { return 0; }", &["-o", "x86.so"]);
    let x86 = fs::read(sandbox.path("x86.so")).unwrap();
    let tags = "cp312-cp312-manylinux_2_17_aarch64";
    let wheel = wheel(tags, "_m.cpython-312-aarch64-linux-gnu.so", module)
        .file("m/one.bin", x86.clone())
        .file("m/two.bin", x86);
    let file = sandbox.wheel(&wheel);
    let words = [&[file.as_str()], &TARGET[..], &["--lib-path", "arm"]].concat();
    let got = install(&sandbox, &words);
    assert!(got.starts_with("exit: 0\n"), "{got}");
    assert!(
        got.contains("1 of 3 objects proved to load, 2 left aside"),
        "{got}"
    );
}

#[test]
fn the_loader_of_the_target_searches_its_own_system() {
    let (sandbox, file) = with_wheel();
    let loader = format!("{}{}", ARM.sysroot, ARM.interpreter);
    let words = [&[file.as_str()], &TARGET[..], &["--interpreter", &loader]].concat();
    let got = install(&sandbox, &words);
    assert!(got.starts_with("exit: 0\n"), "{got}");
    assert!(!got.contains("taken for granted"), "{got}");
    let why = [
        &[
            "why",
            "out/lib/python3.12/site-packages/_m.cpython-312-aarch64-linux-gnu.so",
        ],
        &TARGET[..],
        &["--interpreter", &loader],
    ];
    let why = sandbox.run(&why.concat());
    let libc = format!("{}/lib/libc.so.6, by default directories", ARM.sysroot);
    assert!(why.contains(&libc), "{why}");

    fs::remove_dir_all(sandbox.path("out")).unwrap();
    let native = "/lib64/ld-linux-x86-64.so.2";
    let words = [&[file.as_str()], &TARGET[..], &["--interpreter", native]].concat();
    let got = install(&sandbox, &words);
    assert!(got.starts_with("exit: 1\n"), "{got}");
    let want = "`/lib64/ld-linux-x86-64.so.2` is the loader of x86-64, 64 bits and glibc, \
        the target has AArch64, 64 bits and glibc";
    assert!(got.contains(want), "{got}");
}

#[test]
fn a_named_glibc_bounds_the_versions() {
    let sandbox = Sandbox::new();
    let source = "extern int arc4random(void);\nint PyInit_m(void) { return arc4random(); }\n";
    fs::write(sandbox.path("x.c"), source).unwrap();
    // Since glibc 2.36.
    let words = ["-shared", "-fPIC", "x.c", "-o", "x.so"];
    Tool::CC.run_in(&sandbox.path(""), &words).expect();
    let module = fs::read(sandbox.path("x.so")).unwrap();
    let file = sandbox.wheel(&wheel("py3-none-any", "_m.abi3.so", module));
    let got = install(&sandbox, &[&file, "--target", "x86_64-glibc2.35-cp312"]);
    assert!(got.starts_with("exit: 1\n"), "{got}");
    let want = "`libc.so.6` does not define the version `GLIBC_2.36`";
    assert!(got.contains(want), "{got}");
    assert!(
        got.contains("the glibc of the target is named, and is older"),
        "{got}"
    );
    for target in ["x86_64-glibc2.36-cp312", "x86_64-linux-cp312"] {
        let got = install(&sandbox, &[&file, "--target", target]);
        assert!(got.starts_with("exit: 0\n"), "{got}");
        fs::remove_dir_all(sandbox.path("out")).unwrap();
    }
    let got = install(&sandbox, &[&file, "--target", "x86_64-musl-cp312"]);
    assert!(got.contains("error: `libc.so.6` is missing"), "{got}");
}

#[test]
fn a_python_that_runs_here_compiles_for_the_same_version_only() {
    let sandbox = Sandbox::new();
    let file = sandbox.wheel(&WheelBuilder::new("m", "1.0").file("m.py", "x = 1\n"));
    let with = |target: &str| {
        let got = install(
            &sandbox,
            &[&file, "--target", target, "--python", "python3.11"],
        );
        assert!(got.starts_with("exit: 0\n"), "{got}");
        let tree = sandbox.tree("out");
        fs::remove_dir_all(sandbox.path("out")).unwrap();
        (got, tree.contains("m.cpython-311.pyc"))
    };
    let (got, is_compiled) = with("riscv64-linux-cp311");
    assert!(is_compiled && !got.contains("warning"), "{got}");
    let (got, is_compiled) = with("riscv64-linux-cp312");
    assert!(!is_compiled, "{got}");
    assert!(
        got.contains("makes other bytecode than 3.12 reads"),
        "{got}"
    );
    assert!(!with("riscv64-linux-cp311.0a3").1);
}

#[test]
fn the_python_of_the_target_is_named_and_not_run() {
    let sandbox = Sandbox::new();
    let file = sandbox.wheel(
        &WheelBuilder::new("m", "1.0")
            .file("m.py", "x = 1\n")
            .entry_points("[console_scripts]\nm = m:x\n"),
    );
    let with = |target: &str, python: &str| {
        install(
            &sandbox,
            &[&file, "--target", target, "--target-python", python],
        )
    };
    let got = with("aarch64-linux-cp314t", "/opt/arm/bin/python3.14t");
    assert!(got.starts_with("exit: 0\n"), "{got}");
    let script = fs::read_to_string(sandbox.path("out/bin/m")).unwrap();
    assert!(
        script.starts_with("#!/opt/arm/bin/python3.14t\n"),
        "{script}"
    );
    assert!(
        sandbox
            .path("out/lib/python3.14t/site-packages/m.py")
            .is_file()
    );
    fs::remove_dir_all(sandbox.path("out")).unwrap();

    let python = Tool::PYTHON.names[0];
    let found = sandbox.run(&["install", &file, "--prefix", "out", "--python", python]);
    assert!(found.starts_with("exit: 0\n"), "{found}");
    let script = fs::read_to_string(sandbox.path("out/bin/m")).unwrap();
    let native = script.lines().next().unwrap().trim_start_matches("#!");
    fs::remove_dir_all(sandbox.path("out")).unwrap();
    let got = with("aarch64-linux-cp311", native);
    assert!(
        got.contains("is for x86-64, 64 bits and glibc, the target has AArch64"),
        "{got}"
    );
    let got = with("x86_64-musl-cp311", native);
    assert!(
        got.contains("the target has x86-64, 64 bits and musl"),
        "{got}"
    );
    let got = with("x86_64-linux-cp39", native);
    assert!(got.contains("the target has 3.9"), "{got}");
}

#[test]
fn an_environment_is_made_for_a_target() {
    let (sandbox, file) = with_wheel();
    let start = ["env", &file, "--prefix", "out"];
    let more = ["--target-python", "/opt/arm/bin/python3.12"];
    let got = sandbox.run(&[&start[..], &TARGET, &more].concat());
    assert!(got.starts_with("exit: 0\n"), "{got}");
    let link = fs::read_link(sandbox.path("out/bin/python3.12")).unwrap();
    assert_eq!(link.to_str(), Some("/opt/arm/bin/python3.12"));
    let config = fs::read_to_string(sandbox.path("out/pyvenv.cfg")).unwrap();
    assert!(config.contains("version = 3.12\n"), "{config}");
    fs::remove_dir_all(sandbox.path("out")).unwrap();

    let got = sandbox.run(&[&start[..], &["--target", "x86_64-linux-cp312"]].concat());
    assert!(got.starts_with("exit: 1\n"), "{got}");
}

#[test]
fn a_wheel_is_patched_and_checked_for_a_target() {
    let (sandbox, file) = with_wheel();
    fs::create_dir(sandbox.path("made")).unwrap();
    let patch = |target| sandbox.run(&["patch", &file, "-o", "made", "--target", target]);
    let got = patch("aarch64-linux-cp312");
    assert!(got.starts_with("exit: 0\n"), "{got}");
    assert!(got.contains("1 of 1 object proved to load"), "{got}");
    let got = patch("aarch64-linux-cp313");
    assert!(got.starts_with("exit: 1\n"), "{got}");
    let check = |target| sandbox.run(&["check", &file, "--target", target]);
    let got = check("aarch64-linux-cp312");
    assert!(got.starts_with("exit: 0\n"), "{got}");
    let got = check("x86_64-linux-cp312");
    assert!(got.starts_with("exit: 1\n"), "{got}");
    let got = sandbox.run(&[
        "check",
        &file,
        "--target",
        "aarch64-linux-cp312",
        "--python",
        "x",
    ]);
    assert!(got.starts_with("exit: 2\n"), "{got}");
}
