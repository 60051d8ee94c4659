//! The harness finds real faults: it is let loose on an editor whose faults are known.

use wheelfix_testkit::elf::{Layout, Patchelf, Platform, run_matrix};

use crate::editor::Ours;

#[test]
fn matrix_finds_the_faults_of_patchelf() {
    let (cases, failures) = run_matrix(Platform::Glibc, [Layout::Default], &Patchelf);
    assert_eq!(cases, 14);
    let texts: Vec<String> = failures.iter().map(ToString::to_string).collect();
    for known in [
        // The dynamic section moves to a segment that stays writable.
        "DYN_LEFT_RELRO",
        // `_DYNAMIC` of the program's own code names what was overwritten.
        "check 21: strings != 0",
    ] {
        assert!(
            texts.iter().any(|text| text.contains(known)),
            "no {known} in {texts:#?}"
        );
    }
}

#[test]
fn ours_has_none_of_them() {
    let (cases, failures) = run_matrix(Platform::Glibc, [Layout::Default], &Ours);
    assert_eq!(cases, 14);
    assert!(failures.is_empty(), "{failures:#?}");
}
