//! Wheels that are not as the formats say, and that every installer takes: each kind is a warning.

use wheelfix_testkit::hostile;
use wheelfix_testkit::wheel::WheelBuilder;
use wheelfix_wheel::Wheel;

/// SHA-256 of the content of `demo/data.txt`.
const BASE64: &str = "sha256=WqA_lsd1NleRZvuhR5KWJsw6l5YOmUBXqdgCcac20Q8";
const HEXADECIMAL: &str = "sha256=5aa03f96c77536579166fba147929626cc3a97960e994057a9d80271a736d10f";

/// The warnings about a wheel whose contents are as its RECORD says, a line each.
#[track_caller]
fn warnings(wheel: &WheelBuilder) -> String {
    let dir = tempfile::tempdir().unwrap();
    let wheel = Wheel::open(&wheel.write_to(dir.path())).unwrap();
    let faults = wheel.verify_contents();
    assert!(faults.is_empty(), "{}", faults[0]);
    let lines = wheel.warnings().iter().map(|it| format!("{it}\n"));
    lines.collect::<Vec<_>>().concat()
}

fn row(rest: &str) -> WheelBuilder {
    hostile::base().record_row("demo/data.txt", &format!("demo/data.txt,{rest}\n"))
}

#[test]
fn rows_of_record_that_hide_nothing_are_warnings() {
    let base = hostile::base;
    let wheels = [
        row(&format!("{HEXADECIMAL},10")),
        row(&format!("{BASE64},11")),
        row(&format!("{BASE64},10,,")),
        base().record_row(
            "demo/data.txt",
            &format!(".\\demo\\data.txt,{BASE64},10\n,,\n"),
        ),
        base().record_more(&format!("demo/data.txt,{BASE64},10")),
        base()
            .record_more("../../etc/passwd,,")
            .record_more("/etc/passwd,md5=abc,9"),
        base().unrecorded("demo-1.0.dist-info/LICENSE", "Do what you want.\n"),
        base().dist_info("top_level.txt", "demo\n").record_row(
            "demo-1.0.dist-info/top_level.txt",
            &format!("demo-1.0.dist-info/top_level.txt,{BASE64},10\n"),
        ),
    ];
    let lines: Vec<String> = wheels.iter().map(warnings).collect();
    insta::assert_snapshot!(lines.concat(), @r"
    `RECORD` has digests in hexadecimal, which are compared all the same: `demo/data.txt`
    `RECORD` has another size than the archive; the hash is what is compared: `demo/data.txt`
    `RECORD` has rows with more than 3 fields: `demo/data.txt`
    `RECORD` has rows without a path
    `RECORD` writes paths otherwise than the archive: `.\demo\data.txt`
    `RECORD` has equal rows for one file: `demo/data.txt`
    `RECORD` lists what is not in the archive: `../../etc/passwd` and 1 more
    `RECORD` does not fit files of `.dist-info` that only tell about the wheel: `demo-1.0.dist-info/LICENSE`
    `RECORD` does not fit files of `.dist-info` that only tell about the wheel: `demo-1.0.dist-info/top_level.txt`
    ");
}

#[test]
fn hashes_of_all_algorithms_are_compared() {
    for hash in [
        "blake2b=uwnF-ax0tEnczRxWCxK8QGXCpURJlwZU1ilLTtDK8jzh5xHXmQI3oOHuIaHT_Y_9dyacEUSB0jXfuXqZBFubAQ",
        "sha3_384=WfavNrWZWtRAM4Fc9ko9CM9ByZOfI6Ed821PvTTwqJ1uelMMSLZWeB9jGZkyhoYW",
    ] {
        assert_eq!(warnings(&row(&format!("{hash},10"))), "");
        let (algorithm, digest) = hash.split_once('=').unwrap();
        // The same length, and another value.
        let (first, rest) = digest.split_at(1);
        let other = if first == "A" { "B" } else { "A" };
        let other = format!("{algorithm}={other}{rest}");
        let dir = tempfile::tempdir().unwrap();
        let wheel = row(&format!("{other},10"));
        let wheel = Wheel::open(&wheel.write_to(dir.path())).unwrap();
        assert_eq!(wheel.verify_contents().len(), 1, "{hash}");
    }
}

#[test]
fn a_digest_in_hexadecimal_that_does_not_fit_is_a_fault() {
    let dir = tempfile::tempdir().unwrap();
    let other = HEXADECIMAL.replace("sha256=5", "sha256=6");
    let wheel = row(&format!("{other},10"));
    let wheel = Wheel::open(&wheel.write_to(dir.path())).unwrap();
    assert_eq!(wheel.verify_contents().len(), 1);
}

#[test]
fn texts_and_places_that_hide_nothing_are_warnings() {
    let base = hostile::base;
    let script = "[console_scripts]\nx = demo:main\n[gui_scripts]\nx = demo:main\n[g]\ny = %(x)s\n";
    let wheels = [
        base().wheel_text("Root-Is-", "Tag: py3-any\nRoot-Is-"),
        base().wheel_text("Root-Is-Purelib: true\n", ""),
        base().dist_info("METADATA", "Name: demo\nVersion: 1.0\nName: demo\n"),
        base().entry_points(script),
        base()
            .file("other-0.9.data/scripts/x", "#!python\n")
            .file("more.data/data/x", ""),
        base().data("scripts/sub/x", "#!python\n"),
        base()
            .data("scripts/x", "")
            .entry_points("[gui_scripts]\nx = demo:main\n"),
        base().data("purelib/demo/data.txt", "some data\n"),
        base().file("demo/aux/con.py", ""),
        base().link("demo/link.py", "/etc/passwd"),
    ];
    let lines: Vec<String> = wheels.iter().map(warnings).collect();
    insta::assert_snapshot!(lines.concat(), @r"
    `WHEEL` has a `Tag` that is not one: `py3-any`
    `Root-Is-Purelib` in `WHEEL` is neither true nor false, and counts as false
    `Metadata-Version` in `METADATA` is not two numbers
    `METADATA` has a field twice, with the same value: `Name`
    `entry_points.txt` has what is not an object, in a group that is not the scripts': `%(x)s`
    `entry_points.txt` has a script in both script groups: `x`
    a `.data` directory has another name than `.dist-info`, and is installed as by pip; uv leaves it in site-packages: `other-0.9.data/scripts/x` and 1 more
    scripts lie in directories, and go to directories of `bin`: `demo-1.0.data/scripts/sub/x`
    scripts have the names of entry points, whose scripts are made in their place, as by pip and uv: `demo-1.0.data/scripts/x`
    equal files go to one place: `demo-1.0.data/purelib/demo/data.txt`
    a name is that of a device of Windows: `demo/aux/con.py`
    symbolic links become files with their texts, as with pip: wheels have no links: `demo/link.py`
    ");
}
