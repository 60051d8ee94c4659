//! Wheels that contradict themselves: each is refused with a message of its own.

use std::error::Error as _;
use std::path::PathBuf;

use wheelfix_format::Pattern;
use wheelfix_testkit::hostile;
use wheelfix_testkit::wheel::WheelBuilder;
use wheelfix_wheel::{OpenOptions, Wheel, WheelError};

/// The faults of an archive under a file name, a line each; empty if it has none.
fn verdict(name: &str, archive: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs_err::write(&path, archive).unwrap();
    match Wheel::open(&path) {
        Ok(wheel) => {
            let faults = wheel.verify_contents();
            faults
                .iter()
                .map(|fault| format!("{fault}\n"))
                .collect::<Vec<_>>()
                .concat()
        }
        Err(error) => {
            let cause = error
                .source()
                .map(|cause| format!("\n  cause: {cause}"))
                .unwrap_or_default();
            format!("{error}{cause}\n")
        }
    }
}

fn check(wheel: &WheelBuilder) -> String {
    verdict(&wheel.file_name(), &wheel.build())
}

#[test]
fn wheels_that_contradict_themselves_are_refused() {
    let rows = hostile::wheels().into_iter().map(|case| {
        let verdict = verdict("demo-1.0-py3-none-any.whl", &case.archive);
        assert!(!verdict.is_empty(), "{} was accepted", case.name);
        format!("{}: {verdict}", case.name)
    });
    insta::assert_snapshot!(rows.collect::<Vec<_>>().concat());
}

#[test]
fn archives_that_are_refused_make_no_wheel() {
    for case in hostile::zip_structures() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("demo-1.0-py3-none-any.whl");
        fs_err::write(&path, &case.archive).unwrap();
        let error = Wheel::open(&path).unwrap_err();
        assert!(
            matches!(error, WheelError::Archive(_)),
            "{}: {error}",
            case.name
        );
    }
}

#[test]
fn whatever_is_accepted_can_be_inspected() {
    let cases = [
        hostile::zip_structures(),
        hostile::zip_contents(),
        hostile::wheels(),
        hostile::odd(),
    ];
    for case in cases.concat() {
        wheelfix_wheel::fuzzing::check_wheel(&case.archive);
    }
    let sound = hostile::base().stored().build();
    wheelfix_wheel::fuzzing::check_wheel(&sound);
    for offset in 0..sound.len() {
        let mut damaged = sound.clone();
        damaged[offset] ^= 1 << (offset % 8);
        wheelfix_wheel::fuzzing::check_wheel(&damaged);
    }
}

#[test]
fn odd_archives_make_wheels() {
    for case in hostile::odd() {
        let verdict = verdict("demo-1.0-py3-none-any.whl", &case.archive);
        // The archive is changed after `RECORD` was made: these have more files, or other ones.
        let is_expected =
            verdict.is_empty() || verdict.contains("`RECORD`") || verdict.contains("`.dist-info`");
        assert!(is_expected, "{}: {verdict}", case.name);
    }
}

