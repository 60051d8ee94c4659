//! `cargo xtask nix-test`: wheelfix in real, sandboxed builds of Nix.
//!
//! The package set is a stub made of the host's programs, `nix/tests/stub`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use pico_args::Arguments;
use serde_json::Value;

use crate::failure::Result;
use crate::manifest::Set;
use crate::nix::host::{self, Profile};
use crate::nix::store::{self, Tests};
use crate::nix::{Nix, against, lint, rodeo, second_python, sources, variants};
use crate::setup::{self, Purpose};
use crate::{arguments, build, place, program, python};

/// Nothing but what is named is in the sandbox.
const EMPTY: &[&str] = &["--option", "sandbox-paths", ""];

pub(crate) fn task(mut args: Arguments) -> Result {
    let checkouts: Option<PathBuf> = args.opt_value_from_str("--against")?;
    let is_full = args.contains("--full");
    let only: Option<String> = args.opt_value_from_str("--only")?;
    arguments::finish(args)?;
    setup::ensure(Purpose::Tests)?;
    match (checkouts, only) {
        (Some(checkouts), _) => against::run(&checkouts, is_full),
        (None, Some(attribute)) => {
            build_only(&attribute, if is_full { Set::Cuda } else { Set::Small })
        }
        (None, None) => run(is_full),
    }
}

/// Builds one attribute of the tests, with the wheels of a set.
fn build_only(attribute: &str, wheels: Set) -> Result {
    let nix = Nix::ensure()?;
    // Dynamic, so that it is built at once; the sandbox shows the C library.
    let program = build::debug()?;
    let host = describe_host(&program)?;
    store::add_wheels(&nix, wheels)?;
    second_python::add_wheels(&nix)?;
    let tests = Tests { nix: &nix, host };
    match attribute {
        "sources" => return sources::run(&tests, &program),
        "variants" => return variants::run(&tests, &program),
        _ => {}
    }
    if let Some(project) = attribute.strip_prefix("rodeo.") {
        let (name, environment) = rodeo::PROJECTS
            .iter()
            .find(|(name, _)| *name == project)
            .ok_or_else(|| format!("`{project}` is not a project of the rodeo"))?;
        return rodeo::run(&tests, &program, name, environment);
    }
    tests.build(&[attribute], &[]).map(drop)
}

/// Writes the list of the parts of the stub.
fn describe_host(program: &Path) -> Result<PathBuf> {
    let dir = place::target().join("nix");
    fs_err::create_dir_all(&dir)?;
    let host = fs_err::canonicalize(&dir)?.join("host.json");
    host::describe(program, &host)?;
    Ok(host)
}

/// Runs all tests under Nix; `is_full`: with locks of large wheels, too.
pub(crate) fn run(is_full: bool) -> Result {
    let nix = Nix::ensure()?;
    step("lint", lint::run)?;
    let program = host::build(Profile::Static)?;
    let host = describe_host(&program)?;
    store::add_wheels(&nix, Set::Cuda)?;
    second_python::add_wheels(&nix)?;
    let tests = Tests { nix: &nix, host };
    step("evaluation", || {
        tests.evaluate("documented")?;
        tests.build(&["functions", "inputs"], &[]).map(drop)
    })?;
    step("builder", || builder(&tests))?;
    step("cuda", || cuda(&tests, &program))?;
    step("hooks", || hooks(&tests))?;
    step("variants", || variants::run(&tests, &program))?;
    step("sources", || sources::run(&tests, &program))?;
    step("announcements", || announcements(&tests))?;
    step("failures", || failures(&tests))?;
    step("flake", || flake(&tests, &program))?;
    if is_full {
        for (name, environment) in rodeo::PROJECTS {
            step(name, || rodeo::run(&tests, &program, name, environment))?;
        }
    }
    nix.collect_garbage()
}

