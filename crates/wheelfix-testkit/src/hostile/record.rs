//! Wheels that contradict themselves in `RECORD` or elsewhere in their metadata.

use crate::hostile::{Case, base};
use crate::wheel::WheelBuilder;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = hashes();
    cases.extend(rows());
    cases.extend(metadata());
    cases.extend(places());
    cases
}

fn case(name: &'static str, wheel: &WheelBuilder) -> Case {
    Case {
        name,
        archive: wheel.build(),
    }
}

/// The wheel with another row for `demo/data.txt`, whose content has 10 bytes.
fn row(name: &'static str, row: &str) -> Case {
    case(
        name,
        &base().record_row("demo/data.txt", &format!("{row}\n")),
    )
}

fn hashes() -> Vec<Case> {
    vec![
        row(
            "record-hash-wrong",
            "demo/data.txt,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,10",
        ),
        row(
            "record-size-wrong",
            "demo/data.txt,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,11",
        ),
        row(
            "record-hash-md5",
            "demo/data.txt,md5=4qtdyhw8LTG2HjaUnBAA9Q,10",
        ),
        row(
            "record-hash-sha1",
            "demo/data.txt,sha1=2jmj7l5rSw0yVb_vlWAYkK_YBwk,10",
        ),
        row("record-hash-unknown", "demo/data.txt,sha999=AAAA,10"),
        row("record-hash-short", "demo/data.txt,sha256=47DEQpj8HBSa,10"),
        row(
            "record-hash-not-base64",
            "demo/data.txt,sha256=!!!!Qpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,10",
        ),
        row("record-hash-missing", "demo/data.txt,,"),
    ]
}

fn rows() -> Vec<Case> {
    let hash = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
    vec![
        case("record-missing", &base().without_record()),
        case(
            "record-row-missing",
            &base().unrecorded("demo/extra.py", ""),
        ),
        case(
            "record-row-twice",
            &base().record_more(&format!("demo/data.txt,{hash},0")),
        ),
        row("record-row-of-two-fields", "demo/data.txt,"),
        row(
            "record-size-not-a-number",
            &format!("demo/data.txt,{hash},ten"),
        ),
        row("record-quote-open", &format!("\"demo/data.txt,{hash},10")),
    ]
}

fn metadata() -> Vec<Case> {
    let metadata = |text: &str| base().dist_info("METADATA", text);
    vec![
        case(
            "wheel-version-2",
            &base().wheel_text("Wheel-Version: 1.0", "Wheel-Version: 2.0"),
        ),
        case(
            "wheel-version-missing",
            &base().wheel_text("Wheel-Version: 1.0\n", ""),
        ),
        case(
            "name-differs",
            &metadata("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n"),
        ),
        case(
            "version-differs",
            &metadata("Metadata-Version: 2.1\nName: demo\nVersion: 1.1\n"),
        ),
        case(
            "name-missing",
            &metadata("Metadata-Version: 2.1\nVersion: 1.0\n"),
        ),
        case(
            "metadata-not-utf8",
            &base().dist_info("METADATA", *b"Name: caf\xe9\n"),
        ),
        case(
            "two-dist-infos",
            &base().file("other-1.0.dist-info/METADATA", "Name: other\n"),
        ),
        case(
            "entry-point-outside",
            &base().entry_points("[console_scripts]\n../../x = demo:main\n"),
        ),
        case(
            "entry-point-absolute",
            &base().entry_points("[console_scripts]\n/x = demo:main\n"),
        ),
        case(
            "entry-point-reserved",
            &base().entry_points("[console_scripts]\npython3 = demo:main\n"),
        ),
        case(
            "entry-point-twice",
            &base().entry_points("[console_scripts]\nx = a:b\nx = c:d\n"),
        ),
    ]
}

fn places() -> Vec<Case> {
    vec![
        case("data-scheme-unknown", &base().data("secrets/x", "")),
        case("data-without-scheme", &base().data("x", "")),
        case(
            "data-of-another",
            &base().file("other-1.0.data/purelib/demo/data.txt", ""),
        ),
        case("script-named-python", &base().data("scripts/python", "")),
        case(
            "data-replaces-module",
            &base().data("purelib/demo/data.txt", ""),
        ),
    ]
}
