//! Selections of locks that the samples of real tools do not cover.

use wheelfix_format::Target;
use wheelfix_lock::{Lock, resolve};

use crate::support::{joined, read, selection};

/// A lock of uv with a project `app` that has these further keys, and other packages.
fn uv_lock(conflicts: &str, app: &str, others: &[(&str, &str, &str)]) -> String {
    let mut text = format!(
        "version = 1\nrevision = 5\nrequires-python = \">=3.11\"\n{conflicts}\n\
        [[package]]\nname = \"app\"\nversion = \"1.0\"\nsource = {{ virtual = \".\" }}\n{app}\n"
    );
    for (name, version, more) in others {
        text.push_str(&package(name, version, more));
    }
    text
}

/// The table of a package with a wheel.
fn package(name: &str, version: &str, more: &str) -> String {
    let hash = "00".repeat(32);
    format!(
        "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\
        source = {{ registry = \"https://files.example.org/simple\" }}\n\
        wheels = [{{ url = \"https://files.example.org/{name}-{version}-py3-none-any.whl\", \
        hash = \"sha256:{hash}\" }}]\n{more}\n"
    )
}

/// Names and versions of what a selection installs beside `app`; what is wrong, if it is refused.
fn packages(lock: &Lock<'_>, words: &str, target: &str) -> String {
    let target: Target = target.parse().unwrap();
    match resolve(lock, &selection(lock, words), &target) {
        Ok(resolution) => {
            let packages = resolution.packages.values();
            let labels = packages.map(|resolved| lock.packages[resolved.number].label());
            let labels: Vec<String> = labels.filter(|label| !label.starts_with("app")).collect();
            labels.join(", ")
        }
        Err(faults) => joined(&faults),
    }
}

#[test]
fn what_a_script_requires_has_a_version_for_each_fork() {
    let mut text = "version = 1\nrevision = 5\nrequires-python = \">=3.11\"\n\
        [manifest]\nrequirements = [{ name = \"idna\" }]\n"
        .to_owned();
    for (version, fork) in [("3.7", "< '3.12'"), ("3.20", ">= '3.12'")] {
        let fork = format!("resolution-markers = [\"python_full_version {fork}\"]");
        text.push_str(&package("idna", version, &fork));
    }
    let lock = read("script.py.lock", &text);
    assert_eq!(packages(&lock, "", "x86_64-linux-cp311"), "idna 3.7");
    assert_eq!(packages(&lock, "", "x86_64-linux-cp313"), "idna 3.20");
}

#[test]
fn the_root_of_a_workspace_says_which_groups_are_the_default() {
    let of_members = [
        ("one", "default-groups = [\"docs\"]"),
        ("two", "default-groups = \"all\""),
    ];
    let mut text =
        "version = 1\nrevision = 5\n[manifest]\nmembers = [\"one\", \"two\"]\nDEFAULT\n".to_owned();
    for (name, groups) in of_members {
        let table = format!(
            "[[package]]\nname = \"{name}\"\nversion = \"1\"\nsource = {{ virtual = \"{name}\" }}\n{groups}\n\
             [package.dev-dependencies]\ndev = [{{ name = \"pytest\" }}]\ndocs = [{{ name = \"sphinx\" }}]\n\
             lint = [{{ name = \"ruff\" }}]\n"
        );
        text.push_str(&table);
    }
    for name in ["pytest", "ruff", "sphinx"] {
        text.push_str(&package(name, "1", ""));
    }
    let target = "x86_64-linux-cp311";
    for (groups, want) in [
        ("", "one 1, pytest 1, two 1"),
        ("default-groups = [\"lint\"]", "one 1, ruff 1, two 1"),
        (
            "default-groups = \"all\"",
            "one 1, pytest 1, ruff 1, sphinx 1, two 1",
        ),
    ] {
        let text = text.replace("DEFAULT", groups);
        let lock = read("uv.lock", &text);
        assert_eq!(packages(&lock, "", target), want);
        assert_eq!(packages(&lock, "package:one", target), "one 1, sphinx 1");
        assert_eq!(packages(&lock, "no-default-groups", target), "one 1, two 1");
    }
    // Before revision 5 all of that stands in pyproject.toml.
    let text = text
        .replace("DEFAULT", "")
        .replace("revision = 5", "revision = 3");
    let project = |of: &str| {
        let groups = if of == "." { "lint" } else { "docs" };
        Some(format!("[tool.uv]\ndefault-groups = [\"{groups}\"]\n"))
    };
    let lock = Lock::read_beside("uv.lock", &text, project).unwrap();
    assert_eq!(packages(&lock, "", target), "one 1, ruff 1, two 1");
    assert_eq!(packages(&lock, "package:one", target), "one 1, sphinx 1");
}

