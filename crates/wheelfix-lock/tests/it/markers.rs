//! Markers for a selection, against the answers of `packaging` 26.4 that the fixture keeps.

use serde_json::Value;
use wheelfix_format::{Marker, MarkerEnvironment, MarkerSets};

use crate::support::fixture;

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn environment(value: &Value) -> MarkerEnvironment {
    let of = |key: &str| text(&value[key]).to_owned();
    MarkerEnvironment {
        implementation_name: of("implementation_name"),
        implementation_version: of("implementation_version"),
        os_name: of("os_name"),
        platform_machine: of("platform_machine"),
        platform_python_implementation: of("platform_python_implementation"),
        platform_release: of("platform_release"),
        platform_system: of("platform_system"),
        platform_version: of("platform_version"),
        python_full_version: of("python_full_version"),
        python_version: of("python_version"),
        sys_platform: of("sys_platform"),
    }
}

/// Read otherwise on purpose: `extra` as a part of a text has no meaning, and neither have comparisons
/// of two variables or two texts.
const EXCUSED: [&str; 3] = ["extra in 'a b'", "'a' == 'b'", "os_name == sys_platform"];

#[test]
fn markers_for_a_set_of_extras_are_evaluated_as_packaging_does() {
    let cases: Value = serde_json::from_str(&fixture("packaging-markers.json")).unwrap();
    let environments: Vec<MarkerEnvironment> = cases["environments"]
        .as_array()
        .unwrap()
        .iter()
        .map(environment)
        .collect();
    let cases = cases["marker"].as_array().unwrap();
    assert_eq!(cases.len(), 1228);
    let mut wrong = Vec::new();
    for case in cases {
        let marker = text(&case["marker"]);
        let extras = case["extras"].as_array().unwrap();
        let sets = MarkerSets {
            extras: extras.iter().map(|it| text(it).parse().unwrap()).collect(),
            ..MarkerSets::default()
        };
        let ours = match marker.parse::<Marker>() {
            Err(_) => "error".to_owned(),
            Ok(marker) => environments
                .iter()
                .map(|environment| {
                    if marker.holds(environment, &sets) {
                        '1'
                    } else {
                        '0'
                    }
                })
                .collect(),
        };
        let theirs = text(&case["expected"]);
        // An undefined comparison is an error there, so that nothing can be compared.
        let is_same = ours.len() == theirs.len()
            && ours
                .chars()
                .zip(theirs.chars())
                .all(|(ours, theirs)| theirs == 'U' || ours == theirs);
        if !is_same && !EXCUSED.contains(&marker) {
            wrong.push(format!("{marker} with {extras:?}: {theirs}, ours {ours}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
