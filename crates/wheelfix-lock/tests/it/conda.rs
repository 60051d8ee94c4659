//! `pixi.lock` and `conda-lock.yml`.
//!
//! `rattler-lock.json` is what their makers' reader, the crate `rattler_lock` 0.34.12, finds in the same
//! files; the crate has 195 others behind it, which is why it is not asked here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wheelfix_format::{RankedTags, Target};
use wheelfix_lock::{
    Document, DocumentOptions, File, Location, Lock, Preference, Provider, Source, choose, resolve,
};

use crate::support::{fixture, installed, joined, read, selection};

const TARGETS: [(&str, &str); 3] = [
    ("linux-64", "x86_64-linux-cp312.12"),
    ("linux-aarch64", "aarch64-linux-cp312.12"),
    ("osx-arm64", "arm64-macos-cp312.12"),
];

fn location(file: &File<'_>) -> String {
    match &file.location {
        Location::Url(url) => url.clone().into_owned(),
        other => format!("{other:?}"),
    }
}

/// By name, where a selection has its packages from and their SHA-256.
fn packages(lock: &Lock<'_>, words: &str, target: &str) -> BTreeMap<String, String> {
    let target: Target = target.parse().unwrap();
    let tags = RankedTags::new(&target);
    let resolution = resolve(lock, &selection(lock, words), &target);
    let resolution = resolution.map_err(|faults| joined(&faults)).unwrap();
    let mut found = BTreeMap::new();
    for (name, resolved) in &resolution.packages {
        let package = &lock.packages[resolved.number];
        if package.source == Source::Conda {
            continue;
        }
        let choice = choose(package, &tags, Preference::Wheel).unwrap();
        let text = match choice.provider {
            Provider::Wheel(file) | Provider::Sdist(file) => {
                format!("{} {}", location(file), file.hash.as_ref().unwrap())
            }
            Provider::Source => package.origin.clone().into_owned(),
        };
        found.insert(name.to_string(), text);
    }
    found
}

/// The same from the list of another reader.
fn of_rattler(packages: &Value) -> BTreeMap<String, String> {
    let packages = packages.as_object().unwrap().iter();
    let texts = packages.map(|(name, package)| {
        let location = package[1].as_str().unwrap();
        let text = match package[2].as_str() {
            Some(digest) => {
                let hash = wheelfix_lock::Sri::parse(&format!("sha256:{digest}")).unwrap();
                format!("{location} {hash}")
            }
            None => location.to_owned(),
        };
        (name.clone(), text)
    });
    texts.collect()
}

