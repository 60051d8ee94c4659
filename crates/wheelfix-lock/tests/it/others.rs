//! `poetry.lock`, `pdm.lock`, `requirements.txt`, `Pipfile.lock` and Makes' `sources.yaml`.
//!
//! Poetry and pdm wrote a `pylock.toml` from the same project, which is the judge.

use std::collections::{BTreeMap, BTreeSet};

use wheelfix_format::{RankedTags, Target};
use wheelfix_lock::{Document, DocumentOptions, IndexAnswers, Lock, Source, ranked, resolve};

use crate::support::{fixture, installed, joined, read, selection};

/// The packages of a selection with their versions and the wheels that fit, the best first.
fn packages(lock: &Lock<'_>, words: &str, target: &str) -> BTreeSet<String> {
    let target: Target = target.parse().unwrap();
    let tags = RankedTags::new(&target);
    let resolution = resolve(lock, &selection(lock, words), &target).map_err(|it| joined(&it));
    let resolution = resolution.unwrap();
    let texts = resolution.packages.values().map(|resolved| {
        let package = &lock.packages[resolved.number];
        let wheels = ranked(package, &tags).0;
        let wheel = wheels.first().map_or("", |wheel| &wheel.name);
        match package.source {
            Source::Files => format!("{} {wheel}", package.label()),
            _ => package.name.to_string(),
        }
    });
    texts.collect()
}

#[test]
fn a_poetry_lock_has_the_packages_of_its_export() {
    let (text, export) = (
        fixture("others/poetry.lock"),
        fixture("pylock/pylock.poetry-export.toml"),
    );
    let (lock, export) = (read("poetry.lock", &text), read("pylock.toml", &export));
    for target in [
        "x86_64-linux-cp311",
        "x86_64-linux-cp313",
        "aarch64-linux-cp312",
        "x86_64-musl-cp312",
    ] {
        // The export was made with all of these.
        assert_eq!(
            packages(&lock, "docs,group:dev,group:opt", target),
            packages(&export, "", target),
            "on {target}"
        );
    }
    let has = |words: &str, start: &str| {
        packages(&lock, words, "x86_64-linux-cp311")
            .iter()
            .any(|it| it.starts_with(start))
    };
    assert!(has("docs", "markupsafe ") && !has("", "markupsafe "));
    let text = installed(&lock, "", "x86_64-linux-cp311");
    assert!(
        text.contains("anyio anyio-4.16.0-py3-none-any.whl -> idna typing-extensions\n"),
        "{text}"
    );
    assert!(
        text.contains("httpx httpx-0.28.1-py3-none-any.whl -> anyio certifi h2 httpcore idna\n"),
        "{text}"
    );
}

#[test]
fn a_pdm_lock_has_the_packages_of_its_export() {
    let (text, export) = (
        fixture("others/pdm.lock"),
        fixture("pylock/pylock.pdm-export.toml"),
    );
    let with_urls = fixture("others/static-urls.pdm.lock");
    let (lock, export) = (read("pdm.lock", &text), read("pylock.toml", &export));
    let with_urls = read("pdm.lock", &with_urls);
    for target in [
        "x86_64-linux-cp311",
        "x86_64-linux-cp313",
        "aarch64-linux-cp312",
    ] {
        for words in ["", "group:dev,group:loc", "group:dev,no-default-groups"] {
            let ours = packages(&lock, words, target);
            assert_eq!(
                ours,
                packages(&export, words, target),
                "{words} on {target}"
            );
            assert_eq!(
                ours,
                packages(&with_urls, words, target),
                "{words} on {target}"
            );
        }
    }
    // What an extra adds stands in an entry of its own.
    let text = installed(&lock, "", "x86_64-linux-cp311");
    assert!(
        text.contains("httpx httpx-0.28.1-py3-none-any.whl -> anyio certifi h2 httpcore idna\n"),
        "{text}"
    );
    let document = Document::new(
        &with_urls,
        b"",
        &["x86_64-linux-cp311".parse().unwrap()],
        &[selection(&with_urls, "")],
        &DocumentOptions::default(),
    );
    let (files, _) = document.map_err(|faults| joined(&faults)).unwrap().counts();
    assert_eq!(files, 14);
}

