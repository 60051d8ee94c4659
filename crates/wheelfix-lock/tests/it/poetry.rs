//! Locks of Poetry 1, which leave it to pyproject.toml what is wanted.

use wheelfix_lock::Lock;

use crate::support::{installed, joined, read};

/// A package of a lock of Poetry 1, with what it requires.
fn package(name: &str, more: &str, dependencies: &str) -> String {
    let version = "version = \"1\"\npython-versions = \">=3.8\"\nfiles = []";
    format!(
        "[[package]]\nname = \"{name}\"\n{version}\n{more}\n[package.dependencies]\n{dependencies}\n"
    )
}

const METADATA: &str = "[metadata]\nlock-version = \"2.0\"\npython-versions = \"^3.8\"\n";

#[track_caller]
fn names(lock: &Lock<'_>, words: &str, target: &str) -> Vec<String> {
    let text = installed(lock, words, target);
    let names = text
        .lines()
        .map(|line| line.split(' ').next().unwrap().to_owned());
    names.collect()
}

#[test]
fn what_no_requirement_brings_is_left_out() {
    let text = [
        package(
            "app",
            "",
            "pywin32 = {version = \">=1\", markers = \"sys_platform == \\\"win32\\\"\"}\nbase = \"^1\"",
        ),
        package("base", "", ""),
        package("deep", "", ""),
        package("one", "", "other = \"*\""),
        package("other", "", "one = \"*\""),
        package("pywin32", "", "deep = \"*\""),
        METADATA.to_owned(),
    ];
    let text = text.concat();
    let lock = read("poetry.lock", &text);
    assert_eq!(
        names(&lock, "", "x86_64-linux-cp311"),
        ["*app", "base", "*one", "other"]
    );
    assert_eq!(lock.notes.len(), 1, "{:?}", lock.notes);
}

#[test]
fn categories_are_groups() {
    let text = [
        package("both", "category = \"main\"", ""),
        package("lib", "category = \"main\"", ""),
        package(
            "pytest",
            "category = \"dev\"",
            "both = \"*\"\npluggy = \"*\"",
        ),
        package("pluggy", "category = \"dev\"", ""),
        package("x", "category = \"main\"\noptional = true", "lib = \"*\""),
        "[extras]\nfast = [\"x\"]\n".to_owned(),
        METADATA.to_owned(),
    ];
    let text = text.concat();
    let lock = read("poetry.lock", &text);
    let target = "x86_64-linux-cp311";
    assert_eq!(names(&lock, "", target), ["*both", "*lib"]);
    assert_eq!(
        names(&lock, "dev", target),
        ["*both", "*lib", "pluggy", "*pytest"]
    );
    assert_eq!(
        names(&lock, "dev,no-default-groups", target),
        ["both", "pluggy", "*pytest"]
    );
    assert_eq!(names(&lock, "fast", target), ["*both", "*lib", "*x"]);
}

const PROJECT: &str = "\
[tool.poetry]
name = 'p'
[tool.poetry.dependencies]
python = '^3.8'
numpy = [{ version = '^1.24', python = '<3.9' }, { version = '^2', python = '^3.9' }]
httpx = { version = '^1', extras = ['br'] }
old = { version = '*', python = '~3.8 || ~3.9' }
rich = { version = '*', optional = true }
colorama = { version = '*', platform = 'darwin' }
[tool.poetry.group.test.dependencies]
pytest = '*'
";

#[test]
fn pyproject_toml_says_what_is_wanted() {
    let new = |name: &str, version: &str, python: &str| {
        package(name, "", "")
            .replace("\"1\"", version)
            .replace(">=3.8", python)
    };
    let text = [
        package("brotli", "", ""),
        package("colorama", "", ""),
        package(
            "httpx",
            "[package.extras]\nbr = [\"brotli\"]\n",
            "brotli = {version = \"*\", optional = true, markers = \"extra == \\\"br\\\"\"}\nnumpy = \">=1\"",
        ),
        new("numpy", "\"1.24\"", ">=3.8"),
        new("numpy", "\"2.2\"", ">=3.9"),
        package("old", "", ""),
        package(
            "pytest",
            "",
            "colorama = {version = \"*\", markers = \"sys_platform == \\\"win32\\\"\"}",
        ),
        package("rich", "optional = true", ""),
        "[extras]\nnice = [\"rich\"]\n".to_owned(),
        METADATA.to_owned(),
    ];
    let text = text.concat();
    let lock = Lock::read_beside("poetry.lock", &text, |_| Some(PROJECT.to_owned()));
    let lock = lock.unwrap_or_else(|faults| panic!("{}", joined(&faults)));
    assert_eq!(lock.notes, [""; 0]);
    let linux = "x86_64-linux-cp311";
    assert_eq!(names(&lock, "", linux), ["brotli", "*httpx", "*numpy"]);
    assert_eq!(
        names(&lock, "test,nice", linux),
        ["brotli", "*httpx", "*numpy", "*pytest", "*rich"]
    );
    assert_eq!(
        names(&lock, "", "arm64-macos-cp38"),
        ["brotli", "*colorama", "*httpx", "*numpy", "*old"]
    );
    let of = |target: &str| {
        let target: wheelfix_format::Target = target.parse().unwrap();
        let selection = crate::support::selection(&lock, "");
        let resolution = wheelfix_lock::resolve(&lock, &selection, &target).unwrap();
        lock.packages[resolution.packages[&"numpy".parse().unwrap()].number].label()
    };
    assert_eq!(of(linux), "numpy 2.2");
    assert_eq!(of("x86_64-linux-cp38"), "numpy 1.24");
    let newer = PROJECT.replace(
        "old = {",
        "New = '^1'\nnewer = { version = '*', python = '<3.7' }\nold = {",
    );
    let lock = Lock::read_beside("poetry.lock", &text, |_| Some(newer.clone())).unwrap();
    let note =
        "pyproject.toml requires New, which the lock does not have: `poetry lock` makes it anew";
    assert_eq!(lock.notes, [note]);
    let faults = Lock::read_beside("poetry.lock", &text, |_| Some("[tool".to_owned()));
    assert!(joined(&faults.unwrap_err()).starts_with("`pyproject.toml`: line 1"));
}

#[test]
fn the_pythons_of_a_lock_may_be_in_the_syntax_of_poetry() {
    let check = |pythons: &str, target: &str, want: &str| {
        let metadata = METADATA.replace("^3.8", pythons);
        let text = package("a", "", "") + &metadata;
        let lock = read("poetry.lock", &text);
        assert_eq!(installed(&lock, "", target).lines().next().unwrap(), want);
    };
    check(
        "^3.11",
        "x86_64-linux-cp310",
        "`requires-python`: the lock is for Python >=3.11, <4, the target has 3.10.0",
    );
    check(
        "~3.9 || ^3.11",
        "x86_64-linux-cp310",
        "the lock does not cover the target: it is for (python_full_version >= '3.9' and python_full_version < '3.10') or (python_full_version >= '3.11' and python_full_version < '4')",
    );
    check("~3.9 || ^3.11", "x86_64-linux-cp311", "*a  -> ");
}
