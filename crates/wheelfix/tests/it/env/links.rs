//! Files that are linked, copied and left out.

use std::os::unix::fs::MetadataExt as _;

use insta::assert_snapshot;
use wheelfix_testkit::prefix::PrefixBuilder;

use super::{make, refused, sandbox, tree, whole};
use crate::support::Sandbox;

/// Two distributions that share a namespace, one with data and headers.
fn two() -> Sandbox {
    sandbox(&[
        PrefixBuilder::new("one", "1.0")
            .module("ns/one/__init__.py", "x = 1\n")
            .file("ns/one/data/table.csv", "1,2\n")
            .add("share/one/doc.txt", "doc\n", 0o644)
            .add("include/one.h", "// one\n", 0o644),
        PrefixBuilder::new("two", "2.0")
            .module("ns/two.py", "x = 2\n")
            .script("two", "#!/bin/sh\necho two\n")
            .add("share/two.txt", "two\n", 0o644)
            .add("nix-support/setup-hook", "", 0o644),
    ])
}

#[test]
fn a_directory_of_one_input_is_one_link() {
    let sandbox = two();
    let text = make(&sandbox, &["a", "b"]);
    assert_snapshot!(text, @"
    exit: 0
    --- stdout
    [DIR]/env: 2 distributions, 7 directories and 2 files linked, not proved: no target is named
    ");
    assert_snapshot!(tree(&sandbox, "env"), @"
    bin -> [DIR]/b/bin
    include -> [DIR]/a/include
    lib/python3.11/site-packages/ns/__pycache__ -> [DIR]/b/lib/python3.11/site-packages/ns/__pycache__
    lib/python3.11/site-packages/ns/one -> [DIR]/a/lib/python3.11/site-packages/ns/one
    lib/python3.11/site-packages/ns/two.py -> [DIR]/b/lib/python3.11/site-packages/ns/two.py
    lib/python3.11/site-packages/one-1.0.dist-info -> [DIR]/a/lib/python3.11/site-packages/one-1.0.dist-info
    lib/python3.11/site-packages/two-2.0.dist-info -> [DIR]/b/lib/python3.11/site-packages/two-2.0.dist-info
    share/one -> [DIR]/a/share/one
    share/two.txt -> [DIR]/b/share/two.txt
    ");
}

#[test]
fn every_file_can_be_a_link() {
    let sandbox = two();
    make(&sandbox, &["a", "b", "--link", "symlink"]);
    assert_snapshot!(tree(&sandbox, "env"), @"
    bin/two -> [DIR]/b/bin/two
    include/one.h -> [DIR]/a/include/one.h
    lib/python3.11/site-packages/ns/__pycache__/two.cpython-311.pyc -> [DIR]/b/lib/python3.11/site-packages/ns/__pycache__/two.cpython-311.pyc
    lib/python3.11/site-packages/ns/one/__init__.py -> [DIR]/a/lib/python3.11/site-packages/ns/one/__init__.py
    lib/python3.11/site-packages/ns/one/__pycache__/__init__.cpython-311.pyc -> [DIR]/a/lib/python3.11/site-packages/ns/one/__pycache__/__init__.cpython-311.pyc
    lib/python3.11/site-packages/ns/one/data/table.csv -> [DIR]/a/lib/python3.11/site-packages/ns/one/data/table.csv
    lib/python3.11/site-packages/ns/two.py -> [DIR]/b/lib/python3.11/site-packages/ns/two.py
    lib/python3.11/site-packages/one-1.0.dist-info/METADATA -> [DIR]/a/lib/python3.11/site-packages/one-1.0.dist-info/METADATA
    lib/python3.11/site-packages/one-1.0.dist-info/RECORD -> [DIR]/a/lib/python3.11/site-packages/one-1.0.dist-info/RECORD
    lib/python3.11/site-packages/one-1.0.dist-info/WHEEL -> [DIR]/a/lib/python3.11/site-packages/one-1.0.dist-info/WHEEL
    lib/python3.11/site-packages/two-2.0.dist-info/METADATA -> [DIR]/b/lib/python3.11/site-packages/two-2.0.dist-info/METADATA
    lib/python3.11/site-packages/two-2.0.dist-info/RECORD -> [DIR]/b/lib/python3.11/site-packages/two-2.0.dist-info/RECORD
    lib/python3.11/site-packages/two-2.0.dist-info/WHEEL -> [DIR]/b/lib/python3.11/site-packages/two-2.0.dist-info/WHEEL
    share/one/doc.txt -> [DIR]/a/share/one/doc.txt
    share/two.txt -> [DIR]/b/share/two.txt
    ");
}

#[test]
fn copies_and_second_names_need_no_link() {
    for (mode, same) in [("copy", false), ("hardlink", true)] {
        let sandbox = two();
        make(&sandbox, &["a", "b", "--link", mode]);
        assert!(!tree(&sandbox, "env").contains("->"), "{mode}");
        let file = "lib/python3.11/site-packages/ns/one/data/table.csv";
        let inode = |prefix: &str| {
            let metadata = fs_err::metadata(sandbox.path(prefix).join(file)).unwrap();
            metadata.ino()
        };
        assert_eq!(inode("env") == inode("a"), same, "{mode}");
        let script = fs_err::metadata(sandbox.path("env/bin/two")).unwrap();
        assert_eq!(script.mode() & 0o777, 0o755, "{mode}");
    }
}

#[test]
fn blocks_are_shared_or_it_is_told() {
    let sandbox = two();
    let text = super::env(&sandbox, &["a", "b", "--link", "reflink"]);
    if text.starts_with("exit: 0\n") {
        assert!(!tree(&sandbox, "env").contains("->"));
    } else {
        // Not every file system can.
        assert!(text.starts_with("exit: 3\n"), "{text}");
        assert!(
            text.contains("failed to share the blocks of `[DIR]/"),
            "{text}"
        );
        assert_eq!(sandbox.names(), ["a", "b"]);
    }
}

#[test]
fn links_within_an_input_stay_within_the_copy() {
    let sandbox = two();
    let link = |target: &str, name: &str| {
        fs_err::os::unix::fs::symlink(target, sandbox.path("a/share").join(name)).unwrap();
    };
    link("one", "alias");
    link("one/doc.txt", "relative");
    link(
        sandbox.path("a/share/one/doc.txt").to_str().unwrap(),
        "absolute",
    );
    link(sandbox.path("b/share/two.txt").to_str().unwrap(), "away");
    make(&sandbox, &["a", "b", "--link", "copy"]);
    let tree = tree(&sandbox, "env");
    let links: Vec<&str> = tree.lines().filter(|line| line.contains("->")).collect();
    assert_snapshot!(links.join("\n"), @"
    share/absolute -> [DIR]/env/share/one/doc.txt
    share/alias -> one
    share/away -> [DIR]/b/share/two.txt
    share/relative -> one/doc.txt
    ");
}

#[test]
fn neither_order_nor_threads_matter() {
    let sandbox = two();
    for (name, args) in [
        ("env1", ["a", "b", "--jobs", "1"]),
        ("env2", ["b", "a", "--jobs", "1"]),
        ("env3", ["b", "a", "--jobs", "7"]),
    ] {
        let text = sandbox.run(&[&["env", "--prefix", name][..], &args].concat());
        assert!(text.starts_with("exit: 0\n"), "{text}");
    }
    let first = whole(&sandbox, "env1");
    assert_eq!(first, whole(&sandbox, "env2"));
    assert_eq!(first, whole(&sandbox, "env3"));
}

#[test]
fn a_dry_run_lists_every_entry_and_makes_none() {
    let sandbox = two();
    let text = make(&sandbox, &["a", "b", "--dry-run"]);
    assert_snapshot!(text, @"
    exit: 0
    --- stdout
    link-dir bin <- [DIR]/b/bin
    link-dir include <- [DIR]/a/include
    link-dir lib/python3.11/site-packages/ns/__pycache__ <- [DIR]/b/lib/python3.11/site-packages/ns/__pycache__
    link-dir lib/python3.11/site-packages/ns/one <- [DIR]/a/lib/python3.11/site-packages/ns/one
    link lib/python3.11/site-packages/ns/two.py <- [DIR]/b/lib/python3.11/site-packages/ns/two.py
    link-dir lib/python3.11/site-packages/one-1.0.dist-info <- [DIR]/a/lib/python3.11/site-packages/one-1.0.dist-info
    link-dir lib/python3.11/site-packages/two-2.0.dist-info <- [DIR]/b/lib/python3.11/site-packages/two-2.0.dist-info
    link-dir share/one <- [DIR]/a/share/one
    link share/two.txt <- [DIR]/b/share/two.txt
    [DIR]/env: 2 distributions, 7 directories and 2 files linked, not proved: no target is named
    ");
    assert_eq!(sandbox.names(), ["a", "b"]);
}

#[test]
fn json_is_one_document() {
    let sandbox = two();
    let text = make(&sandbox, &["a", "b", "--dry-run", "--json"]);
    let json = text.strip_prefix("exit: 0\n--- stdout\n").unwrap();
    let document: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(document["version"], 1);
    assert_eq!(document["dry_run"], true);
    assert_eq!(document["distributions"][0]["name"], "one");
    assert_eq!(document["plan"][0]["path"], "bin");
    assert_eq!(document["plan"][0]["action"], "link-directory");
}

#[test]
fn an_environment_is_an_input_like_any_other() {
    let sandbox = two();
    make(&sandbox, &["a", "b"]);
    let text = sandbox.run(&["env", "--prefix", "again", "env"]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let module = sandbox.path("again/lib/python3.11/site-packages/ns/two.py");
    assert_eq!(fs_err::read_to_string(module).unwrap(), "x = 2\n");
    let stderr = refused(&sandbox, &["a", "b"]);
    assert!(
        stderr.contains("prefix exists and is not empty"),
        "{stderr}"
    );
}
