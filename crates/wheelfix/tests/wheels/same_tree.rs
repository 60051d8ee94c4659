//! `wheelfix install` makes the tree that pypa/installer makes, and a second run changes nothing.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use wheelfix_testkit::{cache, host};

use crate::programs::succeed;
use crate::tree::{self, Tree};

const SITE_PACKAGES: &str = "lib/python3.11/site-packages";

/// The libraries of NVIDIA's wheels, which torch is installed without here.
const CUDA_LIBRARIES: &[&str] = &[
    "libcublas*",
    "libcudart*",
    "libcudnn*",
    "libcufft*",
    "libcufile*",
    "libcupti*",
    "libcusolver*",
    "libcusparse*",
    "libnccl*",
    "libnvrtc*",
    "libnvshmem*",
];

#[test]
fn of_all_small_wheels() {
    let faults: Vec<String> = cache::wheels("small")
        .iter()
        .flat_map(|wheel| faults(wheel, &[]))
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn of_torch() {
    let faults = faults(&cache::wheel("torch"), CUDA_LIBRARIES);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The faults of the installed tree of a wheel, a line each.
fn faults(wheel: &Path, ignore_missing: &[&str]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let runtimes = dir.path().join("runtimes");
    host::copy_runtimes(&runtimes);
    let mut options: Vec<&OsStr> = vec!["--lib-path".as_ref(), runtimes.as_ref()];
    for glob in ignore_missing {
        options.extend(["--ignore-missing".as_ref(), OsStr::new(glob)]);
    }

    let ours = dir.path().join("ours");
    let by_rule = install(wheel, &ours, &options);
    let tree = tree::read(&ours);
    let mut faults = tree::differences(&tree, &theirs(wheel, dir.path()), &by_rule);
    faults.extend(tree::faults_of_record(&tree, &ours, SITE_PACKAGES));

    patch(&ours, &options);
    if tree::read(&ours) != tree {
        faults.push("a second run changes files".to_owned());
    }
    let name = wheel.file_name().unwrap().to_string_lossy();
    faults
        .iter()
        .map(|fault| format!("{name}: {fault}"))
        .collect()
}

/// Installs the wheel and returns the files that a rule has left out or changed, as paths below the
/// prefix.
fn install(wheel: &Path, prefix: &Path, options: &[&OsStr]) -> BTreeSet<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
    command.args(["install", "--json", "--no-bytecode", "--python"]);
    command.arg(cache::tool("python3")).args(options);
    let output = succeed(command.arg("--prefix").arg(prefix).arg(wheel));
    let document: serde_json::Value = serde_json::from_str(&output).unwrap();
    let relocation = &document["relocation"];
    let by_rule = ["drops", "sources"].map(|key| relocation[key].as_array().unwrap());
    let removed = document["unbundling"]["removed"].as_array().unwrap();
    let path = |drop: &serde_json::Value| {
        let path = Path::new(drop["path"].as_str().unwrap());
        path.strip_prefix(prefix)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    let by_rule = by_rule.into_iter().flatten();
    by_rule.chain(removed).map(path).collect()
}

fn patch(prefix: &Path, options: &[&OsStr]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
    let command = command.args(["patch", "--quiet"]).args(options);
    let output = command.arg(prefix).output().unwrap();
    // Of a tree without ELF files that is said.
    let message = String::from_utf8_lossy(&output.stderr);
    let is_pure = message.contains("there is nothing to prove: no ELF file in");
    assert!(output.status.success() || is_pure, "{message}");
}

/// The tree that pypa/installer makes.
fn theirs(wheel: &Path, dir: &Path) -> Tree {
    let prefix = dir.join("theirs");
    let mut command = Command::new(cache::tool("python3"));
    command.args(["-I", "-m", "installer", "--no-compile-bytecode", "--prefix"]);
    succeed(command.arg(&prefix).arg(wheel));
    tree::read(&prefix)
}
