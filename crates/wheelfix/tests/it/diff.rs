//! `wheelfix diff`: wheels, outputs, files, and what was installed of a wheel.

use insta::assert_snapshot;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

fn wheel(version: &str, text: &str) -> WheelBuilder {
    WheelBuilder::new("demo", version)
        .file("demo/__init__.py", text)
        .file("demo/same.py", "x = 1\n")
        .data("scripts/run", "#!python\nprint(1)\n")
        .entry_points("[console_scripts]\ngo = demo:go\n")
}

#[test]
fn two_versions_of_a_wheel() {
    let sandbox = Sandbox::new();
    let a = wheel("1.0", "def go():\n    print(1)\n").write_to(&sandbox.path("."));
    let b = wheel("1.1", "def go():\n    print('\u{1b}[31m')\n").file("demo/new.py", "");
    let b = b.write_to(&sandbox.path("."));
    let (a, b) = (a.file_name().unwrap(), b.file_name().unwrap());
    let (a, b) = (a.to_str().unwrap(), b.to_str().unwrap());
    assert_snapshot!(sandbox.run(&["diff", a, b]), @r"
    exit: 1
    --- stdout
    a demo-1.0-py3-none-any.whl  wheel, 7 entries
    b demo-1.1-py3-none-any.whl  wheel, 8 entries

    demo/__init__.py
      size: 23 -> 29
      lines:
        -     print(1)
        +     print('\u{1b}[31m')

    demo-*.dist-info/METADATA
      lines:
        - Version: 1.0
        + Version: 1.1

    demo-*.dist-info/RECORD
      size: 496 -> 561
      rows:
        - demo-1.0.data/scripts/run
        - demo-1.0.dist-info/METADATA
        - demo-1.0.dist-info/RECORD
        - demo-1.0.dist-info/WHEEL
        - demo-1.0.dist-info/entry_points.txt
        + demo-1.1.data/scripts/run
        + demo-1.1.dist-info/METADATA
        + demo-1.1.dist-info/RECORD
        + demo-1.1.dist-info/WHEEL
        + demo-1.1.dist-info/entry_points.txt
        + demo/new.py
      rows with another hash or size: demo/__init__.py

    only in b
      demo/new.py  0 B

    8 entries: 4 equal, 3 changed, 1 only in b
    ");
    assert_snapshot!(sandbox.run(&["diff", a, a]), @"
    exit: 0
    --- stdout
    a demo-1.0-py3-none-any.whl  wheel, 7 entries
    b demo-1.0-py3-none-any.whl  wheel, 7 entries
    7 entries: 7 equal
    ");
    assert_eq!(sandbox.run(&["diff", "-q", a, b]), "exit: 1\n");
}

/// As in pymol-open-source.
#[test]
fn a_data_directory_of_an_older_name_has_no_version_either() {
    let sandbox = Sandbox::new();
    let write = |version: &str| {
        let script = format!("old-{version}.data/scripts/run");
        let wheel = WheelBuilder::new("demo", version).file(&script, "#!python\n");
        sandbox.wheel(&wheel)
    };
    let text = sandbox.run(&["diff", &write("1.0"), &write("1.1")]);
    assert!(text.ends_with("2 changed\n"), "{text}");
}

#[test]
fn archives_that_differ_in_nothing_but_their_form() {
    let sandbox = Sandbox::new();
    let a = wheel("1.0", "x = 1\n").write_to(&sandbox.path("."));
    fs_err::create_dir(sandbox.path("b")).unwrap();
    wheel("1.0", "x = 1\n")
        .stored()
        .write_to(&sandbox.path("b"));
    let a = a.file_name().unwrap().to_str().unwrap();
    let b = format!("b/{a}");
    assert_snapshot!(sandbox.run(&["diff", a, &b]), @"
    exit: 1
    --- stdout
    a demo-1.0-py3-none-any.whl  wheel, 7 entries
    b b/demo-1.0-py3-none-any.whl  wheel, 7 entries
    7 files are equal, but the archives differ, in compression
    ");
}

#[test]
fn an_installed_wheel_is_compared_where_its_files_went() {
    let sandbox = Sandbox::new();
    let other = WheelBuilder::new("other", "1").file("other.py", "");
    let other = other.write_to(&sandbox.path("."));
    let a = wheel("1.0", "x = 1\n").write_to(&sandbox.path("."));
    let (a, other) = (a.file_name().unwrap(), other.file_name().unwrap());
    let (a, other) = (a.to_str().unwrap(), other.to_str().unwrap());
    let install = [
        "install",
        a,
        other,
        "--prefix",
        "p",
        "--python-version",
        "3.11",
        "-q",
    ];
    sandbox.run(&install);
    fs_err::write(sandbox.path("p/lib/python3.11/site-packages/stray"), "").unwrap();
    assert_snapshot!(sandbox.run(&["diff", a, "p"]), @"
    exit: 1
    --- stdout
    a demo-1.0-py3-none-any.whl  wheel, 7 entries
    b p  directory, 9 entries; 4 entries of other distributions left out

    bin/run
      mode: 0644 -> 0755
      size: 18 -> 35
      lines:
        - #!python
        + #!/usr/bin/env python3.11

    lib/python3.11/site-packages/demo-1.0.dist-info/RECORD
      size: 495 -> 557
      rows:
        - demo-1.0.data/scripts/run
        + ../../../bin/go
        + ../../../bin/run

    only in b
      bin/go  206 B
      lib/python3.11/site-packages/stray  0 B

    9 entries: 5 equal, 2 changed, 2 only in b
    ");
    // The other way round it is the same.
    let turned = sandbox.run(&["diff", "p", a, "--json"]);
    let document = document(&turned);
    assert_eq!(document["a"]["left_out"], 4);
    assert_eq!(document["same_bytes"], serde_json::Value::Null);
    assert_eq!(document["is_equal"], false);
}

fn document(printed: &str) -> serde_json::Value {
    let (_, json) = printed.split_once("--- stdout\n").unwrap();
    serde_json::from_str(json).unwrap()
}

#[test]
fn libraries_differ_by_what_the_loader_reads() {
    let sandbox = Sandbox::new();
    fs_err::write(sandbox.path("a.c"), "void f(void) {} void g(void) {}").unwrap();
    fs_err::write(sandbox.path("b.c"), "void f(void) {} void h(void) {}").unwrap();
    let compile = |args: &[&str]| {
        let start = ["-shared", "-fPIC", "-nostdlib", "-Wl,--build-id=none", "-s"];
        let tool = Tool::CC.run_in(&sandbox.path("."), &[&start, args].concat());
        tool.expect();
    };
    compile(&["-Wl,-soname,liba.so.1", "-o", "a.so", "a.c"]);
    compile(&[
        "-Wl,-soname,liba.so.2",
        "-Wl,-rpath,/x:$ORIGIN",
        "-o",
        "b.so",
        "b.c",
    ]);
    let printed = sandbox.run(&["diff", "a.so", "b.so", "--json"]);
    let document = document(&printed);
    let differences = document["changed"][0]["differences"].as_array().unwrap();
    let of = |what: &str| {
        let found = differences.iter().find(|it| it["what"] == what).unwrap();
        format!("{} {}", found["a"], found["b"])
    };
    assert_eq!(of("soname"), r#"["liba.so.1"] ["liba.so.2"]"#);
    assert_eq!(of("RUNPATH"), r#"[] ["/x","$ORIGIN"]"#);
    assert_eq!(of("exported symbols"), r#"["g"] ["h"]"#);
    // An edit of the run path leaves the code alone.
    fs_err::copy(sandbox.path("b.so"), sandbox.path("c.so")).unwrap();
    sandbox.run(&["patchelf", "--set-rpath", "/yy", "c.so"]);
    assert_snapshot!(sandbox.run(&["diff", "b.so", "c.so"]), @"
    exit: 1
    --- stdout
    a b.so  file
    b c.so  file

    content
      RUNPATH:
        - /x
        - $ORIGIN
        + /yy
      sections with other bytes: .dynstr

    1 entry: 1 changed
    ");
}

#[test]
fn kinds_modes_and_links() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let sandbox = Sandbox::new();
    for (side, mode, target) in [("a", 0o644, "x"), ("b", 0o755, "y")] {
        fs_err::create_dir_all(sandbox.path(side).join("empty")).unwrap();
        let file = sandbox.path(side).join("tool");
        fs_err::write(&file, "").unwrap();
        fs_err::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        symlink(target, sandbox.path(side).join("link")).unwrap();
    }
    fs_err::write(sandbox.path("a/thing"), [0, 1]).unwrap();
    symlink("tool", sandbox.path("b/thing")).unwrap();
    fs_err::write(sandbox.path("a/raw"), [0, 1]).unwrap();
    fs_err::write(sandbox.path("b/raw"), [0, 2]).unwrap();
    assert_snapshot!(sandbox.run(&["diff", "a", "b"]), @"
    exit: 1
    --- stdout
    a a  directory, 5 entries
    b b  directory, 5 entries

    link
      target: x -> y

    raw
      content:
        - b413f47d13ee2fe6c845b2ee141af81de858df4ec549a58b7970bb96645bc8d2
        + fcf0a6c700dd13e274b6fba8deea8dd9b26e4eedde3495717cac8408c9c5177f

    thing
      kind: file -> symbolic link

    tool
      mode: 0644 -> 0755

    5 entries: 1 equal, 4 changed
    ");
}

#[test]
fn what_is_made_twice_is_compared() {
    let sandbox = Sandbox::new();
    let a = wheel("1.0", "x = {'a', 'b', 'c'}\n").write_to(&sandbox.path("."));
    let a = a.file_name().unwrap().to_str().unwrap();
    let bare = ["--python-version", "3.11", "--check-twice"];
    for jobs in ["1", "4"] {
        let install = [&["install", a, "--prefix", jobs, "--jobs", jobs], &bare[..]].concat();
        let said = sandbox.run(&install);
        let last = said.lines().last().unwrap();
        assert_eq!(last, "made twice: 8 files, the same both times", "{said}");
    }
    let python = ["--python", "python3", "--check-twice", "--json"];
    let install = [&["install", a, "--prefix", "p"], &python[..]].concat();
    let files = document(&sandbox.run(&install))["made_twice"]
        .as_u64()
        .unwrap();
    assert_eq!(
        files,
        8 + 2 * 2,
        "with the bytecode of two sources for two levels"
    );
    let env = [&["env", "p", "--prefix", "e"], &python[..]].concat();
    let report = document(&sandbox.run(&env));
    assert!(
        report["made_twice"].as_u64().is_some_and(|files| 3 < files),
        "{report}"
    );
    let once = [
        "install",
        a,
        "--prefix",
        "q",
        "--python-version",
        "3.11",
        "--json",
    ];
    assert!(document(&sandbox.run(&once))["made_twice"].is_null());
    // Nothing of the second making is left.
    assert_eq!(sandbox.names(), ["1", "4", a, "e", "p", "q"]);
}

#[test]
fn what_cannot_be_compared_is_told() {
    let sandbox = Sandbox::new();
    fs_err::write(sandbox.path("x-1-py3-none-any.whl"), "PK").unwrap();
    fs_err::create_dir_all(sandbox.path("a/empty/..")).unwrap();
    fs_err::create_dir(sandbox.path("b")).unwrap();
    fs_err::remove_dir(sandbox.path("a/empty")).unwrap();
    assert_snapshot!(sandbox.run(&["diff", "x-1-py3-none-any.whl", "a"]), @"
    exit: 1
    --- stderr
    error: `x-1-py3-none-any.whl`: at 0x2: no end of central directory record: not a zip archive, or truncated
    ");
    assert_snapshot!(sandbox.run(&["diff", "a", "none"]), @"
    exit: 3
    --- stderr
    error: `none`: no such file; wheelfix downloads nothing, if a package is meant
      fix: pip download --only-binary=:all: --no-deps -d wheels none  # and name wheels/*.whl
    next: pip download --only-binary=:all: --no-deps -d wheels none && wheelfix diff a wheels/*.whl
    ");
    assert_snapshot!(sandbox.run(&["diff", "a", "b"]), @"
    exit: 1
    --- stdout
    a a  directory, 0 entries
    b b  directory, 0 entries
    nothing to compare: there are no files
    ");
}

#[test]
fn a_prefix_without_the_wheel_is_told_by_a_line() {
    let sandbox = Sandbox::new();
    let wheel =
        |name: &str| sandbox.wheel(&WheelBuilder::new(name, "1.0").file(&format!("{name}.py"), ""));
    let (one, two) = (wheel("one"), wheel("two"));
    let args = [
        "install",
        &one,
        "--prefix",
        "out",
        "--python-version",
        "3.11",
    ];
    assert!(sandbox.run(&args).starts_with("exit: 0\n"));
    for sides in [[&*two, "out"], ["out", &two]] {
        let text = sandbox.run(&[&["diff"], &sides[..]].concat());
        assert_eq!(
            text,
            "exit: 1\n--- stderr\nerror: `out` has no two: it has one\n"
        );
    }
}
