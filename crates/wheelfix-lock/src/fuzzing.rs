//! Properties that hold for any text: the body of the fuzz target, which tests run too.

use wheelfix_format::Target;

use crate::{Document, DocumentOptions, Lock, Selection};

/// A name for each format.
const NAMES: [&str; 9] = [
    "uv.lock",
    "pylock.toml",
    "poetry.lock",
    "pdm.lock",
    "requirements.txt",
    "Pipfile.lock",
    "sources.yaml",
    "pixi.lock",
    "conda-lock.yml",
];

/// No reader panics; what is read gives a document or faults, the same each time, and no fault is empty.
pub fn check_readers(text: &str) {
    for name in NAMES {
        let lock = match Lock::read(name, text) {
            Ok(lock) => lock,
            Err(faults) => {
                assert!(!faults.is_empty(), "refused without a fault");
                continue;
            }
        };
        let everything = Selection {
            name: "all".to_owned(),
            extras: lock
                .packages
                .iter()
                .flat_map(|it| it.extras.keys())
                .cloned()
                .collect(),
            groups: lock
                .roots
                .iter()
                .flat_map(|it| it.groups.keys())
                .cloned()
                .collect(),
            ..Selection::default()
        };
        let selections = [Selection::default(), everything];
        let targets: Vec<Target> = ["x86_64-linux-cp311.9", "arm64-macos-cp313"]
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect();
        let make = || {
            let options = DocumentOptions::default();
            let document = Document::new(&lock, text.as_bytes(), &targets, &selections, &options);
            match document {
                Ok(document) => serde_json::to_string(&document).unwrap_or_default(),
                Err(faults) => {
                    assert!(!faults.is_empty(), "refused without a fault");
                    let texts = faults.iter().map(ToString::to_string);
                    texts.collect::<Vec<_>>().join("\n")
                }
            }
        };
        assert_eq!(make(), make());
    }
}