#[test]
fn requirements_have_the_packages_of_the_lock_that_they_come_from() {
    let (text, of_uv) = (
        fixture("others/requirements.uv-export.txt"),
        fixture("uv/features.uv.lock"),
    );
    let (lock, of_uv) = (read("requirements.txt", &text), read("uv.lock", &of_uv));
    let name = |text: &str| text.split(' ').next().unwrap().to_owned();
    for target in [
        "x86_64-linux-cp311",
        "aarch64-linux-cp312",
        "arm64-macos-cp312",
    ] {
        let ours: BTreeSet<String> = packages(&lock, "", target)
            .iter()
            .map(|it| name(it))
            .collect();
        let mut theirs: BTreeSet<String> = packages(&of_uv, "gpu,old", target)
            .iter()
            .map(|it| name(it))
            .collect();
        // Directories have no name there, and what is virtual is not exported.
        for left_out in ["feat", "virt", "dirly", "editly", "member"] {
            assert!(theirs.remove(left_out));
        }
        assert_eq!(ours, theirs, "on {target}");
    }
    let left_out = [
        "line 3: `./edit ; sys_platform == 'darwin' or sys_platform == 'linux'` is a directory without a name, and left out",
        "line 5: `./packages/member ; sys_platform == 'darwin' or sys_platform == 'linux'` is a directory without a name, and left out",
        "line 7: `./dirdep ; sys_platform == 'darwin' or sys_platform == 'linux'` is a directory without a name, and left out",
    ];
    assert_eq!(lock.notes, left_out);
    let text = fixture("others/requirements.pip-compile.txt");
    let faults = Lock::read("requirements.txt", &text).unwrap_err();
    assert_eq!(
        joined(&faults),
        "package `gitly`: `line 26`: no commit is given, and what a branch or a tag leads to may change"
    );
    let faults = Lock::read(
        "requirements.txt",
        "-r more.txt\na>=1\nb==1.*\nc\nd==1 --hash=md5:00\n-x\n",
    );
    assert_eq!(
        joined(&faults.unwrap_err()),
        "`line 1`: another file is meant: `-r more.txt`; give that one by itself, or put its lines here\n\
         package `a`: `line 2`: it is not pinned to one version with `==`: `a>=1`\n\
         package `b`: `line 3`: it is not pinned to one version with `==`: `b==1.*`\n\
         package `c`: `line 4`: it is not pinned to one version with `==`: `c`\n\
         `line 5`: invalid hash `md5:00`: expected SHA-256, SHA-384 or SHA-512, got md5"
    );
}

/// One of the targets must hold, or the lock has nothing for the system.
#[test]
fn a_pdm_lock_is_for_its_targets_alone() {
    let is_for = |targets: &[(&str, &str)], target: &str| {
        let targets = targets.iter().map(|(python, platform)| {
            let platform = match *platform {
                "" => String::new(),
                platform => format!("platform = \"{platform}\"\n"),
            };
            format!("[[metadata.targets]]\nrequires_python = \"{python}\"\n{platform}")
        });
        let text = format!(
            "[metadata]\ngroups = [\"default\"]\nlock_version = \"4.5.1\"\n{}",
            targets.collect::<String>()
        );
        let lock = read("pdm.lock", &text);
        let target = target.parse().unwrap();
        let selection = selection(&lock, "");
        Document::new(
            &lock,
            b"",
            &[target],
            &[selection],
            &DocumentOptions::default(),
        )
        .is_ok()
    };
    let (windows, linux) = (
        (">=3.9", "windows_amd64"),
        (">=3.12", "manylinux_2_40_x86_64"),
    );
    let macos = (">=3.11,<3.13", "macos_14_0_arm64");
    for (targets, target, want) in [
        (&[windows][..], "x86_64-linux-cp313", false),
        (&[linux, macos], "x86_64-linux-cp313", true),
        (&[linux, macos], "x86_64-linux-cp311", false),
        (&[linux, macos], "aarch64-linux-cp313", false),
        (&[linux, macos], "arm64-macos-cp312", true),
        (&[linux, macos], "arm64-macos-cp313", false),
        (&[(">=3.9", "linux_arm64")], "aarch64-linux-cp313", true),
        (
            &[(">=3.9", ""), (">=3.11", "linux")],
            "arm64-macos-cp310",
            true,
        ),
        (&[(">=3.9", "")], "x86_64-musl-cp310", true),
        (&[(">=3.11", "")], "x86_64-musl-cp310", false),
    ] {
        assert_eq!(is_for(targets, target), want, "{targets:?} {target}");
    }
}

