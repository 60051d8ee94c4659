//! Rules for the crates and what they depend on.

use std::collections::BTreeSet;

use crate::tree;

/// Lower layers first. A crate may depend only on crates of a lower layer.
const LAYERS: &[&[&str]] = &[
    &["wheelfix-testkit"],
    &["wheelfix-format", "wheelfix-elf", "wheelfix-archive"],
    &[
        "wheelfix-wheel",
        "wheelfix-loader",
        "wheelfix-lock",
        "wheelfix-diff",
    ],
    &["wheelfix-link"],
    &["wheelfix-unbundle", "wheelfix-inspect"],
    &["wheelfix-install"],
    &["wheelfix"],
    &["xtask"],
];

/// The names of all dependencies of the package in this directory, of any kind.
fn dependencies(package: &str) -> BTreeSet<String> {
    let manifest = tree::table(&format!("{package}/Cargo.toml"));
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    kinds
        .iter()
        .filter_map(|kind| manifest.get(*kind)?.as_table())
        .flat_map(|table| table.keys().cloned())
        .collect()
}

#[test]
fn dependencies_point_downwards() {
    for (layer, names) in LAYERS.iter().enumerate() {
        for name in names.iter().filter(|name| **name != "xtask") {
            let dependencies = dependencies(&format!("crates/{name}"));
            for other in LAYERS[layer..].iter().copied().flatten() {
                assert!(
                    !dependencies.contains(*other),
                    "`{name}` must not depend on `{other}`"
                );
            }
        }
    }
}

#[test]
fn xtask_does_not_need_our_crates() {
    let ours: Vec<String> = dependencies("xtask")
        .into_iter()
        .filter(|name| name.starts_with("wheelfix"))
        .collect();
    assert!(
        ours.is_empty(),
        "xtask has to run when these do not compile: {ours:?}"
    );
}

#[test]
fn the_layers_are_the_workspace() {
    let mut listed: Vec<&str> = LAYERS.iter().copied().flatten().copied().collect();
    listed.retain(|name| *name != "xtask");
    listed.sort_unstable();
    assert_eq!(tree::names("crates"), listed);
}

#[test]
fn every_workspace_dependency_has_a_user() {
    let used: BTreeSet<String> = tree::packages()
        .iter()
        .flat_map(|package| dependencies(package))
        .collect();
    let manifest = tree::table("Cargo.toml");
    let declared = manifest["workspace"]["dependencies"].as_table().unwrap();
    let idle: Vec<&String> = declared
        .keys()
        .filter(|name| !used.contains(*name))
        .collect();
    assert!(
        idle.is_empty(),
        "in the root Cargo.toml, but no package uses them: {idle:?}"
    );
}

#[test]
fn versions_are_stated_once() {
    for package in tree::packages() {
        let manifest = tree::table(&format!("{package}/Cargo.toml"));
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, entry) in manifest
                .get(kind)
                .and_then(toml::Value::as_table)
                .into_iter()
                .flatten()
            {
                let inherited = entry.get("workspace").and_then(toml::Value::as_bool);
                assert_eq!(
                    inherited,
                    Some(true),
                    "{package}: `{name}` must be `{name}.workspace = true`"
                );
            }
        }
    }
}

/// `cargo xtask fuzz` builds with `--locked`, and nothing else reads that lock file.
#[test]
fn the_lock_file_of_the_fuzz_targets_knows_all_dependencies() {
    let lock = tree::table("fuzz/Cargo.lock");
    let packages = lock["package"].as_array().unwrap();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        if !name.starts_with("wheelfix-") || name == "wheelfix-fuzz" {
            continue;
        }
        let known = package.get("dependencies").and_then(|it| it.as_array());
        let known = known.into_iter().flatten().filter_map(|it| it.as_str());
        // A name that several packages have comes with a version.
        let known: BTreeSet<&str> = known.filter_map(|it| it.split(' ').next()).collect();
        let manifest = tree::table(&format!("crates/{name}/Cargo.toml"));
        let needed = manifest["dependencies"].as_table().unwrap();
        let needed: BTreeSet<&str> = needed.keys().map(String::as_str).collect();
        assert_eq!(
            known, needed,
            "`cargo update --workspace --manifest-path fuzz/Cargo.toml` brings `fuzz/Cargo.lock` up to date with `{name}`"
        );
    }
}

/// Crates that are for this repository alone.
const PRIVATE: &[&str] = &["wheelfix-testkit", "xtask"];

#[test]
fn every_other_crate_can_be_published() {
    let workspace = tree::table("Cargo.toml");
    let workspace = workspace["workspace"].as_table().unwrap();
    let version = workspace["package"]["version"].as_str();
    let names = LAYERS.iter().copied().flatten().copied();
    for name in names.filter(|name| !PRIVATE.contains(name)) {
        let manifest = tree::table(&format!("crates/{name}/Cargo.toml"));
        let package = manifest["package"].as_table().unwrap();
        assert!(!package.contains_key("publish"), "{name}");
        for key in ["description", "license", "repository", "readme", "keywords"] {
            assert!(package.contains_key(key), "`{name}` has no `{key}`");
        }
        // The program is nobody's dependency.
        if name != "wheelfix" {
            let dependency = &workspace["dependencies"][name];
            assert_eq!(dependency["version"].as_str(), version, "{name}");
        }
    }
    for name in PRIVATE {
        let directory = if *name == "xtask" { "" } else { "crates/" };
        let manifest = tree::table(&format!("{directory}{name}/Cargo.toml"));
        assert_eq!(
            manifest["package"]["publish"].as_bool(),
            Some(false),
            "{name}"
        );
    }
}
