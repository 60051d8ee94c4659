//! `cargo xtask corpus --package-libs`: the libraries that wheels need besides those of any system, by package.
//!
//! Each project is installed with nothing but the libraries that manylinux lets a wheel expect. What the
//! errors then say to add goes into `nix/lib/package-libs.json`, which Nix reads; of what is only told of
//! plugins that are left out, the libraries of window systems do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::list::{Corpus, Project};
use crate::failure::Result;
use crate::nixos::Bed;
use crate::{fetch, place};

/// The file, relative to the checkout.
const FILE: &str = "nix/lib/package-libs.json";

/// The libraries of `wheelfix.lib.defaultLibs`, and the C library.
const DEFAULT: &[&str] = &[
    "libGL.so.1",
    "libICE.so.6",
    "libSM.so.6",
    "libX11.so.6",
    "libXext.so.6",
    "libXrender.so.1",
    "libc.so.6",
    "libexpat.so.1",
    "libgcc_s.so.1",
    "libgfortran.so.5",
    "libglib-2.0.so.0",
    "libgobject-2.0.so.0",
    "libgomp.so.1",
    "libgthread-2.0.so.0",
    "libquadmath.so.0",
    "libstdc++.so.6",
    "libz.so.1",
];

/// How attributes begin that a plugin of a window system may need. Those of databases and desktops would
/// come with half of a distribution.
const OF_WINDOWS: &[&str] = &["libGL", "libdrm", "libx", "wayland", "xcb"];

/// How attributes begin that are not written: those of any system, CUDA, which is a choice, what is not free or
/// has known holes, other Pythons, and Qt, of which a wheel needs the very one that it was built with.
const LEFT_OUT: &[&str] = &[
    "cudaPackages",
    "gfortran.cc",
    "intel",
    "linuxPackages",
    "mkl",
    "mysql",
    "nvidia",
    "openssl_1_1",
    "python3",
    "qt5.",
    "qt6.",
    "rocmPackages",
    "stdenv.cc",
];

/// Makes the file anew of all projects, or the entries of those that are chosen.
pub(super) fn write(
    corpus: &Corpus,
    is_chosen: &dyn Fn(&Project) -> bool,
    wheelfix: &Path,
    bed: &Bed,
) -> Result {
    let libraries = default_dirs(bed)?;
    let chosen: Vec<&Project> = corpus.projects.iter().filter(|it| is_chosen(it)).collect();
    let wanted: BTreeSet<&str> = chosen.iter().flat_map(|project| project.files()).collect();
    let is_wanted = |file: &str| wanted.contains(file);
    let wheels = fetch::listed(&corpus.python, &corpus.wheels, &is_wanted)?;
    let path = place::root().join(FILE);
    let mut table: BTreeMap<String, BTreeSet<String>> = match fs_err::read(&path) {
        Ok(text) if chosen.len() < corpus.projects.len() => serde_json::from_slice(&text)?,
        _ => BTreeMap::new(),
    };
    for (index, project) in chosen.iter().enumerate() {
        let attributes = needed(project, &wheels, &libraries, wheelfix, bed)?;
        println!(
            "{}/{} {}: {attributes:?}",
            index + 1,
            chosen.len(),
            project.name
        );
        table.remove(&project.name);
        if !attributes.is_empty() {
            table.insert(project.name.clone(), attributes);
        }
    }
    fs_err::write(&path, serde_json::to_string_pretty(&table)? + "\n")?;
    println!(
        "{} projects looked at; {FILE} has {} packages that need more",
        chosen.len(),
        table.len()
    );
    Ok(())
}

/// The directories of the bed that have one of the libraries of any system.
fn default_dirs(bed: &Bed) -> Result<Vec<PathBuf>> {
    let mut dirs = Vec::new();
    let all = bed.library_dirs()?;
    for soname in DEFAULT {
        let dir = all.iter().find(|dir| dir.join(soname).exists());
        let dir = dir.ok_or_else(|| format!("the bed has no {soname}"))?;
        if !dirs.contains(dir) {
            dirs.push(dir.clone());
        }
    }
    Ok(dirs)
}

