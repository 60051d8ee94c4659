//! The installed tree of each much downloaded wheel is the one that pypa/installer makes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use rayon::prelude::*;
use serde_json::Value;
use wheelfix_testkit::{cache, host};

use crate::run::succeed;
use crate::tree::{self, Tree};

const SITE_PACKAGES: &str = "lib/python3.11/site-packages";

#[test]
fn trees_are_those_of_pypa_installer() {
    let wheels = cache::popular_wheels();
    assert!(150 <= wheels.len(), "{} wheels", wheels.len());
    let faults: Vec<String> = wheels
        .par_iter()
        .with_max_len(1)
        .flat_map_iter(|wheel| {
            let name = wheel.file_name().unwrap().to_string_lossy().into_owned();
            let faults = faults(wheel).unwrap_or_else(|error| vec![error]);
            faults
                .into_iter()
                .map(move |fault| format!("{name}: {fault}"))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The faults of the installed tree of a wheel, a line each.
fn faults(wheel: &Path) -> Result<Vec<String>, String> {
    let dir = tempfile::tempdir().unwrap();
    let runtimes = dir.path().join("runtimes");
    host::copy_runtimes(&runtimes);
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    let mut report = install(wheel, &ours, &runtimes, &[])?;
    if has_unbundled(&report) {
        // pypa/installer keeps all.
        fs_err::remove_dir_all(&ours).unwrap();
        report = install(wheel, &ours, &runtimes, &["--bundled", "*=keep"])?;
    }
    let dropped = dropped(&report, &ours);
    let mut command = Command::new(cache::tool("python3"));
    command.args(["-I", "-m", "installer", "--no-compile-bytecode", "--prefix"]);
    succeed(command.arg(&theirs).arg(wheel))?;

    let (our_tree, their_tree) = (tree::read(&ours), tree::read(&theirs));
    let mut faults = tree::differences(&our_tree, &their_tree, &dropped);
    faults.retain(|fault| !is_named(fault, &our_tree));
    faults.extend(tree::faults_of_record(&our_tree, &ours, SITE_PACKAGES));
    let rows = (rows(&our_tree, &ours), rows(&their_tree, &theirs));
    for (path, their_row) in &rows.1 {
        let is_other = our_tree.get(path).is_none_or(|entry| {
            entry.is_elf
                || their_tree
                    .get(path)
                    .is_some_and(|it| it.digest != entry.digest)
        });
        if !is_other && rows.0.get(path) != Some(their_row) {
            faults.push(format!("{path}: RECORD has another row"));
        }
    }
    Ok(faults)
}

/// The differences to pypa/installer that are meant to be: files in `.data/scripts` are programs,
/// whatever mode they have in the archive.
fn is_named(fault: &str, ours: &Tree) -> bool {
    let path = fault.strip_suffix(": executable: true");
    path.is_some_and(|path| path.starts_with("bin/") && ours.contains_key(path))
}

/// Installs the wheel and returns the report.
fn install(
    wheel: &Path,
    prefix: &Path,
    runtimes: &Path,
    options: &[&str],
) -> Result<Value, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
    command.args(["install", "--json", "--no-bytecode", "--jobs", "1"]);
    command.arg("--python").arg(cache::tool("python3"));
    command.arg("--lib-path").arg(runtimes).args(options);
    let output = succeed(command.arg("--prefix").arg(prefix).arg(wheel))?;
    Ok(serde_json::from_str(&output).unwrap())
}

/// Whether a bundled library gave way to another.
fn has_unbundled(report: &Value) -> bool {
    let libraries = report["unbundling"]["libraries"].as_array();
    let mut libraries = libraries.into_iter().flatten();
    libraries.any(|library| library["verdict"]["verdict"] != "keep")
}

/// The files that a rule has left out, as paths below the prefix.
fn dropped(report: &Value, prefix: &Path) -> BTreeSet<String> {
    let drops = report["relocation"]["drops"].as_array().unwrap();
    let path = |drop: &Value| {
        let path = Path::new(drop["path"].as_str().unwrap());
        path.strip_prefix(prefix)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    drops.iter().map(path).collect()
}

/// The rows of RECORD by path below the prefix: hash and size.
fn rows(tree: &Tree, prefix: &Path) -> BTreeMap<String, (String, String)> {
    let is_record = |path: &&String| {
        let below = path.strip_prefix(SITE_PACKAGES);
        let below = below.and_then(|below| below.strip_suffix(".dist-info/RECORD"));
        below.is_some_and(|stem| stem.matches('/').count() == 1)
    };
    let record = tree.keys().find(is_record).unwrap();
    let text = fs_err::read_to_string(prefix.join(record)).unwrap();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        let path = match row[0].strip_prefix("../../../") {
            Some(path) => path.to_owned(),
            None => format!("{SITE_PACKAGES}/{}", &row[0]),
        };
        (path, (row[1].to_owned(), row[2].to_owned()))
    });
    rows.collect()
}
