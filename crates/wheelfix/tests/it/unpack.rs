//! `wheelfix unpack`: what it prints, and what it refuses.

use std::os::unix::fs::MetadataExt as _;

use wheelfix_testkit::hostile::{self, Case};
use wheelfix_testkit::sdist::{Packing, SdistBuilder};
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

fn demo() -> WheelBuilder {
    WheelBuilder::new("demo", "1.0")
        .file("demo/__init__.py", "answer = 42\n")
        .executable("demo/tool", "#!/bin/sh\n")
        .data("scripts/demo", "#!python\n")
}

fn sdist() -> SdistBuilder {
    SdistBuilder::new("demo", "1.0")
        .file_with_mode("configure", 0o775, "#!/bin/sh\n")
        .file("src/demo.c", "int main;\n")
        .symlink("link", "src/demo.c")
}

#[test]
fn a_wheel_is_unpacked_as_it_is() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    insta::assert_snapshot!(sandbox.run(&["unpack", &wheel, "out"]), @"
    exit: 0
    --- stdout
    6 files, 590 B, unpacked to out
    ");
    insta::assert_snapshot!(sandbox.tree("out"), @"
    644 demo-1.0.data/scripts/demo
    644 demo-1.0.dist-info/METADATA
    644 demo-1.0.dist-info/RECORD
    644 demo-1.0.dist-info/WHEEL
    644 demo/__init__.py
    755 demo/tool
    ");
}

#[test]
fn a_source_distribution_is_unpacked_into_its_directory() {
    for packing in Packing::ALL {
        let sandbox = Sandbox::new();
        let path = sdist().write_to(&sandbox.path(""), packing);
        let text = sandbox.run(&["unpack", path.to_str().unwrap(), "a/b/out"]);
        assert_eq!(
            text,
            "exit: 0\n--- stdout\n5 files, 143 B, unpacked to a/b/out\n"
        );
        assert_eq!(
            sandbox.tree("a/b/out"),
            "644 demo-1.0/PKG-INFO\n755 demo-1.0/configure\n777 demo-1.0/link\n\
             644 demo-1.0/pyproject.toml\n644 demo-1.0/src/demo.c\n"
        );
    }
}

#[test]
fn all_times_are_the_same() {
    let sandbox = Sandbox::new();
    let (wheel, sdist) = (
        sandbox.wheel(&demo()),
        sdist().write_to(&sandbox.path(""), Packing::TarGz),
    );
    sandbox.run(&["unpack", &wheel, "wheel"]);
    sandbox.run(&["unpack", sdist.to_str().unwrap(), "sdist"]);
    for path in [
        "wheel",
        "wheel/demo",
        "wheel/demo/tool",
        "sdist/demo-1.0",
        "sdist/demo-1.0/link",
    ] {
        let metadata = fs_err::symlink_metadata(sandbox.path(path)).unwrap();
        assert_eq!(metadata.mtime(), 315_619_200, "{path}");
    }
}

#[test]
fn modes_do_not_depend_on_the_umask() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    #[expect(
        clippy::disallowed_methods,
        reason = "sets the umask of the program under test"
    )]
    let status = std::process::Command::new("sh")
        .args(["-c", "umask 077; exec \"$0\" unpack -q \"$1\" out"])
        .args([env!("CARGO_BIN_EXE_wheelfix"), &wheel])
        .current_dir(sandbox.path(""))
        .status()
        .unwrap();
    assert!(status.success());
    let mode = |path| fs_err::metadata(sandbox.path(path)).unwrap().mode() & 0o7777;
    assert_eq!(mode("out"), 0o755);
    assert_eq!(mode("out/demo"), 0o755);
    assert_eq!(mode("out/demo/__init__.py"), 0o644);
    assert_eq!(mode("out/demo/tool"), 0o755);
}

