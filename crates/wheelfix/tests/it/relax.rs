//! Requirements edited in what is installed already, and in a wheel that becomes another.

use sha2::{Digest as _, Sha256};
use wheelfix_format::{Record, RecordHash};
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

const SITE: &str = "out/lib/python3.11/site-packages";
const DIST_INFO: &str = "out/lib/python3.11/site-packages/demo-1.0.dist-info";
const VENDORED: &str = "demo/_vendor/other-2.dist-info/METADATA";

fn demo() -> WheelBuilder {
    WheelBuilder::new("demo", "1.0")
        .metadata("Requires-Dist: NumPy-stl<2,>=1; python_version > '3'\nRequires-Dist: pip>=20\n")
        .file("demo/__init__.py", "")
        .file(
            VENDORED,
            "Metadata-Version: 2.1\nName: other\nVersion: 2\nRequires-Dist: numpy-stl<2\n",
        )
}

fn install(sandbox: &Sandbox) {
    let wheel = sandbox.wheel(&demo());
    let args = ["--prefix", "out", "--python-version", "3.11"];
    let text = sandbox.run(&[&["install", &wheel], &args[..]].concat());
    assert!(text.starts_with("exit: 0\n"), "{text}");
}

/// The requirements in METADATA, once RECORD is found to be true.
#[track_caller]
fn requirements(sandbox: &Sandbox) -> Vec<String> {
    let dist_info = sandbox.path(DIST_INFO);
    let record = fs_err::read_to_string(dist_info.join("RECORD")).unwrap();
    for row in Record::parse(&record).unwrap().rows {
        if let Some(hash) = row.hash {
            let bytes = fs_err::read(sandbox.path(SITE).join(&row.path)).unwrap();
            let is_true = hash == RecordHash::sha256(Sha256::digest(&bytes).into());
            assert!(
                is_true && row.size == Some(bytes.len() as u64),
                "{}",
                row.path
            );
        }
    }
    let metadata = fs_err::read_to_string(dist_info.join("METADATA")).unwrap();
    let lines = metadata.lines();
    lines
        .filter_map(|line| line.strip_prefix("Requires-Dist: "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn what_is_installed_is_edited_and_record_stays_true() {
    for path in ["out", SITE, DIST_INFO] {
        let sandbox = Sandbox::new();
        install(&sandbox);
        let args = ["patch", path, "--relax-upper", "numpy_stl"];
        let text = sandbox.run(&[&args[..], &["--dry-run"]].concat());
        let want = "demo: `NumPy-stl<2,>=1; python_version > '3'` is now `NumPy-stl>=1; python_version > '3'`\n";
        assert!(
            text.starts_with("exit: 0\n") && text.contains(want),
            "{text}"
        );
        assert_eq!(requirements(&sandbox).len(), 2);
        let text = sandbox.run(&args);
        assert!(
            text.starts_with("exit: 0\n") && text.contains(want),
            "{text}"
        );
        assert_eq!(
            requirements(&sandbox),
            ["NumPy-stl>=1; python_version > '3'", "pip>=20"]
        );
        let vendored = sandbox.path(SITE).join(VENDORED);
        let vendored = fs_err::read_to_string(vendored).unwrap();
        assert!(
            vendored.contains("numpy-stl<2"),
            "a copy for demo's own use"
        );

        let text = sandbox.run(&args);
        assert!(
            text.starts_with("exit: 0\n") && !text.contains("is now"),
            "a second run changes nothing: {text}"
        );
    }
}

#[test]
fn what_a_prefix_does_not_meet_is_told() {
    let sandbox = Sandbox::new();
    let demo = sandbox.wheel(&demo());
    let pip = sandbox.wheel(&WheelBuilder::new("pip", "19").file("pip.py", ""));
    let numpy_stl = sandbox.wheel(&WheelBuilder::new("numpy_stl", "1.5").file("stl.py", ""));
    let install = |more: &[&str]| {
        let args = ["install", &demo, "--prefix", "out", "--dry-run"];
        sandbox.run(&[&args[..], &["--python-version", "3.11"], more].concat())
    };
    let text = install(&[]);
    let told = "`demo-1.0-py3-none-any.whl` requires more than is here: numpy-stl not installed, pip not installed\n";
    assert!(text.contains(told), "{text}");
    assert!(
        text.contains("give those wheels, too, or `--check-deps DIR`"),
        "{text}"
    );
    // A wheel beside it counts in the version that is asked for.
    let text = install(&[&numpy_stl, &pip]);
    let told = "requires more than is here: pip>=20 not satisfied by version 19\n";
    assert!(text.contains(told), "{text}");
    let text = install(&["--remove-dep", "pip", &numpy_stl]);
    assert!(
        text.starts_with("exit: 0\n") && !text.contains("more than is here"),
        "{text}"
    );
    let text = install(&["--json"]);
    let document: serde_json::Value =
        serde_json::from_str(text.strip_prefix("exit: 0\n--- stdout\n").unwrap()).unwrap();
    let unmet = document.pointer("/unmet/0/requirements/1");
    assert_eq!(unmet.unwrap(), "pip not installed");
}

/// Distributions of the prefix count where wheels are merged into it.
#[test]
fn what_was_installed_before_is_met() {
    let sandbox = Sandbox::new();
    let python = ["--prefix", "out", "--python-version", "3.11", "--merge"];
    for (name, version) in [("pip", "20"), ("numpy_stl", "1.5")] {
        let wheel =
            sandbox.wheel(&WheelBuilder::new(name, version).file(&format!("{name}.py"), ""));
        let text = sandbox.run(&[&["install", &wheel], &python[..]].concat());
        assert!(text.starts_with("exit: 0\n"), "{text}");
    }
    let demo = sandbox.wheel(&demo());
    let text = sandbox.run(&[&["install", &demo], &python[..]].concat());
    assert!(
        text.starts_with("exit: 0\n") && !text.contains("more than is here"),
        "{text}"
    );
}

#[test]
fn the_edits_are_in_the_document() {
    let sandbox = Sandbox::new();
    install(&sandbox);
    let text = sandbox.run(&["patch", "out", "--json", "--remove-dep", "pip"]);
    let json = text.strip_prefix("exit: 0\n--- stdout\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    let change = serde_json::json!({ "before": "pip>=20", "after": null });
    assert_eq!(json["metadata"][0]["changes"], serde_json::json!([change]));
    assert_eq!(json["metadata"][0]["name"], "demo");
    assert_eq!(json["records_updated"], 1);
}

#[test]
fn nothing_is_edited_after_a_fault() {
    let sandbox = Sandbox::new();
    install(&sandbox);
    let args = [
        "patch",
        "out",
        "--relax",
        "numpy-stl",
        "--remove-dep",
        "torch",
    ];
    insta::assert_snapshot!(sandbox.run(&args), @"
    exit: 1
    --- stderr
    error: no distribution has a requirement to edit: remove `torch`
      fix: remove --remove-dep torch
    next: wheelfix patch out --relax numpy-stl
    ");
    assert!(requirements(&sandbox)[0].contains("<2"));
    fs_err::write(sandbox.path(DIST_INFO).join("METADATA"), "Name: demo\n").unwrap();
    insta::assert_snapshot!(sandbox.run(&["patch", "out", "--relax", "numpy-stl"]), @"
    exit: 1
    --- stderr
    error: `[DIR]/out/lib/python3.11/site-packages/demo-1.0.dist-info/METADATA` is not a valid METADATA: field `Version` is missing
    error: no distribution has a requirement to edit: drop the bounds of `numpy-stl`
      fix: remove --relax numpy-stl
    next: wheelfix patch out  # mends 1 of 2
    ");
}

#[test]
fn nothing_is_edited_where_record_cannot_be_updated() {
    let sandbox = Sandbox::new();
    install(&sandbox);
    fs_err::write(sandbox.path(DIST_INFO).join("RECORD"), "\"demo.py,,\n").unwrap();
    let args = ["patch", "out", "--relax", "numpy-stl"];
    let dry = sandbox.run(&[&args[..], &["--dry-run"]].concat());
    assert_eq!(dry, sandbox.run(&args));
    insta::assert_snapshot!(dry, @r"
    exit: 1
    --- stderr
    error: invalid RECORD: `[DIR]/out/lib/python3.11/site-packages/demo-1.0.dist-info/RECORD`
      cause: row 1: expected 3 fields for `demo.py,,\n`, got 1
    ");
    let metadata = sandbox.path(DIST_INFO).join("METADATA");
    let metadata = fs_err::read_to_string(metadata).unwrap();
    assert!(metadata.contains("<2"), "{metadata}");
}

#[test]
fn begins_of_names_only_warn() {
    let sandbox = Sandbox::new();
    install(&sandbox);
    let args = ["patch", "out", "--nixpkgs-names", "--relax", "NumPy"];
    insta::assert_snapshot!(sandbox.run(&[&args[..], &["--relax", "torch"]].concat()), @"
    exit: 0
    --- stdout
    demo: `NumPy-stl<2,>=1; python_version > '3'` is now `NumPy-stl; python_version > '3'`
    0 ELF files edited (0 B written), 0 removed, 1 RECORD file updated; not proved: no target is named
    --- stderr
    warning: `demo`: only the begin of a name was asked for: `NumPy-stl<2,>=1; python_version > '3'` is now `NumPy-stl; python_version > '3'`
    warning: no distribution has a requirement to edit: relax dependencies beginning with `torch`
    ");
}

#[test]
fn a_wheel_is_edited_without_packing_its_files_again() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    fs_err::create_dir(sandbox.path("new")).unwrap();
    let args = ["patch", &wheel, "-o", "new", "--relax", "pip"];
    insta::assert_snapshot!(sandbox.run(&args), @"
    exit: 0
    --- stdout
    demo: `pip>=20` is now `pip`
    wrote [DIR]/new/demo-1.0-py3-none-any.whl: 0 ELF files edited, 0 removed, 3 files copied; not proved: no target is named
    ");
    let new = format!("new/{wheel}");
    let text = sandbox.run(&["inspect", &new, "--verify", "--json"]);
    let json = text.strip_prefix("exit: 0\n--- stdout\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["record"]["mismatches"], serde_json::json!([]));
    assert!(text.contains("\"pip\""), "{text}");
    assert!(!text.contains("\"pip>=20\""), "{text}");

    let args = ["patch", &wheel, "-o", "new", "--relax", "torch"];
    insta::assert_snapshot!(sandbox.run(&args), @"
    exit: 1
    --- stderr
    error: no distribution has a requirement to edit: drop the bounds of `torch`
      fix: remove --relax torch
    next: wheelfix patch demo-1.0-py3-none-any.whl -o new
    ");
}