/// One version from several places by marker, and a path that the lock has also as a URL of one machine.
#[test]
fn a_pdm_lock_keeps_places_apart() {
    let hash = "1".repeat(64);
    let entry = |url: &str, marker: &str| {
        format!(
            "[[package]]\nname = \"six\"\nversion = \"1.16.0\"\n{url}\nmarker = \"{marker}\"\n\
             groups = [\"default\"]\n"
        )
    };
    let linux = "url = \"https://files.example.org/six-1.16.0-py2.py3-none-any.whl\"";
    let macos = format!(
        "path = \"./vendor/six-1.16.0-py3-none-any.whl\"\nfiles = [{{url = \
         \"file:///elsewhere/vendor/six-1.16.0-py3-none-any.whl\", hash = \"sha256:{hash}\"}}]"
    );
    let text = format!(
        "[metadata]\ngroups = [\"default\"]\nlock_version = \"4.5.1\"\n{}{}",
        entry(linux, "sys_platform == 'linux'"),
        entry(&macos, "sys_platform == 'darwin'"),
    );
    let lock = read("pdm.lock", &text);
    let names = lock.packages.iter().flat_map(|package| &package.wheels);
    let names: Vec<&str> = names.map(|file| &*file.name).collect();
    assert_eq!(
        names,
        [
            "six-1.16.0-py2.py3-none-any.whl",
            "six-1.16.0-py3-none-any.whl"
        ]
    );
    let [_, local] = lock.packages.as_slice() else {
        panic!("{:?}", lock.packages);
    };
    let place = format!("{:?}", local.wheels);
    assert!(
        place.contains("vendor") && !place.contains("elsewhere"),
        "{place}"
    );
}

#[test]
fn a_pdm_lock_without_groups_says_so() {
    let text = "[metadata]\ngroups = [\"default\", \"dev\"]\nlock_version = \"4.5.1\"\n\
        [[package]]\nname = \"six\"\nversion = \"1.16.0\"\n";
    let notes = read("pdm.lock", text).notes;
    assert!(
        notes.concat().contains("does not say of which groups"),
        "{notes:?}"
    );
    let named = format!("{text}groups = [\"dev\"]\n");
    assert_eq!(read("pdm.lock", &named).notes, Vec::<String>::new());
}

/// Until lock version 4.3 pdm kept the files of all packages in a table of their own.
#[test]
fn an_old_pdm_lock_has_files_by_name_and_version() {
    let hash = "1".repeat(64);
    let text = format!(
        "[[package]]\nname = \"six\"\nversion = \"1.16.0\"\n\n\
         [metadata]\nlock_version = \"4.2\"\ncross_platform = true\n\n[metadata.files]\n\
         \"six 1.16.0\" = [{{url = \"https://files.example.org/six-1.16.0-py2.py3-none-any.whl\", \
         hash = \"sha256:{hash}\"}}]\n"
    );
    let lock = read("pdm.lock", &text);
    let [six] = lock.packages.as_slice() else {
        panic!("{:?}", lock.packages);
    };
    let [wheel] = six.wheels.as_slice() else {
        panic!("{six:?}");
    };
    assert!(wheel.hash.is_some());
    assert_eq!(lock.notes, Vec::<String>::new());
}

