//! The document for other programs.

use serde_json::{Value, json};
use wheelfix_format::Target;
use wheelfix_lock::{Document, DocumentOptions, Lock, NixpkgsPackage, Preference};

use crate::support::{fixture, joined, read, selection};

#[track_caller]
fn document(name: &str, targets: &[&str], options: &DocumentOptions) -> Result<Value, String> {
    let text = fixture(name);
    made_of(name, &text, targets, options)
}

#[track_caller]
fn made(text: &str, targets: &[&str], options: &DocumentOptions) -> Result<Value, String> {
    made_of("uv.lock", text, targets, options)
}

#[track_caller]
fn made_of(
    name: &str,
    text: &str,
    targets: &[&str],
    options: &DocumentOptions,
) -> Result<Value, String> {
    let lock = read(name, text);
    let targets: Vec<Target> = targets.iter().map(|it| it.parse().unwrap()).collect();
    let selections = [selection(&lock, "")];
    let document = Document::new(&lock, text.as_bytes(), &targets, &selections, options);
    let document = document.map_err(|faults| joined(&faults))?;
    Ok(serde_json::to_value(document).unwrap())
}

#[test]
fn local_files_need_no_hash_and_the_highest_build_is_taken() {
    let document = document(
        "uv/find-links.uv.lock",
        &["x86_64-linux-cp313"],
        &DocumentOptions {
            path: "uv.lock".to_owned(),
            ..DocumentOptions::default()
        },
    );
    let want = json!({
        "version": 1,
        "lock": {
            "path": "uv.lock", "format": "uv", "version": "1.5",
            "hash": "sha256-Wv+OJHUWlJo98bUiDe0VnLRGgHtbugN0arlPBgFR/+Y=",
        },
        "files": {
            "flatty-1.0-2-py3-none-any.whl": {
                "path": "links/flatty-1.0-2-py3-none-any.whl", "hash": null },
            "sdistonly-0.9.tar.gz": { "path": "links/sdistonly-0.9.tar.gz", "hash": null },
        },
        "targets": { "x86_64-linux-cp313": {
            "python": "3.13", "system": "x86_64-linux", "libc": "glibc 2.99",
            "selections": { "default": {
                "roots": ["fl"],
                "packages": {
                    "fl": { "version": "0.1", "virtual": ".", "dependencies": ["flatty", "sdistonly"] },
                    "flatty": {
                        "version": "1.0", "wheel": "flatty-1.0-2-py3-none-any.whl", "dependencies": [] },
                    "sdistonly": {
                        "version": "0.9", "sdist": "sdistonly-0.9.tar.gz",
                        "why": "the lock has no wheel", "dependencies": [] },
                },
            } },
        } },
        "notes": ["x86_64-linux-cp313: sdistonly 0.9 is built from its sdist: the lock has no wheel"],
    });
    assert_eq!(document.unwrap(), want);
}

#[test]
fn a_directory_of_links_may_be_a_url() {
    let text = fixture("uv/find-links.uv.lock").replace("\"links\"", "\"file:///srv/links/\"");
    let made = made(&text, &["x86_64-linux-cp313"], &DocumentOptions::default()).unwrap();
    let file = &made["files"]["flatty-1.0-2-py3-none-any.whl"];
    assert_eq!(file["path"], "/srv/links/flatty-1.0-2-py3-none-any.whl");
}

#[test]
fn a_file_of_a_url_needs_a_hash() {
    let want = "x86_64-linux-cp311: package `flatty 1.0`: `files`: the lock has no hash of `flatty-1.0-2-py3-none-any.whl`\n\
        x86_64-linux-cp311: package `sdistonly 0.9`: `files`: the lock has no hash of `sdistonly-0.9.tar.gz`";
    let document = document(
        "uv/features.uv.lock",
        &["x86_64-linux-cp311"],
        &DocumentOptions::default(),
    );
    assert_eq!(document.unwrap_err(), want);
}