/// Runs a part and says how long it took.
fn step(name: &str, run: impl FnOnce() -> Result) -> Result {
    let start = Instant::now();
    run()?;
    eprintln!("nix {name}: done after {} s", start.elapsed().as_secs());
    Ok(())
}

/// The builder on small wheels, with and without a Python in the build.
fn builder(tests: &Tests<'_>) -> Result {
    tests.build(&["builder"], EMPTY)?;
    tests.check(&["builder"], EMPTY)?;
    tests.build(&["proved", "computed"], &[])?;
    tests.check(&["proved"], &[])?;
    check_elsewhere(tests, &["builder", "proved.numpy", "proved.scipy"])
}

/// Builds again in another directory, with other numbers of jobs: without a sandbox a build sees them.
///
/// Nix then gives the output another path as well, which it replaces afterwards. So nothing can be
/// checked that contains a hash of its own path, as an environment does: RECORD has one of its scripts.
fn check_elsewhere(tests: &Tests<'_>, attributes: &[&str]) -> Result {
    let elsewhere = place::target().join("nix/elsewhere");
    fs_err::create_dir_all(&elsewhere)?;
    let elsewhere = fs_err::canonicalize(&elsewhere)?;
    let elsewhere = elsewhere.to_string_lossy();
    for cores in ["1", "3"] {
        let options = [
            "--option",
            "sandbox",
            "false",
            "--option",
            "build-dir",
            &elsewhere,
            "--cores",
            cores,
        ];
        tests.check(attributes, &options)?;
    }
    Ok(())
}

/// torch, with each of NVIDIA's wheels in a store path of its own.
fn cuda(tests: &Tests<'_>, program: &Path) -> Result {
    tests.build(&["cuda"], EMPTY)?;
    tests.check(&["cuda"], EMPTY)?;
    check_elsewhere(tests, &["cuda.torch", "cuda.bitsandbytes"])?;
    tests.build(&["computedCuda"], &[])?;
    let torch = tests.build(&["cuda.torch"], EMPTY)?;
    let torch = torch.first().ok_or("torch has no output")?;
    let planned = planned(tests, program)?;
    let referred: BTreeSet<String> = tests.references(torch)?.into_iter().collect();
    if planned != referred {
        return Err(format!(
            "torch refers to other store paths than its plan names\nplan: {planned:#?}\n\
            references: {referred:#?}"
        )
        .into());
    }
    Ok(())
}

/// The store paths in the plan of torch's installation.
fn planned(tests: &Tests<'_>, program: &Path) -> Result<BTreeSet<String>> {
    let facts = tests.evaluate("torchFacts")?;
    let mut command = Command::new(program);
    command.args([
        "install",
        "--dry-run",
        "--json",
        "--python-version",
        python::VERSION,
    ]);
    command
        .arg("--prefix")
        .arg(place::target().join("nix/torch"));
    for path in strings(facts.get("libs")) {
        command.arg("--lib-path").arg(path);
    }
    command.args(strings(facts.get("src")));
    let text = program::output(&mut command)?;
    let report: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let mut found = BTreeSet::new();
    let objects = report
        .pointer("/relocation/objects")
        .and_then(Value::as_array);
    for object in objects.into_iter().flatten() {
        if let Some(edit) = object.pointer("/edit/run_path") {
            collect_store_paths(edit, &mut found);
        }
    }
    Ok(found)
}

/// The texts of a JSON text or list.
fn strings(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => vec![text],
        _ => Vec::new(),
    }
}

/// The store paths of all texts in a JSON value.
fn collect_store_paths(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            for element in text.split(':') {
                if element.starts_with("/nix/store/") {
                    let path: PathBuf = Path::new(element).components().take(4).collect();
                    found.insert(path.display().to_string());
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|it| collect_store_paths(it, found)),
        Value::Object(map) => map.values().for_each(|it| collect_store_paths(it, found)),
        _ => {}
    }
}

