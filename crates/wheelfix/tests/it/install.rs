//! `wheelfix install` on small wheels: what it makes, and what it refuses.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

const SITE: &str = "lib/python3.11/site-packages";

fn demo() -> WheelBuilder {
    WheelBuilder::new("demo", "1.0")
        .metadata("Requires-Dist: numpy<2\nRequires-Dist: pip>=20\n")
        .file("demo/__init__.py", "def main():\n    assert True\n")
        .executable("demo/tool.sh", "#!/bin/sh\n")
        .data("scripts/greet", "#!python\nprint('hello')\n")
        .data("headers/demo.h", "// demo\n")
        .data("data/share/demo.txt", "demo\n")
        .entry_points("[console_scripts]\ndemo = demo:main\n")
}

/// Installs for Python 3.11 without running any Python.
fn install(sandbox: &Sandbox, wheel: &str, args: &[&str]) -> String {
    let mut all = vec![
        "install",
        wheel,
        "--prefix",
        "out",
        "--python-version",
        "3.11",
    ];
    all.extend(args);
    sandbox.run(&all)
}

#[test]
fn every_file_has_its_place_and_mode() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let text = install(&sandbox, &wheel, &[]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    insta::assert_snapshot!(sandbox.tree("out"), @"
    755 bin/demo
    755 bin/greet
    644 include/python3.11/demo/demo.h
    644 lib/python3.11/site-packages/demo-1.0.dist-info/METADATA
    644 lib/python3.11/site-packages/demo-1.0.dist-info/RECORD
    644 lib/python3.11/site-packages/demo-1.0.dist-info/WHEEL
    644 lib/python3.11/site-packages/demo-1.0.dist-info/entry_points.txt
    644 lib/python3.11/site-packages/demo/__init__.py
    755 lib/python3.11/site-packages/demo/tool.sh
    644 share/demo.txt
    ");
    assert_eq!(sandbox.names(), [wheel.as_str(), "out"]);
    let greet = fs_err::read_to_string(sandbox.path("out/bin/greet")).unwrap();
    assert_eq!(greet, "#!/usr/bin/env python3.11\nprint('hello')\n");
}

#[test]
fn a_link_in_a_wheel_becomes_a_file_with_its_text() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo().link("demo/passwd", "/etc/passwd"));
    let text = install(&sandbox, &wheel, &[]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(text.contains("symbolic links become files"), "{text}");
    let made = sandbox.path("out/lib/python3.11/site-packages/demo/passwd");
    assert!(fs_err::symlink_metadata(&made).unwrap().is_file());
    assert_eq!(fs_err::read_to_string(made).unwrap(), "/etc/passwd");
    assert!(
        sandbox
            .tree("out")
            .contains("644 lib/python3.11/site-packages/demo/passwd\n")
    );
}

#[test]
fn where_the_report_cannot_be_written_there_is_no_output() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let version = ["--prefix", "out", "--python-version", "3.11"];
    for args in [
        &[&["install", wheel.as_str()], &version[..]].concat()[..],
        &[&["install", wheel.as_str(), "--json"], &version[..]].concat(),
        &[&["env", wheel.as_str(), "--allow-unmet", "*"], &version[..]].concat(),
        &["unpack", &wheel, "out"],
    ] {
        let full = fs_err::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let status = sandbox
            .command(args)
            .stdout(full.into_file())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(3), "{args:?}");
        assert_eq!(sandbox.names(), [wheel.as_str()], "{args:?}");
        // That nobody reads is another thing.
        let mut child = sandbox
            .command(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        assert!(child.wait().unwrap().success(), "{args:?}");
        fs_err::remove_dir_all(sandbox.path("out")).unwrap();
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "runs the program under test")]
fn the_umask_takes_nothing_away() {
    let trees = ["000", "077"].map(|umask| {
        let sandbox = Sandbox::new();
        let wheel = sandbox.wheel(&demo());
        let status = Command::new("sh")
            .args(["-c", "umask $1; shift; exec \"$@\"", "sh", umask])
            .args([env!("CARGO_BIN_EXE_wheelfix"), "install", &wheel])
            .args(["--prefix", "out", "--python", "python3"])
            .current_dir(sandbox.path("."))
            .status();
        assert!(status.unwrap().success());
        sandbox.tree("out")
    });
    assert_eq!(trees[0], trees[1]);
}

#[test]
fn what_stdenv_would_act_on_is_warned_about() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo().data("data/nix-support/setup-hook", "echo hi"));
    let text = install(&sandbox, &wheel, &["--dry-run"]);
    let want = "warning: `demo-1.0-py3-none-any.whl`: `demo-1.0.data/data/nix-support/setup-hook` goes to \
        `nix-support` in the prefix, where stdenv runs it or follows it in each build that depends on \
        the package\n  fix: add --exclude '**/setup-hook'  # if nothing needs it\n";
    assert!(text.ends_with(want), "{text}");
}

