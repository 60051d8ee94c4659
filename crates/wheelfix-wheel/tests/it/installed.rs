//! Distributions found below prefixes, and the dependencies that they meet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wheelfix_format::{Libc, Metadata, PythonVersion, Target};
use wheelfix_wheel::installed_distributions;

fn metadata(dir: &Path, path: &str, name: &str, version: &str) {
    let path = dir.join(path);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(
        path,
        format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"),
    )
    .unwrap();
}

fn listed(prefixes: &[PathBuf]) -> Vec<String> {
    let found = installed_distributions(prefixes).unwrap();
    found
        .iter()
        .map(|(name, it)| format!("{name} {}", it.version))
        .collect()
}

#[test]
fn distributions_are_found_in_the_order_of_the_prefixes() {
    let dir = tempfile::tempdir().unwrap();
    let [a, b, empty] = ["a", "b", "empty"].map(|name| dir.path().join(name));
    fs_err::create_dir(&empty).unwrap();
    let site = "lib/python3.11/site-packages";
    metadata(
        &a,
        &format!("{site}/Foo.Bar-1.0.dist-info/METADATA"),
        "Foo.Bar",
        "1.0",
    );
    metadata(&a, &format!("{site}/old.egg-info"), "old", "2");
    metadata(&a, &format!("{site}/dir.egg-info/PKG-INFO"), "dir", "3");
    fs_err::create_dir_all(a.join(site).join("gone-1.dist-info")).unwrap();
    metadata(
        &b,
        &format!("{site}/foo_bar-9.dist-info/METADATA"),
        "foo_bar",
        "9",
    );
    assert_eq!(
        listed(&[a.clone(), empty.clone(), b.clone()]),
        ["dir 3", "foo-bar 1.0", "old 2"]
    );
    assert_eq!(listed(&[b, a]), ["dir 3", "foo-bar 9", "old 2"]);
    assert!(installed_distributions(&[dir.path().join("missing")]).is_err());
}

#[test]
fn metadata_without_a_name_is_named() {
    let dir = tempfile::tempdir().unwrap();
    metadata(
        dir.path(),
        "lib/python3.11/site-packages/x-1.dist-info/METADATA",
        "",
        "1",
    );
    let error = installed_distributions(&[dir.path().to_owned()])
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("x-1.dist-info/METADATA` has no valid `Name` and `Version`"),
        "{error}"
    );
}

#[test]
fn unmet_dependencies_have_the_words_of_nixpkgs() {
    let dir = tempfile::tempdir().unwrap();
    metadata(
        dir.path(),
        "lib/python3.11/site-packages/setuptools-84.dist-info/METADATA",
        "setuptools",
        "84",
    );
    let installed = installed_distributions(&[dir.path().to_owned()]).unwrap();
    let installed: BTreeMap<_, _> = installed
        .into_iter()
        .map(|(name, it)| (name, it.version))
        .collect();
    let metadata: Metadata = "Metadata-Version: 2.1\nName: x\nVersion: 1\n\
        Requires-Dist: setuptools (>=40,<82)\nRequires-Dist: Foo.Bar\nRequires-Dist: y; extra == 'z'\n"
        .parse()
        .unwrap();
    let glibc = Libc::Glibc {
        major: 2,
        minor: 36,
    };
    let target = Target::linux(
        PythonVersion {
            major: 3,
            minor: 11,
        },
        "x86_64",
        glibc,
    );
    let unmet = metadata.unmet_dependencies(&target.marker_environment(), &installed);
    let lines: Vec<String> = unmet.iter().map(|it| format!("  - {it}")).collect();
    assert_eq!(
        lines,
        [
            "  - setuptools<82,>=40 not satisfied by version 84",
            "  - foo-bar not installed"
        ]
    );
}
