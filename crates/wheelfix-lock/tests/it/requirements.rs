//! The forms of lines in `requirements.txt`.

use wheelfix_format::{RankedTags, Target};
use wheelfix_lock::{IndexAnswers, Lock, Package, Preference, Provider, Source, choose};

use crate::support::{installed, joined, read};

const COMMIT: &str = "0123456789012345678901234567890123456789";

/// A package in short: where it comes from, the directory in that, and the extras that are wanted.
fn label(package: &Package<'_>) -> String {
    let place = match &package.source {
        Source::Git { url, commit, .. } if commit == COMMIT => format!("git {url}"),
        _ => {
            let files = package.wheels.iter().chain(&package.sdist);
            let files = files.map(|file| (&*file.name, file.hash.is_some()));
            format!("{:?}", files.collect::<Vec<_>>())
        }
    };
    let of = package.subdirectory.as_deref().unwrap_or_default();
    format!("{} {place} {of}", package.label())
        .trim()
        .to_owned()
}

#[test]
fn lines_may_be_urls_and_paths() {
    let hash = "1".repeat(64);
    let wheel = r#"idna 3.10 [("idna-3.10-py3-none-any.whl", false)]"#;
    let hashed = wheel.replace("false", "true");
    let git = "https://files.example.org/i.git";
    let of_git = format!("idna git {git}");
    for (line, want) in [
        (format!("-e git+{git}@{COMMIT}#egg=idna"), &*of_git),
        (format!("git+{git}@{COMMIT}#egg=Idna[x]"), &of_git),
        (
            format!(
                "--editable=git+{git}@{COMMIT}#egg=idna&subdirectory=a/b ; python_version > '3'"
            ),
            &format!("{of_git} a/b"),
        ),
        (
            format!("https://files.example.org/idna-3.10-py3-none-any.whl#sha256={hash}"),
            &hashed,
        ),
        (
            "https://files.example.org/idna-3.10-py3-none-any.whl".to_owned(),
            wheel,
        ),
        (
            format!("https://files.example.org/idna-3.10.tar.gz --hash=sha256:{hash}"),
            r#"idna [("idna-3.10.tar.gz", true)]"#,
        ),
        ("vendor/idna-3.10-py3-none-any.whl".to_owned(), wheel),
        (
            "./vendor/idna-3.10-py3-none-any.whl[x] ; os_name == 'posix'".to_owned(),
            wheel,
        ),
        ("idna-3.10-py3-none-any.whl".to_owned(), wheel),
    ] {
        let lock = read("requirements.txt", &line);
        let labels: Vec<String> = lock.packages.iter().map(label).collect();
        assert_eq!(labels, [want], "{line}");
        assert_eq!(lock.notes, [""; 0], "{line}");
    }
    for line in [
        ".[dev]",
        "-e .[dev]",
        "./sub[extra]",
        "-e ../x",
        "sub/dir",
        ". ; os_name == 'nt'",
    ] {
        let lock = read("requirements.txt", line);
        assert_eq!((lock.packages.len(), lock.notes.len()), (0, 1), "{line}");
    }
    let text =
        format!("git+{git}@{COMMIT}\nhttps://files.example.org/main.zip\ngit+{git}@main#egg=a\n");
    let faults = Lock::read("requirements.txt", &text).unwrap_err();
    assert_eq!(
        joined(&faults),
        format!(
            "`line 1`: it does not say of which package it is: write `NAME @ git+{git}@{COMMIT}`\n\
             `line 2`: it does not say of which package it is: write `NAME @ https://files.example.org/main.zip`\n\
             package `a`: `line 3`: no commit is given, and what a branch or a tag leads to may change"
        )
    );
}

#[test]
fn options_that_are_not_followed_are_told() {
    let text = "--no-binary :all:\n--only-binary=six\n--no-index\n-f links\n--find-links=links\n\
        --require-hashes\n--trusted-host x\n--pre\n--prefer-binary\n--new-thing\n\
        idna==3.10 --config-settings=a=b --hash=sha256:";
    let text = format!("{text}{}\n", "1".repeat(64));
    let lock = read("requirements.txt", &text);
    let notes = [
        "line 3: `--no-index` is for pip, and not followed",
        "line 4: `-f links` is for pip, and not followed",
        "line 5: `--find-links=links` is for pip, and not followed",
        "line 10: `--new-thing` is for pip, and not followed",
        "line 11: `--config-settings=a=b` is for pip, and not followed",
    ];
    assert_eq!(lock.notes, notes);
}

#[test]
fn comments_begin_behind_white_space() {
    let text = "\u{feff}idna==3.10\t# x\nsix @ https://files.example.org/six-1.0-py3-none-any.whl#sha256=1  #y\n";
    let lock = read("requirements.txt", text);
    let labels: Vec<String> = lock.packages.iter().map(Package::label).collect();
    assert_eq!(labels, ["idna 3.10", "six 1.0"]);
}

