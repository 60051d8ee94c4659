//! Locks of the shape of real projects, each resolved once by uv from the index of all, with another host:
//! torch, jax, tensorflow, geodata, the web, a workspace, conflicts, a script, and how uv splits markers.

use std::collections::BTreeSet;

use wheelfix_format::{RankedTags, Target};
use wheelfix_lock::{Preference, Source, choose, resolve};
use wheelfix_testkit::python;

use crate::support::{fixture, joined, read, selection};
use crate::uv::{self, Project, compare, subsets};

const LINUX: [&str; 2] = ["x86_64-linux-cp311.9", "x86_64-linux-cp312"];
const ALL: [&str; 4] = [
    "x86_64-linux-cp311.9",
    "aarch64-linux-cp312",
    "arm64-macos-cp312",
    "x86_64-glibc2.28-cp311",
];
/// As uv calls them, and as targets without the Python, which is the one that uv has.
const PLATFORMS: [(&str, &str); 3] = [
    ("x86_64-manylinux_2_36", "x86_64-glibc2.36"),
    ("aarch64-manylinux_2_40", "aarch64-glibc2.40"),
    ("aarch64-apple-darwin", "arm64-macos13.0"),
];

/// Compares all selections with `uv export`, and the plain one with `uv sync` and file by file.
#[track_caller]
fn check(name: &str, words: &[&str], targets: &[&str]) {
    let pyproject = fixture(&format!("shapes/{name}.pyproject.toml"));
    let members = ["core", "cli", "extra"].map(|member| {
        let path = format!("packages/{member}/pyproject.toml");
        (
            path,
            fixture(&format!("shapes/workspace.{member}.pyproject.toml")),
        )
    });
    let mut files = vec![("pyproject.toml", pyproject.as_str())];
    if name == "workspace" {
        files.extend(
            members
                .iter()
                .map(|(path, text)| (path.as_str(), text.as_str())),
        );
    }
    let lock_name = format!("shapes/{name}.uv.lock");
    compare(&lock_name, &files, &subsets(words), targets);

    let text = fixture(&lock_name);
    let lock = read("uv.lock", &text);
    let project = Project::new(&lock_name, &files);
    let export = project.export("format:pylock.toml").unwrap();
    let export = read("pylock.toml", &export);
    for target in targets {
        let target: Target = target.parse().unwrap();
        let (ours, theirs) = (uv::files(&lock, &target), uv::files(&export, &target));
        assert_eq!(ours, theirs, "files of {name} on {target}");
        assert!(!ours.is_empty(), "{name} on {target}");
    }
    let platforms = PLATFORMS.iter().filter(|(_, target)| {
        let machine = target.split('-').next().unwrap_or_default();
        targets.iter().any(|target| target.starts_with(machine))
    });
    let version = "import sys; print('cp{}{}.{}'.format(*sys.version_info))";
    let python = python::run(version, &[]).unwrap();
    for (platform, target) in platforms {
        let target: Target = format!("{target}-{}", python.trim()).parse().unwrap();
        let tags = RankedTags::new(&target);
        let resolution = resolve(&lock, &selection(&lock, ""), &target);
        let resolution = resolution.map_err(|faults| joined(&faults)).unwrap();
        let packages = resolution.packages.values();
        let packages = packages.map(|resolved| &lock.packages[resolved.number]);
        let chosen = packages
            .filter(|package| package.source == Source::Files)
            .map(|package| {
                choose(package, &tags, Preference::Wheel).ok()?;
                Some(package.label().replace(' ', "=="))
            });
        let ours: Option<BTreeSet<String>> = chosen.collect();
        let theirs = project.sync(platform).map(|packages| {
            let of_index = packages
                .into_iter()
                .filter(|package| !package.contains("file://"));
            of_index.collect::<BTreeSet<String>>()
        });
        assert_eq!(ours, theirs, "{name} on {platform}");
        assert!(ours.is_some() || *platform != PLATFORMS[0].0, "{name}");
    }
}

#[test]
fn torch_with_its_libraries_is_uvs() {
    check(
        "torch",
        &["extra:quant", "extra:train", "no-default-groups"],
        &ALL,
    );
}

#[test]
fn jax_is_uvs() {
    check("jax", &["extra:gpu"], &ALL);
}

#[test]
fn tensorflow_is_uvs() {
    check("tensorflow", &["extra:gpu", "group:viz"], &LINUX);
}

#[test]
fn geodata_is_uvs() {
    check("geospatial", &["extra:web"], &ALL);
}

#[test]
fn the_web_is_uvs() {
    check(
        "web",
        &["group:test", "group:dev", "no-default-groups"],
        &ALL,
    );
    check("django", &["group:docs", "no-default-groups"], &ALL);
}

#[test]
fn data_and_science_are_uvs() {
    check("data", &["extra:notebook"], &ALL);
    check(
        "science",
        &[],
        &["x86_64-linux-cp313", "aarch64-linux-cp311"],
    );
}

#[test]
fn forks_of_markers_are_uvs() {
    let targets = [
        "x86_64-linux-cp39",
        "x86_64-musl-cp310",
        "aarch64-linux-cp312",
        "x86_64-macos-cp311",
    ];
    check("forks", &["extra:plot"], &targets);
}

#[test]
fn conflicts_and_a_workspace_are_uvs() {
    let words = [
        "extra:old",
        "extra:new",
        "extra:all",
        "group:legacy",
        "group:modern",
    ];
    check(
        "conflicts",
        &words,
        &["x86_64-linux-cp311", "arm64-macos-cp313"],
    );
    let words = ["package:cli", "group:dev", "no-default-groups"];
    check(
        "workspace",
        &words,
        &["x86_64-linux-cp311", "aarch64-musl-cp313"],
    );
}

#[test]
fn a_script_is_uvs() {
    let script = fixture("shapes/script.py");
    let files = [("script.py", script.as_str())];
    compare("shapes/script.py.lock", &files, &[String::new()], &ALL);
}
