//! All the wheels in one prefix: Python's own tools see what the wheels say, and programs start.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rayon::prelude::*;
use wheelfix_testkit::{cache, host};

use crate::run::{Ending, run_for, succeed};

/// Wheels of other sets that the much downloaded ones need.
const MORE: [&str; 11] = [
    "filelock",
    "fsspec",
    "jinja2",
    "markupsafe",
    "networkx",
    "numpy",
    "packaging",
    "pygments",
    "scipy",
    "setuptools",
    "typing_extensions",
];

/// Files that do not end well with `--help`, wherever they are installed: they are not programs,
/// want something else, or need a wheel that is not in the lists.
const WITHOUT_HELP: [&str; 26] = [
    "aws",
    "aws.cmd",
    "aws_bash_completer",
    "aws_completer",
    "aws_zsh_completer.sh",
    "ccmake",
    "fastapi",
    "get_objgraph",
    "hf",
    "jsonschema",
    "jupyter-lab",
    "jupyter-labextension",
    "jupyter-labhub",
    "jupyter-notebook",
    "jupyter-server",
    "jupyter-trust",
    "keyring",
    "ninja",
    "pyftmerge",
    "pyftsubset",
    "pylint-config",
    "tiny-agents",
    "transformers",
    "ttx",
    "undill",
    "xgboost",
];

/// Prints the facts that `importlib.metadata` has of each distribution below a directory, without
/// files that installers write for themselves.
const METADATA: &str = r#"
import importlib.metadata, json, sys
out = {}
for found in importlib.metadata.distributions(path=[sys.argv[1]]):
    out[found.metadata["Name"]] = [
        found.version, found.requires, sorted(map(str, found.entry_points)),
    ]
print(json.dumps(out, sort_keys=True, indent=1))
"#;

/// Files of distributions that are not there.
const MISSING: &str = r"
import importlib.metadata, sys
for found in importlib.metadata.distributions(path=[sys.argv[1]]):
    for file in found.files:
        if not file.locate().exists():
            print(file)
";

/// Unpacks the metadata of wheels, and nothing else.
const UNPACK: &str = r#"
import sys, zipfile
for path in sys.argv[2:]:
    with zipfile.ZipFile(path) as wheel:
        for name in wheel.namelist():
            if name.split("/")[0].endswith(".dist-info"):
                wheel.extract(name, sys.argv[1])
"#;

#[test]
fn pip_and_importlib_see_what_the_wheels_say_and_programs_start() {
    let dir = tempfile::tempdir().unwrap();
    let wheels = wheels();
    let runtimes = dir.path().join("runtimes");
    host::copy_runtimes(&runtimes);
    let prefix = dir.path().join("prefix");
    let mut install = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
    install.args(["install", "--quiet", "--no-bytecode", "--python"]);
    install.arg(cache::tool("python3"));
    install.arg("--lib-path").arg(runtimes);
    // What is looked for while a program runs is the matter of other tests.
    install.arg("--ignore-missing").arg("lib*");
    succeed(install.arg("--prefix").arg(&prefix).args(&wheels)).unwrap();
    let site = prefix.join("lib/python3.11/site-packages");

    let reference = dir.path().join("reference");
    fs_err::create_dir(&reference).unwrap();
    let mut unpack = python(UNPACK);
    succeed(unpack.arg(&reference).args(&wheels)).unwrap();
    let [ours, theirs] = [&site, &reference].map(|dir| succeed(python(METADATA).arg(dir)).unwrap());
    assert_eq!(ours, theirs);
    assert_eq!(succeed(python(MISSING).arg(&site)).unwrap(), "");
    let [ours, theirs] = [&site, &reference].map(|dir| pip_check(dir));
    assert_eq!(ours, theirs);

    let failures = failing_programs(&prefix.join("bin"), &site);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn wheels() -> Vec<PathBuf> {
    let more = MORE.iter().map(|name| cache::wheel(name));
    cache::popular_wheels().into_iter().chain(more).collect()
}

fn python(script: &str) -> Command {
    let mut command = Command::new(cache::tool("python3"));
    command.args(["-I", "-c", script]);
    command
}

/// The lines of `pip check` about the distributions in a directory, sorted.
fn pip_check(site: &Path) -> BTreeSet<String> {
    let mut command = Command::new(cache::tool("python3"));
    command.args(["-s", "-m", "pip", "check"]);
    // Fails where something is missing, on both sides.
    let output = command.env("PYTHONPATH", site).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Runs every program with `--help`; those that do not end well, a line each.
fn failing_programs(bin: &Path, site: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(bin).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| !WITHOUT_HELP.contains(&name.as_str()));
    names.sort();
    assert!(100 < names.len(), "{} programs", names.len());
    let home = tempfile::tempdir().unwrap();
    let failures = names.par_iter().with_max_len(1).filter_map(|name| {
        let mut command = Command::new(bin.join(name));
        command.arg("--help").env("PYTHONPATH", site);
        command.env("HOME", home.path()).current_dir(home.path());
        match run_for(&mut command, Duration::from_mins(2)) {
            Ending::Success => None,
            Ending::Failure(reason) => Some(format!("{name}: {reason}")),
            Ending::Endless => Some(format!("{name}: does not end")),
        }
    });
    failures.collect()
}
