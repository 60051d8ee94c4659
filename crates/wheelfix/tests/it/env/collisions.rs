//! Files that collide, files that do not, and the decisions of rules.

use insta::assert_snapshot;
use wheelfix_testkit::prefix::{PrefixBuilder, SITE_PACKAGES};

use super::{make, refused, sandbox, tree, untrue_rows};
use crate::support::Sandbox;

/// Every kind of collision at once.
fn colliding() -> Sandbox {
    sandbox(&[
        PrefixBuilder::new("one", "1.0")
            .file("same.py", "same\n")
            .file("differs.py", "one\n")
            .file("thing", "a file\n")
            .file("Case/a.py", "a\n")
            .file("tests/__init__.py", "one\n")
            .file("LICENSE", "one\n")
            .script("tool", "#!/bin/sh\necho one\n"),
        PrefixBuilder::new("two", "2.0")
            .file("same.py", "same\n")
            .file("differs.py", "two\n")
            .file("thing/__init__.py", "a directory\n")
            .file("case/b.py", "b\n")
            .file("tests/__init__.py", "two\n")
            .file("LICENSE", "two\n")
            .script("tool", "#!/bin/sh\necho two\n"),
    ])
}

#[test]
fn all_collisions_are_named_at_once_with_their_owners() {
    assert_snapshot!(refused(&colliding(), &["a", "b"]), @"
    error: `bin/tool` comes with different content from one 1.0 (`[DIR]/a/bin/tool`) and two 2.0 (`[DIR]/b/bin/tool`)
    error: `lib/python3.11/site-packages/Case` comes in names that differ in case only from one 1.0 (`[DIR]/a/lib/python3.11/site-packages/Case`) and two 2.0 (`[DIR]/b/lib/python3.11/site-packages/case`)
    error: `lib/python3.11/site-packages/differs.py` comes with different content from one 1.0 (`[DIR]/a/lib/python3.11/site-packages/differs.py`) and two 2.0 (`[DIR]/b/lib/python3.11/site-packages/differs.py`)
    error: `lib/python3.11/site-packages/thing` comes as a file and as a directory from one 1.0 (`[DIR]/a/lib/python3.11/site-packages/thing`) and two 2.0 (`[DIR]/b/lib/python3.11/site-packages/thing`)
    error: 4 faults in all
    hint: decide with `--on-collision GLOB=first` or `GLOB=last`, in the order of the inputs
    ");
}

#[test]
fn rules_decide_by_the_order_of_the_inputs() {
    let sandbox = colliding();
    let rules = ["--on-collision", "bin/*=last", "--on-collision", "**=first"];
    let text = make(&sandbox, &[&["b", "a"][..], &rules].concat());
    assert_snapshot!(text, @"
    exit: 0
    --- stdout
    [DIR]/env: 2 distributions, 2 directories and 9 files linked, 2 new files, 6 collisions decided by rules, not proved: no target is named
    --- stderr
    warning: `bin/tool` comes with different content from two 2.0 (`[DIR]/b/bin/tool`) and one 1.0 (`[DIR]/a/bin/tool`); the one of `[DIR]/a/bin/tool` counts, by the rule `bin/*=last`
    warning: `lib/python3.11/site-packages/Case` comes in names that differ in case only from two 2.0 (`[DIR]/b/lib/python3.11/site-packages/case`) and one 1.0 (`[DIR]/a/lib/python3.11/site-packages/Case`); the one of `[DIR]/b/lib/python3.11/site-packages/case` counts, by the rule `**=first`
    warning: `lib/python3.11/site-packages/LICENSE` comes with different content from two 2.0 (`[DIR]/b/lib/python3.11/site-packages/LICENSE`) and one 1.0 (`[DIR]/a/lib/python3.11/site-packages/LICENSE`); the one of `[DIR]/b/lib/python3.11/site-packages/LICENSE` counts, by the rule `**=first`
    warning: `lib/python3.11/site-packages/differs.py` comes with different content from two 2.0 (`[DIR]/b/lib/python3.11/site-packages/differs.py`) and one 1.0 (`[DIR]/a/lib/python3.11/site-packages/differs.py`); the one of `[DIR]/b/lib/python3.11/site-packages/differs.py` counts, by the rule `**=first`
    warning: `lib/python3.11/site-packages/tests/__init__.py` comes with different content from two 2.0 (`[DIR]/b/lib/python3.11/site-packages/tests/__init__.py`) and one 1.0 (`[DIR]/a/lib/python3.11/site-packages/tests/__init__.py`); the one of `[DIR]/b/lib/python3.11/site-packages/tests/__init__.py` counts, by the rule `**=first`
    warning: `lib/python3.11/site-packages/thing` comes as a file and as a directory from two 2.0 (`[DIR]/b/lib/python3.11/site-packages/thing`) and one 1.0 (`[DIR]/a/lib/python3.11/site-packages/thing`); the one of `[DIR]/b/lib/python3.11/site-packages/thing` counts, by the rule `**=first`
    ");
    let read = |path: &str| fs_err::read_to_string(sandbox.path("env").join(path)).unwrap();
    assert_eq!(read("bin/tool"), "#!/bin/sh\necho one\n");
    assert_eq!(read("lib/python3.11/site-packages/differs.py"), "two\n");
    assert_eq!(
        read("lib/python3.11/site-packages/thing/__init__.py"),
        "a directory\n"
    );
    assert!(!tree(&sandbox, "env").contains("/Case"));
}

#[test]
fn records_list_what_others_have_as_well() {
    // Two directories beside a file, and two equal files beside another.
    let sandbox = sandbox(&[
        PrefixBuilder::new("one", "1.0")
            .file("m/x.py", "x\n")
            .file("q.py", "q\n"),
        PrefixBuilder::new("two", "1.0")
            .file("m/y.py", "y\n")
            .file("q.py", "other\n"),
        PrefixBuilder::new("three", "1.0")
            .file("m", "m\n")
            .file("q.py", "q\n"),
    ]);
    make(&sandbox, &["a", "b", "c", "--on-collision", "**=first"]);
    assert_eq!(untrue_rows(&sandbox), Vec::<String>::new());
    let site = sandbox.path("env").join(SITE_PACKAGES);
    let listed = |distribution: &str| {
        let path = site.join(format!("{distribution}-1.0.dist-info/RECORD"));
        let text = fs_err::read_to_string(path).unwrap();
        let rows = text.lines().map(|row| row.split(',').next().unwrap());
        let rows = rows.filter(|path| !path.contains(".dist-info/"));
        rows.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(listed("one"), ["m/x.py", "q.py"]);
    assert_eq!(listed("two"), ["m/y.py"]);
    assert_eq!(listed("three"), ["q.py"]);
}

#[test]
fn records_list_what_counts() {
    for rule in ["first", "last"] {
        let sandbox = colliding();
        let rule = format!("**={rule}");
        make(&sandbox, &["a", "b", "--on-collision", &rule]);
        assert_eq!(untrue_rows(&sandbox), Vec::<String>::new(), "{rule}");
    }
    // Those of the shadowed ones alone are new.
    let sandbox = colliding();
    let text = make(&sandbox, &["a", "b", "--on-collision", "**=first"]);
    assert!(text.contains("8 files linked, 1 new file,"), "{text}");
    let record = sandbox
        .path("env")
        .join(SITE_PACKAGES)
        .join("two-2.0.dist-info/RECORD");
    let record = fs_err::read_to_string(record).unwrap();
    let rows: Vec<&str> = record
        .lines()
        .map(|row| row.split(',').next().unwrap())
        .collect();
    assert_snapshot!(rows.join("\n"), @"
    same.py
    two-2.0.dist-info/METADATA
    two-2.0.dist-info/RECORD
    two-2.0.dist-info/WHEEL
    ");
}

#[test]
fn a_rule_that_decides_nothing_is_an_error() {
    let sandbox = sandbox(&[PrefixBuilder::new("one", "1.0").file("a.py", "")]);
    let args = [
        "a",
        "--on-collision",
        "a.py=first",
        "--on-collision",
        "b=error",
    ];
    assert_snapshot!(refused(&sandbox, &args), @"
    error: no collision matches `a.py=first`
      fix: remove --on-collision a.py=first
    error: no collision matches `b=error`
      fix: remove --on-collision b=error
    error: 2 faults in all
    next: wheelfix env --prefix env a
    ");
}

#[test]
fn a_rule_can_forbid_what_ours_allow() {
    let sandbox = sandbox(&[
        PrefixBuilder::new("one", "1.0").file("LICENSE", "one\n"),
        PrefixBuilder::new("two", "2.0").file("LICENSE", "two\n"),
    ]);
    make(&sandbox, &["a", "b", "--dry-run"]);
    assert_snapshot!(refused(&sandbox, &["a", "b", "--on-collision", "LICENSE=error"]), @"
    error: `lib/python3.11/site-packages/LICENSE` comes with different content from one 1.0 (`[DIR]/a/lib/python3.11/site-packages/LICENSE`) and two 2.0 (`[DIR]/b/lib/python3.11/site-packages/LICENSE`)
    hint: decide with `--on-collision GLOB=first` or `GLOB=last`, in the order of the inputs
    ");
}

/// Two distributions with a namespace that has an `__init__.py`.
fn namespaces(one: &str, two: &str) -> Sandbox {
    sandbox(&[
        PrefixBuilder::new("one", "1.0")
            .module("ns/__init__.py", one)
            .module("ns/one.py", "x = 1\n"),
        PrefixBuilder::new("two", "2.0")
            .module("ns/__init__.py", two)
            .module("ns/two.py", "x = 2\n"),
    ])
}

#[test]
fn bytecode_follows_sources_that_agree() {
    let sandbox = namespaces("# ns\n", "# ns\n");
    make(&sandbox, &["a", "b"]);
    assert_snapshot!(tree(&sandbox, "env/lib/python3.11/site-packages/ns"), @"
    __init__.py -> [DIR]/a/lib/python3.11/site-packages/ns/__init__.py
    __pycache__/__init__.cpython-311.pyc -> [DIR]/a/lib/python3.11/site-packages/ns/__pycache__/__init__.cpython-311.pyc
    __pycache__/one.cpython-311.pyc -> [DIR]/a/lib/python3.11/site-packages/ns/__pycache__/one.cpython-311.pyc
    __pycache__/two.cpython-311.pyc -> [DIR]/b/lib/python3.11/site-packages/ns/__pycache__/two.cpython-311.pyc
    one.py -> [DIR]/a/lib/python3.11/site-packages/ns/one.py
    two.py -> [DIR]/b/lib/python3.11/site-packages/ns/two.py
    ");
}

#[test]
fn bytecode_follows_the_source_that_counts() {
    let sandbox = namespaces("# one\n", "# two\n");
    assert_snapshot!(refused(&sandbox, &["a", "b"]), @"
    error: `lib/python3.11/site-packages/ns/__init__.py` comes with different content from one 1.0 (`[DIR]/a/lib/python3.11/site-packages/ns/__init__.py`) and two 2.0 (`[DIR]/b/lib/python3.11/site-packages/ns/__init__.py`)
    hint: decide with `--on-collision GLOB=first` or `GLOB=last`, in the order of the inputs
    ");
    make(&sandbox, &["a", "b", "--on-collision", "ns/*.py=last"]);
    let cache = "env/lib/python3.11/site-packages/ns/__pycache__/__init__.cpython-311.pyc";
    let bytecode = fs_err::read_to_string(sandbox.path(cache)).unwrap();
    assert_eq!(bytecode, "bytecode of two in ns/__init__.py");
}

#[test]
fn stale_bytecode_of_a_losing_source_is_left_out() {
    // Only the shadowed one has bytecode.
    let sandbox = sandbox(&[
        PrefixBuilder::new("one", "1.0").file("ns/__init__.py", "# one\n"),
        PrefixBuilder::new("two", "2.0")
            .module("ns/__init__.py", "# two\n")
            .module("ns/two.py", "x = 2\n"),
    ]);
    make(
        &sandbox,
        &["a", "b", "--on-collision", "ns/__init__.py=first"],
    );
    assert_snapshot!(tree(&sandbox, "env/lib/python3.11/site-packages/ns"), @"
    __init__.py -> [DIR]/a/lib/python3.11/site-packages/ns/__init__.py
    __pycache__/two.cpython-311.pyc -> [DIR]/b/lib/python3.11/site-packages/ns/__pycache__/two.cpython-311.pyc
    two.py -> [DIR]/b/lib/python3.11/site-packages/ns/two.py
    ");
}