#[test]
fn providers_are_chosen_per_package() {
    let name = |text: &str| text.parse().unwrap();
    let mut options = DocumentOptions::default();
    options.preferences.insert(name("scipy"), Preference::Sdist);
    options.nixpkgs.push(NixpkgsPackage {
        name: name("numpy"),
        attribute: "numpy_2".to_owned(),
    });
    let targets = ["x86_64-linux-cp313", "aarch64-linux-cp312"];
    let made = document("uv/rodeo.uv.lock", &targets, &options).unwrap();
    let package = |target: &str, name: &str| {
        made["targets"][target]["selections"]["default"]["packages"][name].clone()
    };
    assert_eq!(package("x86_64-linux-cp313", "numpy")["nixpkgs"], "numpy_2");
    let scipy = package("aarch64-linux-cp312", "scipy");
    assert!(scipy["sdist"].as_str().unwrap().ends_with(".tar.gz"));
    assert_eq!(scipy["why"], "the sdist is preferred");
    // What an extra brings is required by the package that has it.
    let toolkit = package("x86_64-linux-cp313", "cuda-toolkit");
    assert!(
        toolkit["dependencies"]
            .as_array()
            .unwrap()
            .contains(&json!("nvidia-cublas"))
    );
    assert!(
        toolkit["extras"]
            .as_array()
            .unwrap()
            .contains(&json!("cublas"))
    );

    options
        .preferences
        .insert(name("nobody"), Preference::Sdist);
    let refused = document("uv/rodeo.uv.lock", &targets, &options).unwrap_err();
    assert_eq!(refused, "no selection has the package `nobody`");
}

/// A lock with packages `name requires... ; further keys`.
fn lock_of(packages: &[(&str, &[&str], &str)]) -> String {
    let mut text = "version = 1\nrevision = 5\nrequires-python = \">=3.11\"\n".to_owned();
    for (name, requires, more) in packages {
        let requires: Vec<String> = requires
            .iter()
            .map(|it| format!("{{ name = \"{it}\" }}"))
            .collect();
        let is_root = *name == "root";
        let source = if is_root {
            "virtual = \".\""
        } else {
            "registry = \"https://files.example.org/simple\""
        };
        let table = format!(
            "[[package]]\nname = \"{name}\"\nversion = \"1.0\"\nsource = {{ {source} }}\ndependencies = [{}]\n{more}\n",
            requires.join(", ")
        );
        text.push_str(&table);
    }
    text
}

fn wheel(url: &str) -> String {
    let hash = "00".repeat(32);
    format!("wheels = [{{ url = \"{url}\", hash = \"sha256:{hash}\" }}]")
}

#[test]
fn packages_that_require_each_other_are_one_component() {
    let of = |name: &str| wheel(&format!("https://x/{name}-1.0-py3-none-any.whl"));
    let text = lock_of(&[
        ("root", &["distributed"], ""),
        ("dask", &["distributed", "idle"], &of("dask")),
        ("distributed", &["dask"], &of("distributed")),
        ("idle", &[], &of("idle")),
    ]);
    let made = made(&text, &["x86_64-linux-cp313"], &DocumentOptions::default()).unwrap();
    let packages = &made["targets"]["x86_64-linux-cp313"]["selections"]["default"]["packages"];
    assert_eq!(packages["dask"]["component"], "dask");
    assert_eq!(packages["distributed"]["component"], "dask");
    assert_eq!(packages["idle"]["component"], Value::Null);
    assert_eq!(packages["root"]["component"], Value::Null);
}

