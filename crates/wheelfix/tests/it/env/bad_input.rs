//! Bad inputs: one clear error each, and nothing left.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use fs_err::os::unix::fs::symlink;
use insta::assert_snapshot;
use wheelfix_testkit::prefix::{PrefixBuilder, SITE_PACKAGES};
use wheelfix_testkit::wheel::WheelBuilder;

use super::{failed, make, refused, sandbox};
use crate::support::Sandbox;

fn one() -> Sandbox {
    sandbox(&[PrefixBuilder::new("one", "1.0").file("one/data/a.txt", "a\n")])
}

#[test]
fn inputs_that_are_not_there_are_all_named() {
    let sandbox = Sandbox::new();
    PrefixBuilder::new("one", "1.0")
        .propagates("/gone/away".as_ref())
        .write_to(&sandbox.path("a"));
    symlink("loop", sandbox.path("loop")).unwrap();
    assert_snapshot!(failed(&sandbox, &["none", "a", "loop"], 3), @"
    error: `none`: no such file; wheelfix downloads nothing, if a package is meant
      fix: pip download --only-binary=:all: -d wheels none  # and name wheels/*.whl
    error: links lead in a circle: `loop`
    error: input does not exist: `/gone/away`, which `[DIR]/a` propagates
    error: 3 faults in all
    next: pip download --only-binary=:all: -d wheels none && wheelfix env wheels/*.whl --prefix env a loop  # mends 1 of 3
    ");
}

#[test]
fn an_empty_directory_is_told_of() {
    let sandbox = one();
    fs_err::create_dir(sandbox.path("nothing")).unwrap();
    let text = make(&sandbox, &["a", "nothing"]);
    let told = "warning: `[DIR]/nothing` is empty: it adds nothing to the environment\n";
    assert_eq!(text.matches("is empty").count(), 1, "{text}");
    assert!(text.contains(told), "{text}");
}

#[test]
fn a_link_to_nothing_is_named_wherever_it_is() {
    for place in ["share/broken", &format!("{SITE_PACKAGES}/one/data/broken")] {
        let sandbox = one();
        fs_err::create_dir_all(sandbox.path("a/share")).unwrap();
        symlink("/nowhere", sandbox.path("a").join(place)).unwrap();
        let stderr = refused(&sandbox, &["a"]);
        assert_eq!(
            stderr,
            format!("error: link leads to nothing: `[DIR]/a/{place}` -> `/nowhere`\n")
        );
    }
}

#[test]
fn directories_that_are_too_deep_are_named() {
    let deep = "d/".repeat(1000);
    let file = |name: &str| PrefixBuilder::new(name, "1.0").file(&format!("{deep}{name}.py"), "");
    let sandbox = sandbox(&[file("one"), file("two")]);
    // One input alone is taken whole.
    make(&sandbox, &["a"]);
    fs_err::remove_dir_all(sandbox.path("env")).unwrap();
    let stderr = refused(&sandbox, &["a", "b"]);
    let start = "error: more than 128 directories above each other: `[DIR]/a/lib/python3.11/";
    assert!(stderr.starts_with(start), "{stderr}");
    // Wheels may be as deep as they may be at all.
    let deep = "d/".repeat(124);
    let wheel = |name: &str| WheelBuilder::new(name, "1.0").file(&format!("{deep}{name}.py"), "");
    let wheels = [
        sandbox.wheel(&wheel("three")),
        sandbox.wheel(&wheel("four")),
    ];
    make(&sandbox, &[&wheels[0], &wheels[1]]);
}

#[test]
fn inputs_that_are_named_and_propagated_come_in_once() {
    let sandbox = Sandbox::new();
    let plain = sandbox.path("plain");
    fs_err::create_dir_all(plain.join("share/doc")).unwrap();
    fs_err::write(plain.join("share/doc/plain.txt"), "").unwrap();
    PrefixBuilder::new("one", "1.0")
        .propagates(&plain)
        .write_to(&sandbox.path("a"));
    let inputs = ["plain", "a", "plain", "./plain"];
    let text = make(&sandbox, &[&inputs[..], &["--dry-run", "--json"]].concat());
    assert!(text.contains("\"passed_over\": []"), "{text}");
    assert_eq!(text.matches("\"chain\"").count(), 2, "{text}");
}

#[test]
fn faults_are_listed_in_one_order() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let sandbox = sandbox(&names.map(|name| PrefixBuilder::new(name, "1.0")));
    for prefix in names {
        for name in ["x", "y", "z"] {
            let directory = sandbox.path(prefix).join("share").join(prefix).join(name);
            fs_err::create_dir_all(&directory).unwrap();
            symlink("/nowhere", directory.join("broken")).unwrap();
        }
    }
    let all = |jobs| refused(&sandbox, &[&names[..], &["--jobs", jobs]].concat());
    let one = all("1");
    assert!(one.contains("error: 24 faults in all"), "{one}");
    for _ in 0..8 {
        assert_eq!(all("7"), one);
    }
}

#[test]
fn links_in_a_circle_are_named() {
    let sandbox = one();
    symlink(
        "circle",
        sandbox.path("a").join(SITE_PACKAGES).join("circle"),
    )
    .unwrap();
    assert_snapshot!(refused(&sandbox, &["a"]), @"error: links lead in a circle: `[DIR]/a/lib/python3.11/site-packages/circle`");
}

#[test]
fn directories_that_hold_themselves_are_named() {
    let sandbox = sandbox(&[
        PrefixBuilder::new("one", "1.0").file("ns/one.py", ""),
        PrefixBuilder::new("two", "1.0").file("ns/self/two.py", ""),
    ]);
    let link = sandbox.path("a").join(SITE_PACKAGES).join("ns/self");
    symlink("../ns", link).unwrap();
    assert_snapshot!(refused(&sandbox, &["a", "b"]), @"error: links lead in a circle: `[DIR]/a/lib/python3.11/site-packages/ns/self`");
}

#[test]
fn metadata_that_cannot_be_read_is_named() {
    for (name, content) in [
        ("RECORD", &b"one.py\n"[..]),
        ("RECORD", b"\xff\n"),
        ("METADATA", b"Name: one\n"),
        ("WHEEL", b"x\n"),
    ] {
        let sandbox = one();
        let path = format!("a/{SITE_PACKAGES}/one-1.0.dist-info/{name}");
        fs_err::write(sandbox.path(&path), content).unwrap();
        let stderr = refused(&sandbox, &["a"]);
        assert!(stderr.starts_with("error: "), "{stderr}");
        assert!(stderr.contains(&format!("`[DIR]/{path}`")), "{stderr}");
    }
}

#[test]
fn a_name_that_is_no_text_is_named() {
    let sandbox = one();
    let name = OsStr::from_bytes(b"caf\xe9.txt");
    let data = sandbox.path("a").join(SITE_PACKAGES).join("one/data");
    fs_err::write(data.join(name), "").unwrap();
    assert_snapshot!(refused(&sandbox, &["a"]), @r#"error: name is not UTF-8: "[DIR]/a/lib/python3.11/site-packages/one/data/caf\xE9.txt""#);
}

#[test]
fn what_lies_within_each_other_is_refused() {
    let sandbox = one();
    let text = sandbox.run(&["env", "--prefix", "a/env", "a"]);
    assert_snapshot!(text, @"
    exit: 1
    --- stderr
    error: the prefix `[DIR]/a/env` lies within the input `[DIR]/a`
    ");
    assert!(!sandbox.path("a/env").try_exists().unwrap());
    assert_snapshot!(refused(&sandbox, &["a", "a/lib"]), @"error: input `[DIR]/a/lib` lies within input `[DIR]/a`");
}

#[test]
fn what_is_neither_file_nor_directory_is_named() {
    let sandbox = one();
    let path = sandbox.path("a/pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    assert_snapshot!(refused(&sandbox, &["a"]), @"error: neither file nor directory nor link: `[DIR]/a/pipe`");
}

#[test]
fn a_file_that_is_no_wheel_is_refused() {
    let sandbox = one();
    fs_err::write(sandbox.path("notes.txt"), "x").unwrap();
    let stderr = refused(&sandbox, &["a", "notes.txt"]);
    assert!(stderr.contains("notes.txt"), "{stderr}");
}