#[test]
fn a_name_with_and_without_extras_is_one_package() {
    let (one, other) = ("1".repeat(64), "2".repeat(64));
    let text = format!(
        "idna[foo]==3.10 ; os_name == 'nt' --hash=sha256:{one}\nidna==3.10 --hash=sha256:{other} --hash=sha256:{one}\n"
    );
    let lock = read("requirements.txt", &text);
    assert_eq!(lock.packages.len(), 1);
    assert_eq!(lock.packages[0].hashes.len(), 2);
    assert!(installed(&lock, "", "x86_64-linux-cp311").starts_with("*idna "));
    let lock = read("requirements.txt", "idna==3.10\nidna==3.9\n");
    assert_eq!(
        installed(&lock, "", "x86_64-linux-cp311"),
        "two packages of one name are selected: idna 3.10 and idna 3.9"
    );
}

#[test]
fn variables_in_requirements_are_named_but_for_credentials() {
    let text = "six==${SIX_VERSION}\n\
        one @ https://files.example.org/${DIR}/${FILE}\n\
        two @ https://${USER}:${PASSWORD}@files.example.org/two-1.0-py3-none-any.whl\n\
        three==1.0 ; extra == '${lower}'\n";
    let faults = joined(&Lock::read("requirements.txt", text).unwrap_err());
    for name in ["SIX_VERSION", "DIR", "FILE"] {
        let want = format!("`${{{name}}}` stands for a variable of the environment");
        assert!(faults.contains(&want), "{name}: {faults}");
    }
    assert_eq!(
        faults.matches("stands for a variable").count(),
        3,
        "{faults}"
    );
    let text = "two @ https://${USER}:${PASSWORD}@files.example.org/two-1.0-py3-none-any.whl\n";
    assert_eq!(read("requirements.txt", text).packages.len(), 1);
}

/// The files of `six` and `idna`, each of which has a wheel and an sdist, by what pip's `FormatControl` allows.
#[test]
fn wheels_and_sdists_are_chosen_as_pip_is_told_to() {
    for (lines, want) in [
        ("", ["whl", "whl"]),
        ("--only-binary :all:\n", ["whl", "whl"]),
        ("--no-binary=six\n", ["sdist", "whl"]),
        ("--no-binary \"six\",,\n", ["sdist", "whl"]),
        ("--only-binary=:all:\n--no-binary Six\n", ["sdist", "whl"]),
        ("--no-binary six\n--only-binary :all:\n", ["whl", "whl"]),
        ("--no-binary :all:\n--no-binary :none:\n", ["whl", "whl"]),
        ("--no-binary six,:none:,idna\n", ["whl", "sdist"]),
        (
            "--only-binary six\n--no-binary :all:\n--only-binary idna\n",
            ["sdist", "whl"],
        ),
        (
            "--no-binary :all:\n--only-binary :none:\n",
            ["sdist", "sdist"],
        ),
    ] {
        assert_eq!(taken(lines, true), want, "{lines}");
    }
    let error = "the lock allows no wheel of it";
    assert!(taken("--no-binary six\n", false)[0].contains(error));
    let only = "--only-binary six\n";
    assert_eq!(taken(only, false), ["whl", "whl"]);
}

/// The kind of file that is taken of two packages, or why there is none; with sdists or without.
fn taken(lines: &str, has_sdists: bool) -> [String; 2] {
    let hashes = format!(
        "--hash=sha256:{} --hash=sha256:{}",
        "1".repeat(64),
        "2".repeat(64)
    );
    let text = format!("six==1.0 {hashes}\n{lines}idna==1.0 {hashes}\n");
    let mut lock = read("requirements.txt", &text);
    assert_eq!(lock.notes, [""; 0]);
    let mut answers = IndexAnswers::default();
    for name in ["six", "idna"] {
        let file = |file: String, digit: &str| {
            let hash = digit.repeat(64);
            format!(
                "{{\"filename\": \"{file}\", \"url\": \"https://files.example.org/{file}\", \"hashes\": {{\"sha256\": \"{hash}\"}}}}"
            )
        };
        let wheel = file(format!("{name}-1.0-py3-none-any.whl"), "1");
        let sdist = file(format!("{name}-1.0.tar.gz"), "2");
        let files = if has_sdists {
            format!("{wheel}, {sdist}")
        } else {
            wheel
        };
        let text = format!("{{\"files\": [{files}]}}");
        answers.add(&name.parse().unwrap(), &text).unwrap();
    }
    lock.locate(&answers).unwrap();
    let target: Target = "x86_64-linux-cp311".parse().unwrap();
    let tags = RankedTags::new(&target);
    ["six", "idna"].map(|name| {
        let mut packages = lock.packages.iter();
        let package = packages
            .find(|package| package.name.as_str() == name)
            .unwrap();
        match choose(package, &tags, Preference::default()) {
            Ok(choice) => match choice.provider {
                Provider::Wheel(_) => "whl".to_owned(),
                Provider::Sdist(_) => "sdist".to_owned(),
                Provider::Source => panic!("{package:?}"),
            },
            Err(reasons) => reasons.join("; "),
        }
    })
}