#[test]
fn record_is_true() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    install(&sandbox, &wheel, &[]);
    let site = sandbox.path("out").join(SITE);
    let record = fs_err::read_to_string(site.join("demo-1.0.dist-info/RECORD")).unwrap();
    let record = wheelfix_format::Record::parse(&record).unwrap();
    assert_eq!(record.rows.len(), 10);
    for row in &record.rows {
        let path = site.join(&row.path);
        if row.path.ends_with("/RECORD") {
            assert_eq!((&row.hash, row.size), (&None, None));
            continue;
        }
        let bytes = fs_err::read(path).unwrap();
        let digest = <sha2::Sha256 as sha2::Digest>::digest(&bytes);
        let hash = wheelfix_format::RecordHash::sha256(digest.into());
        assert_eq!(row.hash, Some(hash), "{}", row.path);
        assert_eq!(row.size, Some(bytes.len() as u64), "{}", row.path);
    }
}

#[test]
fn an_interpreter_is_named_and_compiles() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let args = ["install", &wheel, "--prefix", "out", "--python", "python3"];
    let text = sandbox.run(&args);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let tree = sandbox.tree("out");
    let caches = tree
        .lines()
        .filter(|line| line.contains("__pycache__"))
        .count();
    assert_eq!(caches, 2, "two levels of one module:\n{tree}");
    let demo = fs_err::read_to_string(sandbox.path("out/bin/demo")).unwrap();
    assert!(demo.starts_with("#!/"), "{demo}");
    assert!(demo.contains("from demo import main\n"), "{demo}");
}

#[test]
fn a_dry_run_writes_nothing() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let text = install(&sandbox, &wheel, &["--dry-run"]);
    insta::assert_snapshot!(text, @"
    exit: 0
    --- stdout
    0 to edit, 0 to keep, 0 to drop
     wheel  version  files   size
     demo       1.0      9  521 B
    `demo-1.0-py3-none-any.whl` requires more than is here: numpy not installed, pip not installed
      give those wheels, too, or `--check-deps DIR` for each prefix that has some
    ");
    assert_eq!(sandbox.names(), [wheel]);
}

#[test]
fn json_is_one_document() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let text = install(&sandbox, &wheel, &["--json", "--relax", "numpy"]);
    let json = text.strip_prefix("exit: 0\n--- stdout\n").unwrap();
    let document: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(document["version"], 1);
    assert_eq!(document["wheels"][0]["name"], "demo");
    let change = &document["wheels"][0]["metadata"][0];
    assert_eq!(
        (&change["before"], &change["after"]),
        (&"numpy<2".into(), &"numpy".into())
    );
}

#[test]
fn wishes_that_match_nothing_are_all_named() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let args = [
        "--relax",
        "torch",
        "--remove-dep",
        "jax",
        "--exclude",
        "*.rs",
    ];
    insta::assert_snapshot!(install(&sandbox, &wheel, &args), @"
    exit: 1
    --- stderr
    error: no distribution has a requirement to edit: drop the bounds of `torch`
      fix: remove --relax torch
    error: no distribution has a requirement to edit: remove `jax`
      fix: remove --remove-dep jax
    error: no file matches `*.rs`, which is to be left out
      fix: remove --exclude '*.rs'
    next: wheelfix install demo-1.0-py3-none-any.whl --prefix out --python-version 3.11
    ");
    assert_eq!(sandbox.names(), [wheel]);
}

#[test]
fn excluded_files_and_removed_requirements_are_gone() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    install(
        &sandbox,
        &wheel,
        &["--exclude", "demo/*.sh", "--remove-dep", "Pip"],
    );
    let tree = sandbox.tree("out");
    assert!(!tree.contains("tool.sh"), "{tree}");
    let metadata = sandbox
        .path("out")
        .join(SITE)
        .join("demo-1.0.dist-info/METADATA");
    let metadata = fs_err::read_to_string(metadata).unwrap();
    assert!(metadata.contains("Requires-Dist: numpy<2\n"), "{metadata}");
    assert!(!metadata.contains("pip"), "{metadata}");
}

