//! `Pipfile.lock`, entry by entry.

use wheelfix_lock::{Document, DocumentOptions, Lock};

use crate::support::{joined, read, selection};

fn lock_of(default: &str, docs: &str) -> String {
    format!("{{\"_meta\": {{\"pipfile-spec\": 6}}, \"default\": {default}, \"docs\": {docs}}}")
}

/// pipenv writes `*` for what the machine does not need on which it locks.
#[test]
fn what_has_no_version_is_a_fault_where_it_is_selected() {
    let text = lock_of(r#"{"colorama": {"version": "*"}}"#, "{}");
    let lock = read("Pipfile.lock", &text);
    let document = |words: &str| {
        let targets = ["x86_64-linux-cp311".parse().unwrap()];
        let selections = [selection(&lock, words)];
        let document = Document::new(
            &lock,
            b"",
            &targets,
            &selections,
            &DocumentOptions::default(),
        );
        document.map(|_| ()).map_err(|faults| joined(&faults))
    };
    assert_eq!(document("docs,no-default-groups"), Ok(()));
    let want = "x86_64-linux-cp311: package `colorama`: `version`: the lock allows any version, as pipenv \
        writes it for what the machine does not need on which it locks: run `pipenv lock` on one like the target";
    assert_eq!(document(""), Err(want.to_owned()));
}

#[test]
fn each_wrong_entry_is_told() {
    let text = lock_of(
        r#"{"a": {"version": 3}, "b": {"version": ["x"], "hashes": "y"}, "c": "==1", "d": {"version": "==x y"}}"#,
        "[]",
    );
    assert_eq!(
        joined(&Lock::read("Pipfile.lock", &text).unwrap_err()),
        "package `a`: `default.version`: invalid type: integer `3`, expected a string\n\
         package `b`: `default.version`: invalid type: sequence, expected a string\n\
         package `b`: `default.hashes`: invalid type: string \"y\", expected a sequence\n\
         package `c`: `default`: invalid type: string \"==1\", expected a map\n\
         package `d`: `version`: invalid version `x y`: expected version to start with a number, but no leading ASCII digits were found\n\
         `docs`: invalid type: sequence, expected a map"
    );
}

#[test]
fn a_branch_is_no_commit() {
    let text = lock_of(
        r#"{"a": {"git": "https://files.example.org/a.git", "ref": "main"}}"#,
        "{}",
    );
    assert_eq!(
        joined(&Lock::read("Pipfile.lock", &text).unwrap_err()),
        "package `a`: `ref`: no commit is given, and what a branch or a tag leads to may change"
    );
}
