//! Rules for source files.

use crate::tree;

/// Longest file we accept, tests included, in lines.
const MAX_LINES: usize = 600;

/// The names of integration tests, which say when they run: see `xtask/src/test.rs`.
const TEST_GROUPS: &[&str] = &["it", "slow", "wheels", "full"];

#[track_caller]
fn check(rule: &str, is_good: impl Fn(&str, &str) -> bool) {
    let files = tree::rust_files();
    let bad: Vec<&String> = files
        .iter()
        .filter(|(path, text)| !is_good(path, text))
        .map(|(path, _)| path)
        .collect();
    assert!(bad.is_empty(), "{rule}: {bad:#?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    check("files without a leading `//!`", |_, text| {
        text.starts_with("//!")
    });
}

#[test]
fn doc_comments_name_things() {
    check(
        "files with a doc comment that begins with `What`",
        |_, text| {
            let mut comments = text
                .lines()
                .filter_map(|line| line.trim_start().strip_prefix("//"))
                .filter_map(|line| line.strip_prefix(['/', '!']));
            comments.all(|comment| !comment.starts_with(" What "))
        },
    );
}

/// Names that the [glossary](../../../docs/GLOSSARY.md) replaced, each with the one that stands there.
const RETIRED_NAMES: &[(&str, &str)] = &[
    ("BundledWish", "BundledOverride"),
    ("Clash", "EnvCollision"),
    ("Drafted", "EnvPlan"),
    ("Floors", "MinimumVersions"),
    ("Lack", "LoadFailure or Incompatibility"),
    ("RelocationPlan", "LinkPlan"),
    ("Slack", "SegmentPadding"),
    ("Trial", "Simulation"),
    ("Vacated", "ReusedSegment"),
    ("Verdict", "ProofBuilder or Decision"),
    ("Wish", "Choice"),
    ("Wishes", "WheelOptions"),
    ("Workshop", "Toolchain"),
    ("World", "FileView"),
];

#[test]
fn names_are_those_of_the_glossary() {
    let is_retired = |word: &str| RETIRED_NAMES.iter().any(|(name, _)| *name == word);
    let list = file!();
    check(
        &format!("files with one of the names {RETIRED_NAMES:?}"),
        |path, text| {
            let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
            list.ends_with(path) || !words.any(is_retired)
        },
    );
}

#[test]
fn no_file_is_too_long() {
    check(
        &format!("files of more than {MAX_LINES} lines"),
        |_, text| text.lines().count() <= MAX_LINES,
    );
}

#[test]
fn no_test_is_left_out() {
    // In pieces, so that this file does not contain it.
    let attribute = concat!("#[", "ignore");
    check("files with an ignored test", |_, text| {
        !text.contains(attribute)
    });
}

#[test]
fn lints_are_suppressed_with_expect() {
    let attribute = concat!("[", "allow(");
    check("files with an `allow` instead of an `expect`", |_, text| {
        !text.contains(attribute)
    });
}

/// Where paths are made absolute, and the one place below it that follows a link to replace a file.
const ABSOLUTE: &[&str] = &[
    "crates/wheelfix-loader/src/absolute.rs",
    "crates/wheelfix-elf/src/file/patch.rs",
];

#[test]
fn one_function_makes_paths_absolute() {
    // In pieces, so that this file does not contain them.
    let words = [
        concat!("canonical", "ize("),
        concat!("path::", "absolute"),
        concat!("fs::canonical", "ize"),
    ];
    check(
        "files that make paths absolute by themselves",
        |path, text| {
            let is_ours = path.starts_with("crates/") && path.contains("/src/");
            let is_for_tests = ["/tests.rs", "/fuzzing.rs"]
                .iter()
                .any(|end| path.ends_with(end))
                || path.starts_with("crates/wheelfix-testkit/");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            !is_ours
                || is_for_tests
                || ABSOLUTE.contains(&path)
                || words.iter().all(|word| !code.contains(word))
        },
    );
}