#[test]
fn json_lists_a_source_distribution() {
    let sandbox = Sandbox::new();
    let path = sdist().write_to(&sandbox.path(""), Packing::TarGz);
    insta::assert_snapshot!(sandbox.run(&["unpack", path.to_str().unwrap(), "out", "--json"]), @r#"
    exit: 0
    --- stdout
    {
      "version": 1,
      "archive": "[DIR]/demo-1.0.tar.gz",
      "kind": "sdist",
      "dir": "out",
      "bytes": 143,
      "entries": [
        {
          "path": "demo-1.0",
          "type": "directory"
        },
        {
          "path": "demo-1.0/PKG-INFO",
          "type": "file",
          "bytes": 46,
          "executable": false
        },
        {
          "path": "demo-1.0/pyproject.toml",
          "type": "file",
          "bytes": 77,
          "executable": false
        },
        {
          "path": "demo-1.0/configure",
          "type": "file",
          "bytes": 10,
          "executable": true
        },
        {
          "path": "demo-1.0/src/demo.c",
          "type": "file",
          "bytes": 10,
          "executable": false
        },
        {
          "path": "demo-1.0/link",
          "type": "symlink",
          "target": "src/demo.c"
        }
      ]
    }
    "#);
}

#[test]
fn json_has_the_digests_of_a_wheel() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&WheelBuilder::new("tiny", "1"));
    insta::assert_snapshot!(sandbox.run(&["unpack", &wheel, "out2", "--json"]), @r#"
    exit: 0
    --- stdout
    {
      "version": 1,
      "archive": "tiny-1-py3-none-any.whl",
      "kind": "wheel",
      "dir": "out2",
      "bytes": 336,
      "entries": [
        {
          "path": "tiny-1.dist-info/METADATA",
          "type": "file",
          "bytes": 66,
          "executable": false,
          "sha256": "7d02a269ff9cc48a479b85d3e87ee0c7fd583e9ed7001590a8dd7e7a6b4af16a"
        },
        {
          "path": "tiny-1.dist-info/WHEEL",
          "type": "file",
          "bytes": 87,
          "executable": false,
          "sha256": "c8c089cdc8826c3b6b1b692394a20c1a71b33025568ad3cb04a2047f83cd4a49"
        },
        {
          "path": "tiny-1.dist-info/RECORD",
          "type": "file",
          "bytes": 183,
          "executable": false,
          "sha256": "37b7da81948d054e689a8e0c0e0375983129b4675632f9d572a4faf9e3dc1026"
        }
      ]
    }
    "#);
}

#[test]
fn a_directory_that_is_not_empty_is_left_alone() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    fs_err::create_dir(sandbox.path("empty")).unwrap();
    assert_eq!(sandbox.run(&["unpack", "-q", &wheel, "empty"]), "exit: 0\n");
    let text = sandbox.run(&["unpack", &wheel, "empty"]);
    assert_eq!(
        text,
        format!(
            "exit: 1\n--- stderr\nerror: directory exists and is not empty: `[DIR]/empty`\n\
             next: wheelfix unpack {wheel} empty-1\n"
        )
    );
    let text = sandbox.run(&["unpack", &wheel, &wheel]);
    assert_eq!(
        text,
        format!("exit: 1\n--- stderr\nerror: not a directory: `[DIR]/{wheel}`\n")
    );
}

