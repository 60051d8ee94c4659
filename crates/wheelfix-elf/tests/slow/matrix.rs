//! Every layout, kind and edit; run, strip, run, edit again, run.

use wheelfix_testkit::elf::{Cross, Platform, run_matrix};

use crate::editor::Ours;

#[track_caller]
fn check(platform: Platform, want: usize) {
    let (cases, failures) = run_matrix(platform, platform.layouts(), &Ours);
    assert_eq!(cases, want);
    let texts: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(
        texts.is_empty(),
        "{} failures:\n{}",
        texts.len(),
        texts.join("\n")
    );
}

#[test]
fn the_matrix_is_clean_under_glibc() {
    check(Platform::Glibc, 140);
}

#[test]
fn the_matrix_is_clean_under_musl() {
    check(Platform::Musl, 126);
}

#[test]
fn the_matrix_is_clean_on_other_machines() {
    for cross in &Cross::ALL {
        check(Platform::Cross(cross), 14);
    }
}