#[test]
fn no_credential_leaves() {
    let text = lock_of(&[
        ("root", &["a"], ""),
        (
            "a",
            &[],
            &wheel("https://me:hunter2@x/a-1.0-py3-none-any.whl"),
        ),
    ]);
    let made_text = made(&text, &["x86_64-linux-cp313"], &DocumentOptions::default())
        .unwrap()
        .to_string();
    assert!(
        !made_text.contains("hunter2") && !made_text.contains("me:"),
        "{made_text}"
    );
    assert!(made_text.contains("the URL of a-1.0-py3-none-any.whl had a user, which was left out"));

    let commit = "0".repeat(40);
    let git = format!("a @ git+https://me:hunter2@x/a.git@{commit}\n");
    let target = ["x86_64-linux-cp313"];
    let of_git = made_of(
        "requirements.txt",
        &git,
        &target,
        &DocumentOptions::default(),
    );
    let of_git = of_git.unwrap().to_string();
    assert!(!of_git.contains("hunter2"), "{of_git}");
    assert!(
        of_git.contains("the URL of a had a user, which was left out"),
        "{of_git}"
    );

    let text = lock_of(&[
        ("root", &["a"], ""),
        (
            "a",
            &[],
            &wheel("https://x/a-1.0-py3-none-any.whl?token=hunter2"),
        ),
    ]);
    let refused = made(&text, &["x86_64-linux-cp313"], &DocumentOptions::default()).unwrap_err();
    assert_eq!(
        refused,
        "x86_64-linux-cp313: package `a 1.0`: `files`: the URL of `a-1.0-py3-none-any.whl` has what looks like a secret, which may not be passed on"
    );
}

#[test]
fn two_files_of_one_name_are_numbered() {
    let packages: String = ["one", "two"]
        .map(|index| {
            let file = wheel(&format!("https://{index}/a-1.0-py3-none-any.whl"));
            format!("[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = {{ registry = \"https://{index}/simple\" }}\n{file}\n")
        })
        .concat();
    let dependency = |index: &str, marker: &str| {
        format!(
            "{{ name = \"a\", version = \"1.0\", source = {{ registry = \"https://{index}/simple\" }}, marker = \"{marker}\" }}"
        )
    };
    let text = format!(
        "version = 1\n[[package]]\nname = \"root\"\nsource = {{ virtual = \".\" }}\ndependencies = [{}, {}]\n{packages}",
        dependency("one", "platform_machine == 'x86_64'"),
        dependency("two", "platform_machine != 'x86_64'"),
    );
    let targets = ["x86_64-linux-cp313", "aarch64-linux-cp313"];
    let made = made(&text, &targets, &DocumentOptions::default()).unwrap();
    let wheel = |target: &str| {
        let packages = &made["targets"][target]["selections"]["default"]["packages"];
        let key = packages["a"]["wheel"].as_str().unwrap();
        made["files"][key]["url"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        wheel("x86_64-linux-cp313"),
        "https://one/a-1.0-py3-none-any.whl"
    );
    assert_eq!(
        wheel("aarch64-linux-cp313"),
        "https://two/a-1.0-py3-none-any.whl"
    );
    assert_eq!(made["lock"]["version"], "1.0");
}

#[test]
fn what_a_lock_does_not_say_is_one_note() {
    let options = DocumentOptions::default();
    let targets = ["x86_64-linux-cp312"];
    let note = |name: &str| {
        let document = document(name, &targets, &options).unwrap();
        let notes = document["notes"].as_array().unwrap().clone();
        let mut notes = notes
            .into_iter()
            .map(|note| note.as_str().unwrap().to_owned());
        let found: Vec<String> = notes
            .by_ref()
            .filter(|note| note.contains("does not say what"))
            .collect();
        found
    };
    assert_eq!(
        note("pylock/pylock.uv-export.toml"),
        ["the lock does not say what packages require"]
    );
    assert_eq!(
        note("pylock/pylock.pdm-export.toml"),
        ["the lock does not say what urlly requires"]
    );
}

#[test]
fn a_lock_with_another_name_is_known_by_its_text() {
    for (file, format) in [
        ("uv/rodeo.uv.lock", "uv"),
        ("pylock/pylock.uv-export.toml", "pylock"),
        ("others/poetry.lock", "poetry"),
        ("others/pdm.lock", "pdm"),
        ("others/Pipfile.lock", "pipfile"),
    ] {
        let text = fixture(file);
        assert_eq!(read("other", &text).format.name(), format, "{file}");
    }
    let error = Lock::read("other", "[project]\nversion = '1'\n").unwrap_err();
    assert!(joined(&error).contains("expected `uv.lock`"));
}