/// The hooks in recipes of nixpkgs' shape, and what once went wrong there.
fn hooks(tests: &Tests<'_>) -> Result {
    let all = ["hooks", "lessons", "pyproject", "tested", "documentedBuilt"];
    tests.build(&all, &[])?;
    tests.check(
        &[
            "hooks.numpy",
            "hooks.scipy",
            "hooks.bitsandbytes",
            "hooks.pygments",
            "hooks.torch-bin",
        ],
        &[],
    )
}

/// Builds that must fail, and say why.
fn failures(tests: &Tests<'_>) -> Result {
    let count = compare_logs(tests, "failingSays", |name| {
        tests.fail(&format!("failing.{name}.drv"))
    })?;
    eprintln!("{count} builds fail as they should");
    Ok(())
}

/// Builds that succeed, and say something.
fn announcements(tests: &Tests<'_>) -> Result {
    let count = compare_logs(tests, "announcingSays", |name| {
        let attribute = format!("announcing.{name}.drv");
        tests.build(&[&attribute], &[])?;
        tests.log(&attribute)
    })?;
    eprintln!("{count} builds say what they should");
    Ok(())
}

/// Looks for what `expected`, an attribute set, wants to see in the log of each of its names; all
/// faults at once. Gives their number.
fn compare_logs(
    tests: &Tests<'_>,
    expected: &str,
    log_of: impl Fn(&str) -> Result<String>,
) -> Result<usize> {
    let Value::Object(wanted) = tests.evaluate(expected)? else {
        return Err(format!("`{expected}` is not an attribute set").into());
    };
    let mut faults = Vec::new();
    for (name, says) in &wanted {
        let log = log_of(name)?;
        for text in strings(Some(says)) {
            if !log.contains(text) {
                faults.push(format!("{name}: expected `{text}` in the log, got:\n{log}"));
            }
        }
    }
    if faults.is_empty() {
        Ok(wanted.len())
    } else {
        Err(faults.join("\n").into())
    }
}

/// The flake, with the stub as nixpkgs, and what its template and `wheelfix lock --init` make.
fn flake(tests: &Tests<'_>, wheelfix: &Path) -> Result {
    let root = place::root();
    let nix = |args: &[&str], dir: &Path| {
        let mut command = tests.nix.command("nix");
        command.arg("flake").args(args).current_dir(dir);
        command.env("WHEELFIX_HOST", &tests.host);
        command.env("WHEELFIX_STUB", root.join("nix/tests/stub"));
        program::output(&mut command)
    };
    // A clone of CI is shallow.
    let this = format!("git+file://{}?shallow=1", root.display());
    let stub = format!("path:{}", root.join("nix/tests/stub-nixpkgs").display());
    let check = ["check", "--impure", "--no-write-lock-file"];
    let with_stub = ["--override-input", "nixpkgs", stub.as_str()];
    nix(&[&check[..], &with_stub, &[this.as_str()]].concat(), &root)?;

    let template = place::target().join("nix/template");
    place::empty(&template)?;
    // `nix flake init` would fetch nixpkgs.
    for entry in fs_err::read_dir(root.join("nix/template"))? {
        let entry = entry?;
        fs_err::copy(entry.path(), template.join(entry.file_name()))?;
    }
    let locked = place::target().join("nix/locked");
    place::empty(&locked)?;
    fs_err::copy(root.join("nix/tests/lock/uv.lock"), locked.join("uv.lock"))?;
    let mut lock = Command::new(wheelfix);
    lock.args([
        "lock",
        "uv.lock",
        "--init",
        "--target",
        "x86_64-linux-cp311",
    ]);
    program::output(lock.current_dir(&locked))?;
    let with_this = ["--override-input", "wheelfix", this.as_str()];
    for dir in [template, locked] {
        // As a path: it is not among the files of the repository around it.
        let made = format!("path:{}", fs_err::canonicalize(&dir)?.display());
        let all = [&check[..], &with_stub, &with_this, &[made.as_str()]].concat();
        nix(&all, &dir)?;
    }
    Ok(())
}