#[test]
fn what_is_wrong_with_the_arguments_is_said() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let path = sdist().write_to(&sandbox.path(""), Packing::TarGz);
    fs_err::rename(path, sandbox.path("sdist.rar")).unwrap();
    let run = |args: &[&str]| sandbox.run(&[&["unpack"], args].concat());
    insta::assert_snapshot!(run(&["sdist.rar", "out"]), @"
    exit: 1
    --- stderr
    error: `sdist.rar`: invalid file name of a source distribution
      cause: a source distribution must end in .tar.gz, .tgz, .tar.bz2, .tar.xz, .tar.zst or .zip: `sdist.rar`
    ");
    insta::assert_snapshot!(run(&["missing-1.0-py3-none-any.whl", "out"]), @"
    exit: 3
    --- stderr
    error: `missing-1.0-py3-none-any.whl`: no such file or directory
    ");
    insta::assert_snapshot!(run(&["missing-1.0.tar.gz", "out"]), @"
    exit: 3
    --- stderr
    error: `missing-1.0.tar.gz`: no such file or directory
    ");
    insta::assert_snapshot!(run(&["missing-1.0.tar.gz", "out", "--accept-mismatch", "x"]), @"
    exit: 2
    --- stderr
    error: `--accept-mismatch x` is for wheels, which have a RECORD
    ");
    insta::assert_snapshot!(run(&[&wheel, "out", "--accept-mismatch", "x"]), @"
    exit: 1
    --- stderr
    error: `demo-1.0-py3-none-any.whl`: `x` is to be accepted although it differs from `RECORD`, but is not in the wheel
    ");
    insta::assert_snapshot!(run(&[&wheel, "out", "--max-size", "1X"]), @"
    exit: 2
    --- stderr
    error: invalid value '1X' for '--max-size <SIZE>': expected a number, or a number with K, M, G or T

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(run(&[&wheel, "out", "--max-size", "100"]), @"
    exit: 1
    --- stderr
    error: `demo-1.0-py3-none-any.whl`: members take 590 bytes, limit is 100
    hint: allow more with `--max-size SIZE` or `--max-ratio N`
    ");
    assert_eq!(sandbox.names(), [wheel.as_str(), "sdist.rar"]);
}

#[test]
fn a_mismatch_is_accepted_by_name() {
    let sandbox = Sandbox::new();
    let row = "demo/tool,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,10\n";
    let wheel = sandbox.wheel(&demo().record_row("demo/tool", row));
    insta::assert_snapshot!(sandbox.run(&["unpack", &wheel, "out"]), @"
    exit: 1
    --- stderr
    error: `demo-1.0-py3-none-any.whl`: member `demo/tool`: sha256 mismatch: expected e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, got a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf
    hint: add --accept-mismatch demo/tool  # if you know its content
    ");
    let text = sandbox.run(&[
        "unpack",
        "-q",
        &wheel,
        "out",
        "--accept-mismatch",
        "demo/tool",
    ]);
    assert_eq!(text, "exit: 0\n");
}

#[test]
fn a_bomb_is_accepted_by_a_higher_ratio() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo().file("demo/zeros", vec![0; 70 << 20]));
    insta::assert_snapshot!(sandbox.run(&["unpack", &wheel, "out"]), @"
    exit: 1
    --- stderr
    error: `demo-1.0-py3-none-any.whl`: members take 73400981 bytes, 1021 times what the archive holds, limit is 200 times
    hint: allow more with `--max-size SIZE` or `--max-ratio N`
    ");
    let text = sandbox.run(&["unpack", "-q", &wheel, "out", "--max-ratio", "1032"]);
    assert_eq!(text, "exit: 0\n");
}

#[test]
fn a_source_distribution_has_one_directory() {
    let sandbox = Sandbox::new();
    let path = sdist()
        .beside("setup.py", b"")
        .write_to(&sandbox.path(""), Packing::TarGz);
    let run = || sandbox.run(&["unpack", path.to_str().unwrap(), "out"]);
    insta::assert_snapshot!(run(), @"
    exit: 1
    --- stderr
    error: `[DIR]/demo-1.0.tar.gz`: expected one directory at the top level, got `demo-1.0`, `setup.py`
    ");
    let tar = wheelfix_testkit::sdist::RawTar::new();
    fs_err::write(
        &path,
        Packing::TarGz.compress(&tar.clone().file("setup.py", b"").build()),
    )
    .unwrap();
    insta::assert_snapshot!(run(), @"
    exit: 1
    --- stderr
    error: `[DIR]/demo-1.0.tar.gz`: expected one directory at the top level, got the file `setup.py`
    ");
    fs_err::write(&path, Packing::TarGz.compress(&tar.build())).unwrap();
    insta::assert_snapshot!(run(), @"
    exit: 1
    --- stderr
    error: `[DIR]/demo-1.0.tar.gz`: expected one directory at the top level, got nothing
    ");
}

/// Runs every case; each must be refused and leave nothing behind. Gives what was said.
fn refuse_all(cases: &[Case], file: &str) -> String {
    let sandbox = Sandbox::new();
    let path = sandbox.path(file);
    let start = format!("exit: 1\n--- stderr\nerror: `{file}`: ");
    let rows = cases.iter().map(|case| {
        fs_err::write(&path, &case.archive).unwrap();
        let text = sandbox.run(&["unpack", file, "out/dir"]);
        let Some(reason) = text.strip_prefix(&start) else {
            panic!("{}: {text}", case.name);
        };
        assert_eq!(sandbox.names(), [file], "{}", case.name);
        format!("{}: {reason}", case.name)
    });
    rows.collect::<Vec<_>>().concat()
}

#[test]
fn hostile_archives_leave_nothing_behind() {
    let wheel = "demo-1.0-py3-none-any.whl";
    refuse_all(&hostile::zip_structures(), wheel);
    refuse_all(&hostile::zip_contents(), wheel);
    refuse_all(&hostile::tars(), "demo-1.0.tar.gz");
}

#[test]
fn wheels_that_contradict_themselves_are_refused() {
    insta::assert_snapshot!(refuse_all(&hostile::wheels(), "demo-1.0-py3-none-any.whl"));
}

#[test]
fn odd_wheels_are_accepted() {
    let sandbox = Sandbox::new();
    let file = "demo-1.0-py3-none-any.whl";
    // Those whose members differ from the base are not in its RECORD.
    for name in [
        "plain",
        "comment",
        "trailing-nuls",
        "zip64-ends",
        "zip64-lengths",
        "stored",
        "descriptor",
        "mode-none",
    ] {
        let case = hostile::odd()
            .into_iter()
            .find(|case| case.name == name)
            .unwrap();
        fs_err::write(sandbox.path(file), case.archive).unwrap();
        assert_eq!(
            sandbox.run(&["unpack", "-q", file, name]),
            "exit: 0\n",
            "{name}"
        );
    }
}
