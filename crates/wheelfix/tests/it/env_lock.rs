//! Environments from a lock and downloaded wheels.

use data_encoding::BASE64;
use fs_err as fs;
use sha2::{Digest as _, Sha256};
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

fn wheel(name: &str) -> WheelBuilder {
    WheelBuilder::new(name, "1.0").file(&format!("{name}.py"), "x = 1\n")
}

/// A sandbox with `dl`, which has the wheels `one` and `two`, and a lock of both beside what is no wheel.
fn sandbox(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("dl")).unwrap();
    let mut files = Vec::new();
    for name in ["one", "two"] {
        let wheel = wheel(name);
        wheel.write_to(&sandbox.path("dl"));
        let (file, bytes) = (wheel.file_name(), wheel.build());
        let hash = BASE64.encode(&Sha256::digest(&bytes));
        files.push(format!(
            r#""{file}": {{"url": "https://files.example.org/{file}", "hash": "sha256-{hash}", "size": 1}}"#
        ));
    }
    let package = |name: &str| {
        let file = wheel(name).file_name();
        format!(r#""{name}": {{"version": "1.0", "wheel": "{file}", "dependencies": []}}"#)
    };
    let packages = [package("one"), package("two")].join(", ");
    let app = r#""app": {"version": "0.1", "virtual": ".", "dependencies": ["one"]}"#;
    let text = format!(
        r#"{{"version": 1, "lock": {{}}, "notes": [], "files": {{{}}}, "targets": {{
            "aarch64-linux-cp312": {{"python": "3.12", "system": "aarch64-linux", "libc": "glibc 2.99", "selections": {{
                "default": {{"roots": ["app"], "packages": {{{app}, {packages}{more}}}}},
                "less": {{"roots": ["app"], "packages": {{{app}, {}}}}}
            }}}}}}}}"#,
        files.join(", "),
        package("one"),
    );
    fs::write(sandbox.path("lock.json"), text).unwrap();
    sandbox
}

fn env(sandbox: &Sandbox, more: &[&str]) -> String {
    let more = [&["--no-bytecode"], more].concat();
    env_for(sandbox, "aarch64-linux-cp312", &more)
}

fn env_for(sandbox: &Sandbox, target: &str, more: &[&str]) -> String {
    let start = [
        "env",
        "--lock",
        "lock.json",
        "--wheels",
        "dl",
        "--prefix",
        "out",
        "--target",
        target,
    ];
    sandbox.run(&[&start[..], more].concat())
}

#[test]
fn an_environment_is_made_of_downloaded_wheels() {
    let sandbox = sandbox("");
    let got = env(&sandbox, &[]);
    assert!(got.starts_with("exit: 0\n"), "{got}");
    let tree = sandbox.tree("out");
    for name in ["one", "two"] {
        let file = format!("lib/python3.12/site-packages/{name}.py");
        assert!(tree.contains(&file), "{tree}");
    }
    fs::remove_dir_all(sandbox.path("out")).unwrap();
    fs::remove_file(sandbox.path("dl").join(wheel("two").file_name())).unwrap();
    let got = env(&sandbox, &["--select", "less"]);
    assert!(got.starts_with("exit: 0\n"), "{got}");
    assert!(!sandbox.tree("out").contains("two.py"));
}

/// As that of `MarkupSafe`, whose name uv spells in lower case in `pylock.toml`, and not in the URL.
#[test]
fn a_wheel_is_found_by_the_name_that_it_was_downloaded_under() {
    let sandbox = sandbox("");
    let name = wheel("one").file_name();
    let downloaded = name.replace("one-", "One-");
    let lock = fs::read_to_string(sandbox.path("lock.json")).unwrap();
    let url = "https://files.example.org/";
    let lock = lock.replace(&format!("{url}{name}"), &format!("{url}{downloaded}#x"));
    fs::write(sandbox.path("lock.json"), lock).unwrap();
    let directory = sandbox.path("dl");
    fs::rename(directory.join(&name), directory.join(&downloaded)).unwrap();
    let got = env(&sandbox, &[]);
    assert!(got.starts_with("exit: 0\n"), "{got}");
}

#[test]
fn all_that_is_missing_or_another_file_is_told_at_once() {
    let sandbox = sandbox(
        r#", "three": {"version": "3", "sdist": "three-3.tar.gz", "why": "no wheel fits"}"#,
    );
    let one = sandbox.path("dl").join(wheel("one").file_name());
    fs::remove_file(&one).unwrap();
    let two = sandbox.path("dl").join(wheel("two").file_name());
    let mut bytes = fs::read(&two).unwrap();
    bytes.push(0);
    fs::write(two, bytes).unwrap();
    let got = env(&sandbox, &[]);
    assert!(got.starts_with("exit: 1\n"), "{got}");
    for want in [
        "error: `one-1.0-py3-none-any.whl` is in no directory of `--wheels`\n  \
        fix: curl -fL --create-dirs -o dl/one-1.0-py3-none-any.whl https://files.example.org/one-1.0-py3-none-any.whl",
        "error: `dl/two-1.0-py3-none-any.whl` is another file than the lock has: expected sha256-",
        "error: three 3 is built from its sdist `three-3.tar.gz` (no wheel fits): name a wheel or a prefix",
        "error: 3 faults in all",
    ] {
        assert!(got.contains(want), "{got}");
    }
    assert!(!sandbox.path("out").is_dir());
}

