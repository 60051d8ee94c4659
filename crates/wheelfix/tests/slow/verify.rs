//! `wheelfix inspect --verify` prints what is wrong with an ELF file, one line for each broken rule.

use wheelfix_testkit::elf::{Bad, Kind, Layout, Outcome, Platform, Toolchain};

#[expect(clippy::disallowed_methods, reason = "runs the program under test")]
fn verify(toolchain: &Toolchain) -> Outcome {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wheelfix"));
    command.args(["inspect", "--verify", "subject"]);
    command.current_dir(toolchain.dir()).env_clear();
    Outcome::of(command)
}

#[track_caller]
fn check(bad: Bad, want: &[&str]) {
    let toolchain = Toolchain::new(Platform::Glibc);
    bad.make(&toolchain);
    let outcome = verify(&toolchain);
    assert_eq!(outcome.code, Some(1), "{outcome}");
    let text = format!("{}{}", outcome.stdout, outcome.stderr);
    for rule in want {
        let found = text.lines().any(|line| line.contains(rule));
        assert!(found, "no {rule} in:\n{text}");
    }
}

#[test]
fn a_sound_file_has_no_violations() {
    let toolchain = Toolchain::new(Platform::Glibc);
    let path = toolchain.dir().join("subject");
    toolchain.link(Kind::Library, Layout::Default, &path);
    assert_eq!(verify(&toolchain).code, Some(0));
}

#[test]
fn broken_rules_are_listed_with_their_places() {
    check(
        Bad::OverlappingSegments,
        &["LOAD_OVERLAP at 0x78: begins at 0x2000"],
    );
    check(Bad::LongSegment, &["LOAD_PAST_EOF at 0x"]);
    check(
        Bad::UnmappedSymbols,
        &["TAG_UNMAPPED at 0x", "SYMTAB_RANGE at 0x"],
    );
}

#[test]
fn also_of_files_that_cannot_be_read() {
    check(
        Bad::StringOutside,
        &["STR_OOB at 0x", "VERNEED_ORPHAN at 0x"],
    );
}
