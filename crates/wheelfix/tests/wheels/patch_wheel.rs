//! `wheelfix patch IN.whl -o OUT.whl`: the same bytes in every run, no more changed than is said, and a
//! wheel by the standards of others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use wheelfix_testkit::{cache, host};

use crate::programs::succeed;

/// For each member that is a file: its name, the digest of its data as it is compressed, and that of its content.
const MEMBERS: &str = r"
import hashlib, struct, sys, zipfile
with open(sys.argv[1], 'rb') as file, zipfile.ZipFile(file) as archive:
    for info in archive.infolist():
        if info.is_dir():
            continue
        file.seek(info.header_offset + 26)
        file.seek(sum(struct.unpack('<HH', file.read(4))), 1)
        data, content = file.read(info.compress_size), archive.read(info)
        print(info.filename, hashlib.sha256(data).hexdigest(), hashlib.sha256(content).hexdigest())
";

#[test]
fn real_wheels_become_wheels() {
    let wheels = ["numpy", "scipy", "bitsandbytes"].map(cache::wheel);
    let faults: Vec<String> = wheels.iter().flat_map(|wheel| faults(wheel)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The faults of the patched wheel, a line each.
fn faults(wheel: &Path) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let runtimes = dir.path().join("runtimes");
    host::copy_runtimes(&runtimes);
    let patch = |wheel: &Path, name: &str, jobs: &str| {
        let out = dir.path().join(name);
        fs_err::create_dir(&out).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
        command.args(["patch", "--json", "--jobs", jobs, "--python"]);
        command.arg(cache::tool("python3"));
        command.arg("--lib-path").arg(&runtimes);
        let report = succeed(command.arg(wheel).arg("-o").arg(&out));
        let report: Value = serde_json::from_str(&report).unwrap();
        PathBuf::from(report["output"].as_str().unwrap())
    };
    let patched = patch(wheel, "first", "2");
    let mut faults = Vec::new();
    let mut fault = |is_fault: bool, text: &str| {
        if is_fault {
            faults.push(format!("{}: {text}", wheel.display()));
        }
    };
    let bytes = fs_err::read(&patched).unwrap();
    let other = fs_err::read(patch(wheel, "second", "1")).unwrap();
    fault(bytes != other, "another run with one thread differs");
    let other = fs_err::read(patch(&patched, "third", "2")).unwrap();
    fault(bytes != other, "what is patched changes when patched again");

    let changed = changed(wheel, &patched, &mut fault);
    let mut inspect = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
    let facts = succeed(
        inspect
            .args(["inspect", "--verify", "--json"])
            .arg(&patched),
    );
    let facts: Value = serde_json::from_str(&facts).unwrap();
    let name = facts["filename"].to_string();
    fault(
        facts["record"]["mismatches"] != serde_json::json!([]),
        "RECORD lies",
    );
    fault(
        facts["warnings"].as_array().is_none_or(|it| !it.is_empty()),
        &format!("warnings: {}", facts["warnings"]),
    );
    fault(changed.is_empty(), &format!("nothing has changed: {name}"));

    let prefix = dir.path().join("prefix");
    let mut command = Command::new(cache::tool("python3"));
    command.args(["-I", "-m", "installer", "--validate-record", "all"]);
    command.args(["--no-compile-bytecode", "--prefix"]);
    succeed(command.arg(&prefix).arg(&patched));
    let bill = bill(&prefix);
    fault(
        bill != changed,
        &format!("changed are {changed:?}, the bill has {bill:?}"),
    );
    faults
}

/// The members of the first wheel that are others in the second, but for those that every patched wheel
/// has anew. What has not changed must be compressed as it was.
fn changed(before: &Path, after: &Path, fault: &mut impl FnMut(bool, &str)) -> BTreeSet<String> {
    let (before, after) = (members(before), members(after));
    let mut changed = BTreeSet::new();
    for (name, (data, content)) in &before {
        match after.get(name) {
            Some((new_data, new_content)) if new_content == content => {
                fault(new_data != data, &format!("{name} is compressed anew"));
            }
            _ => {
                changed.insert(name.clone());
            }
        }
    }
    let new: Vec<&String> = after
        .keys()
        .filter(|it| !before.contains_key(*it))
        .collect();
    fault(
        !matches!(new.as_slice(), [name] if name.ends_with(".dist-info/sboms/wheelfix.cdx.json")),
        &format!("new: {new:?}"),
    );
    let is_made = |name: &String| {
        let made = [".dist-info/RECORD", ".dist-info/WHEEL"];
        made.iter().any(|end| name.ends_with(end))
    };
    changed.retain(|name| !is_made(name));
    changed
}

fn members(wheel: &Path) -> BTreeMap<String, (String, String)> {
    let mut command = Command::new(cache::tool("python3"));
    let lines = succeed(command.args(["-I", "-c", MEMBERS]).arg(wheel));
    let row = |line: &str| {
        let mut words = line.rsplitn(3, ' ').map(str::to_owned);
        let (content, data) = (words.next().unwrap(), words.next().unwrap());
        (words.next().unwrap(), (data, content))
    };
    lines.lines().map(row).collect()
}

/// The files that the bill of materials names.
fn bill(prefix: &Path) -> BTreeSet<String> {
    let site = prefix.join("lib/python3.11/site-packages");
    let entries = fs_err::read_dir(site).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path().join("sboms/wheelfix.cdx.json"));
    let path = paths.find(|path| path.is_file()).unwrap();
    let bill: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    let components = bill["components"].as_array().unwrap().iter();
    components
        .map(|it| it["name"].as_str().unwrap().to_owned())
        .collect()
}