/// All forms of an option that pip takes count, none is passed over.
#[test]
fn options_of_requirements_count_however_they_are_written() {
    let text = "-rmore.txt\n--requirement=more.txt\n-c bounds.txt\n--constraint\tbounds.txt\n";
    let faults = Lock::read("requirements.txt", text).unwrap_err();
    let faults = joined(&faults);
    assert_eq!(
        faults.matches("another file is meant").count(),
        4,
        "{faults}"
    );
    let hash = |digit: &str| format!("sha256:{}", digit.repeat(64));
    let text = format!(
        "--index-url=https://files.example.org/one\n-i https://files.example.org/two\n-e./a\n\
         --editable=./b\nidna==3.10 --hash {} --hash={}\n",
        hash("1"),
        hash("2")
    );
    let lock = read("requirements.txt", &text);
    let indexes = [
        "https://files.example.org/one",
        "https://files.example.org/two",
    ];
    assert_eq!(lock.indexes, indexes);
    assert_eq!(lock.notes.len(), 2, "{:?}", lock.notes);
    let hashes: Vec<usize> = lock.packages.iter().map(|it| it.hashes.len()).collect();
    assert_eq!(hashes, [2]);
}

#[test]
fn a_pipfile_lock_names_wheels_by_their_paths() {
    let hash = "1".repeat(64);
    let text = format!(
        r#"{{"_meta": {{"pipfile-spec": 6}}, "default": {{
            "six": {{"path": "./vendor/six-1.17.0-py2.py3-none-any.whl", "hashes": ["sha256:{hash}"]}},
            "app": {{"path": ".", "editable": true}}}}}}"#
    );
    let lock = read("Pipfile.lock", &text);
    let six = lock
        .packages
        .iter()
        .find(|it| it.name.as_str() == "six")
        .unwrap();
    assert_eq!(six.version.as_ref().unwrap().to_string(), "1.17.0");
    let [wheel] = six.wheels.as_slice() else {
        panic!("{six:?}");
    };
    assert!(wheel.hash.is_some());
}

/// pipenv writes the hashes of a wheel and of its sdist beside a URL: the largest is not that of the file.
#[test]
fn of_several_hashes_none_is_that_of_the_file() {
    let of = |hashes: &[String]| {
        let hashes: Vec<String> = hashes.iter().map(|it| format!(" --hash={it}")).collect();
        let url = "https://files.example.org/attrs-25.3.0-py3-none-any.whl";
        let text = format!(
            "attrs @ {url}{}\n./vendor/six-1.0-py3-none-any.whl{}\n",
            hashes.concat(),
            hashes.concat()
        );
        let lock = read("requirements.txt", &text);
        let files = lock.packages.iter().flat_map(|package| &package.wheels);
        files.map(|file| file.hash.is_some()).collect::<Vec<_>>()
    };
    let (one, other) = (
        format!("sha256:{}", "1".repeat(64)),
        format!("sha256:{}", "2".repeat(64)),
    );
    let strong = format!("sha512:{}", "3".repeat(128));
    assert_eq!(of(&[one.clone(), strong]), [true, true]);
    assert_eq!(of(&[one, other]), [false, false]);
}