#[test]
fn the_file_name_has_to_be_that_of_a_wheel() {
    let archive = hostile::base().build();
    insta::assert_snapshot!(verdict("demo.whl", &archive), @r"
    invalid file name of a wheel
      cause: expected the 5 to 7 parts of name-version[-build]-python-abi-platform[-variant].whl, got 1: `demo.whl`
    ");
    insta::assert_snapshot!(verdict("demo-2.0-py3-none-any.whl", &archive), @r"
    2 faults in the wheel
      expected a `.dist-info` directory for demo 2.0 as the file name says, got `demo-1.0.dist-info`
      the file name says version 2.0, `METADATA` says 1.0
    ");
}

#[test]
fn all_faults_are_in_one_list() {
    let wheel = hostile::base()
        .wheel_text("Wheel-Version: 1.0", "Wheel-Version: 3.0")
        .entry_points("[console_scripts]\npython = a:b\nx = a\ny\n")
        .record_row("demo/data.txt", "demo/data.txt,md5=abc,10\n");
    insta::assert_snapshot!(check(&wheel));
}

#[test]
fn many_faults_are_counted() {
    let mut wheel = hostile::base();
    for number in 0..60 {
        wheel = wheel.unrecorded(&format!("demo/{number}.py"), "");
    }
    let verdict = check(&wheel);
    assert!(verdict.starts_with("60 faults in the wheel\n"), "{verdict}");
    assert!(verdict.ends_with("and 10 more\n"), "{verdict}");
}

#[test]
fn a_wrong_row_can_be_accepted_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let lie = "demo/data.txt,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,11\n";
    let path = hostile::base()
        .record_row("demo/data.txt", lie)
        .write_to(dir.path());
    let accept = |glob: &str| OpenOptions {
        accept_mismatch: vec![Pattern::new(glob).unwrap()],
        ..OpenOptions::default()
    };
    for glob in ["demo/data.txt", "demo/*.txt"] {
        let wheel = Wheel::open_with(&path, &accept(glob)).unwrap();
        assert!(wheel.verify_contents().is_empty(), "{glob}");
    }
    let error = Wheel::open_with(&path, &accept("demo/other.txt")).unwrap_err();
    insta::assert_snapshot!(error, @r"
    `demo/other.txt` is to be accepted although it differs from `RECORD`, but is not in the wheel
    ");
}

#[test]
fn a_wheel_whose_record_is_wrong_can_be_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let path = hostile::base()
        .unrecorded("demo/extra.py", "")
        .record_row("demo/data.txt", "demo/data.txt,md5=abc,10\n")
        .write_to(dir.path());
    let options = OpenOptions {
        with_record_faults: true,
        ..OpenOptions::default()
    };
    let wheel = Wheel::open_with(&path, &options).unwrap();
    assert_eq!(wheel.metadata().name().as_str(), "demo");
    let faults = wheel.record_faults().list().iter();
    let faults: Vec<_> = faults.map(|fault| format!("{fault}\n")).collect();
    insta::assert_snapshot!(faults.concat(), @"
    `RECORD`: row 2: `demo/data.txt` has a hash that is not accepted, expected sha256 or better: `md5`
    `RECORD` has no row for `demo/extra.py`
    ");
    assert!(Wheel::open(&path).is_err());
}

#[test]
fn a_missing_file_is_an_io_error() {
    let error = Wheel::open(&PathBuf::from("/nonexistent/a-1-py3-none-any.whl")).unwrap_err();
    assert!(matches!(error, WheelError::Io(_)), "{error}");
}

#[test]
fn only_texts_that_nobody_runs_or_loads_need_no_row() {
    let dist_info = |name: &str| format!("demo-1.0.dist-info/{name}");
    for (name, content) in [
        ("libdep.so.1", "\x7fELF"),
        ("x.py", "x = 1\n"),
        ("sub/METADATA", "Name: other\n"),
        ("Entry_Points.txt", "[console_scripts]\n"),
        ("entry_points.txt", "[console_scripts]\n"),
        ("LICENSE", "\x7fELF"),
        ("licenses/run", "#!/bin/sh\n"),
        ("sboms/x.json", "{}"),
    ] {
        let verdict = check(&hostile::base().unrecorded(&dist_info(name), content));
        assert_eq!(
            verdict,
            format!("`RECORD` has no row for `{}`\n", dist_info(name))
        );
    }
    let path = dist_info("LICENSE");
    let wheel = hostile::base().executable(&path, "x\n");
    let verdict = check(&wheel.record_row(&path, ""));
    assert_eq!(verdict, format!("`RECORD` has no row for `{path}`\n"));
    for name in [
        "top_level.txt",
        "licenses/a/LICENSE.md",
        "sboms/x.cdx.json",
        "COPYING.LESSER",
    ] {
        let wheel = hostile::base().unrecorded(&dist_info(name), "demo\n");
        assert_eq!(check(&wheel), "", "{name}");
    }
    for name in ["METADATA", "WHEEL"] {
        let path = dist_info(name);
        assert_eq!(check(&hostile::base().record_row(&path, "")), "", "{name}");
        let unhashed = hostile::base().record_row(&path, &format!("{path},,\n"));
        let want = format!("`RECORD` has no hash for `{path}`\n");
        assert_eq!(check(&unhashed), want);
    }
}

#[test]
fn no_file_of_data_goes_to_a_dist_info() {
    for path in [
        "purelib/demo-1.0.dist-info/INSTALLER",
        "platlib/other-1.0.dist-info/METADATA",
        "platlib/Other-1.0.DIST-INFO/METADATA",
        "data/lib/python3.11/site-packages/other-1.0.dist-info/METADATA",
    ] {
        let verdict = check(&hostile::base().data(path, "x\n"));
        let want = format!("`demo-1.0.data/{path}` goes to a `.dist-info` directory\n");
        assert_eq!(verdict, want);
    }
    let vendored = "purelib/demo/_vendor/other-1.0.dist-info/METADATA";
    assert_eq!(check(&hostile::base().data(vendored, "x\n")), "");
}

#[test]
fn no_glob_accepts_what_installers_decide_by() {
    let dir = tempfile::tempdir().unwrap();
    let metadata = "demo-1.0.dist-info/METADATA";
    let unhashed = format!("{metadata},,\n");
    let path = hostile::base()
        .record_row(metadata, &unhashed)
        .write_to(dir.path());
    let open = |glob: &str| {
        let options = OpenOptions {
            accept_mismatch: vec![Pattern::new(glob).unwrap()],
            ..OpenOptions::default()
        };
        Wheel::open_with(&path, &options)
    };
    for glob in ["demo-1.0.dist-info/*", "**/METADATA", "demo-1.0.*/METADATA"] {
        assert!(open(glob).is_err(), "{glob}");
    }
    let warnings: Vec<_> = open(metadata).unwrap().warnings().to_vec();
    let want = format!("`{metadata}` is accepted, whatever `RECORD` says");
    assert!(warnings.iter().any(|it| it.to_string() == want));
}
