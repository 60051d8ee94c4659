//! `uv.lock`, against `uv export`.

use std::collections::BTreeSet;
use std::process::Command;

use tempfile::TempDir;
use wheelfix_format::{MarkerSets, RankedTags, Requirement, Target};
use wheelfix_lock::{Choice, Lock, Preference, Provider, Source, choose, resolve};
use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::{fixture, installed, joined, read, selection};

/// A project that uv exports.
pub(crate) struct Project {
    dir: TempDir,
    script: Option<&'static str>,
}

impl Project {
    pub(crate) fn new(lock: &str, files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        let script = lock.ends_with(".py.lock").then_some("script.py");
        let name = if script.is_some() {
            "script.py.lock"
        } else {
            "uv.lock"
        };
        write(name, &fixture(lock));
        for (name, text) in files {
            write(name, text);
        }
        Self { dir, script }
    }

    /// A project that uv locks now, with `links` beside it as its only index.
    #[expect(clippy::disallowed_methods, reason = "uv is the judge")]
    pub(crate) fn locked(wheels: &[WheelBuilder], files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let links = dir.path().join("links");
        fs_err::create_dir(&links).unwrap();
        for wheel in wheels {
            wheel.write_to(&links);
        }
        for (name, text) in files {
            let path = dir.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let script = files.iter().any(|(name, _)| *name == "script.py");
        let script = script.then_some("script.py");
        let mut command = Command::new(cache::tool("uv"));
        command.args(["lock", "--offline", "--no-index", "--find-links", "links"]);
        command.args(["--no-cache", "--no-config", "--quiet", "--python"]);
        command.arg(cache::tool("python3"));
        if let Some(script) = script {
            command.args(["--script", script]);
        }
        let output = command.current_dir(dir.path()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        Self { dir, script }
    }

    /// The lock.
    pub(crate) fn lock(&self) -> String {
        let name = if self.script.is_some() {
            "script.py.lock"
        } else {
            "uv.lock"
        };
        fs_err::read_to_string(self.dir.path().join(name)).unwrap()
    }

    /// The packages that would be installed on a platform, as `name==version`, or `None` if one of them has
    /// no file there.
    #[expect(clippy::disallowed_methods, reason = "uv is the judge")]
    pub(crate) fn sync(&self, platform: &str) -> Option<BTreeSet<String>> {
        let mut command = Command::new(cache::tool("uv"));
        command.args([
            "sync",
            "--frozen",
            "--offline",
            "--dry-run",
            "--no-cache",
            "--no-config",
        ]);
        command.args(["--python-platform", platform, "--python"]);
        command.arg(cache::tool("python3"));
        let output = command.current_dir(self.dir.path()).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        if !output.status.success() {
            assert!(
                errors.contains("for the current platform"),
                "{platform}: {errors}"
            );
            return None;
        }
        let packages = errors.lines().filter_map(|line| line.strip_prefix(" + "));
        Some(packages.map(str::to_owned).collect())
    }

    /// The lines of a `requirements.txt`, or `None` if uv refuses the selection.
    #[expect(clippy::disallowed_methods, reason = "uv is the judge")]
    pub(crate) fn export(&self, words: &str) -> Option<String> {
        let mut command = Command::new(cache::tool("uv"));
        command.args([
            "export",
            "--frozen",
            "--offline",
            "--no-hashes",
            "--no-annotate",
        ]);
        command.args(["--no-header", "--quiet", "--no-cache"]);
        if let Some(script) = self.script {
            command.args(["--script", script]);
        }
        for word in words.split(',').filter(|word| !word.is_empty()) {
            match word.split_once(':') {
                Some((kind, name)) => command.arg(format!("--{kind}")).arg(name),
                None => command.arg(format!("--{word}")),
            };
        }
        let output = command.current_dir(self.dir.path()).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success()
                || errors.contains("incompatible")
                || errors.contains("conflict"),
            "{words}: {errors}"
        );
        output.status.success().then_some(text)
    }
}

/// The packages of an export on a target: `name version`, or the path.
pub(crate) fn exported(text: &str, target: &Target) -> BTreeSet<String> {
    let environment = target.marker_environment();
    let mut packages = BTreeSet::new();
    for line in text.lines() {
        let line = line.trim_end_matches('\\').trim();
        let (what, marker) = line.split_once(" ; ").unwrap_or((line, "os_name != ''"));
        let marker: wheelfix_format::Marker = marker.parse().unwrap();
        if !marker.holds(&environment, &MarkerSets::default()) {
            continue;
        }
        let what = what.trim_start_matches("-e ");
        if what.starts_with('.') {
            packages.insert(what.to_owned());
        } else {
            let requirement: Requirement = what.parse().unwrap();
            let version = requirement.specifier_text().replace("==", "");
            packages.insert(format!("{} {version}", requirement.name()));
        }
    }
    packages
}

/// The same of ours.
fn ours(lock: &Lock<'_>, words: &str, target: &Target) -> Option<BTreeSet<String>> {
    let resolution = resolve(lock, &selection(lock, words), target).ok()?;
    let packages = resolution
        .packages
        .values()
        .map(|it| &lock.packages[it.number]);
    let packages = packages.filter(|package| !matches!(package.source, Source::Virtual { .. }));
    let texts = packages.map(|package| {
        let is_path = !package.origin.contains("://");
        let is_index = package.origin == "links" || package.origin.contains("simple");
        match &package.source {
            Source::Directory { path, .. } if path == "." => ".".to_owned(),
            Source::Directory { path, .. } => format!("./{path}"),
            Source::Files if is_path && !is_index => format!("./{}", package.origin),
            Source::Files
                if [".whl", ".tar.gz"]
                    .iter()
                    .any(|end| package.origin.ends_with(end)) =>
            {
                format!("{} ", package.name)
            }
            Source::Files => package.label(),
            Source::Git { .. } | Source::Virtual { .. } | Source::Conda => {
                format!("{} ", package.name)
            }
        }
    });
    Some(texts.collect())
}

/// Every way to take some of these words.
pub(crate) fn subsets(words: &[&str]) -> Vec<String> {
    let numbers = 0..1_usize << words.len();
    let subset = |number: usize| {
        let bits = words.iter().enumerate();
        let chosen = bits
            .filter(|(bit, _)| number >> bit & 1 == 1)
            .map(|(_, word)| *word);
        chosen.collect::<Vec<_>>().join(",")
    };
    numbers.map(subset).collect()
}

#[track_caller]
pub(crate) fn compare(name: &str, files: &[(&str, &str)], selections: &[String], targets: &[&str]) {
    compare_project(&Project::new(name, files), selections, targets);
}

/// Compares a project with `uv export`, which has to accept some of the selections.
#[track_caller]
pub(crate) fn compare_project(project: &Project, selections: &[String], targets: &[&str]) {
    let text = project.lock();
    let lock = read("uv.lock", &text);
    let mut accepted = 0;
    let mut wrong = Vec::new();
    for words in selections {
        let export = project.export(words);
        accepted += usize::from(export.is_some());
        for target in targets {
            let parsed: Target = target.parse().unwrap();
            let theirs = export.as_deref().map(|text| exported(text, &parsed));
            let ours = ours(&lock, words, &parsed);
            if ours != theirs {
                wrong.push(format!(
                    "{words} on {target}\n  ours   {ours:?}\n  theirs {theirs:?}"
                ));
            }
        }
    }
    assert_ne!(accepted, 0, "uv refuses all selections");
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

const MEMBER: &str = "[project]\nname = \"member\"\nversion = \"0.2\"\ndependencies = [\"idna\"]\n";

#[test]
fn every_selection_of_a_workspace_with_conflicts_is_uvs() {
    let pyproject = fixture("uv/features.pyproject.toml");
    let files = [
        ("pyproject.toml", pyproject.as_str()),
        ("packages/member/pyproject.toml", MEMBER),
    ];
    let words = [
        "extra:cpu",
        "extra:gpu",
        "extra:docs",
        "group:old",
        "group:new",
        "no-default-groups",
    ];
    let mut selections = subsets(&words);
    selections
        .extend(["group:lint", "package:member", "package:member,extra:docs"].map(str::to_owned));
    // uv says by itself that a member has no such extra.
    selections.pop();
    let targets = [
        "x86_64-linux-cp311",
        "aarch64-linux-cp312.7",
        "arm64-macos-cp312",
    ];
    compare("uv/features.uv.lock", &files, &selections, &targets);
}

#[test]
fn default_groups_scripts_and_projects_without_a_project_are_uvs() {
    let pyproject = "[project]\nname = \"v5\"\nversion = \"0.1\"\nrequires-python = \">=3.11\"\n\
        dependencies = [\"idna\"]\n[dependency-groups]\ndev = [\"iniconfig\"]\ndocs = [\"attrs\"]\n\
        [tool.uv]\ndefault-groups = [\"dev\", \"docs\"]\n\
        [tool.uv.dependency-groups]\ndocs = { requires-python = \">=3.12\" }\n";
    let selections = subsets(&["group:dev", "group:docs", "no-default-groups"]);
    let files = [("pyproject.toml", pyproject)];
    compare(
        "uv/default-groups.uv.lock",
        &files,
        &selections,
        &["x86_64-linux-cp312"],
    );

    let script = "# /// script\n# requires-python = \">=3.11\"\n# dependencies = [\"attrs\", \"idna\"]\n# ///\n";
    let files = [("script.py", script)];
    compare(
        "uv/script.py.lock",
        &files,
        &[String::new()],
        &["x86_64-musl-cp313"],
    );

    let pyproject = "[dependency-groups]\ndev = [\"idna\"]\n";
    let files = [("pyproject.toml", pyproject)];
    let selections = subsets(&["no-default-groups"]);
    compare(
        "uv/no-project.uv.lock",
        &files,
        &selections,
        &["x86_64-linux-cp313"],
    );

    let pyproject = "[project]\nname = \"fl\"\nversion = \"0.1\"\nrequires-python = \">=3.11\"\n\
        dependencies = [\"flatty\", \"sdistonly\"]\n";
    let files = [("pyproject.toml", pyproject)];
    compare(
        "uv/find-links.uv.lock",
        &files,
        &[String::new()],
        &["x86_64-linux-cp313"],
    );
}

#[test]
fn a_large_lock_is_uvs_on_every_target() {
    let text = fixture("uv/rodeo.uv.lock");
    let name = text.split("source = { virtual = \".\" }").next().unwrap();
    let name = name
        .rsplit("name = \"")
        .next()
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let pyproject =
        format!("[project]\nname = \"{name}\"\nversion = \"0\"\nrequires-python = \">=3.11\"\n");
    let targets = [
        "x86_64-linux-cp311",
        "x86_64-linux-cp313",
        "aarch64-linux-cp314t",
        "x86_64-musl-cp312",
        "arm64-macos-cp313",
        "riscv64-linux-pp311",
    ];
    let files = [("pyproject.toml", pyproject.as_str())];
    compare("uv/rodeo.uv.lock", &files, &[String::new()], &targets);
}

#[test]
fn the_packages_that_have_a_file_are_uvs() {
    let lock = fixture("uv/rodeo.uv.lock");
    let pyproject = "[project]\nname = \"rodeo\"\nversion = \"0\"\nrequires-python = \">=3.11\"\n";
    let project = Project::new("uv/rodeo.uv.lock", &[("pyproject.toml", pyproject)]);
    let lock = read("uv.lock", &lock);
    let platforms = [
        ("x86_64-manylinux_2_36", "x86_64-glibc2.36-cp311.9"),
        ("x86_64-manylinux_2_17", "x86_64-glibc2.17-cp311.9"),
        ("aarch64-manylinux_2_40", "aarch64-glibc2.40-cp311.9"),
        ("x86_64-unknown-linux-musl", "x86_64-musl-cp311.9"),
        ("riscv64-unknown-linux", "riscv64-glibc2.39-cp311.9"),
        ("aarch64-apple-darwin", "arm64-macos13.0-cp311.9"),
    ];
    let mut installable = 0;
    for (platform, target) in platforms {
        let target: Target = target.parse().unwrap();
        let tags = RankedTags::new(&target);
        let resolution = resolve(&lock, &selection(&lock, ""), &target).unwrap();
        let packages = resolution
            .packages
            .values()
            .map(|it| &lock.packages[it.number]);
        let packages = packages.filter(|package| package.source == Source::Files);
        let chosen = packages.map(|package| {
            choose(package, &tags, Preference::Wheel).ok()?;
            Some(package.label().replace(' ', "=="))
        });
        let ours: Option<BTreeSet<String>> = chosen.collect();
        assert_eq!(ours, project.sync(platform), "on {platform}");
        installable += usize::from(ours.is_some());
    }
    assert_eq!(installable, 2);
}

/// The file of each package, or what provides it else.
pub(crate) fn files(lock: &Lock<'_>, target: &Target) -> BTreeSet<String> {
    let tags = RankedTags::new(target);
    let resolution = resolve(lock, &selection(lock, ""), target);
    let resolution = resolution.unwrap_or_else(|faults| panic!("{}", joined(&faults)));
    let packages = resolution
        .packages
        .values()
        .map(|it| &lock.packages[it.number]);
    let packages = packages.filter(|package| package.source == Source::Files);
    let texts = packages.map(|package| match choose(package, &tags, Preference::Wheel) {
        Ok(Choice {
            provider: Provider::Wheel(file) | Provider::Sdist(file),
            ..
        }) => {
            let hash = file.hash.as_ref().map(ToString::to_string);
            format!("{} {}", file.name, hash.unwrap_or_default())
        }
        other => format!("{}: {other:?}", package.label()),
    });
    texts.collect()
}

#[test]
fn the_files_of_a_lock_are_those_of_the_pylock_that_uv_makes_of_it() {
    let text = fixture("uv/rodeo.uv.lock");
    let pyproject = "[project]\nname = \"rodeo\"\nversion = \"0\"\nrequires-python = \">=3.11\"\n";
    let project = Project::new("uv/rodeo.uv.lock", &[("pyproject.toml", pyproject)]);
    let export = project.export("format:pylock.toml").unwrap();
    let (lock, export) = (read("uv.lock", &text), read("pylock.toml", &export));
    let targets = [
        "x86_64-linux-cp311",
        "x86_64-linux-cp314",
        "aarch64-linux-cp313",
        "x86_64-linux-cp314t",
        "x86_64-glibc2.17-cp312",
        "arm64-macos-cp313",
    ];
    for target in targets {
        let target: Target = target.parse().unwrap();
        assert_eq!(
            files(&lock, &target),
            files(&export, &target),
            "on {target}"
        );
    }
}

#[test]
fn invented_extras_decide_for_the_whole_selection() {
    let text = fixture("uv/features.uv.lock");
    let lock = read("uv.lock", &text);
    let with = |words: &str| {
        let text = installed(&lock, words, "x86_64-linux-cp311");
        let lines = text.lines().filter(|line| {
            ["idna ", "*idna ", "torchy ", "*torchy "]
                .iter()
                .any(|name| line.starts_with(name))
        });
        lines
            .map(|line| line.split(' ').nth(1).unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(with(""), ["idna-3.20-py3-none-any.whl"]);
    assert_eq!(
        with("gpu,old"),
        [
            "idna-3.7-py3-none-any.whl",
            "torchy-2.8.0+cu128-cp311-cp311-manylinux_2_28_x86_64.whl"
        ]
    );
    assert_eq!(
        installed(&lock, "cpu,gpu", "x86_64-linux-cp311")
            .lines()
            .next()
            .unwrap(),
        "`feat[cpu]` and `feat[gpu]` cannot be selected together: the lock says that of `feat[cpu]`, `feat[gpu]`"
    );
}
