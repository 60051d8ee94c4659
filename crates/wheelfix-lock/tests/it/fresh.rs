//! Locks that uv makes in the test, of wheels that are made for it.

use wheelfix_testkit::wheel::WheelBuilder;

use crate::uv::{Project, compare_project, subsets};

const TARGETS: [&str; 3] = [
    "x86_64-linux-cp311.9",
    "aarch64-linux-cp313",
    "arm64-macos-cp312",
];

/// A wheel with these lines in its METADATA.
fn wheel(name: &str, version: &str, lines: &[&str]) -> WheelBuilder {
    let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    WheelBuilder::new(name, version).metadata(&lines.concat())
}

/// A few packages with extras, markers, a cycle and two versions.
fn wheels() -> Vec<WheelBuilder> {
    vec![
        wheel("base", "1.0", &[]),
        wheel(
            "base",
            "2.0",
            &["Requires-Dist: small; python_version >= '3.12'"],
        ),
        wheel("small", "0.1", &[]),
        wheel(
            "rich",
            "3.0",
            &[
                "Requires-Dist: base",
                "Requires-Dist: fast; extra == 'fast'",
                "Requires-Dist: rich[fast]; extra == 'all'",
                "Requires-Dist: tools; extra == 'all' and sys_platform == 'linux'",
                "Provides-Extra: fast",
                "Provides-Extra: all",
            ],
        ),
        wheel(
            "fast",
            "1.0",
            &["Requires-Dist: loop; platform_machine == 'x86_64'"],
        ),
        wheel("loop", "1.0", &["Requires-Dist: fast"]),
        wheel("tools", "5.0", &[]),
    ]
}

#[track_caller]
fn check(files: &[(&str, &str)], words: &[&str]) {
    let project = Project::locked(&wheels(), files);
    compare_project(&project, &subsets(words), &TARGETS);
}

#[test]
fn extras_and_markers_are_uvs() {
    let text = "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.11\"\n\
        dependencies = [\"rich\", \"tools; sys_platform == 'darwin'\"]\n\
        [project.optional-dependencies]\nall = [\"rich[all]\"]\nsome = [\"app[all]\", \"small\"]\n";
    check(&[("pyproject.toml", text)], &["extra:all", "extra:some"]);
}

#[test]
fn groups_are_uvs() {
    let text = "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.11\"\ndependencies = [\"small\"]\n\
        [dependency-groups]\ndev = [\"tools\", {include-group = \"test\"}]\ntest = [\"rich[fast]\"]\ndocs = [\"base==1.*\"]\n";
    let words = ["group:dev", "group:test", "group:docs", "no-default-groups"];
    check(&[("pyproject.toml", text)], &words);
}

#[test]
fn conflicts_are_uvs() {
    let text = "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.11\"\ndependencies = [\"rich\"]\n\
        [project.optional-dependencies]\nold = [\"base<2\"]\nnew = [\"base>=2\", \"fast\"]\n\
        [dependency-groups]\nsmall = [\"small\"]\n\
        [tool.uv]\nconflicts = [[{extra = \"old\"}, {extra = \"new\"}]]\n";
    let words = ["extra:old", "extra:new", "group:small"];
    check(&[("pyproject.toml", text)], &words);
}

#[test]
fn a_workspace_is_uvs() {
    let text = "[project]\nname = \"app\"\nversion = \"1\"\nrequires-python = \">=3.11\"\ndependencies = [\"one\"]\n\
        [tool.uv.sources]\none = { workspace = true }\n[tool.uv.workspace]\nmembers = [\"packages/*\"]\n";
    let one = "[project]\nname = \"one\"\nversion = \"1\"\nrequires-python = \">=3.11\"\ndependencies = [\"base\"]\n\
        [project.optional-dependencies]\nfast = [\"rich[fast]\"]\n[dependency-groups]\ndev = [\"tools\"]\n";
    let two = "[project]\nname = \"two\"\nversion = \"1\"\nrequires-python = \">=3.11\"\ndependencies = [\"one[fast]\"]\n\
        [tool.uv.sources]\none = { workspace = true }\n";
    let files = [
        ("pyproject.toml", text),
        ("packages/one/pyproject.toml", one),
        ("packages/two/pyproject.toml", two),
    ];
    check(&files, &["package:one", "no-default-groups"]);
    check(&files, &["package:two"]);
}

#[test]
fn a_script_is_uvs() {
    let text = "# /// script\n# requires-python = \">=3.11\"\n\
        # dependencies = [\"rich[all]\", \"base<2; sys_platform == 'darwin'\"]\n# ///\n";
    check(&[("script.py", text)], &[]);
}