#[test]
fn integration_tests_belong_to_a_group() {
    for package in tree::packages() {
        let tests = format!("{package}/tests");
        if !tree::root().join(&tests).is_dir() {
            continue;
        }
        for name in tree::names(&tests) {
            let is_test = tree::root()
                .join(&tests)
                .join(&name)
                .join("main.rs")
                .is_file();
            let stem = name.strip_suffix(".rs");
            let group = stem.or_else(|| is_test.then_some(&*name));
            assert!(
                group.is_none_or(|group| TEST_GROUPS.contains(&group)),
                "{tests}/{name}: name it after one of {TEST_GROUPS:?}"
            );
        }
    }
}

/// Code that writes to a stream by itself, in pieces, so that this file does not contain it.
const STREAMS: &[&str] = &[
    concat!("io::", "stderr()"),
    concat!("io::", "stdout()"),
    concat!("anstream::", "stdout()"),
    concat!("eprint", "ln!("),
];

/// Where streams are written to, and why what is written needs no escaping, or has had it.
const WRITERS: &[(&str, &str)] = &[
    ("error.rs", "escapes"),
    ("progress.rs", "a bar without texts of inputs"),
    (
        "completions.rs",
        "scripts for shells, made from the help texts",
    ),
    ("patchelf.rs", "`--print-*` gives what the file holds"),
    (
        "inspect.rs",
        "a report made with colours of ours is escaped cell by cell",
    ),
    (
        "diff.rs",
        "a report made with colours of ours is escaped cell by cell",
    ),
    ("document.rs", "JSON"),
];

#[test]
fn only_listed_files_write_to_streams() {
    let src = "crates/wheelfix/src/";
    check(
        "files of the program that print past `error::print`, which escapes texts of inputs",
        |path, text| {
            let Some(name) = path.strip_prefix(src) else {
                return true;
            };
            let writes = STREAMS.iter().any(|stream| text.contains(stream));
            writes == WRITERS.iter().any(|(listed, _)| *listed == name)
        },
    );
}

#[test]
fn streams_that_are_locked_get_json_alone() {
    // In pieces, so that this file does not contain it.
    let to_stream = concat!("(stdout", ", ");
    check(
        "files that print texts to a locked stream: use `error::print_line`",
        |path, text| !path.starts_with("crates/wheelfix/src/") || !text.contains(to_stream),
    );
}

#[test]
fn messages_break_lines_with_a_char() {
    let is_message = |line: &str| {
        line.contains("write!(f,") || line.contains("f.write_str(") || line.contains("#[error(")
    };
    check(
        "a newline in a message that is no `char`: it would be printed escaped; write `{BREAK}`",
        |path, text| {
            !path.contains("/src/")
                || path.contains("testkit")
                || text.lines().all(|line| {
                    !is_message(line) || !line.contains(r"\n") || line.contains(r"'\n'")
                })
        },
    );
}

/// Files of libraries that hold options of other programs, and which.
const OTHER_OPTIONS: &[(&str, &str)] = &[
    (
        "crates/wheelfix-install/src/bytecode.rs",
        "--invalidation-mode of compileall",
    ),
    (
        "crates/wheelfix-lock/src/read/requirements.rs",
        "those of pip in its files",
    ),
];

#[test]
fn libraries_name_no_option() {
    let is_option = |line: &str| {
        line.match_indices("--").any(|(at, _)| {
            let before = line.get(..at).unwrap_or_default().chars().next_back();
            let after = line.get(at + 2..).unwrap_or_default().chars().next();
            before.is_none_or(|c| "`\" (".contains(c))
                && after.is_some_and(|c| c.is_ascii_lowercase())
        })
    };
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    // In pieces, so that this file does not contain it.
    let tests = concat!("#[cfg(", "test)]");
    check(
        "libraries that name an option or a fix of the program: give a `Remedy`",
        |path, text| {
            let is_library = path.starts_with("crates/wheelfix-") && path.contains("/src/");
            let is_for_tests = path.contains("testkit") || path.ends_with("tests.rs");
            let code = text.split(tests).next().unwrap_or_default();
            let named = code.lines().filter(is_code);
            let count = named
                .filter(|line| {
                    is_option(line) || line.contains("`wheelfix ") || line.contains("  fix: ")
                })
                .count();
            let is_listed = OTHER_OPTIONS.iter().any(|(listed, _)| *listed == path);
            !is_library || is_for_tests || count == 0 || is_listed
        },
    );
}