#[test]
fn what_is_no_wheel_of_the_lock_comes_from_the_inputs() {
    let more = r#", "three": {"version": "3", "sdist": "three-3.tar.gz"}, "member": {"version": "1", "directory": {"path": "m", "editable": true}}"#;
    let sandbox = sandbox(more);
    let three = sandbox.wheel(&wheel("three"));
    let got = env(&sandbox, &[&three]);
    assert!(got.starts_with("exit: 0\n"), "{got}");
    for want in [
        "note: three 3 comes from the inputs, not from the lock",
        "warning: member 1 lies in the directory `m` and is not installed",
    ] {
        assert!(got.contains(want), "{got}");
    }
    fs::remove_dir_all(sandbox.path("out")).unwrap();
    // A prefix, too; one that takes the place of a wheel is told.
    let install = [
        "install",
        &three,
        "--prefix",
        "p",
        "--target",
        "aarch64-linux-cp312",
    ];
    assert!(sandbox.run(&install).starts_with("exit: 0\n"));
    let two = sandbox.wheel(&wheel("two"));
    let got = env(&sandbox, &["p", &two]);
    assert!(got.starts_with("exit: 0\n"), "{got}");
    assert!(got.contains("two 1.0 comes from the inputs"), "{got}");
}

#[test]
fn another_target_selection_or_document_is_refused() {
    let sandbox = sandbox("");
    let run = |target: &str, more: &[&str]| env_for(&sandbox, target, more);
    let got = run("aarch64-linux-cp313", &[]);
    let want =
        "error: `lock.json` has no target for aarch64-linux-cp313; it has aarch64-linux-cp312\n";
    assert!(got.starts_with("exit: 1\n") && got.contains(want), "{got}");
    let got = run("aarch64-glibc2.36-cp312.4", &[]);
    assert!(got.starts_with("exit: 0\n"), "{got}");
    let got = run("aarch64-linux-cp312", &["--select", "gpu"]);
    assert!(
        got.contains("has no selection `gpu` for aarch64-linux-cp312; it has default, less"),
        "{got}"
    );
    fs::write(sandbox.path("lock.json"), "version = 1\n").unwrap();
    let got = run("aarch64-linux-cp312", &[]);
    assert!(
        got.contains("`lock.json` is not the document of a lock"),
        "{got}"
    );
    let got = sandbox.run(&["env", "--wheels", "dl", "--prefix", "out"]);
    assert!(got.starts_with("exit: 2\n"), "{got}");
}

/// From a lock file to an environment by lines that are typed as they are printed.
#[test]
fn every_step_from_a_lock_file_has_a_line() {
    let sandbox = sandbox("");
    fs::write(sandbox.path("uv.lock"), "").unwrap();
    let end = [
        "--prefix",
        "out",
        "--target",
        "aarch64-linux-cp312",
        "--no-bytecode",
    ];
    let run = |words: &[&str]| sandbox.run(&[&["env"], words, &end].concat());
    insta::assert_snapshot!(run(&["uv.lock"]), @"
    exit: 1
    --- stderr
    error: `[DIR]/uv.lock` says what to install, and is not a wheel
      fix: wheelfix lock [DIR]/uv.lock --target aarch64-linux-cp312 -o lock-1.json  # and `wheelfix env --lock lock-1.json`
    next: wheelfix lock [DIR]/uv.lock --target aarch64-linux-cp312 -o lock-1.json && wheelfix env --lock=lock-1.json --prefix out --target aarch64-linux-cp312 --no-bytecode
    ");
    insta::assert_snapshot!(run(&["lock.json"]), @"
    exit: 1
    --- stderr
    error: `[DIR]/lock.json` is the document of a lock, not a wheel
      fix: wheelfix env --lock [DIR]/lock.json
    next: wheelfix env --lock=[DIR]/lock.json --prefix out --target aarch64-linux-cp312 --no-bytecode
    ");
    insta::assert_snapshot!(run(&["--lock", "lock.json"]), @"
    exit: 1
    --- stderr
    error: `one-1.0-py3-none-any.whl` is in no directory of `--wheels`
      fix: curl -fL --create-dirs -o wheels/one-1.0-py3-none-any.whl https://files.example.org/one-1.0-py3-none-any.whl
    error: `two-1.0-py3-none-any.whl` is in no directory of `--wheels`
      fix: curl -fL --create-dirs -o wheels/two-1.0-py3-none-any.whl https://files.example.org/two-1.0-py3-none-any.whl
    error: 2 faults in all
    next: curl -fL --create-dirs -o wheels/one-1.0-py3-none-any.whl https://files.example.org/one-1.0-py3-none-any.whl && curl -fL --create-dirs -o wheels/two-1.0-py3-none-any.whl https://files.example.org/two-1.0-py3-none-any.whl && wheelfix env --lock lock.json --prefix out --target aarch64-linux-cp312 --no-bytecode --wheels=wheels
    ");
    insta::assert_snapshot!(run(&["--lock", "lock.json", "--wheels", "absent"]), @"
    exit: 3
    --- stderr
    error: `absent`: no such directory
    error: `one-1.0-py3-none-any.whl` is in no directory of `--wheels`
      fix: curl -fL --create-dirs -o absent/one-1.0-py3-none-any.whl https://files.example.org/one-1.0-py3-none-any.whl
    error: `two-1.0-py3-none-any.whl` is in no directory of `--wheels`
      fix: curl -fL --create-dirs -o absent/two-1.0-py3-none-any.whl https://files.example.org/two-1.0-py3-none-any.whl
    error: 3 faults in all
    next: curl -fL --create-dirs -o absent/one-1.0-py3-none-any.whl https://files.example.org/one-1.0-py3-none-any.whl && curl -fL --create-dirs -o absent/two-1.0-py3-none-any.whl https://files.example.org/two-1.0-py3-none-any.whl && wheelfix env --lock lock.json --wheels absent --prefix out --target aarch64-linux-cp312 --no-bytecode
    ");
}
