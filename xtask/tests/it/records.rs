//! Documents and lists that have to follow the code.

use crate::tree;

#[test]
fn the_changelog_knows_the_version() {
    let manifest = tree::table("Cargo.toml");
    let version = manifest["workspace"]["package"]["version"]
        .as_str()
        .unwrap();
    let changelog = tree::read("CHANGELOG.md");
    let heading = format!("\n## {version}");
    assert!(
        changelog.contains("\n## Unreleased\n"),
        "CHANGELOG.md needs a heading `## Unreleased`"
    );
    assert!(
        changelog.contains(&heading),
        "CHANGELOG.md needs a heading `## {version}`"
    );
}

#[test]
fn every_exit_code_is_documented() {
    let source = tree::read("crates/wheelfix/src/error.rs");
    let document = tree::read("docs/exit-codes.md");
    let (_, body) = source
        .split_once("fn exit_code")
        .expect("error.rs has `fn exit_code`");
    let (body, _) = body.split_once("\n    }\n").expect("`fn exit_code` ends");
    let codes: Vec<u8> = body
        .lines()
        .filter_map(|line| {
            line.trim()
                .trim_end_matches(',')
                .split_once("=> ")?
                .1
                .parse()
                .ok()
        })
        .collect();
    assert!(
        codes.contains(&1),
        "no codes found in `fn exit_code`: {codes:?}"
    );
    for code in codes {
        let row = format!("\n| {code} |");
        assert!(
            document.contains(&row),
            "docs/exit-codes.md has no row for {code}"
        );
    }
}

#[test]
fn every_wheel_has_a_user() {
    let demo = tree::read("xtask/src/demo.rs");
    assert!(
        demo.contains("manifest.of_set(set)"),
        "the demo installs the sets `small` and `cuda`"
    );
    let manifest = tree::table("test-wheels/wheels.toml");
    let tests: Vec<String> = tree::rust_files()
        .into_iter()
        .filter(|(path, _)| path.contains("/tests/"))
        .map(|(_, text)| text)
        .collect();
    let lock = tree::read("nix/tests/against/large/uv.lock");
    let mut idle = Vec::new();
    for wheel in manifest["wheel"].as_array().unwrap() {
        let file = wheel["file"].as_str().unwrap();
        let (name, _) = file.split_once('-').unwrap();
        let mention = format!("\"{name}");
        let is_used = wheel["set"].as_str() != Some("full")
            || lock.contains(file)
            || tests.iter().any(|text| text.contains(&mention));
        if !is_used {
            idle.push(name);
        }
    }
    assert!(
        idle.is_empty(),
        "no test names these wheels of the set `full`: {idle:?}"
    );
}

#[test]
fn wheels_are_listed_once_and_in_full() {
    let manifest = tree::table("test-wheels/wheels.toml");
    let mut files = Vec::new();
    for wheel in manifest["wheel"].as_array().unwrap() {
        let file = wheel["file"].as_str().unwrap();
        let digest = wheel["sha256"].as_str().unwrap();
        assert!(
            file.strip_suffix(".whl")
                .is_some_and(|stem| 4 <= stem.matches('-').count()),
            "{file}: not a wheel's name"
        );
        assert!(
            digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{file}: {digest} is not a SHA-256 digest"
        );
        let exercises = wheel["exercises"].as_str().unwrap();
        assert!(
            exercises.ends_with('.'),
            "{file}: say what it exercises, in a sentence"
        );
        assert!(!files.contains(&file), "{file} is listed twice");
        files.push(file);
    }
}

#[test]
fn every_fuzz_target_is_run() {
    let (manifest, chore) = (
        tree::read("fuzz/Cargo.toml"),
        tree::read("xtask/src/fuzz.rs"),
    );
    for file in tree::names("fuzz/fuzz_targets") {
        let name = file.trim_end_matches(".rs");
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "fuzz/Cargo.toml needs a `[[bin]]` for {file}"
        );
        assert!(
            chore.contains(&format!("(\"{name}\", ")),
            "xtask/src/fuzz.rs needs the target {name}"
        );
    }
}
