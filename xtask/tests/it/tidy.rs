use std::path::{Path, PathBuf};

/// Longest file we accept, tests included, in lines.
const MAX_LINES: usize = 600;

/// Lower layers first. A crate may depend only on crates of a lower layer.
const LAYERS: &[&[&str]] = &[
    &["wheelfix-testkit"],
    &["wheelfix-format", "wheelfix-elf", "wheelfix-archive"],
    &["wheelfix-wheel", "wheelfix-relocate"],
    &["wheelfix-site"],
    &["wheelfix"],
    &["xtask"],
];

#[test]
fn every_module_says_what_it_is_for() {
    let bare: Vec<PathBuf> = rust_files()
        .into_iter()
        .filter(|path| path.components().any(|part| part.as_os_str() == "src"))
        .filter(|path| !read(path).starts_with("//!"))
        .collect();
    assert!(bare.is_empty(), "files without a leading `//!`: {bare:#?}");
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<PathBuf> = rust_files()
        .into_iter()
        .filter(|path| MAX_LINES < read(path).lines().count())
        .collect();
    assert!(long.is_empty(), "longer than {MAX_LINES} lines: {long:#?}");
}

#[test]
fn dependencies_point_downwards() {
    for (layer, names) in LAYERS.iter().enumerate() {
        for name in *names {
            let manifest = manifest(name);
            for beside_or_above in LAYERS[layer..].iter().copied().flatten() {
                assert!(
                    !manifest.contains(&format!("\n{beside_or_above}.workspace")),
                    "`{name}` must not depend on `{beside_or_above}`"
                );
            }
        }
    }
}

#[test]
fn the_layers_are_the_workspace() {
    let on_disk = fs_dirs(&root().join("crates"));
    let mut listed: Vec<String> = LAYERS
        .iter()
        .copied()
        .flatten()
        .map(ToString::to_string)
        .collect();
    listed.retain(|name| name != "xtask");
    listed.sort();
    assert_eq!(on_disk, listed);
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn manifest(name: &str) -> String {
    let dir = if name == "xtask" {
        root().join(name)
    } else {
        root().join("crates").join(name)
    };
    read(&dir.join("Cargo.toml"))
}

fn rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut pending = vec![root().join("crates"), root().join("xtask")];
    while let Some(dir) = pending.pop() {
        for entry in dir.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

fn fs_dirs(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = dir
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[expect(clippy::disallowed_methods, reason = "xtask has no dependencies")]
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