#[test]
fn a_group_may_ask_for_a_newer_python() {
    let text = uv_lock(
        "",
        "[package.dev-dependencies]\ndev = [{ name = \"idna\" }]\n\
        [package.group-requires-python]\ndev = \">=3.13\"",
        &[("idna", "3.20", "")],
    );
    let lock = read("uv.lock", &text);
    assert_eq!(packages(&lock, "", "x86_64-linux-cp313"), "idna 3.20");
    let refused = packages(&lock, "", "x86_64-linux-cp312");
    assert!(
        refused.contains("`group-requires-python.dev`") && refused.contains(">=3.13"),
        "{refused}"
    );
    assert_eq!(
        packages(&lock, "no-default-groups", "x86_64-linux-cp312"),
        ""
    );
}

#[test]
fn markers_know_the_extras_that_later_requirements_select() {
    let text = uv_lock(
        "conflicts = [[{ package = \"feat\", extra = \"cpu\" }, { package = \"feat\", extra = \"gpu\" }]]",
        "dependencies = [\n\
        { name = \"first\", marker = \"extra == 'extra-4-feat-gpu'\" },\n\
        { name = \"never\", marker = \"extra == 'extra-4-feat-cpu'\" },\n\
        { name = \"feat\", extra = [\"gpu\"] },\n]",
        &[
            ("first", "1.0", ""),
            ("never", "1.0", ""),
            (
                "feat",
                "2.0",
                "[package.optional-dependencies]\ncpu = []\ngpu = [{ name = \"card\" }]",
            ),
            ("card", "1.0", ""),
        ],
    );
    let lock = read("uv.lock", &text);
    assert_eq!(
        packages(&lock, "", "x86_64-linux-cp313"),
        "card 1.0, feat 2.0, first 1.0"
    );
}

#[test]
fn a_project_may_require_its_own_extras() {
    let text = uv_lock(
        "",
        "dependencies = []\n[package.optional-dependencies]\n\
        all = [{ name = \"app\", extra = [\"one\"] }]\none = [{ name = \"idna\" }]",
        &[("idna", "3.20", "")],
    );
    let lock = read("uv.lock", &text);
    let target: Target = "x86_64-linux-cp313".parse().unwrap();
    let resolution = resolve(&lock, &selection(&lock, "all"), &target).unwrap();
    let app = &resolution.packages[&"app".parse().unwrap()];
    let required: Vec<&str> = app
        .dependencies
        .iter()
        .flatten()
        .map(AsRef::as_ref)
        .collect();
    assert_eq!(required, ["idna"]);
    assert_eq!(app.component, None);
}

#[test]
fn poetry_has_markers_for_each_group() {
    let text = "[[package]]\nname = \"idna\"\nversion = \"3.20\"\noptional = false\n\
        python-versions = \">=3.8\"\ngroups = [\"main\", \"dev\"]\nfiles = []\n\
        [package.markers]\nmain = \"sys_platform == \\\"win32\\\"\"\ndev = \"sys_platform == \\\"linux\\\"\"\n\
        [metadata]\nlock-version = \"2.1\"\npython-versions = \">=3.11\"\ncontent-hash = \"00\"\n";
    let lock = read("poetry.lock", text);
    assert_eq!(packages(&lock, "", "x86_64-linux-cp313"), "");
    assert_eq!(
        packages(&lock, "group:dev", "x86_64-linux-cp313"),
        "idna 3.20"
    );
}