#[test]
fn the_makers_of_pixi_read_the_same() {
    let oracle: Value = serde_json::from_str(&fixture("conda/rattler-lock.json")).unwrap();
    let mut compared = 0;
    for name in ["v6.pixi.lock", "v7.pixi.lock", "conda-lock.yml"] {
        let text = fixture(&format!("conda/{name}"));
        let lock = read(name, &text);
        for (environment, platforms) in oracle[name].as_object().unwrap() {
            // That reader does not tell categories apart.
            let words = match name {
                "conda-lock.yml" => "group:docs".to_owned(),
                _ => format!("group:{environment},no-default-groups"),
            };
            for (platform, target) in TARGETS {
                let theirs = &platforms[platform];
                if theirs.is_null() {
                    continue;
                }
                let what = format!("{environment} of {name} on {platform}");
                let ours = packages(&lock, &words, target);
                assert_eq!(ours, of_rattler(&theirs["pypi"]), "{what}");
                let note = lock.notes.iter().find(|note| note.starts_with("conda "));
                let named: BTreeSet<&str> = note.unwrap().split([' ', ',']).collect();
                for conda in theirs["conda"].as_array().unwrap() {
                    assert!(named.contains(conda.as_str().unwrap()), "{what}: {conda}");
                }
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 10);
}

#[test]
fn conda_packages_that_are_required_come_from_nixpkgs() {
    for (name, words) in [
        ("v6.pixi.lock", ""),
        ("v7.pixi.lock", ""),
        ("conda-lock.yml", "no-default-groups"),
    ] {
        let text = fixture(&format!("conda/{name}"));
        let lock = read(name, &text);
        let text = installed(&lock, words, "x86_64-linux-cp312.12");
        for want in [
            "\nnumpy Conda -> \n",
            "\nthreadpoolctl Conda -> \n",
            " -> joblib numpy scipy threadpoolctl\n",
            "*jinja2 jinja2-3.1.6-py3-none-any.whl -> markupsafe\n",
        ] {
            assert!(text.contains(want), "{name}: no {want:?} in {text}");
        }
        // What nothing of PyPI requires stays with conda.
        assert!(
            !text.contains("libexpat") && !text.contains("python "),
            "{text}"
        );
    }
    // A name on PyPI differs from conda's.
    let text = fixture("conda/v7.pixi.lock");
    let lock = read("pixi.lock", &text);
    let text = installed(&lock, "group:dev,no-default-groups", "x86_64-linux-cp312");
    assert!(text.contains(" -> markdown-it-py pygments\n"), "{text}");
    let document = Document::new(
        &lock,
        b"",
        &["x86_64-linux-cp312.12".parse().unwrap()],
        &[selection(&lock, "")],
        &DocumentOptions::default(),
    );
    let text = serde_json::to_string(&document.map_err(|it| joined(&it)).unwrap()).unwrap();
    for want in [
        r#""numpy":{"version":"2.3.5","nixpkgs":"numpy","dependencies":[]}"#,
        r#""numpy 2.3.5 is a conda package, and taken from nixpkgs as `numpy`""#,
        r#""conda packages are not installed, nixpkgs has to give what is needed of them: _libgcc_mutex, libexpat, numpy, py-pygments, python, threadpoolctl""#,
        r#""git":{"url":"https://git.example.org/gitly","rev":"921d921d921d921d921d921d921d921d921d921d"},"subdirectory":"sub""#,
        r#""app":{"version":null,"directory":{"path":"./","editable":false}"#,
    ] {
        assert!(text.contains(want), "no {want} in {text}");
    }
}

#[test]
fn what_the_lock_is_not_for_is_refused() {
    let check = |name: &str, words: &str, target: &str, want: &str| {
        let text = fixture(&format!("conda/{name}"));
        let lock = read(name, &text);
        let got = installed(&lock, words, target);
        assert!(got.starts_with(want), "{name} for {target}: {got}");
    };
    let of_default = "`environments.default`: the lock does not cover the target: it is for \
        sys_platform == 'linux' and platform_machine == ";
    check("v6.pixi.lock", "", "x86_64-linux-cp313", of_default);
    check("v7.pixi.lock", "", "riscv64-linux-cp312.12", of_default);
    check(
        "v7.pixi.lock",
        "group:dev,no-default-groups",
        "aarch64-linux-cp312.12",
        "`environments.dev`: the lock does not cover the target: it is for sys_platform == 'linux' \
         and platform_machine == 'x86_64' and python_version == '3.12'",
    );
    check(
        "conda-lock.yml",
        "",
        "aarch64-linux-cp312.12",
        "the lock does not cover the target: it is for ",
    );
}

#[test]
fn every_fault_of_a_file_is_told() {
    let check = |name: &str, text: &str, want: &[&str]| {
        let faults = Lock::read(name, text).unwrap_err();
        assert_eq!(joined(&faults), want.join("\n"), "for {text}");
    };
    check(
        "pixi.lock",
        "version: 5\nenvironments: {}\n",
        &["`version`: expected version 6 or 7, which pixi writes since 0.39, got version 5"],
    );
    check(
        "conda-lock.yml",
        "package: []\n",
        &["`version`: expected version 1, got version none"],
    );
    let pixi = "version: 6\nenvironments:\n  default:\n    packages:\n      linux-64:\n      - pypi: https://x/a-1-py3-none-any.whl\n      - pypi: https://x/z.whl\n      - other: 1\npackages:\n\
        - pypi: https://x/a-1-py3-none-any.whl\n  name: a\n  version: '2'\n\
        - pypi: https://x/b-1-py3-none-any.whl\n  name: b\n  version: x\n  sha256: zz\n\
        - pypi: git+https://x/c\n  name: c\n  version: '1'\n\
        - pypi: https://x/d-1-py3-none-any.whl\n  version: '1'\n";
    check(
        "pixi.lock",
        pixi,
        &[
            "package `a 2`: `pypi`: the file `a-1-py3-none-any.whl` is of a 1, not of this package",
            "package `b`: `version`: invalid version `x`: expected version to start with a number, but no leading ASCII digits were found",
            "package `b`: `pypi`: invalid hash `sha256:zz`: expected 32 bytes in hexadecimal",
            "package `c 1`: `pypi`: no commit is given, and what a branch or a tag leads to may change",
            "`packages[3]`: missing field `name`",
            "`environments.default.packages.linux-64`: no package of the lock is `https://x/z.whl`",
            "`environments.default.packages.linux-64`: expected `pypi` or `conda`",
        ],
    );
    check(
        "conda-lock.yml",
        "version: 1\nmetadata: {}\npackage:\n- name: a\n  version: '1'\n  manager: npm\n  platform: linux-64\n  url: https://x/a\n- name: a\n",
        &[
            "`package[1]`: missing field `version`",
            "package `a`: `manager`: expected `conda` or `pip`, got `npm`",
        ],
    );
    let lock = "version: 1\nmetadata: {}\nnew: 1\npackage:\n- name: a\n  version: '1'\n  manager: pip\n  platform: linux-64\n  url: https://x/a-1-py3-none-any.whl\n  more: 1\n";
    let lock = read("conda-lock.yml", lock);
    assert_eq!(
        lock.notes,
        [
            "the key `new` is unknown and passed over",
            "the key `package.more` is unknown and passed over"
        ]
    );
}

/// conda-lock writes the commit behind an `@`, pixi behind a `#`.
#[test]
fn repositories_have_their_commits() {
    let commit = "0123456789012345678901234567890123456789";
    let text = format!(
        "version: 1\nmetadata:\n  channels: []\n  platforms: [linux-64]\n  sources: []\n  content_hash: {{}}\npackage:\n\
         - name: a\n  version: '1'\n  manager: pip\n  platform: linux-64\n  dependencies: {{}}\n  \
         url: git+https://files.example.org/o/r.git@{commit}#subdirectory=sub\n  hash:\n    sha256: {commit}\n  category: main\n"
    );
    let lock = read("conda-lock.yml", &text);
    let [package] = lock.packages.as_slice() else {
        panic!("{lock:?}");
    };
    assert_eq!(
        package.source,
        Source::Git {
            url: "https://files.example.org/o/r.git".into(),
            commit: commit.into(),
            lfs: false,
        }
    );
    assert_eq!(package.subdirectory.as_deref(), Some("sub"));
}
