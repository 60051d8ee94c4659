//! Properties of every reader.

use proptest::prelude::*;
use wheelfix_lock::fuzzing;

use crate::support::fixture;

/// Small locks of all formats.
const SEEDS: [&str; 7] = [
    "uv/default-groups.uv.lock",
    "uv/find-links.uv.lock",
    "uv/script.py.lock",
    "pylock/pylock.pip-sources.toml",
    "pylock/pylock.uv-pip-compile.toml",
    "others/Pipfile.lock",
    "others/sources.yaml",
];

/// A line of a lock, and another one in its place.
fn edited() -> impl Strategy<Value = String> {
    let pieces = proptest::sample::select(vec![
        "",
        "name = \"a\"",
        "version = \"1\"",
        "source = { virtual = \".\" }",
        "[[package]]",
        "[metadata]",
        "lock_version = \"4.5\"",
        "lock-version = \"2.1\"",
        "dependencies = [{ name = \"idna\", extra = [\"x\"] }]",
        "marker = \"'x' in extras\"",
        "\\",
        "}",
        "idna==3.20 --hash=sha256:00",
        "groups = [\"main\"]",
        "é",
    ]);
    let edit = (any::<prop::sample::Index>(), pieces);
    (
        proptest::sample::select(SEEDS.to_vec()),
        proptest::collection::vec(edit, 0..5),
    )
        .prop_map(|(seed, edits)| {
            let text = fixture(seed);
            let mut lines: Vec<&str> = text.lines().collect();
            for (at, piece) in &edits {
                let at = at.index(lines.len());
                lines[at] = piece;
            }
            lines.join("\n")
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_reader_panics(text in edited()) {
        fuzzing::check_readers(&text);
    }
}

#[test]
fn no_reader_panics_at_a_lock_of_another_tool() {
    for seed in SEEDS.iter().chain(&[
        "others/poetry.lock",
        "others/pdm.lock",
        "uv/features.uv.lock",
    ]) {
        let text = fixture(seed);
        fuzzing::check_readers(&text);
        for at in (0..text.len()).step_by(text.len() / 20) {
            fuzzing::check_readers(text.get(..at).unwrap_or_default());
        }
    }
}
