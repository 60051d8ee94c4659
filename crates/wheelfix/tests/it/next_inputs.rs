//! The line to type next, where an input or a place to write to is not what is wanted.

use fs_err as fs;
use insta::assert_snapshot;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::next_step::{next, program, shell};
use crate::support::Sandbox;

/// A wheel without ELF files.
fn wheel(version: &str) -> WheelBuilder {
    WheelBuilder::new("demo", version).file("demo.py", "x = 1\n")
}

/// Runs a line that is to work.
fn works(sandbox: &Sandbox, line: &str) -> String {
    let (done, said) = shell(sandbox, line);
    assert!(done, "{line}\n{said}");
    said
}

#[test]
fn a_place_that_is_a_file_has_another_in_its_stead() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&wheel("1.0"));
    fs::write(sandbox.path("file"), "").unwrap();
    let version = ["--python-version", "3.11"];
    for command in ["install", "env"] {
        let args = [&[command, &wheel, "--prefix", "file"], &version[..]].concat();
        let text = sandbox.run(&args);
        assert!(
            text.contains("is not a directory") && !text.contains("--merge"),
            "{text}"
        );
        works(&sandbox, next(&text));
        fs::remove_dir_all(sandbox.path("file-1")).unwrap();
    }
    assert_snapshot!(sandbox.run(&["unpack", &wheel, "file"]), @"
    exit: 1
    --- stderr
    error: not a directory: `[DIR]/file`
    next: wheelfix unpack demo-1.0-py3-none-any.whl file-1
    ");
    assert_snapshot!(sandbox.run(&["patch", &wheel, "-o", "file"]), @"
    exit: 1
    --- stderr
    error: `[DIR]/file` is not the name of a wheel
      cause: the file name of a wheel must end in `.whl`: `file`
    hint: name another `--output`, or a directory to make it in
    next: wheelfix patch demo-1.0-py3-none-any.whl -o patched
    ");
    let text = sandbox.run(&["patch", &wheel, "--output=other.whl"]);
    works(&sandbox, next(&text));
    assert!(sandbox.path("patched").join(&wheel).is_file());
}

#[test]
fn of_one_distribution_the_newest_stays() {
    let sandbox = Sandbox::new();
    let [old, new] = ["1.9", "1.10"].map(|version| sandbox.wheel(&wheel(version)));
    fs::create_dir(sandbox.path("copies")).unwrap();
    let copy = format!("copies/{new}");
    fs::copy(sandbox.path(&new), sandbox.path(&copy)).unwrap();
    let args = ["install", &old, &new, &copy, "--prefix", "out"];
    let version = ["--python-version", "3.11"];
    let text = sandbox.run(&[&args[..], &version].concat());
    assert_snapshot!(text, @"
    exit: 1
    --- stderr
    error: `demo` comes in 3 wheels: `demo-1.9-py3-none-any.whl`, `demo-1.10-py3-none-any.whl` and `copies/demo-1.10-py3-none-any.whl`
      fix: leave out copies/demo-1.10-py3-none-any.whl demo-1.9-py3-none-any.whl
    next: wheelfix install demo-1.10-py3-none-any.whl --prefix out --python-version 3.11
    ");
    works(&sandbox, next(&text));
    // Prefixes too.
    let args = ["env", "out", &old, "--prefix", "env"];
    let text = sandbox.run(&[&args[..], &version].concat());
    let fix = format!("\n  fix: leave out [DIR]/{old}\n");
    assert!(text.contains(&fix), "{text}");
    let line = next(&text);
    assert_eq!(line, "wheelfix env out --prefix env --python-version 3.11");
    works(&sandbox, line);
}

#[test]
fn of_a_library_its_directory_is_named() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&wheel("1.0"));
    fs::create_dir(sandbox.path("libs")).unwrap();
    sandbox.library("int c;", &["-o", "libs/libc0.so.1"]);
    fs::write(sandbox.path("text"), "").unwrap();
    let args = [
        "install",
        &wheel,
        "--prefix",
        "out",
        "--python-version=3.11",
    ];
    let paths = ["--lib-path=libs/libc0.so.1", "--lib-path", "text"];
    let text = sandbox.run(&[&args[..], &paths].concat());
    assert_snapshot!(text, @"
    exit: 1
    --- stderr
    error: library path `[DIR]/libs/libc0.so.1` is not a directory
      fix: --lib-path [DIR]/libs
    error: library path `[DIR]/text` is not a directory
      fix: leave it out: what is missing then is told, with what has it
    next: wheelfix install demo-1.0-py3-none-any.whl --prefix out --python-version=3.11 --lib-path=[DIR]/libs
    ");
    works(
        &sandbox,
        &next(&text).replace("[DIR]", &sandbox.path("").display().to_string()),
    );
    // A part of a list is no word.
    let text = sandbox.run(&[&args[..], &["--lib-path", "libs:libs/libc0.so.1"]].concat());
    assert!(!text.contains("next:"), "{text}");
}

/// A command that takes one wheel is given the one of the package, without those that it requires.
#[test]
fn a_package_is_downloaded_for_every_command_that_takes_a_wheel() {
    let sandbox = Sandbox::new();
    sandbox.wheel(&wheel("1.0"));
    program(&sandbox, "pip", "mkdir wheels && cp *.whl wheels/");
    let pip = "pip download --only-binary=:all:";
    for (args, alone) in [
        (&["inspect", "demo"][..], "--no-deps "),
        (&["unpack", "demo", "out"], "--no-deps "),
        (&["check", "demo"], ""),
    ] {
        let text = sandbox.run(args);
        let fix = format!("\n  fix: {pip} {alone}-d wheels demo  # and name wheels/*.whl\n");
        assert!(text.contains(&fix), "{text}");
        let line = format!("{pip} {alone}-d wheels demo && wheelfix {}", args.join(" "));
        let line = line.replace(
            &format!("{} demo", args[0]),
            &format!("{} wheels/*.whl", args[0]),
        );
        assert_eq!(next(&text), line);
        works(&sandbox, &line);
        fs::remove_dir_all(sandbox.path("wheels")).unwrap();
    }
    let text = sandbox.run(&["why", "demo"]);
    assert!(!text.contains("package"), "{text}");
}

#[test]
fn a_program_that_is_no_python_is_called_so() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&wheel("1.0"));
    let args = ["install", &wheel, "--prefix", "out", "--python", "true"];
    assert_snapshot!(sandbox.run(&args), @"
    exit: 1
    --- stderr
    error: `true` is no Python: it does not run what it is told with `-c`
    ");
}
