//! Everything that is wrong with a lock, at once, each with package and key.

use wheelfix_lock::Lock;

use crate::support::{installed, joined, read};

#[track_caller]
fn check(name: &str, text: &str, want: &str) {
    let got = match Lock::read(name, text) {
        Ok(_) => "fine".to_owned(),
        Err(faults) => joined(&faults),
    };
    assert_eq!(got, want, "for {:?}", text.get(..1000).unwrap_or(text));
}

#[test]
fn what_is_no_lock_is_refused() {
    check(
        "uv.lock",
        "version = 2\npackage = 3\n",
        "`version`: expected version 1, got version 2",
    );
    check(
        "uv.lock",
        "version = 2\n",
        "`version`: expected version 1, got version 2",
    );
    check(
        "uv.lock",
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
        "this is a pointer of Git LFS, not the file: get the file itself with `git lfs pull`",
    );
    check(
        "uv.lock",
        "version = 1\n<<<<<<< HEAD\nrevision = 3\n=======\n",
        "line 2 is a marker of a merge conflict: lock anew, or resolve the conflict",
    );
    check(
        "uv.lock",
        "version = 1\n[[package]\n",
        "line 2, column 11: unclosed array table, expected `]`",
    );
    check(
        "uv.lock",
        "version = 1\n[[package]]\nname = 3\nsource = {}\n",
        "line 3, column 8: invalid type: integer `3`, expected a string",
    );
    check(
        "lock.txt",
        "",
        "no lock file that is known: expected `uv.lock`, `SCRIPT.py.lock`, `pylock.toml`, `poetry.lock`, `pdm.lock`, `Pipfile.lock`, `pixi.lock`, `conda-lock.yml`, `requirements*.txt` or `sources.yaml`, got `lock.txt`",
    );
    let many = format!("version = 1\na = [{}]", "1,".repeat(4_000_000));
    check(
        "uv.lock",
        &many,
        "more than 4000000 values, which no lock file has",
    );
    let deep = format!("version = 1\na = {}", "[".repeat(100_000));
    let faults = Lock::read("uv.lock", &deep).unwrap_err();
    assert!(
        joined(&faults).contains("max recursion depth"),
        "{}",
        joined(&faults)
    );
}

#[test]
fn an_empty_file_is_told_as_that() {
    for name in [
        "uv.lock",
        "poetry.lock",
        "Pipfile.lock",
        "requirements.txt",
        "sources.yaml",
    ] {
        check(name, "", "the file is empty: have its writer make it again");
        check(
            name,
            "\u{feff} \n\n",
            "the file is empty: have its writer make it again",
        );
    }
    check("requirements.txt", "# nothing\n", "fine");
}

#[test]
fn each_package_of_a_wrong_shape_is_told() {
    for (file, first, header, more, last) in [
        (
            "uv.lock",
            "version = 1",
            "package",
            "source = { virtual = '.' }",
            "",
        ),
        (
            "uv.lock",
            "version = 1",
            "distribution",
            "source = { virtual = '.' }",
            "",
        ),
        (
            "pylock.toml",
            "lock-version = '1.0'\ncreated-by = 'x'",
            "packages",
            "",
            "",
        ),
        (
            "poetry.lock",
            "",
            "package",
            "",
            "[metadata]\nlock-version = '2.1'",
        ),
        (
            "pdm.lock",
            "[metadata]\nlock_version = '4.5.0'",
            "package",
            "",
            "",
        ),
    ] {
        let package = |name: &str, version: &str| {
            format!("[[{header}]]\nname = {name}\nversion = {version}\n{more}\n")
        };
        let (one, sound, other) = (
            package("'a'", "11"),
            package("'b'", "'1'"),
            package("3", "'1'"),
        );
        let text = format!("{first}\n{one}{sound}[[{header}.wheels]]\n{other}{last}\n");
        let faults = Lock::read(file, &text).unwrap_err();
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        for (line, content) in (1..).zip(text.lines()) {
            let is_wrong = matches!(content, "version = 11" | "name = 3");
            let place = format!("line {line}, column ");
            let told = faults.iter().any(|fault| fault.contains(&place));
            assert_eq!(told, is_wrong, "{file}: {line}: {faults:?}");
        }
    }
}