#[test]
fn two_wheels_that_differ_in_a_file_are_refused() {
    let sandbox = Sandbox::new();
    let one = sandbox.wheel(&WheelBuilder::new("one", "1").file("shared.py", "1"));
    let two = sandbox.wheel(&WheelBuilder::new("two", "2").file("shared.py", "2"));
    let args = [
        "install",
        &one,
        &two,
        "--prefix",
        "out",
        "--python-version",
        "3.11",
    ];
    insta::assert_snapshot!(sandbox.run(&args), @"
    exit: 1
    --- stderr
    error: `lib/python3.11/site-packages/shared.py` comes with different content from one-1-py3-none-any.whl and two-2-py3-none-any.whl
    ");
}

#[test]
fn a_wheel_for_something_else_is_refused_with_the_part_that_differs() {
    let sandbox = Sandbox::new();
    for (tags, want) in [
        (
            "cp310-cp310-manylinux_2_17_x86_64",
            "the wheel is for cp310, the target is cp311",
        ),
        ("cp311-cp311-win_amd64", "the wheel is for"),
        (
            "cp311-cp311t-manylinux_2_17_x86_64",
            "the wheel has the ABI cp311t, the target has",
        ),
    ] {
        let wheel = sandbox.wheel(&WheelBuilder::new("demo", "1.0").platlib().tags(tags));
        let text = install(&sandbox, &wheel, &[]);
        assert!(text.starts_with("exit: 1\n"), "{text}");
        assert!(text.contains(want), "{text}");
    }
}

#[test]
fn broken_wheels_are_all_refused_in_one_run() {
    let sandbox = Sandbox::new();
    let good = sandbox.wheel(&demo());
    let bytes = demo().build();
    fs_err::write(
        sandbox.path("cut-1.0-py3-none-any.whl"),
        &bytes[..bytes.len() / 2],
    )
    .unwrap();
    fs_err::write(sandbox.path("text-1.0-py3-none-any.whl"), "no zip").unwrap();
    let args = [
        "install",
        &good,
        "cut-1.0-py3-none-any.whl",
        "text-1.0-py3-none-any.whl",
        "absent-1.0-py3-none-any.whl",
        "--prefix",
        "out",
        "--python-version",
        "3.11",
    ];
    let text = sandbox.run(&args);
    assert!(text.starts_with("exit: 3\n"), "{text}");
    for name in ["cut", "text", "absent"] {
        let line = format!("error: `{name}-1.0-py3-none-any.whl`: ");
        assert!(text.contains(&line), "{text}");
    }
    assert!(!sandbox.names().contains(&"out".to_owned()));
}

#[test]
fn a_record_that_lies_is_refused() {
    let sandbox = Sandbox::new();
    let builder = WheelBuilder::new("demo", "1.0")
        .file("a.py", "x = 1\n")
        .record_row(
            "a.py",
            "a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,6\n",
        );
    let text = install(&sandbox, &sandbox.wheel(&builder), &[]);
    assert!(
        text.starts_with("exit: 1\n") && text.contains("a.py"),
        "{text}"
    );
    let builder = WheelBuilder::new("demo", "1.0").unrecorded("b.py", "x = 1\n");
    let text = install(&sandbox, &sandbox.wheel(&builder), &[]);
    assert!(
        text.starts_with("exit: 1\n") && text.contains("b.py"),
        "{text}"
    );
    assert!(!sandbox.names().contains(&"out".to_owned()));
}

#[test]
fn a_name_that_escapes_is_refused() {
    let sandbox = Sandbox::new();
    let builder = WheelBuilder::new("demo", "1.0").file("../../evil.py", "x = 1\n");
    let text = install(&sandbox, &sandbox.wheel(&builder), &[]);
    assert!(
        text.starts_with("exit: 1\n") && text.contains("../../evil.py"),
        "{text}"
    );
    assert_eq!(sandbox.names(), [builder.file_name()]);
}

#[test]
fn a_prefix_with_files_is_refused_unless_merged() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    fs_err::create_dir_all(sandbox.path("out/bin")).unwrap();
    fs_err::write(sandbox.path("out/bin/demo"), "mine").unwrap();
    insta::assert_snapshot!(install(&sandbox, &wheel, &[]), @"
    exit: 1
    --- stderr
    error: prefix exists and is not empty: `[DIR]/out`
    hint: name another `--prefix`, or add to it with `--merge`
    next: wheelfix install demo-1.0-py3-none-any.whl --prefix out-1 --python-version 3.11
    ");
    insta::assert_snapshot!(install(&sandbox, &wheel, &["--merge"]), @"
    exit: 1
    --- stderr
    error: file exists in the prefix: `bin/demo`
    ");
    assert_eq!(sandbox.tree("out"), "644 bin/demo\n");
    let text = install(&sandbox, &wheel, &["--merge", "--exclude", "bin/demo"]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert_eq!(
        fs_err::read_to_string(sandbox.path("out/bin/demo")).unwrap(),
        "mine"
    );
    assert!(sandbox.tree("out").contains("share/demo.txt"));
}

#[test]
fn an_environment_that_fails_is_exit_code_3() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    insta::assert_snapshot!(install(&sandbox, "absent-1.0-py3-none-any.whl", &[]), @"
    exit: 3
    --- stderr
    error: `absent-1.0-py3-none-any.whl`: no such file or directory
    ");
    let args = [
        "install",
        &wheel,
        "--prefix",
        "/proc/out",
        "--python-version",
        "3.11",
    ];
    let text = sandbox.run(&args);
    assert!(text.starts_with("exit: 3\n"), "{text}");
}

#[test]
fn a_missing_interpreter_is_named_with_what_to_do() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let args = [
        "install",
        &wheel,
        "--prefix",
        "out",
        "--python",
        "/no/python",
    ];
    let nothing = [("PATH", "/no/such")];
    insta::assert_snapshot!(sandbox.run_with(&args, &nothing), @"
    exit: 3
    --- stderr
    error: there is no program `/no/python`: name a Python that is there with `--python EXE`, or only its version with `--python-version X.Y`
    ");
    // One is there whose own interpreter is not, as programs for other systems have it on NixOS.
    fs_err::write(sandbox.path("python"), "#!/no/loader\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(sandbox.path("python"), mode).unwrap();
    let args = ["install", &wheel, "--prefix", "out", "--python", "./python"];
    let text = sandbox.run(&args);
    assert!(text.contains("error: failed to run `./python`\n"), "{text}");
}

#[test]
fn a_command_line_that_makes_no_sense_is_exit_code_2() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let text = install(&sandbox, &wheel, &["--bytecode", "0"]);
    assert!(text.starts_with("exit: 2\n"), "{text}");
    let text = install(&sandbox, &wheel, &["--bytecode", "7"]);
    assert!(text.starts_with("exit: 2\n"), "{text}");
}

#[test]
fn the_umask_does_not_matter() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    install(&sandbox, &wheel, &[]);
    let plain = sandbox.tree("out");
    fs_err::remove_dir_all(sandbox.path("out")).unwrap();
    let program = env!("CARGO_BIN_EXE_wheelfix");
    let line =
        format!("umask 077; exec {program} install {wheel} --prefix out --python-version 3.11");
    #[expect(clippy::disallowed_methods, reason = "runs the program under test")]
    let status = std::process::Command::new("sh")
        .args(["-c", &line])
        .current_dir(sandbox.path(""))
        .output()
        .unwrap();
    assert!(status.status.success());
    assert_eq!(sandbox.tree("out"), plain);
    let mode = fs_err::metadata(sandbox.path("out/bin"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o755);
}

#[test]
fn an_install_for_a_version_runs_no_python() {
    let sandbox = Sandbox::new();
    // Pythons that tell when somebody runs them.
    let bin = sandbox.path("bin");
    fs_err::create_dir(&bin).unwrap();
    for name in ["python", "python3", "python3.11"] {
        let program = bin.join(name);
        fs_err::write(&program, "#!/bin/sh\n: > \"$0.ran\"\n").unwrap();
        fs_err::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    }
    let wheel = WheelBuilder::new("demo", "1.0")
        .file("demo.py", "def main():\n    print('demo')\n")
        .entry_points("[console_scripts]\ndemo = demo:main [cli]\n");
    let wheel = sandbox.wheel(&wheel);
    let args = [
        "install",
        &wheel,
        "--prefix",
        "out",
        "--python-version",
        "3.11",
    ];
    let text = sandbox.run_with(&args, &[("PATH", bin.to_str().unwrap())]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert_eq!(fs_err::read_dir(&bin).unwrap().count(), 3, "none ran");
    // The extra says what the script needs, not what it runs.
    let script = fs_err::read_to_string(sandbox.path("out/bin/demo")).unwrap();
    assert!(script.contains("from demo import main") && !script.contains("cli"));
}

#[test]
fn files_with_one_checksum_and_two_hashes_collide() {
    let sandbox = Sandbox::new();
    // Both have 23 bytes and the CRC-32 6fa435a4.
    let wheel = |name, text: &str| {
        let demo = WheelBuilder::new(name, "1.0").file("shared.py", text);
        sandbox.wheel(&demo)
    };
    let one = wheel("one", "x = \"good\"\n############");
    let two = wheel("two", "x = \"EVIL\"\n#0000035w1xR");
    let text = sandbox.run(&[
        "install",
        &one,
        &two,
        "--prefix",
        "out",
        "--python-version",
        "3.11",
    ]);
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(
        text.contains("shared.py` comes with different content from"),
        "{text}"
    );
}
