//! Libraries that Python sources open: needed, told, and found by rules.

use std::process::Command;

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};
use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// Installs a wheel of these files, with the library paths.
fn install(sandbox: &Sandbox, files: &[(&str, &str)], lib_paths: &[&str]) -> String {
    let mut wheel = WheelBuilder::new("demo", "1.0");
    for (path, text) in files {
        wheel = wheel.file(path, *text);
    }
    let more = lib_paths.iter().flat_map(|path| ["--lib-path", path]);
    install_wheel(sandbox, &wheel, &more.collect::<Vec<_>>())
}

/// Installs a wheel, with these options.
fn install_wheel(sandbox: &Sandbox, wheel: &WheelBuilder, more: &[&str]) -> String {
    let wheel = sandbox.wheel(wheel);
    if sandbox.path("p").is_dir() {
        fs_err::remove_dir_all(sandbox.path("p")).unwrap();
    }
    let python = cache::tool("python3").to_str().unwrap().to_owned();
    let start = ["install", &wheel, "--prefix", "p", "--no-bytecode"];
    let target = ["--python", &python];
    sandbox.run(&[&start[..], &target, more].concat())
}

/// A directory with a library.
fn library(sandbox: &Sandbox, prefix: &str, name: &str) {
    fs_err::create_dir_all(sandbox.path(prefix).join("lib")).unwrap();
    let output = format!("{prefix}/lib/{name}");
    let soname = format!("-Wl,-soname,{name}");
    sandbox.library("int f;", &[&soname, "-o", &output]);
}