#[test]
fn all_faults_are_told_with_package_and_key() {
    let text = r#"
version = 1
requires-python = "three"
conflicts = [[{ package = "-" }]]
[[package]]
name = "a"
source = { registry = "https://x/simple" }
[[package]]
name = "b"
version = "one"
source = { registry = "https://x/simple" }
dependencies = [{ name = "c" }, { name = "a", marker = "python_version >" }, { name = "e" }]
wheels = [
    { url = "https://x/other-1.0-py3-none-any.whl", hash = "sha256:00" },
    { url = "https://x/b-1.0.whl" },
    { hash = "md5:00000000000000000000000000000000" },
]
[[package]]
name = "d"
version = "1"
source = { nowhere = "x" }
wheels = [{ url = "https://x/other-1.0-py3-none-any.whl" }, { url = "https://x/d-2-py3-none-any.whl" }]
[[package]]
name = "d"
version = "1"
source = { nowhere = "x" }
[[package]]
name = "e"
version = "1"
source = { registry = "https://x/simple" }
[[package]]
name = "e"
version = "2"
source = { registry = "https://x/simple" }
"#;
    let want = "\
`requires-python`: invalid version specifier `three`: Failed to parse version: Unexpected end of version specifier, expected operator
`conflicts`: invalid name `-`: a name must begin and end with an ASCII letter or digit: `-`";
    let got = joined(&Lock::read("uv.lock", text).unwrap_err());
    let start: Vec<&str> = got.lines().take(2).collect();
    assert_eq!(start.join("\n"), want, "{got}");
    for fault in [
        "package `a`: `version`: there is no version",
        "package `b`: `version`: invalid version `one`: ",
        "package `b`: `dependencies`: no package of the lock is `c`",
        "package `b`: `dependencies`: invalid marker `python_version >`: expected a variable or a text in quotes at byte 16",
        "package `b`: `dependencies`: several packages of the lock could be meant: e 1, e 2",
        "package `b`: `wheels[0]`: invalid hash `sha256:00`: expected 32 bytes in hexadecimal",
        "package `b`: `wheels[1]`: expected the 5 to 7 parts",
        "package `b`: `wheels[2]`: neither a URL nor a path says where the file is",
        "package `d 1`: `source`: the source is none that is known",
        "package `d 1`: `wheels[0]`: the file `other-1.0-py3-none-any.whl` is of other 1.0, not of this package",
        "package `d 1`: `wheels[1]`: the file `d-2-py3-none-any.whl` is of d 2, not of this package",
        "package `d 1`: the lock has this package twice",
    ] {
        assert!(got.contains(fault), "{fault}\n\nis not in\n\n{got}");
    }
}

#[test]
fn unknown_keys_and_newer_revisions_are_noted() {
    let text = "version = 1\nrevision = 9\nnews = 1\n[options]\nanything = false\n\
        [[package]]\nname = \"a\"\nversion = \"1\"\nsource = { virtual = \".\" }\nzstd = { x = 1 }\n\
        [[package]]\nname = \"b\"\nversion = \"1\"\nsource = { registry = \"https://x\" }\nzstd = 1\n\
        wheels = [{ url = \"https://x/b-1-py3-none-any.whl\", zstd = { hash = \"\" } }]\n";
    let lock = read("uv.lock", text);
    assert_eq!(
        lock.notes,
        [
            "the key `news` is unknown and passed over",
            "the key `package.wheels.zstd` is unknown and passed over",
            "the key `package.zstd` is unknown and passed over, 2 times",
            "revision 9 is newer than 5, the newest that is known",
        ]
    );
}

#[test]
fn older_forms_are_read() {
    let text = "version = 1\n[[distribution]]\nname = \"a\"\nversion = \"1\"\nsource = { editable = \".\" }\n\
        [[distribution.dependencies]]\nname = \"b\"\n\
        [[distribution]]\nname = \"b\"\nversion = \"1\"\nsource = { registry = \"https://x\" }\n\
        wheels = [{ url = \"https://x/b-1-py3-none-any.whl\" }]\n";
    let lock = read("uv.lock", text);
    let text = installed(&lock, "", "x86_64-linux-cp313");
    assert!(text.ends_with("b b-1-py3-none-any.whl -> \n"), "{text}");
}

#[test]
fn what_does_not_fit_the_target_is_told() {
    let text = "version = 1\nrequires-python = \">=3.12.2\"\nsupported-markers = [\"sys_platform == 'linux'\"]\n\
        [[package]]\nname = \"a\"\nversion = \"1\"\nsource = { virtual = \".\" }\n\
        [package.optional-dependencies]\nx = []\n";
    let lock = read("uv.lock", text);
    assert_eq!(
        installed(&lock, "extra:y,group:z,package:a", "arm64-macos-cp312"),
        "`requires-python`: the lock is for Python >=3.12.2, the target has 3.12.0\n\
         the lock does not cover the target: it is for sys_platform == 'linux'\n\
         there is no extra `y`; there are: x\n\
         there is no group `z`; there are: none"
    );
    assert_eq!(
        installed(&lock, "package:b", "x86_64-linux-cp312.2"),
        "there is no package `b`; there are: a"
    );
}
