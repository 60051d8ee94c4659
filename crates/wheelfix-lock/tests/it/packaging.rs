//! Versions, names and requirements, against the answers of `packaging` 26.4 that the fixture keeps.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use serde_json::Value;
use wheelfix_format::{
    Constraint, PackageName, Requirement, SdistFilename, Version, VersionSpecifiers, WheelFilename,
};

use crate::support::fixture;

/// Compares our answers with the expected ones, but for questions that are answered otherwise on purpose: these have one of
/// the texts in them.
#[track_caller]
fn compare(class: &str, count: usize, excused: &[&str], ours: impl Fn(&Value) -> String) {
    let cases: Value = serde_json::from_str(&fixture("packaging-cases.json")).unwrap();
    let cases = cases[class].as_array().unwrap();
    assert_eq!(cases.len(), count);
    let mut wrong = Vec::new();
    for case in cases {
        let expected = text(case, "expected");
        let got = ours(case);
        let question: Vec<String> = case
            .as_object()
            .unwrap()
            .iter()
            .filter(|(key, _)| *key != "expected")
            .map(|(_, it)| it.to_string())
            .collect();
        let question = question.join(" ");
        if got != expected && !excused.iter().any(|it| question.contains(it)) {
            wrong.push(format!("{question}: expected {expected}, got {got}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn text<'v>(case: &'v Value, key: &str) -> &'v str {
    case[key].as_str().unwrap()
}

fn read<T: FromStr>(case: &Value, key: &str) -> Option<T> {
    text(case, key).parse().ok()
}

fn or_error(text: Option<String>) -> String {
    text.unwrap_or_else(|| "error".to_owned())
}

fn joined<T: Display>(texts: impl IntoIterator<Item = T>) -> String {
    let texts: BTreeSet<String> = texts.into_iter().map(|it| it.to_string()).collect();
    Vec::from_iter(texts).join(",")
}

#[test]
fn versions_are_ordered_and_written_as_packaging_does() {
    // The library has numbers up to 2^64, as uv.
    compare("cmp", 400, &["99999999999999999999"], |case| {
        let both = read::<Version>(case, "a").zip(read::<Version>(case, "b"));
        or_error(both.map(|(a, b)| format!("{:?} {a} {b}", a.cmp(&b))))
    });
}

/// The library has numbers up to 2^64, and takes no pre-release for less than another one, or than a post-release, of the
/// same version; uv does the same.
const SPECIFIERS: [&str; 4] = [
    "99999999999999999999",
    "\"<1.0a1\"",
    "\"<1.0.post1\"",
    "\"<1.0.dev1\"",
];

#[test]
fn specifiers_hold_as_for_packaging() {
    compare("spec", 471, &SPECIFIERS, |case| {
        let both = read::<VersionSpecifiers>(case, "spec").zip(read::<Version>(case, "v"));
        or_error(both.map(|(spec, version)| spec.contains(&version).to_string()))
    });
}

#[test]
fn names_are_normalized_as_packaging_does() {
    compare("name", 13, &[], |case| {
        or_error(read::<PackageName>(case, "n").map(|name| name.to_string()))
    });
    // As older releases have them.
    compare("sdist", 10, &["a-1.0.tar.bz2", "a-1.0.tgz"], |case| {
        let name = read::<SdistFilename>(case, "f");
        or_error(name.map(|it| format!("{}|{}", it.name(), it.version())))
    });
}

/// Labels of variants (PEP 825) are read, and two underscores, which some projects have; names are as the specification
/// wants them.
const WHEELS: [&str; 6] = ["-cu128.whl", "a__b-", "é-", "_a-", "a_-", "any .whl"];

#[test]
fn names_of_wheels_are_read_as_packaging_does() {
    compare("wheel", 34, &WHEELS, |case| {
        let name = read::<WheelFilename>(case, "f");
        or_error(name.map(|it| {
            let build = it.build();
            let build = build.map(|it| format!("{},{}", it.number(), it.suffix()));
            let (build, tags) = (build.unwrap_or_default(), joined(it.tags().iter()));
            format!("{}|{}|{build}|{tags}|", it.name(), it.version())
        }))
    });
}

/// Versions that are none (`===`) are refused, and a line ends anywhere in a text of METADATA.
const REQUIREMENTS: [&str; 2] = ["a===foo", "a\\n>=1"];

#[test]
fn requirements_are_read_as_packaging_does() {
    compare("req", 47, &REQUIREMENTS, |case| {
        let requirement = read::<Requirement>(case, "r");
        or_error(requirement.map(|it| {
            let (spec, url) = match it.constraint() {
                Constraint::Url(url) => (String::new(), url.clone()),
                Constraint::Versions(_) => (it.specifier_text(), String::new()),
            };
            format!(
                "{}|{}|{spec}|{url}|{}",
                it.name(),
                joined(it.extras()),
                it.marker().is_some()
            )
        }))
    });
}
