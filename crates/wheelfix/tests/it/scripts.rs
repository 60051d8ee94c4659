//! Scripts in packages that ask for programs by their absolute paths.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use wheelfix_format::{HashAlgorithm, Record};
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

const SITE: &str = "out/lib/python3.11/site-packages";

/// A wheel with a script of its package, and a prefix that has the program.
fn shop() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let demo = WheelBuilder::new("demo", "1.0")
        .executable("demo/start", "#!/bin/bash -e\nexec true\n")
        .executable("demo/plain", "#!/bin/sh\nexec true\n")
        .executable("demo/found", "#!/usr/bin/env bash\nexec true\n")
        .file("demo/data", "#!/bin/bash\n")
        .data("scripts/tool", "#!/bin/zsh\n");
    let wheel = sandbox.wheel(&demo);
    let bash = sandbox.path("store/bin/bash");
    fs_err::create_dir_all(bash.parent().unwrap()).unwrap();
    fs_err::create_dir_all(sandbox.path("store/lib")).unwrap();
    fs_err::write(&bash, "#!/bin/sh\n").unwrap();
    fs_err::set_permissions(&bash, Permissions::from_mode(0o755)).unwrap();
    (sandbox, wheel)
}

fn install(sandbox: &Sandbox, wheel: &str, args: &[&str]) -> String {
    let start = [
        "install",
        wheel,
        "--prefix",
        "out",
        "--python-version",
        "3.11",
    ];
    sandbox.run(&[&start, args].concat())
}

/// As in pymol-open-source.
#[test]
fn a_script_of_another_data_directory_with_the_name_of_an_entry_point_is_that_one() {
    let sandbox = Sandbox::new();
    let demo = WheelBuilder::new("demo", "1.0")
        .file("demo/__init__.py", "def main(): pass\n")
        .file(
            "old-1.0.data/scripts/run",
            "#!/bin/sh\nexec /build/python\n",
        )
        .file("old-1.0.data/scripts/other", "#!python\n")
        .entry_points("[console_scripts]\nrun = demo:main\n");
    let wheel = sandbox.wheel(&demo);
    let text = install(&sandbox, &wheel, &[]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    for warning in [
        "a `.data` directory has another name",
        "scripts have the names of entry points",
    ] {
        assert!(text.contains(warning), "{text}");
    }
    let run = fs_err::read_to_string(sandbox.path("out/bin/run")).unwrap();
    assert!(run.contains("from demo import main"), "{run}");
    assert!(sandbox.path("out/bin/other").is_file());
    assert!(!sandbox.path(SITE).join("old-1.0.data").is_dir());
}

#[test]
fn a_script_of_a_package_gets_a_program_that_is_there() {
    let (sandbox, wheel) = shop();
    for lib_path in ["store", "store/lib"] {
        let text = install(&sandbox, &wheel, &["--lib-path", lib_path]);
        assert!(text.starts_with("exit: 0\n"), "{text}");
        let read = |name: &str| {
            let text = fs_err::read_to_string(sandbox.path(SITE).join(name)).unwrap();
            text.replace(&sandbox.path("").display().to_string(), "DIR/")
        };
        assert_eq!(read("demo/start"), "#!DIR/store/bin/bash -e\nexec true\n");
        assert_eq!(read("demo/plain"), "#!/bin/sh\nexec true\n");
        assert_eq!(read("demo/found"), "#!/usr/bin/env bash\nexec true\n");
        assert_eq!(read("demo/data"), "#!/bin/bash\n");
        let record = Record::parse(&read("demo-1.0.dist-info/RECORD")).unwrap();
        let row = record.rows.iter().find(|row| row.path == "demo/start");
        let row = row.unwrap();
        let start = fs_err::read(sandbox.path(SITE).join("demo/start")).unwrap();
        assert_eq!(row.size, Some(start.len() as u64));
        let hash = row.hash.as_ref().unwrap();
        assert_eq!(hash.algorithm(), HashAlgorithm::Sha256);
        fs_err::remove_dir_all(sandbox.path("out")).unwrap();
    }
}

#[test]
fn a_program_that_nothing_has_is_a_warning_with_its_package() {
    let (sandbox, wheel) = shop();
    let text = install(&sandbox, &wheel, &[]);
    let (_, warnings) = text.split_once("--- stderr\n").unwrap();
    insta::assert_snapshot!(warnings, @r#"
    warning: script `bin/tool` asks for `/bin/zsh`, and no library path has it in the `bin` beside it: it starts only on systems that have it there
      fix: add --lib-path "$(nix-build --no-out-link -E 'with import <nixpkgs> { }; lib.getLib zsh')"  # `zsh`
    warning: script `demo/start` asks for `/bin/bash`, and no library path has it in the `bin` beside it: it starts only on systems that have it there
      fix: add --lib-path "$(nix-build --no-out-link -E 'with import <nixpkgs> { }; lib.getLib bash')"  # `bash`
    "#);
}

/// As siliconcompiler has 144.
#[test]
fn many_scripts_that_ask_for_programs_are_one_warning() {
    let sandbox = Sandbox::new();
    let mut demo = WheelBuilder::new("demo", "1.0");
    for number in 0..12 {
        let program = if number == 3 { "zsh" } else { "bash" };
        demo = demo.executable(&format!("demo/{number}.sh"), format!("#!/bin/{program}\n"));
    }
    let wheel = sandbox.wheel(&demo);
    let text = install(&sandbox, &wheel, &[]);
    let count = |part: &str| text.matches(part).count();
    assert!(
        text.contains("warning: 12 warnings of a kind, whole with --verbose\n"),
        "{text}"
    );
    assert_eq!((count("warning: "), count(" asks for ")), (1, 10), "{text}");
    assert!(
        text.contains("  and 2 more\n  fix: add --lib-path "),
        "{text}"
    );
    assert!(text.contains("[ bash zsh ]"), "{text}");
    for more in ["--verbose", "--json"] {
        if sandbox.path("out").is_dir() {
            fs_err::remove_dir_all(sandbox.path("out")).unwrap();
        }
        let text = install(&sandbox, &wheel, &[more]);
        let (out, warnings) = text.split_once("--- stderr\n").unwrap();
        let all = if more == "--json" { out } else { warnings };
        assert_eq!(all.matches(" asks for ").count(), 12, "{text}");
    }
}

#[test]
fn a_python_source_of_a_package_is_never_edited() {
    let sandbox = Sandbox::new();
    let source = "#!/usr/bin/python3\nx = 1\n";
    let demo = WheelBuilder::new("demo", "1.0")
        .executable("demo/tool.py", source)
        .data("scripts/tool.py", source);
    let wheel = sandbox.wheel(&demo);
    let text = sandbox.run(&["install", &wheel, "--prefix", "out", "--python", "python3"]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let want = "demo/tool.py` asks for `/usr/bin/python3`, and is a Python source of a package";
    assert!(text.contains(want), "{text}");
    let lib = fs_err::read_dir(sandbox.path("out/lib")).unwrap().next();
    let tool = lib
        .unwrap()
        .unwrap()
        .path()
        .join("site-packages/demo/tool.py");
    assert_eq!(fs_err::read_to_string(tool).unwrap(), source);
    let script = fs_err::read_to_string(sandbox.path("out/bin/tool.py")).unwrap();
    assert_ne!(script, source, "a program is no module");
}
