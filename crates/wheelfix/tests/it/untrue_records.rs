//! RECORD files that do not match what they list.

use serde_json::Value;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::scene::Scene;
use crate::support::Sandbox;

const RECORD: &str = "out/lib/python3.11/site-packages/demo-1.0.dist-info/RECORD";

#[test]
fn a_record_that_is_not_true_is_told_and_mended() {
    let scene = Scene::new("patch");
    scene.reset();
    let record = scene.sandbox.path(RECORD);
    let old = fs_err::read(&record).unwrap();
    assert!(scene.command().status().unwrap().success());
    let new = fs_err::read(&record).unwrap();
    assert!(old != new);
    let check = || scene.sandbox.run(&["check", "out", "--lib-path", "store"]);
    assert!(!check().contains("is not true"), "{}", check());

    // As a run left it that was killed before it could update RECORD.
    fs_err::write(&record, &old).unwrap();
    for number in 0..12 {
        let path = format!("out/lib/python3.11/site-packages/demo/dep{number}.so");
        let file = fs_err::OpenOptions::new()
            .append(true)
            .open(scene.sandbox.path(&path));
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
        file.unwrap().file().set_modified(later).unwrap();
    }
    let text = check();
    // METADATA has another size, too.
    let want = "RECORD` is not true of 13 files: ";
    assert!(text.contains(want), "{text}");
    let text = scene.sandbox.run(&["patch", "out", "--lib-path", "store"]);
    assert!(
        text.contains("0 ELF files edited") && text.contains("1 RECORD file updated"),
        "{text}"
    );
    let text = check();
    assert!(text.contains("RECORD` is not true of 1 file: "), "{text}");
    assert!(text.contains("METADATA` has changed"), "{text}");

    fs_err::write(&record, &new).unwrap();
    let missing = "out/lib/python3.11/site-packages/demo/m0.py";
    fs_err::remove_file(scene.sandbox.path(missing)).unwrap();
    assert!(check().contains("demo/m0.py` is not there"), "{}", check());
}

/// A wheel with files that were changed after its RECORD was written, as eckitlib 2.5.0.33 has 25.
fn changed(count: usize) -> WheelBuilder {
    let mut wheel = WheelBuilder::new("demo", "1.0").file("demo/__init__.py", "");
    for number in 0..count {
        let path = format!("demo/libs/{number}.txt");
        let row = format!("{path},sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n");
        wheel = wheel.file(&path, "x\n").record_row(&path, &row);
    }
    wheel
}

#[test]
fn many_files_that_are_not_as_the_record_says_are_one_fault_with_one_fix() {
    let sandbox = Sandbox::new();
    let fix = "  fix: add --accept-mismatch 'demo/libs/*'  # if you know what is there\n";
    let wheel = sandbox.wheel(&changed(7));
    for start in [
        &[
            "install",
            &wheel,
            "--prefix",
            "out",
            "--python-version",
            "3.11",
        ][..],
        &["patch", &wheel, "-o", "new"],
    ] {
        let run = |more: &[&str]| sandbox.run(&[start, more].concat());
        let text = run(&[]);
        let count = |part: &str| text.matches(part).count();
        assert!(
            text.contains("error: 7 files are not as `RECORD` says\n"),
            "{text}"
        );
        assert_eq!(
            (count("error: "), count("mismatch: "), count("fix: ")),
            (1, 5, 1),
            "{text}"
        );
        assert!(
            text.contains("  and 2 more, all with --verbose\n"),
            "{text}"
        );
        assert!(text.contains(fix), "{text}");
        let text = run(&["--verbose"]);
        assert_eq!(text.matches("error: ").count(), 7, "{text}");
        let json: Value = serde_json::from_slice(
            &sandbox
                .command(&[start, &["--json"]].concat())
                .output()
                .unwrap()
                .stdout,
        )
        .unwrap();
        assert_eq!(json["errors"].as_array().unwrap().len(), 7, "{json}");
        let text = run(&["--accept-mismatch", "demo/libs/*"]);
        assert!(text.starts_with("exit: 0\n"), "{text}");
        let warning = "warning: 7 warnings of a kind, whole with --verbose\n";
        assert!(text.contains(warning), "{text}");
    }
    let text = sandbox.run(&["unpack", &wheel, "dir"]);
    assert!(
        text.contains("hint: add --accept-mismatch 'demo/libs/*'"),
        "{text}"
    );
}

#[test]
fn many_files_that_the_record_does_not_list_have_one_fix() {
    let sandbox = Sandbox::new();
    let mut wheel = WheelBuilder::new("demo", "1.0");
    for number in 0..7 {
        wheel = wheel.unrecorded(&format!("demo/{number}.py"), "");
    }
    let wheel = sandbox.wheel(&wheel);
    let text = sandbox.run(&[
        "install",
        &wheel,
        "--prefix",
        "out",
        "--python-version",
        "3.11",
    ]);
    assert_eq!(text.matches("has no row for").count(), 7, "{text}");
    assert_eq!(text.matches("fix: ").count(), 1, "{text}");
    let fix = "  fix: add --accept-mismatch 'demo/*'  # if you know what is there\n";
    assert!(text.contains(fix), "{text}");
}
