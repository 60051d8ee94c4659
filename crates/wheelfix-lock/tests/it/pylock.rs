//! `pylock.toml`, against `Pylock.select` of Python's `packaging`.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wheelfix_format::{PackageName, RankedTags, Target};
use wheelfix_lock::{DefaultGroups, Lock, Preference, Provider, Source, choose, resolve};
use wheelfix_testkit::python;

use crate::support::{fixture, fixture_path, installed, joined, read, selection};

/// For each case of a file a line: the packages with their files, or `error`.
const SCRIPT: &str = r"
import json, sys, tomllib
from urllib.parse import unquote
from packaging.pylock import Pylock
from packaging.tags import Tag
for case in json.load(open(sys.argv[1])):
    lock = Pylock.from_dict(tomllib.load(open(case['file'], 'rb')))
    try:
        found = []
        for package, artifact in lock.select(
                environment=case['environment'], tags=[Tag(*tag.split('-')) for tag in case['tags']],
                extras=case['extras'], dependency_groups=case['groups']):
            kind = type(artifact).__name__
            if kind in ('PackageVcs', 'PackageDirectory'):
                found.append(f'{package.name} {kind}')
            else:
                name = artifact.name if hasattr(artifact, 'name') else None
                name = name or unquote((artifact.path or artifact.url).rsplit('/', 1)[-1])
                found.append(f'{package.name} {name}')
        print(' | '.join(sorted(found)))
    except Exception as error:
        print('error')
";

/// The same of ours.
fn ours(lock: &Lock<'_>, words: &str, target: &Target) -> String {
    let tags = RankedTags::new(target);
    let Ok(resolution) = resolve(lock, &selection(lock, words), target) else {
        return "error".to_owned();
    };
    let mut found = Vec::new();
    for (name, resolved) in &resolution.packages {
        let package = &lock.packages[resolved.number];
        let Ok(choice) = choose(package, &tags, Preference::Wheel) else {
            return "error".to_owned();
        };
        let file = match (choice.provider, &package.source) {
            (Provider::Wheel(file) | Provider::Sdist(file), _) => file.name.as_ref(),
            (Provider::Source, Source::Git { .. }) => "PackageVcs",
            (Provider::Source, _) => "PackageDirectory",
        };
        found.push(format!("{name} {file}"));
    }
    found.sort();
    found.join(" | ")
}

const FILES: [&str; 6] = [
    "pylock.pip.toml",
    "pylock.pip-sources.toml",
    "pylock.uv-export.toml",
    "pylock.uv-pip-compile.toml",
    "pylock.poetry-export.toml",
    "pylock.pdm-export.toml",
];

const TARGETS: [&str; 8] = [
    "x86_64-glibc2.36-cp311.9",
    "x86_64-linux-cp312",
    "x86_64-linux-cp313",
    "aarch64-linux-cp312",
    "x86_64-musl-cp311",
    "x86_64-linux-cp314t",
    "arm64-macos-cp312",
    "x86_64-glibc2.17-pp311",
];

/// The question to packaging.
fn case(lock: &Lock<'_>, file: &str, words: &str, target: &Target) -> Value {
    let environment = target.marker_environment();
    let chosen = selection(lock, words);
    let mut groups = chosen.groups;
    // Groups are added to the default ones, while packaging takes those alone that it is given.
    if let (false, DefaultGroups::Named(names)) =
        (chosen.no_default_groups, &lock.roots[0].default_groups)
    {
        groups.extend(names.iter().cloned());
    }
    let texts = |names: BTreeSet<PackageName>| -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    };
    let tags = target.supported_tags();
    json!({
        "file": fixture_path(file),
        "environment": {
            "implementation_name": environment.implementation_name,
            "implementation_version": environment.implementation_version,
            "os_name": environment.os_name,
            "platform_machine": environment.platform_machine,
            "platform_python_implementation": environment.platform_python_implementation,
            "platform_release": environment.platform_release,
            "platform_system": environment.platform_system,
            "platform_version": environment.platform_version,
            "python_full_version": environment.python_full_version,
            "python_version": environment.python_version,
            "sys_platform": environment.sys_platform,
        },
        "tags": tags.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "extras": texts(chosen.extras),
        "groups": texts(groups),
    })
}