#[test]
fn what_an_import_needs_is_an_error_and_what_may_not_run_a_warning() {
    let sandbox = Sandbox::new();
    let needed = "import ctypes\nx = ctypes.CDLL('libgone.so.1')\n";
    let text = install(&sandbox, &[("demo/__init__.py", needed)], &[]);
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(text.contains("error: `libgone.so.1` is missing"), "{text}");
    assert!(text.contains("__init__.py:2"), "{text}");
    for source in [
        "import ctypes\ndef f():\n    return ctypes.CDLL('libgone.so.1')\n",
        "from ctypes.util import find_library as f\nx = f('gone')\n",
    ] {
        let text = install(&sandbox, &[("demo/__init__.py", source)], &[]);
        assert!(text.starts_with("exit: 0\n"), "{text}");
        assert!(text.contains("warning: `libgone.so"), "{text}");
    }
    // Nothing imports the module.
    let files = [("demo/__init__.py", ""), ("demo/unused.py", needed)];
    let text = install(&sandbox, &files, &[]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(
        text.contains("warning: `libgone.so.1` is missing"),
        "{text}"
    );
    let files = [("demo/__init__.py", "from .unused import x\n"), files[1]];
    let text = install(&sandbox, &files, &[]);
    assert!(text.starts_with("exit: 1\n"), "{text}");
}

#[test]
fn scripts_are_told_and_refuse_nothing() {
    // As pulsemixer has it.
    let sandbox = Sandbox::new();
    let text = "from ctypes import CDLL\nx = CDLL('libgone.so.1')\n";
    for (first, is_told) in [
        ("#!python", true),
        ("#!/usr/bin/env python3", true),
        ("#!/bin/sh", false),
    ] {
        let wheel =
            WheelBuilder::new("demo", "1.0").data("scripts/demo", format!("{first}\n{text}"));
        let text = install_wheel(&sandbox, &wheel, &[]);
        assert!(text.starts_with("exit: 0\n"), "{text}");
        let want =
            "warning: `libgone.so.1` is missing\n  opened at run time by: bin/demo (demo:3)\n";
        assert_eq!(text.contains(want), is_told, "{first}: {text}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "runs what was installed")]
fn rules_replace_texts_of_scripts_that_start_by_their_interpreter() {
    let sandbox = Sandbox::new();
    let rule = "[[replace]]\nname = 'r'\nreason = 'a'\nsource = 'b'\nfile = ['bin/demo']\n\
        old = ['gone']\nnew = 'came'\n";
    fs_err::write(sandbox.path("r.toml"), rule).unwrap();
    let wheel = WheelBuilder::new("demo", "1.0").data("scripts/demo", "#!python\nprint('gone')\n");
    let text = install_wheel(&sandbox, &wheel, &["--rules", "r.toml"]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let check = |script: &str| {
        let output = Command::new(sandbox.path(script)).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "came\n",
            "{script}: {output:?}"
        );
    };
    check("p/bin/demo");
    let record = sandbox.path("p/lib/python3.11/site-packages/demo-1.0.dist-info/RECORD");
    let record = fs_err::read_to_string(record).unwrap();
    let hash = BASE64URL_NOPAD.encode(&Sha256::digest(
        fs_err::read(sandbox.path("p/bin/demo")).unwrap(),
    ));
    assert!(
        record.contains(&format!("../../../bin/demo,sha256={hash},")),
        "{record}"
    );
    let python = cache::tool("python3").to_str().unwrap().to_owned();
    let file = sandbox.wheel(&wheel);
    let args = [
        "env", "--prefix", "e", "--python", &python, "--rules", "r.toml", &file,
    ];
    let text = sandbox.run(&args);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    check("e/bin/demo");
}

#[test]
fn names_that_a_function_returns_are_asked_for() {
    // As chromaprint has it.
    let sandbox = Sandbox::new();
    let source = "import ctypes\ndef names():\n    return ('libgone.so.1', 'libfar.so')\nfor name in names():\n    \
        try: x = ctypes.CDLL(name)\n    except OSError: pass\n";
    let text = install(&sandbox, &[("demo/__init__.py", source)], &[]);
    let want = "warning: `libgone.so.1 or libfar.so` is missing";
    assert!(
        text.starts_with("exit: 0\n") && text.contains(want),
        "{text}"
    );
}

#[test]
fn a_library_that_is_looked_for_in_several_places_is_named_once() {
    let sandbox = Sandbox::new();
    let source = "import ctypes\ndef f():\n    for n in ['libgone.so', '/a/libgone.so', 'libfar.so']:\n        \
        try:\n            return ctypes.CDLL(n)\n        except OSError:\n            pass\n";
    let text = install(&sandbox, &[("demo/__init__.py", source)], &[]);
    assert!(
        text.contains("warning: `libgone.so or libfar.so` is missing"),
        "{text}"
    );
}

#[test]
fn a_shipped_rule_names_the_library_of_a_library_path() {
    let sandbox = Sandbox::new();
    let source = "import ctypes\nlibrary_paths = (\n    'libhidapi-hidraw.so',\n    \
        'libhidapi-hidraw.so.0',\n    'hidapi.dll',\n)\nfor lib in library_paths:\n    try:\n        \
        hidapi = ctypes.cdll.LoadLibrary(lib)\n        break\n    except OSError:\n        pass\nelse:\n    \
        raise ImportError\n";
    let files = [("hid/__init__.py", source)];
    let text = install(&sandbox, &files, &[]);
    assert!(text.starts_with("exit: 1\n"), "{text}");
    let missing = "error: `libhidapi-hidraw.so or libhidapi-hidraw.so.0` is missing";
    assert!(text.contains(missing), "{text}");
    assert!(text.contains("lib.getLib hidapi"), "{text}");
    assert!(!text.contains("[[replace]]"), "{text}");
    library(&sandbox, "hidapi", "libhidapi-hidraw.so.0");
    let text = install(&sandbox, &files, &["hidapi"]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let site = "lib/python3.11/site-packages/hid/__init__.py";
    let read = || fs_err::read_to_string(sandbox.path("p").join(site)).unwrap();
    let line = |prefix: &str| {
        let path = sandbox.path(prefix).join("lib/libhidapi-hidraw.so.0");
        format!("(\n    '{}',\n    'libhidapi-hidraw.so.0'", path.display())
    };
    assert!(read().contains(&line("hidapi")), "{}", read());
    // A later run with another place of the library follows it.
    library(&sandbox, "moved", "libhidapi-hidraw.so.0");
    fs_err::remove_dir_all(sandbox.path("hidapi")).unwrap();
    let python = cache::tool("python3").to_str().unwrap().to_owned();
    let args = ["patch", "p", "--python", &python, "--lib-path", "moved"];
    let text = sandbox.run(&args);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(read().contains(&line("moved")), "{}", read());
}

#[test]
fn a_library_that_the_package_carries_is_looked_for_there_first() {
    let sandbox = Sandbox::new();
    library(&sandbox, "made", "libgone.so.1");
    let bytes = fs_err::read(sandbox.path("made/lib/libgone.so.1")).unwrap();
    let source = "import ctypes\nx = ctypes.CDLL('libgone.so.1')\n";
    let wheel = WheelBuilder::new("demo", "1.0")
        .tags("cp311-cp311-linux_x86_64")
        .file("demo/__init__.py", source)
        .file("demo/libgone.so.1", bytes);
    let text = install_wheel(&sandbox, &wheel, &[]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(
        text.contains("warning: `libgone.so.1` is missing"),
        "{text}"
    );
}

/// As anoncreds, finufft and cyclonedds have it.
#[test]
fn a_name_is_another_way_to_what_is_opened_by_its_path() {
    let sandbox = Sandbox::new();
    library(&sandbox, "made", "libgone.so");
    let bytes = fs_err::read(sandbox.path("made/lib/libgone.so")).unwrap();
    let installed = |path: &str, source: &str| {
        let wheel = WheelBuilder::new("demo", "1.0")
            .tags("cp311-cp311-linux_x86_64")
            .file("demo/__init__.py", source)
            .file("demo/place.py", "path = __path__[0]\n")
            .file(path, bytes.clone());
        let text = install_wheel(&sandbox, &wheel, &[]);
        assert!(text.starts_with("exit: 0\n"), "{text}");
        text.contains("warning: `libgone.so` is missing")
    };
    let start = "import ctypes, os, pathlib\nfrom ctypes.util import find_library\nfrom .place import path\n";
    let by_name = "  return ctypes.CDLL(find_library('gone'))\n";
    for place in [
        "os.path.join(os.path.dirname(__file__), f'{prefix}gone.so')",
        "str(pathlib.Path(__file__).parent.resolve() / name)",
        "str(path)",
    ] {
        let source = format!(
            "{start}def f(name):\n  try: return ctypes.CDLL({place})\n  except OSError: pass\n{by_name}"
        );
        assert!(!installed("demo/libgone.so", &source), "{source}");
        assert!(!installed("demo/lib/libgone.so", &source), "{source}");
        assert!(!installed("demo/lib/libgone.so.2", &source), "{source}");
        // What is elsewhere, or is another one, it does not open.
        assert!(installed("other/libgone.so", &source), "{source}");
        assert!(installed("demo/libgone2.so", &source), "{source}");
    }
    let source = format!("{start}def f():\n{by_name}");
    assert!(installed("demo/libgone.so", &source));
}

#[test]
fn what_a_rule_would_name_is_told_where_no_library_path_has_it() {
    let sandbox = Sandbox::new();
    let rule = "[[replace]]\nname = 'r'\nreason = 'a'\nsource = 'b'\nfile = ['demo/__init__.py']\n\
        old = ['find_library(name)']\nnew = '\"{lib:libgone.so.1}\"'\n";
    fs_err::write(sandbox.path("r.toml"), rule).unwrap();
    library(&sandbox, "libs", "libgone.so.1");
    let source =
        "from ctypes.util import find_library\ndef f(name):\n    return find_library(name)\n";
    let wheel = WheelBuilder::new("demo", "1.0").file("demo/__init__.py", source);
    let rules = ["--rules", "r.toml"];
    let text = install_wheel(&sandbox, &wheel, &rules);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let want = "warning: `libgone.so.1` is missing\n  opened at run time by: ";
    assert!(text.contains(want) && text.contains("(rule `r`)"), "{text}");
    let text = install_wheel(
        &sandbox,
        &wheel,
        &[&rules[..], &["--lib-path", "libs"]].concat(),
    );
    assert!(
        text.starts_with("exit: 0\n") && !text.contains("is missing"),
        "{text}"
    );
}