/// The attributes to add for a project.
fn needed(
    project: &Project,
    wheels: &Path,
    libraries: &[PathBuf],
    wheelfix: &Path,
    bed: &Bed,
) -> Result<BTreeSet<String>> {
    let prefix = place::target().join("package-libs");
    // The host has libraries where its loader looks unasked.
    let mut command = bed.wheelfix(wheelfix);
    command
        .arg("env")
        .args(project.files().map(|file| wheels.join(file)));
    command.arg("--prefix").arg(&prefix);
    command.arg("--python").arg(bed.python_program());
    command.args(["--activate", "none", "--no-bytecode", "--dry-run", "--json"]);
    command.args(["--allow-unmet", "*"]);
    for dir in libraries {
        command.arg("--lib-path").arg(dir);
    }
    let output = command.output()?;
    let document: Value = serde_json::from_slice(&output.stdout).map_err(|error| {
        format!(
            "{}: {error}: {}",
            project.name,
            String::from_utf8_lossy(&output.stderr)
        )
    })?;
    if let Some(errors) = document.get("errors") {
        println!("{}: {errors}", project.name);
    }
    let mut attributes = BTreeSet::new();
    for part in ["relocation", "proof"]
        .into_iter()
        .filter_map(|name| document.get(name))
    {
        if let Some(faults) = part.get("faults") {
            add(faults, &mut attributes, &|_| true);
        }
        let warnings = part.get("warnings").and_then(Value::as_array);
        for warning in warnings.into_iter().flatten() {
            let is_plugin = text(warning, "fault") == Some("left-out");
            let is_of_window = |name: &str| OF_WINDOWS.iter().any(|begin| name.starts_with(begin));
            add(warning, &mut attributes, &|name| {
                !is_plugin || is_of_window(name)
            });
        }
    }
    Ok(attributes)
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key)?.as_str()
}

/// Adds the attributes of nixpkgs that candidates anywhere in a value name.
fn add(value: &Value, attributes: &mut BTreeSet<String>, is_meant: &dyn Fn(&str) -> bool) {
    match value {
        Value::Array(values) => {
            // Of several that have the library, the first.
            let of_nixpkgs = |value: &&Value| value["by"] == "nixpkgs";
            if let Some(name) = values
                .iter()
                .find(of_nixpkgs)
                .and_then(|it| it["name"].as_str())
                && is_meant(name)
                && !LEFT_OUT.iter().any(|begin| name.starts_with(begin))
            {
                attributes.insert(name.to_owned());
            }
            for value in values {
                add(value, attributes, is_meant);
            }
        }
        Value::Object(values) => {
            for value in values.values() {
                add(value, attributes, is_meant);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_as_it_is_written() {
        let text = fs_err::read_to_string(place::root().join(FILE)).unwrap();
        let table: BTreeMap<String, BTreeSet<String>> = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string_pretty(&table).unwrap() + "\n", text);
        assert!(table.values().all(|attributes| !attributes.is_empty()));
        let corpus = Corpus::read().unwrap();
        let unknown: Vec<&String> = table
            .keys()
            .filter(|name| !corpus.projects.iter().any(|project| project.name == **name))
            .collect();
        assert!(
            unknown.is_empty(),
            "in no project of the corpus: {unknown:?}"
        );
    }

    #[test]
    fn attributes_are_found_wherever_they_stand() {
        let document = serde_json::json!([
            {"remedies": [{"candidates": [{"by": "wheel", "name": "w"}, {"by": "nixpkgs", "name": "libdrm"}]}]},
            {"missing": {"libpq.so.5": [{"by": "nixpkgs", "name": "libpq"}]}},
            {"candidates": [{"by": "nixpkgs", "name": "cudaPackages.nccl"}]},
        ]);
        let mut all = BTreeSet::new();
        add(&document, &mut all, &|_| true);
        assert_eq!(all.into_iter().collect::<Vec<_>>(), ["libdrm", "libpq"]);
    }
}