#[test]
fn a_pipfile_lock_has_categories() {
    let text = fixture("others/Pipfile.lock");
    let lock = read("Pipfile.lock", &text);
    let all = |words| {
        packages(&lock, words, "x86_64-linux-cp311")
            .into_iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(all(""), ["idna 3.20 "]);
    assert_eq!(all("develop"), ["attrs 26.1.0 ", "idna 3.20 "]);
    let faults = Lock::read("Pipfile.lock", "{\"_meta\": {\"pipfile-spec\": 7}}").unwrap_err();
    assert_eq!(
        joined(&faults),
        "`_meta.pipfile-spec`: expected specification 6, got specification 7"
    );
    let faults = Lock::read("Pipfile.lock", "{\n1").unwrap_err();
    assert_eq!(
        joined(&faults),
        "line 2, column 1: key must be a string at line 2 column 1"
    );
}

#[test]
fn the_sources_of_makes_are_a_lock() {
    let text = fixture("others/sources.yaml");
    let lock = read("sources.yaml", &text);
    assert_eq!(
        installed(&lock, "", "x86_64-linux-cp311"),
        "*filelock filelock-4.2.11-py3-none-any.whl -> ?\n\
         *jinja2 jinja2-3.1.6-py3-none-any.whl -> ?\n\
         *markupsafe markupsafe-3.0.4-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl -> ?\n\
         *numpy numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl -> ?\n\
         *packaging packaging-26.3-py3-none-any.whl -> ?\n"
    );
    let hashes: BTreeMap<&str, String> = lock
        .packages
        .iter()
        .map(|package| {
            (
                package.name.as_str(),
                package.wheels[0].hash.as_ref().unwrap().to_string(),
            )
        })
        .collect();
    // As `nix-hash --to-sri` has it.
    assert_eq!(hashes["numpy"].len(), "sha256-".len() + 44);
    assert_eq!(
        installed(&lock, "", "x86_64-linux-cp312"),
        "`requires-python`: the lock is for Python ==3.11.*, the target has 3.12.0"
    );
    let text = fixture("others/requirements.yaml");
    let faults = Lock::read("requirements.yaml", &text).unwrap_err();
    assert_eq!(
        joined(&faults),
        "no lock file that is known: these are requirements: Makes' lock is `sources.yaml`"
    );
    let faults = Lock::read("sources.yaml", "closure:\n  a: 1\nlinks:\n  - nix: 1\n").unwrap_err();
    assert_eq!(
        joined(&faults),
        "line 4, column 1: expected `closure`, `links` with `name`, `sha256` and `url`, and `python`, got `nix: 1`"
    );
}

fn document(lock: &Lock<'_>) -> Result<String, String> {
    let targets = ["x86_64-linux-cp311".parse().unwrap()];
    let document = Document::new(
        lock,
        b"",
        &targets,
        &[selection(lock, "")],
        &DocumentOptions::default(),
    );
    let document = document.map_err(|faults| joined(&faults))?;
    Ok(serde_json::to_string(&document).unwrap())
}

#[test]
fn answers_of_an_index_say_where_files_are() {
    let zeros = "00".repeat(32);
    let poetry = format!(
        "[[package]]\nname = \"idna\"\nversion = \"3.20\"\ngroups = [\"main\"]\n\
         files = [{{ file = \"idna-3.20-py3-none-any.whl\", hash = \"sha256:{zeros}\" }}]\n\
         [metadata]\nlock-version = \"2.1\"\n"
    );
    let requirements = format!("idna==3.20 --hash=sha256:{zeros}\n");
    let pipfile = format!(
        "{{\"_meta\": {{\"pipfile-spec\": 6}}, \"default\": {{\"idna\": {{\"version\": \"==3.20\", \"hashes\": [\"sha256:{zeros}\"]}}}}}}"
    );
    let answer = |digest: &str| {
        let mut answers = IndexAnswers::default();
        let text = format!(
            "{{\"files\": [{{\"filename\": \"idna-3.20-py3-none-any.whl\", \"url\": \"https://x/idna-3.20-py3-none-any.whl\", \
             \"hashes\": {{\"sha256\": \"{digest}\"}}, \"size\": 7}}, {{\"filename\": \"idna-3.19.tar.gz\", \"url\": \"https://x/b\"}}]}}"
        );
        answers.add(&"idna".parse().unwrap(), &text).unwrap();
        answers
    };
    for (name, text) in [
        ("poetry.lock", &poetry),
        ("requirements.txt", &requirements),
        ("Pipfile.lock", &pipfile),
    ] {
        let mut lock = read(name, text);
        let unlocated = document(&lock).unwrap_err();
        assert!(
            unlocated.contains("the lock does not say where `idna"),
            "{unlocated}"
        );
        assert_eq!(
            lock.unlocated()
                .into_iter()
                .map(AsRef::as_ref)
                .collect::<Vec<&str>>(),
            ["idna"]
        );
        lock.locate(&answer(&zeros))
            .map_err(|faults| joined(&faults))
            .unwrap();
        let document = document(&lock).unwrap();
        assert!(
            document.contains("\"url\":\"https://x/idna-3.20-py3-none-any.whl\""),
            "{document}"
        );
        assert!(document.contains("\"size\":7"), "{document}");
    }
    let mut lock = read("poetry.lock", &poetry);
    assert_eq!(
        joined(&lock.locate(&answer(&"11".repeat(32))).unwrap_err()),
        "package `idna 3.20`: `hashes`: the index has another hash of `idna-3.20-py3-none-any.whl`"
    );
    let mut answers = IndexAnswers::default();
    let fault = answers.add(&"idna".parse().unwrap(), "<html>").unwrap_err();
    assert!(
        fault
            .to_string()
            .starts_with("package `idna`: line 1, column 1: "),
        "{fault}"
    );
}

#[test]
fn what_an_index_does_not_have_is_told_as_that() {
    let zeros = "00".repeat(32);
    let file = "idna-3.20-py3-none-any.whl";
    let text = format!(
        "{{\"files\": [{{\"filename\": \"{file}\", \"url\": \"https://x/{file}\", \"hashes\": {{\"sha256\": \"{zeros}\"}}}}]}}"
    );
    let mut answers = IndexAnswers::default();
    answers.add(&"idna".parse().unwrap(), &text).unwrap();
    let check = |name: &str, text: &str, want: &str| {
        let mut lock = read(name, text);
        lock.locate(&answers).unwrap();
        assert_eq!(lock.notes, [""; 0]);
        let got = document(&lock).unwrap_err();
        let start = "x86_64-linux-cp311: package `idna ";
        assert!(got.starts_with(start) && got.ends_with(want), "{got}");
    };
    let name = "requirements.txt";
    check(
        name,
        "idna==99\n",
        "`: `wheels`: the index does not have `idna 99`",
    );
    let other = format!("idna==3.20 --hash=sha256:{}\n", "11".repeat(32));
    let want = "`: `wheels`: the index does not have a file of `idna 3.20` with a hash of the lock";
    check(name, &other, want);
    let poetry = "[[package]]\nname = \"idna\"\nversion = \"3.21\"\ngroups = [\"main\"]\n\
         files = [{ file = \"idna-3.21-py3-none-any.whl\" }]\n[metadata]\nlock-version = \"2.1\"\n";
    let want = "`: `files`: the index does not have `idna-3.21-py3-none-any.whl`";
    check("poetry.lock", poetry, want);
}

#[test]
fn versions_that_nobody_knows_are_refused() {
    let check = |name: &str, text: &str, want: &str| {
        let got = match Lock::read(name, text) {
            Ok(_) => "fine".to_owned(),
            Err(faults) => joined(&faults),
        };
        assert_eq!(got, want, "for {text:?}");
    };
    check(
        "poetry.lock",
        "[[package]]\nname = 3\n[metadata]\nlock-version = \"1.1\"\n[metadata.files]\n",
        "`metadata.lock-version`: expected version 2, which Poetry writes since 1.3, got version 1.1",
    );
    check(
        "pdm.lock",
        "[metadata]\nlock_version = \"3.1\"\n",
        "`metadata.lock_version`: expected version 4, which pdm writes since 2.8, got version 3.1",
    );
}

#[test]
fn an_older_poetry_lock_says_by_its_extras_what_is_optional() {
    let text = "[[package]]\nname = \"A\"\nversion = \"1\"\noptional = false\npython-versions = \"^3.8\"\nfiles = []\n\
        [[package]]\nname = \"b\"\nversion = \"1\"\noptional = true\nfiles = []\n\
        [package.dependencies]\nC = [{ version = \"*\", markers = \"os_name == 'nt'\" }, { version = \"^1\" }]\n\
        [[package]]\nname = \"c\"\nversion = \"1\"\noptional = true\nfiles = []\n\
        [extras]\nx = [\"b (>=1)\"]\n\
        [metadata]\nlock-version = \"2.0\"\npython-versions = \"^3.8\"\n";
    let lock = read("poetry.lock", text);
    let names = |words: &str| {
        let text = installed(&lock, words, "x86_64-linux-cp311");
        text.lines()
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(""), ["*a"]);
    assert_eq!(names("x"), ["*a", "*b", "c"]);
}