#[test]
fn every_selection_is_that_of_packaging() {
    let texts: Vec<String> = FILES
        .iter()
        .map(|file| fixture(&format!("pylock/{file}")))
        .collect();
    let (mut cases, mut answers): (Vec<Value>, Vec<(String, String)>) = (Vec::new(), Vec::new());
    for (file, text) in FILES.iter().zip(&texts) {
        let lock = read(file, text);
        let words = [
            "",
            "extra:docs",
            "group:dev,group:loc",
            "extra:docs,no-default-groups",
        ];
        let is_declared = |words: &&&str| {
            let chosen = selection(&lock, words);
            let root = &lock.roots[0];
            chosen.extras.iter().all(|it| root.extras.contains_key(it))
                && chosen.groups.iter().all(|it| root.groups.contains_key(it))
        };
        // What is not declared is an error here, as the specification has it, and nothing to packaging.
        let words = words.iter().filter(is_declared);
        for (words, target) in words.flat_map(|words| TARGETS.map(|target| (*words, target))) {
            let parsed: Target = target.parse().unwrap();
            cases.push(case(&lock, &format!("pylock/{file}"), words, &parsed));
            answers.push((
                format!("{file}, {words} on {target}"),
                ours(&lock, words, &parsed),
            ));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cases.json");
    fs_err::write(&path, Value::from(cases).to_string()).unwrap();
    let theirs = python::run(SCRIPT, &[&path]).unwrap();
    assert_eq!(theirs.lines().count(), answers.len());
    let differences: Vec<String> = theirs
        .lines()
        .zip(&answers)
        .filter(|(theirs, (_, ours))| theirs != ours)
        .map(|(theirs, (case, ours))| format!("{case}\n  ours   {ours}\n  theirs {theirs}"))
        .collect();
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
    let found = theirs.lines().filter(|line| *line != "error").count();
    assert!(30 < found, "only {found} selections without an error");
}

#[test]
fn what_pdm_says_of_dependencies_is_read_and_others_are_unknown() {
    let text = fixture("pylock/pylock.pdm-export.toml");
    let lock = read("pylock.toml", &text);
    let text = installed(&lock, "", "x86_64-linux-cp311");
    assert!(
        text.contains("*httpx httpx-0.28.1-py3-none-any.whl -> anyio certifi httpcore idna\n"),
        "{text}"
    );
    let text = fixture("pylock/pylock.uv-export.toml");
    let lock = read("pylock.toml", &text);
    let text = installed(&lock, "", "x86_64-linux-cp311");
    assert!(
        text.contains("*idna idna-3.7-py3-none-any.whl -> ?\n"),
        "{text}"
    );
}

#[test]
fn faults_are_told_with_package_and_key() {
    let check = |text: &str, want: &str| {
        let got = match Lock::read("pylock.toml", text) {
            Ok(_) => "fine".to_owned(),
            Err(faults) => joined(&faults),
        };
        assert_eq!(got, want, "for {text:?}");
    };
    check(
        "lock-version = \"2.0a1\"\n",
        "`lock-version`: expected version 1, got version 2.0a1",
    );
    check(
        "lock-version = \"1.0\"\npackages = []\n",
        "line 1, column 1: missing field `created-by`",
    );
    let start = "lock-version = \"1.0\"\ncreated-by = \"x\"\n";
    check(
        &format!(
            "{start}[[packages]]\nname = \"a\"\nversion = \"1\"\nmarker = \"'x' in extra\"\n\
             [[packages]]\nname = \"b\"\nmarker = \"extras == 'x'\"\nvcs = {{ type = \"hg\", url = \"https://x\", commit-id = \"1\" }}\n\
             [[packages]]\nname = \"c\"\nversion = \"1\"\ndirectory = {{ path = \"c\" }}\n\
             sdist = {{ url = \"https://x/c-1.tar.gz\", hashes = {{ md5 = \"00\" }} }}\n"
        ),
        "package `a 1`: the source is none that is known\n\
         package `b`: `marker`: invalid marker `extras == 'x'`: `extras` and `dependency_groups` are sets: expected `\"name\" in extras` at byte 0\n\
         package `b`: `vcs.type`: the source is none that is known\n\
         package `c 1`: the source is none that is known\n\
         package `c 1`: `sdist`: invalid hash `md5:00`: expected SHA-256, SHA-384 or SHA-512, got md5",
    );
    let text = format!(
        "{start}[[packages]]\nname = \"a\"\nversion = \"1\"\nrequires-python = \">=3.14\"\nwheels = []\n\
         sdist = {{ url = \"https://x/a-1.tar.gz\", hashes = {{ sha256 = \"{}\" }} }}\n",
        "00".repeat(32)
    );
    let lock = read("pylock.toml", &text);
    assert_eq!(
        installed(&lock, "", "x86_64-linux-cp313"),
        "package `a 1`: `requires-python`: the lock is for Python >=3.14, the target has 3.13.0"
    );
}
