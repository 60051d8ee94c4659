//! The licences of all that is linked into the program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::Result;
use crate::program;

/// `cargo metadata`, as far as it matters here.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// `null` for what is linked.
    kind: Option<String>,
}

/// A list of the crates with their licences, and the texts of these.
pub(super) fn report(target: &str) -> Result<String> {
    let args = [
        "metadata",
        "--format-version=1",
        "--locked",
        "--filter-platform",
        target,
    ];
    let metadata = program::output(&mut program::cargo(&args))?;
    let metadata: Metadata = serde_json::from_str(&metadata)?;
    let linked = linked(&metadata)?;
    let mut lines = vec!["# Licences of the crates that wheelfix is made of\n".to_owned()];
    let mut texts: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for package in linked.iter().filter(|it| !it.name.starts_with("wheelfix")) {
        let Package { name, version, .. } = package;
        let licence = package.license.as_deref().unwrap_or("see the text below");
        let repository = package.repository.as_deref().unwrap_or_default();
        lines.push(format!("- {name} {version}: {licence} <{repository}>"));
        for licence in licence_texts(&package.manifest_path)? {
            texts.entry(licence).or_default().insert(name);
        }
    }
    lines.extend(texts.into_iter().map(|(licence, names)| {
        let names: Vec<&str> = names.into_iter().collect();
        let (names, licence) = (names.join(", "), licence.trim_end());
        format!("\n## {names}\n\n```text\n{licence}\n```")
    }));
    Ok(lines.join("\n") + "\n")
}

/// The packages that are linked into the program, by name.
fn linked(metadata: &Metadata) -> Result<Vec<&Package>> {
    let nodes: BTreeMap<&str, &Node> = metadata
        .resolve
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node))
        .collect();
    let root = metadata.packages.iter().find(|it| it.name == "wheelfix");
    let mut left = vec![root.ok_or("there is no crate `wheelfix`")?.id.as_str()];
    let mut seen = BTreeSet::new();
    while let Some(id) = left.pop() {
        if !seen.insert(id) {
            continue;
        }
        let dependencies = nodes.get(id).into_iter().flat_map(|node| &node.deps);
        let linked = dependencies.filter(|it| it.dep_kinds.iter().any(|kind| kind.kind.is_none()));
        left.extend(linked.map(|it| it.pkg.as_str()));
    }
    let packages = metadata.packages.iter();
    let mut packages: Vec<&Package> = packages
        .filter(|it| seen.contains(it.id.as_str()))
        .collect();
    packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(packages)
}

/// The files beside a manifest that are called as licences are, sorted by name.
fn licence_texts(manifest: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in fs_err::read_dir(manifest.parent().unwrap_or(manifest))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.to_ascii_uppercase();
        let begins = ["LICENSE", "LICENCE", "COPYING", "NOTICE"];
        if begins.iter().any(|begin| name.starts_with(begin)) && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths
        .iter()
        .map(fs_err::read_to_string)
        .collect::<std::io::Result<_>>()?)
}
