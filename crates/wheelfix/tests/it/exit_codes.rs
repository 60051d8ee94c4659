//! One fault ends with one exit code, whichever command meets it.

use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// A sandbox with a wheel, a library, a program, a text, a text that is called a wheel, and an empty
/// directory.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.wheel(&WheelBuilder::new("a", "1.0").file("a.py", "x = 1\n"));
    fs_err::create_dir(sandbox.path("dir")).unwrap();
    for name in ["text", "t-1.0-py3-none-any.whl"] {
        fs_err::write(sandbox.path(name), "= no rule, no wheel\n").unwrap();
    }
    fs_err::write(sandbox.path("x.c"), "void a(void) {}\n").unwrap();
    let args = ["-shared", "-fPIC", "-nostdlib", "x.c", "-o", "a.so"];
    Tool::CC.run_in(&sandbox.path("."), &args).expect();
    sandbox
}

/// Runs commands with some arguments in the place of `IT`, else at the end.
#[track_caller]
fn expect(sandbox: &Sandbox, commands: &[&str], fault: &[&str], code: i32) {
    let before = sandbox.tree(".");
    let mut wrong = Vec::new();
    for command in commands {
        let (start, end) = command.split_once(" IT").unwrap_or((command, ""));
        let fault = fault.iter().copied();
        let args: Vec<&str> = start
            .split(' ')
            .chain(fault)
            .chain(end.split_whitespace())
            .collect();
        let text = sandbox.run(&args);
        if !text.starts_with(&format!("exit: {code}\n")) || !text.contains("error: ") {
            wrong.push(format!("{args:?}: expected {code}, got {text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(sandbox.tree("."), before);
}

#[test]
fn a_wrong_command_line_has_a_document_too() {
    let sandbox = sandbox();
    insta::assert_snapshot!(sandbox.run(&["check", "--json", "--quite", "a.so"]), @r#"
    exit: 2
    --- stdout
    {
      "version": 1,
      "errors": [
        "unexpected argument '--quite' found"
      ],
      "hints": [
        "a similar argument exists: '--quiet'"
      ],
      "next": null
    }
    --- stderr
    error: unexpected argument '--quite' found

      tip: a similar argument exists: '--quiet'

    Usage: wheelfix check --json --quiet <PATH>...

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(sandbox.run(&["install", "--json"]), @r#"
    exit: 2
    --- stdout
    {
      "version": 1,
      "errors": [
        "the following required arguments were not provided:\n  --prefix <DIR>\n  <WHEEL>..."
      ],
      "hints": [],
      "next": null
    }
    --- stderr
    error: the following required arguments were not provided:
      --prefix <DIR>
      <WHEEL>...

    Usage: wheelfix install --prefix <DIR> --json <WHEEL>...

    For more information, try '--help'.
    "#);
    let text = sandbox.run(&["check", "--json", "--help"]);
    assert!(text.starts_with("exit: 0\n--- stdout\nProve"), "{text}");
}

#[test]
fn too_many_files_are_told_with_what_to_type() {
    let sandbox = sandbox();
    let tips = |args: &[&str]| {
        let text = sandbox.run(args);
        assert!(text.starts_with("exit: 2\n"), "{text}");
        let tips = text.lines().filter_map(|line| line.strip_prefix("  tip: "));
        tips.map(str::to_owned).collect::<Vec<_>>()
    };
    let of_two = [
        "`wheelfix diff a.so 'b c.so'` says how they differ",
        "`for file in a.so 'b c.so'; do wheelfix inspect \"$file\"; done` takes one after the other",
    ];
    assert_eq!(tips(&["inspect", "--quiet", "a.so", "b c.so"]), of_two);
    let of_three =
        ["`for file in a b c; do wheelfix inspect \"$file\"; done` takes one after the other"];
    assert_eq!(tips(&["inspect", "a", "b", "--all", "c"]), of_three);
    let archives = [
        "`for file in a.whl b.whl; do wheelfix unpack \"$file\" out/\"${file##*/}\"; done` takes one after the other",
    ];
    assert_eq!(tips(&["unpack", "a.whl", "b.whl", "out"]), archives);
    let libraries =
        ["`for file in a b c; do wheelfix why \"$file\"; done` takes one after the other"];
    assert_eq!(tips(&["why", "a", "b", "c"]), libraries);
    let compared = ["two are compared at a time: `wheelfix diff a b`"];
    assert_eq!(tips(&["diff", "a", "b", "c"]), compared);
    // Another fault is told by itself.
    assert_eq!(tips(&["inspect", "a", "b", "--no-such"]).len(), 0);
}

#[test]
fn a_wheel_of_another_system_is_refused_under_every_name() {
    let sandbox = Sandbox::new();
    let wheel = WheelBuilder::new("m", "1.0")
        .tags("cp311-cp311-manylinux_2_17_x86_64")
        .file("m/_c.pyd", b"MZ\x90\0\x03\0\0\0");
    let wheel = sandbox.wheel(&wheel);
    for command in [
        &[
            "install",
            &wheel,
            "--prefix",
            "p",
            "--python-version",
            "3.11",
        ] as &[&str],
        &["patch", &wheel, "-o", "out"],
    ] {
        let line = command.join(" ").replace(&wheel, "wheels/*.whl");
        let want = format!(
            "exit: 1\n--- stderr\n\
             error: `{wheel}`: the name says Linux, but the wheel is for Windows: `m/_c.pyd` is PE, and no file is ELF\n  \
             fix: pip download --only-binary=:all: --no-deps -d wheels m==1.0  # and name wheels/*.whl\n\
             next: pip download --only-binary=:all: --no-deps -d wheels m==1.0 && wheelfix {line}\n"
        );
        assert_eq!(sandbox.run(command), want);
    }
    // The same by its name.
    let windows = WheelBuilder::new("w", "1.0").tags("cp311-cp311-win_amd64");
    let windows = sandbox.wheel(&windows);
    let download = "pip download --only-binary=:all: --no-deps -d wheels w==1.0";
    for (command, target) in [
        (
            "install --prefix p --python-version 3.11",
            "Linux on x86_64 with glibc",
        ),
        (
            "env --prefix e --python-version 3.11",
            "Linux on x86_64 with glibc",
        ),
        ("patch -o out", "Linux"),
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        let text = sandbox.run(&[&words[..1], &[&windows], &words[1..]].concat());
        let want = format!("the wheel is for Windows (win_amd64), the target is {target}");
        assert!(
            text.contains(&want) && text.starts_with("exit: 1\n"),
            "{text}"
        );
        let next = command.replacen(' ', " wheels/*.whl ", 1);
        assert!(
            text.ends_with(&format!("\nnext: {download} && wheelfix {next}\n")),
            "{text}"
        );
    }
    // Where another machine is meant, pip would bring what is for this one.
    let text = sandbox.run(&[
        "install",
        &wheel,
        "--prefix",
        "p",
        "--target",
        "x86_64-linux-cp311",
    ]);
    assert!(
        text.contains("\n  fix: name the wheel for the target\n") && !text.contains("next:"),
        "{text}"
    );
}

#[test]
fn bundled_libraries_stay_where_no_other_is_named() {
    let sandbox = sandbox();
    let note = "note: no --lib-path is named: only another copy";
    let text = sandbox.run(&["unbundle", "a.so"]);
    assert!(
        text.starts_with("exit: 0\n") && text.contains(note),
        "{text}"
    );
    let text = sandbox.run(&["unbundle", "a.so", "--lib-path", "dir"]);
    assert!(
        text.starts_with("exit: 0\n") && !text.contains(note),
        "{text}"
    );
}

#[test]
fn what_has_many_files_is_for_another_command() {
    let sandbox = sandbox();
    insta::assert_snapshot!(sandbox.run(&["why", "dir", "libc.so.6", "--lib-path", "dir"]), @"
    exit: 1
    --- stderr
    warning: `--lib-path dir` has no library, and no directory `lib` with one
    error: `dir` is a directory, not a library or program
    hint: `wheelfix check` looks at all files of it, `wheelfix why` explains one
    next: wheelfix check dir
    ");
    insta::assert_snapshot!(sandbox.run(&["why", WHEEL]), @"
    exit: 1
    --- stderr
    error: `a-1.0-py3-none-any.whl` is a wheel, not a library or program
    hint: `wheelfix check` looks at all files of it, `wheelfix why` explains one
    next: wheelfix check a-1.0-py3-none-any.whl
    ");
    insta::assert_snapshot!(sandbox.run(&["diff", WHEEL, "demo"]), @"
    exit: 3
    --- stderr
    error: `demo`: no such file; wheelfix downloads nothing, if a package is meant
      fix: pip download --only-binary=:all: --no-deps -d wheels demo  # and name wheels/*.whl
    next: pip download --only-binary=:all: --no-deps -d wheels demo && wheelfix diff a-1.0-py3-none-any.whl wheels/*.whl
    ");
}

const WHEEL: &str = "a-1.0-py3-none-any.whl";

/// As `install` and `env` do it.
#[test]
fn all_that_is_named_and_is_not_there_is_told_at_once() {
    let sandbox = sandbox();
    for command in [
        "check no/a no/b",
        "check no/a no/b a-1.0-py3-none-any.whl",
        "why no/a",
        "patch no/a no/b",
        "patch no/a.whl -o new",
        "unbundle no/a no/b",
        "unbundle no/a.whl -o new",
    ] {
        let named = command.split(' ').filter(|word| word.contains('/'));
        let mut named: Vec<String> = named
            .map(|word| format!("`{word}`: no such file"))
            .collect();
        named.push("`[DIR]/libs` does not exist".to_owned());
        named.push("`no-rules`".to_owned());
        named.push("there is no program `no-python`".to_owned());
        let wrong = "--lib-path libs --rules no-rules --python no-python";
        let args: Vec<&str> = command.split(' ').chain(wrong.split(' ')).collect();
        let text = sandbox.run(&args);
        assert!(text.starts_with("exit: 3\n"), "{command}: {text}");
        for name in &named {
            assert_eq!(text.matches(name).count(), 1, "{command}: {name}: {text}");
        }
        let errors = text.matches("error: ").count();
        assert_eq!(errors, named.len(), "{command}: {text}");
        let has_version = command.starts_with("check");
        assert_eq!(text.contains("--python-version"), has_version, "{text}");
    }
    // What cannot become a wheel is told with the rest, too.
    let args = "patch text -o new --lib-path libs --python no-python";
    let text = sandbox.run(&args.split(' ').collect::<Vec<_>>());
    assert_eq!(text.matches("error: ").count(), 3, "{text}");
}

/// Every command that reads libraries, with all that it needs.
const READERS: &[&str] = &[
    "install a-1.0-py3-none-any.whl --prefix p --python-version 3.11",
    "install a-1.0-py3-none-any.whl --prefix p --python-version 3.11 --dry-run",
    "env a-1.0-py3-none-any.whl --prefix p --python-version 3.11",
    "check a-1.0-py3-none-any.whl",
    "check a.so",
    "why a.so",
    "patch a.so",
    "patch a-1.0-py3-none-any.whl -o b",
    "unbundle a.so",
];

#[test]
fn an_input_that_is_not_there_is_3_and_one_that_is_wrong_is_1() {
    let sandbox = sandbox();
    let tree: &[&str] = &[
        "inspect",
        "check",
        "why",
        "patch",
        "unbundle",
        "env --prefix p",
    ];
    let wheel: &[&str] = &[
        "inspect",
        "check",
        "unpack IT p",
        "install --prefix p --python-version 3.11",
        "env --prefix p --python-version 3.11",
        "patch -o b",
        "unbundle -o b",
    ];
    expect(&sandbox, tree, &["absent"], 3);
    expect(&sandbox, tree, &["absent/deep/er"], 3);
    expect(&sandbox, wheel, &["absent-1.0-py3-none-any.whl"], 3);
    expect(&sandbox, wheel, &["t-1.0-py3-none-any.whl"], 1);
    expect(&sandbox, &["inspect", "check", "why"], &["text"], 1);
    expect(
        &sandbox,
        &["install --prefix p", "env --prefix p"],
        &[WHEEL, "--no"],
        2,
    );
}

#[test]
fn a_library_path_that_is_not_there_is_3_and_one_that_is_wrong_is_1() {
    let sandbox = sandbox();
    expect(&sandbox, READERS, &["--lib-path", "absent"], 3);
    expect(&sandbox, READERS, &["--lib-path", "text"], 1);
    let two = ["--lib-path", "text", "--lib-path", "absent"];
    expect(&sandbox, READERS, &two, 1);
}

#[test]
fn rules_that_are_not_there_are_3_and_those_that_are_wrong_are_1() {
    let sandbox = sandbox();
    expect(&sandbox, READERS, &["--rules", "absent"], 3);
    expect(&sandbox, READERS, &["--rules", "dir"], 1);
    expect(&sandbox, READERS, &["--rules", "text"], 1);
}

#[test]
fn a_python_that_cannot_be_run_is_3_and_one_that_is_none_is_1() {
    let sandbox = sandbox();
    let commands: Vec<String> = READERS
        .iter()
        .map(|command| command.replace(" --python-version 3.11", ""))
        .collect();
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    expect(&sandbox, &commands, &["--python", "./absent"], 3);
    expect(&sandbox, &commands, &["--python", "./text"], 3);
    expect(&sandbox, &commands, &["--python", "false"], 1);
    let text = sandbox.run(&["install", WHEEL, "--prefix", "p", "--python", "./absent"]);
    assert!(!text.contains("name one"), "{text}");
}

#[test]
fn an_interpreter_that_is_not_there_is_3_and_one_that_is_wrong_is_1() {
    let sandbox = sandbox();
    let commands = ["check a.so", "why a.so", "patch a.so", "unbundle a.so"];
    expect(&sandbox, &commands, &["--interpreter", "absent"], 3);
    expect(&sandbox, &commands, &["--interpreter", "text"], 1);
    expect(&sandbox, &commands, &["--interpreter", "dir"], 1);
}

#[test]
fn all_that_is_wrong_with_libraries_and_rules_is_told_at_once() {
    let sandbox = sandbox();
    for reader in READERS {
        let args: Vec<&str> = reader.split(' ').collect();
        let more = [
            "--lib-path",
            "absent",
            "--lib-path",
            "text",
            "--rules",
            "text",
            "--rules",
            "none",
        ];
        let text = sandbox.run(&[&args[..], &more].concat());
        assert!(text.starts_with("exit: 3\n"), "{reader}: {text}");
        assert_eq!(text.matches("error: ").count(), 4, "{reader}: {text}");
    }
}

#[test]
fn the_old_name_of_an_option_leads_to_the_new_one() {
    let sandbox = Sandbox::new();
    let text = sandbox.run_with(&["check", ".", "--library-path", "libs"], &[]);
    assert!(text.starts_with("exit: 2\n"), "{text}");
    assert!(text.contains("is called `--ld-library-path`"), "{text}");
    let help = sandbox.run_with(&["check", "--help"], &[]);
    assert!(!help.contains("--library-path"), "{help}");
}
