//! Reading the source tree.

use std::path::{Path, PathBuf};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn read(path: &str) -> String {
    fs_err::read_to_string(root().join(path)).unwrap()
}

/// The parsed TOML file at this path below the root.
pub(crate) fn table(path: &str) -> toml::Table {
    read(path).parse().unwrap()
}

/// The names in a directory below the root, sorted.
pub(crate) fn names(dir: &str) -> Vec<String> {
    let entries = fs_err::read_dir(root().join(dir)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The directories of all our packages, below the root.
pub(crate) fn packages() -> Vec<String> {
    let mut packages: Vec<String> = names("crates")
        .iter()
        .map(|name| format!("crates/{name}"))
        .collect();
    packages.push("xtask".to_owned());
    packages
}

/// All Rust files of our packages with their texts, as paths below the root.
pub(crate) fn rust_files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut pending = packages();
    if root().join("fuzz").is_dir() {
        pending.push("fuzz".to_owned());
    }
    while let Some(dir) = pending.pop() {
        for name in names(&dir) {
            let path = format!("{dir}/{name}");
            if root().join(&path).is_dir() {
                if name != "target" {
                    pending.push(path);
                }
            } else if Path::new(&name)
                .extension()
                .is_some_and(|extension| extension == "rs")
            {
                let text = read(&path);
                files.push((path, text));
            }
        }
    }
    files.sort();
    files
}
