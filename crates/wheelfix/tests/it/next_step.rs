//! The line to type next: what it says, and that it mends all when a shell runs it.

use std::process::Command;

use fs_err as fs;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// A wheel whose module needs two libraries that nixpkgs has, called with a space in its name.
fn with_needy_wheel() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("m.c"), "int m;").unwrap();
    let args = [
        "-shared",
        "-nostdlib",
        "-Wl,--no-as-needed",
        "-o",
        "built.so",
        "m.c",
        "-l:libz.so.1",
        "-l:libbz2.so.1.0",
    ];
    Tool::CC.run_in(&sandbox.path("."), &args).expect();
    let wheel = WheelBuilder::new("m", "1.0")
        .file("m/__init__.py", "")
        .file("m/m.so", fs::read(sandbox.path("built.so")).unwrap());
    let name = sandbox.wheel(&wheel);
    (sandbox, name)
}

/// The line that a run prints.
pub(crate) fn next(text: &str) -> &str {
    let line = text.lines().find_map(|line| line.strip_prefix("next: "));
    line.unwrap_or_else(|| panic!("{text}"))
}

/// Runs a line in a shell whose `PATH` begins with the programs of the sandbox.
#[expect(clippy::disallowed_methods, reason = "runs the program under test")]
pub(crate) fn shell(sandbox: &Sandbox, line: &str) -> (bool, String) {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_wheelfix"));
    let own = program.parent().unwrap().display();
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{own}:{path}", sandbox.path("bin").display());
    let mut command = Command::new("sh");
    command.args(["-c", line]).env("PATH", path);
    let output = command.current_dir(sandbox.path("")).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// Puts a script into the sandbox' `bin`.
pub(crate) fn program(sandbox: &Sandbox, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(sandbox.path("bin")).unwrap();
    let path = sandbox.path("bin").join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}")).unwrap();
    fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A word of a shell: Python that opens the module's library.
const OPENS: &str = "'import ctypes, m; ctypes.CDLL(m.__path__[0] + \"/m.so\")'";

#[test]
fn all_libraries_come_by_one_line_that_a_shell_runs() {
    let (sandbox, wheel) = with_needy_wheel();
    let args = ["install", &wheel, "--prefix", "o u t", "--no-bytecode"];
    let text = sandbox.run(&args);
    assert_eq!(
        next(&text),
        "wheelfix install m-1.0-py3-none-any.whl --prefix 'o u t' --no-bytecode --lib-path \"$(nix-build \
         --no-out-link -E 'with import <nixpkgs> { }; map lib.getLib [ bzip2 zlib ]' | paste -sd:)\""
    );
    // What follows `--` are wheels.
    let text = sandbox.run(&["install", "--prefix=out", "--no-bytecode", "--", &wheel]);
    let line = next(&text);
    assert!(line.ends_with(":)\" -- m-1.0-py3-none-any.whl"), "{line}");
    let text = sandbox.run(&args);
    // As `nix-build` prints the outputs of a list: a line each.
    let directories = ["libz.so.1", "libbz2.so.1.0"].map(|name| {
        let directory = sandbox.path(&format!("store {name}/lib"));
        fs::create_dir_all(&directory).unwrap();
        fs::copy(wheelfix_testkit::host::library(name), directory.join(name)).unwrap();
        directory.parent().unwrap().display().to_string()
    });
    let stub = format!(
        "echo \"$3\" >&2; printf '%s\\n' '{}' '{}'",
        directories[0], directories[1]
    );
    program(&sandbox, "nix-build", &stub);
    let (done, said) = shell(&sandbox, next(&text));
    assert!(done, "{said}");
    assert!(
        said.contains("with import <nixpkgs> { }; map lib.getLib [ bzip2 zlib ]\n"),
        "{said}"
    );
    assert!(said.contains("1 of 1 object proved to load"), "{said}");
    let start = said
        .lines()
        .find_map(|line| line.strip_prefix("start it: "));
    let (started, said) = shell(&sandbox, &format!("{} -c {OPENS}", start.unwrap()));
    assert!(started, "{said}");
}

#[test]
fn wheels_are_downloaded_by_the_line() {
    let (sandbox, wheel) = with_needy_wheel();
    let user = WheelBuilder::new("user", "1.0").metadata("Requires-Dist: m>=1\n");
    let user = sandbox.wheel(&user);
    fs::create_dir(sandbox.path("elsewhere")).unwrap();
    fs::rename(sandbox.path(&wheel), sandbox.path("elsewhere").join(&wheel)).unwrap();
    let args = ["env", &user, "--prefix", "e", "--no-bytecode"];
    let text = sandbox.run(&args);
    assert_eq!(
        next(&text),
        "pip download --only-binary=:all: -d wheels user-1.0-py3-none-any.whl 'm>=1' && \
         wheelfix env wheels/*.whl --prefix e --no-bytecode"
    );
    let stub = "mkdir wheels && cp *.whl elsewhere/*.whl wheels/";
    program(&sandbox, "pip", stub);
    let excuses = "--ignore-missing 'libz*' --ignore-missing 'libbz2*'";
    let (done, said) = shell(&sandbox, &format!("{} {excuses}", next(&text)));
    assert!(done, "{said}");
    assert!(said.contains("2 distributions"), "{said}");
}

/// `patch -o` makes one wheel of another: a line that names all that was downloaded would be refused.
#[test]
fn what_makes_one_wheel_is_given_no_others() {
    let sandbox = Sandbox::new();
    let soname = "-Wl,-soname,libsvml.so";
    sandbox.library("int c;", &["-o", "libsvml.so", soname]);
    sandbox.library(
        "int m;",
        &["-o", "m.so", "-Wl,--no-as-needed", "-L.", "-lsvml"],
    );
    let wheel =
        WheelBuilder::new("m", "1.0").file("m/m.so", fs::read(sandbox.path("m.so")).unwrap());
    let wheel = sandbox.wheel(&wheel);
    let python = ["--python-version", "3.11"];
    let text = sandbox.run(&[&["install", &wheel, "--prefix", "p"][..], &python].concat());
    assert!(next(&text).contains("intel-cmplr-lib-rt"), "{text}");
    let text = sandbox.run(&["patch", &wheel, "-o", "out"]);
    assert!(text.contains("error: `libsvml.so` is missing"), "{text}");
    assert!(!text.contains("\nnext: "), "{text}");
}

#[test]
fn what_is_not_there_is_told_before_anything_else() {
    let sandbox = Sandbox::new();
    let url = "https://files.example.org/demo-1.0-py3-none-any.whl";
    for command in ["patch", "unbundle", "unpack"] {
        let more: &[&str] = if command == "unpack" { &["new"] } else { &[] };
        let run = |path: &str| sandbox.run(&[&[command, path], more].concat());
        let text = run("demo-1.0-py3-none-any.whl");
        assert!(text.starts_with("exit: 3\n"), "{text}");
        assert!(
            text.contains("demo-1.0-py3-none-any.whl`: no such file or directory"),
            "{text}"
        );
        let text = run(url);
        assert!(
            text.contains("is a URL: wheelfix downloads nothing"),
            "{text}"
        );
        assert!(text.contains("\nnext: pip download"), "{text}");
    }
}

#[test]
fn what_is_not_a_wheel_is_named_for_what_it_is() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&WheelBuilder::new("demo", "1.0"));
    for directory in [
        "sources",
        "wheels",
        "empty",
        "old/lib/python3.11/site-packages",
    ] {
        fs::create_dir_all(sandbox.path(directory)).unwrap();
    }
    fs::write(sandbox.path("sources/pyproject.toml"), "").unwrap();
    fs::write(sandbox.path("demo-1.0.tar.gz"), "").unwrap();
    fs::write(sandbox.path("notes.txt"), "").unwrap();
    fs::copy(sandbox.path(&wheel), sandbox.path("wheels").join(&wheel)).unwrap();
    let wrong = [
        "demo>=1",
        "sources",
        "wheels",
        "empty",
        "old",
        "demo-1.0.tar.gz",
        "notes.txt",
        "*.whl",
        "https://files.example.org/demo-1.0-py3-none-any.whl",
        "domo-1.0-py3-none-any.whl",
    ];
    let args = ["install", "--prefix", "out", "--python-version", "3.11"];
    insta::assert_snapshot!(sandbox.run(&[&args[..], &wrong].concat()), @"
    exit: 3
    --- stderr
    error: `demo>=1`: no such file; wheelfix downloads nothing, if a package is meant
      fix: pip download --only-binary=:all: -d wheels-1 'demo>=1'  # and name wheels-1/*.whl
    error: `sources` is a source tree, not a wheel
      fix: pip wheel --no-deps -w wheels-1 ./sources  # and name wheels-1/*.whl
    error: `wheels` is a directory with a wheel, not a wheel
      fix: name wheels/*.whl
    error: `empty` is a directory, not a wheel
    error: `old` is a prefix, not a wheel
      fix: wheelfix env --prefix DIR old  # an environment of it; `wheelfix patch` links it anew
    error: `demo-1.0.tar.gz` is a source distribution, not a wheel
      fix: pip wheel --no-deps -w wheels-1 ./demo-1.0.tar.gz  # and name wheels-1/*.whl
    error: `notes.txt` is not a wheel: the name of one ends with `.whl`
    error: `*.whl`: no file matches
    error: `https://files.example.org/demo-1.0-py3-none-any.whl` is a URL: wheelfix downloads nothing
      fix: pip download --no-deps -d wheels-1 https://files.example.org/demo-1.0-py3-none-any.whl
    error: `domo-1.0-py3-none-any.whl`: no such file or directory
      fix: perhaps `demo-1.0-py3-none-any.whl` is meant
    next: pip wheel --no-deps -w wheels-1 ./sources && pip wheel --no-deps -w wheels-1 ./demo-1.0.tar.gz && pip download --no-deps -d wheels-1 https://files.example.org/demo-1.0-py3-none-any.whl && pip download --only-binary=:all: -d wheels-1 'demo>=1' && wheelfix install wheels-1/*.whl --prefix out --python-version 3.11 wheels/*.whl empty old notes.txt '*.whl' domo-1.0-py3-none-any.whl  # mends 5 of 10
    ");
    assert!(!sandbox.path("out").is_dir());
    insta::assert_snapshot!(sandbox.run(&["env", "--prefix", "out", "wheels", "demo"]), @"
    exit: 3
    --- stderr
    error: `[DIR]/wheels` is not a prefix: it has no `lib/pythonX.Y/site-packages`, and 1 wheel
    error: `demo`: no such file; wheelfix downloads nothing, if a package is meant
      fix: pip download --only-binary=:all: -d wheels-1 demo  # and name wheels-1/*.whl
    error: 2 faults in all
    hint: name the wheels themselves, as `DIR/*.whl`
    next: pip download --only-binary=:all: -d wheels-1 demo && wheelfix env wheels-1/*.whl --prefix out [DIR]/wheels/*.whl
    ");
    insta::assert_snapshot!(sandbox.run(&["inspect", "demo"]), @"
    exit: 3
    --- stderr
    error: `demo`: no such file; wheelfix downloads nothing, if a package is meant
      fix: pip download --only-binary=:all: --no-deps -d wheels-1 demo  # and name wheels-1/*.whl
    next: pip download --only-binary=:all: --no-deps -d wheels-1 demo && wheelfix inspect wheels-1/*.whl
    ");
    insta::assert_snapshot!(sandbox.run(&["check", "absent/demo", "--json"]), @r#"
    exit: 3
    --- stdout
    {
      "version": 1,
      "errors": [
        "`absent/demo`: no such file or directory"
      ],
      "hints": [],
      "next": null
    }
    --- stderr
    error: `absent/demo`: no such file or directory
    "#);
}

/// pip looks for no Python on `PATH`; all lines of a message call the same one.
#[test]
fn pip_is_told_of_the_python_by_its_path() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("own")).unwrap();
    program(&sandbox, "pip", "");
    let real = wheelfix_testkit::cache::tool("python3");
    program(
        &sandbox,
        "python3",
        &format!("exec {} \"$@\"", real.display()),
    );
    fs::rename(sandbox.path("bin/python3"), sandbox.path("own/python3")).unwrap();
    fs::write(sandbox.path("requirements.txt"), "six\n").unwrap();
    let path = [sandbox.path("own"), sandbox.path("bin"), "/usr/bin".into()];
    let path = std::env::join_paths(path).unwrap();
    let variables = [("PATH", path.to_str().unwrap())];
    let windows = WheelBuilder::new("w", "1.0").tags("cp311-cp311-win_amd64");
    let windows = sandbox.wheel(&windows);
    for option in [&["--python", "python3"][..], &["--python=python3"]] {
        for input in ["six", "requirements.txt", &windows] {
            let args = [&["install", input, "--prefix", "out"], option].concat();
            let text = sandbox.run_with(&args, &variables);
            let calls = text
                .matches("pip --python [DIR]/own/python3 download")
                .count();
            assert_eq!((calls, text.matches("pip ").count()), (2, 2), "{text}");
        }
    }
}

#[test]
fn an_option_that_serves_for_nothing_is_taken_away_by_the_line() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&WheelBuilder::new("demo", "1.0").file("demo.py", ""));
    let args = ["install", &wheel, "--prefix=out", "--python-version=3.11"];
    let text = sandbox.run(&[&args[..], &["--exclude=*.rs", "--exclude", "*.c"]].concat());
    let line = next(&text).to_owned();
    assert_eq!(
        line,
        "wheelfix install demo-1.0-py3-none-any.whl --prefix=out --python-version=3.11"
    );
    let (done, said) = shell(&sandbox, &line);
    assert!(done, "{said}");
}

#[test]
fn in_a_build_it_is_the_settings() {
    let (sandbox, wheel) = with_needy_wheel();
    let of = |settings: serde_json::Value| {
        let python = wheelfix_testkit::cache::tool("python3");
        let mut attributes = serde_json::json!({
            "outputs": {"out": sandbox.path("out")},
            "src": sandbox.path(&wheel),
            "wheelfix": {"python": python, "bytecode": false},
        });
        let all = attributes["wheelfix"].as_object_mut().unwrap();
        all.extend(settings.as_object().unwrap().clone());
        fs::write(sandbox.path("attrs.json"), attributes.to_string()).unwrap();
        let file = sandbox.path("attrs.json");
        let variables = [("NIX_ATTRS_JSON_FILE", file.to_str().unwrap())];
        sandbox.run_with(&["builder"], &variables)
    };
    let text = of(serde_json::json!({}));
    assert_eq!(
        next(&text),
        "wheelfix.libs = [ (lib.getLib pkgs.bzip2) (lib.getLib pkgs.zlib) ];"
    );
    let text = of(serde_json::json!({"package": "m"}));
    assert_eq!(
        next(&text),
        "m = prev.m.overrideAttrs (old: { buildInputs = old.buildInputs ++ [ (lib.getLib pkgs.bzip2) \
         (lib.getLib pkgs.zlib) ]; });"
    );
    // What is mended by a choice alone is counted.
    let text =
        of(serde_json::json!({"exclude": ["*.nothing"], "libs": [], "ignoreMissing": ["libq.so"]}));
    assert!(!text.contains("next: pip"), "{text}");
}

#[test]
fn no_input_gets_lost_on_the_way_to_the_line() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&WheelBuilder::new("demo", "1.0"));
    fs::create_dir(sandbox.path("small")).unwrap();
    fs::create_dir(sandbox.path("wheels")).unwrap();
    fs::rename(sandbox.path(&wheel), sandbox.path("small").join(&wheel)).unwrap();
    fs::write(sandbox.path("requirements.txt"), "six\n").unwrap();
    fs::write(sandbox.path("uv.lock"), "").unwrap();
    let install = |words: &[&str]| {
        let args = ["install", "--prefix", "out", "--python-version", "3.11"];
        sandbox.run(&[&args[..], words].concat())
    };
    // What is in `wheels` already is not meant.
    let end = "--prefix out --python-version 3.11";
    let text = install(&["small", "six"]);
    assert_eq!(
        next(&text),
        format!(
            "pip download --only-binary=:all: -d wheels-1 six && wheelfix install wheels-1/*.whl {end} small/*.whl"
        )
    );
    let text = install(&["requirements.txt"]);
    assert_eq!(
        next(&text),
        format!(
            "pip download --only-binary=:all: -d wheels-1 -r ./requirements.txt && wheelfix install {end} wheels-1/*.whl"
        )
    );
    // Names of files are no packages, and a name of a lock has a command of its own.
    let absent = [
        "constraints.txt",
        "dist",
        "a/b",
        "file:///nowhere/demo-1.0-py3-none-any.whl",
    ];
    for word in absent {
        let text = install(&[word]);
        assert!(!text.contains("next:") && !text.contains("pip "), "{text}");
    }
    let text = install(&["uv.lock"]);
    assert!(
        text.contains(
            "\n  fix: wheelfix lock uv.lock --target x86_64-linux-cp311 -o lock.json  # and"
        ),
        "{text}"
    );
    let text = install(&["six", "--rules", "a\nb"]);
    assert!(!text.contains("next:"), "{text}");
    let text = install(&["git+https://files.example.org/demo"]);
    assert!(
        next(&text).starts_with("pip wheel --no-deps -w wheels-1 git+https:"),
        "{text}"
    );
}

/// Python, libraries and inputs are looked at in one run, and the worst of them decides the exit code.
#[test]
fn all_that_is_wrong_with_what_is_named_is_told_at_once() {
    let sandbox = Sandbox::new();
    let windows = WheelBuilder::new("w", "1.0").tags("cp311-cp311-win_amd64");
    let windows = sandbox.wheel(&windows);
    fs::write(sandbox.path("six-1.0.tar.gz"), "").unwrap();
    program(&sandbox, "python3.11", "");
    program(&sandbox, "pip", "");
    let path = sandbox.path("bin");
    let variables = [("PATH", path.to_str().unwrap())];
    let wrong = [&*windows, "nowhere/*.whl", "numpy", "six-1.0.tar.gz"];
    let end = ["--prefix", "out"];
    let run = |command: &str, options: &[&str]| {
        sandbox.run_with(
            &[&[command], &wrong[..], &end, options].concat(),
            &variables,
        )
    };
    let version = ["--python-version", "3.11"];
    insta::assert_snapshot!(run("env", &version), @"
    exit: 3
    --- stderr
    error: `nowhere/*.whl`: no file matches, there is no directory `nowhere`
      fix: pip download --only-binary=:all: -d nowhere PACKAGE  # which brings its wheels there
    error: `numpy`: no such file; wheelfix downloads nothing, if a package is meant
      fix: pip download --only-binary=:all: -d wheels numpy  # and name wheels/*.whl
    error: `w-1.0-cp311-cp311-win_amd64.whl`: the wheel is for Windows (win_amd64), the target is Linux on x86_64 with glibc
      fix: pip download --only-binary=:all: --no-deps -d wheels w==1.0  # and name wheels/*.whl
    error: `six-1.0.tar.gz` is a source distribution, not a wheel
      fix: pip wheel --no-deps -w wheels ./six-1.0.tar.gz  # and name wheels/*.whl
    error: 4 faults in all
    next: pip download --only-binary=:all: --no-deps -d wheels w==1.0 && pip wheel --no-deps -w wheels ./six-1.0.tar.gz && pip download --only-binary=:all: -d wheels numpy && wheelfix env wheels/*.whl 'nowhere/*.whl' --prefix out --python-version 3.11  # mends 3 of 4
    ");
    let absent = ["--python=python3.99", "--lib-path", "/no/such"];
    insta::assert_snapshot!(run("env", &absent), @"
    exit: 3
    --- stderr
    error: library path `/no/such` does not exist
      fix: leave it out: what is missing then is told, with what has it
    error: `nowhere/*.whl`: no file matches, there is no directory `nowhere`
      fix: pip download --only-binary=:all: -d nowhere PACKAGE  # which brings its wheels there
    error: `numpy`: no such file; wheelfix downloads nothing, if a package is meant
      fix: pip download --only-binary=:all: -d wheels numpy  # and name wheels/*.whl
    error: `six-1.0.tar.gz` is a source distribution, not a wheel
      fix: pip wheel --no-deps -w wheels ./six-1.0.tar.gz  # and name wheels/*.whl
    error: there is no program `python3.99`: name a Python that is there with `--python EXE`, or only its version with `--python-version X.Y`
      fix: --python [DIR]/bin/python3.11
    next: pip wheel --no-deps -w wheels ./six-1.0.tar.gz && pip download --only-binary=:all: -d wheels numpy && wheelfix env wheels/*.whl w-1.0-cp311-cp311-win_amd64.whl 'nowhere/*.whl' --prefix out --python=[DIR]/bin/python3.11  # mends 4 of 5
    ");
    let install = run("install", &absent);
    assert_eq!(
        install,
        run("env", &absent).replace("wheelfix env", "wheelfix install")
    );
    // Nothing is chosen among several.
    program(&sandbox, "python3.12", "");
    let text = sandbox.run_with(&["check", "bin", "--python", "python3.99"], &variables);
    assert!(
        text.contains("\n  fix: --python [DIR]/bin/python3.12\n"),
        "{text}"
    );
    assert!(!text.contains("next:"), "{text}");
}

/// The value of an option, where the command that is to print it fails, is empty.
#[test]
fn a_library_path_that_brings_nothing_is_told_and_left_out() {
    let (sandbox, wheel) = with_needy_wheel();
    for directory in ["empty/lib/a", "tools/bin"] {
        fs::create_dir_all(sandbox.path(directory)).unwrap();
    }
    let args = ["install", &wheel, "--prefix", "out", "--no-bytecode"];
    let lib_paths = [
        "--lib-path",
        "",
        "--lib-path=empty",
        "--lib-path=deep",
        "--lib-path=:",
        "--lib-path",
        "tools",
    ];
    // Nothing looks so deep.
    fs::create_dir_all(sandbox.path("deep/lib/plugins")).unwrap();
    fs::write(sandbox.path("deep/lib/plugins/libz.so.1"), "").unwrap();
    let text = sandbox.run(&[&args[..], &lib_paths].concat());
    let warnings: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("warning: "))
        .collect();
    insta::assert_snapshot!(warnings.join("\n"), @"
    warning: `--lib-path ''` names no directory: a command that was to print one has failed
    warning: `--lib-path empty` has no library, and no directory `lib` with one
    warning: `--lib-path deep` has no library, and no directory `lib` with one
    warning: `--lib-path ':'` names no directory: a command that was to print one has failed
    ");
    assert!(text.contains("error: `libz.so.1` is missing"), "{text}");
    let (line, _) = next(&text).split_once(" \"$(nix-build").unwrap();
    let want = "wheelfix install m-1.0-py3-none-any.whl --prefix out --no-bytecode --lib-path tools --lib-path";
    assert_eq!(line, want);
    let text = sandbox.run(&[&args[..], &["--quiet", "--lib-path", ""]].concat());
    assert!(!text.contains("warning"), "{text}");
    // So is an empty name in the variable.
    let text = sandbox.run_with(&args, &[("WHEELFIX_LIB_PATH", "")]);
    assert!(!text.contains("warning"), "{text}");
}

#[test]
fn what_is_cut_off_or_lacks_an_output_has_a_line() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&WheelBuilder::new("demo", "1.0").file("demo.py", ""));
    let text = sandbox.run(&["patch", &wheel]);
    let line = next(&text).to_owned();
    assert_eq!(line, format!("wheelfix patch {wheel} --output=patched"));
    let (done, said) = shell(&sandbox, &line);
    assert!(
        done && sandbox.path("patched").join(&wheel).is_file(),
        "{said}"
    );
    let path = sandbox.path(&wheel);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let args = [
        "install",
        &wheel,
        "--prefix",
        "/proc/out",
        "--python-version",
        "3.11",
    ];
    let text = sandbox.run(&args);
    let download = "pip download --only-binary=:all: --no-deps -d wheels demo==1.0";
    let fix = format!("truncated\n  fix: {download}  # and name wheels/*.whl\n");
    assert!(text.contains(&fix), "{text}");
    assert!(
        next(&text).starts_with(&format!("{download} && wheelfix install wheels/*.whl")),
        "{text}"
    );
    fs::write(&path, bytes).unwrap();
    insta::assert_snapshot!(sandbox.run(&args), @"
    exit: 3
    --- stderr
    error: no directory can be made in `/proc`
    ");
}

/// Where nothing is found to look at, the thing itself is told of.
#[test]
fn other_commands_tell_what_is_no_wheel_for_what_it_is() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&WheelBuilder::new("demo", "1.0").file("demo.py", ""));
    for directory in ["sources", "wheels"] {
        fs::create_dir(sandbox.path(directory)).unwrap();
    }
    fs::write(sandbox.path("sources/pyproject.toml"), "").unwrap();
    fs::write(sandbox.path("demo-1.0.tar.gz"), "").unwrap();
    fs::rename(sandbox.path(&wheel), sandbox.path("wheels").join(&wheel)).unwrap();
    insta::assert_snapshot!(sandbox.run(&["check", "sources", "wheels", "demo-1.0.tar.gz"]), @"
    exit: 1
    --- stderr
    error: `sources` is a source tree, not a wheel
      fix: pip wheel --no-deps -w wheels-1 ./sources  # and name wheels-1/*.whl
    error: `wheels` is a directory with a wheel, not a wheel
      fix: name wheels/*.whl
    error: `demo-1.0.tar.gz` is a source distribution, not a wheel
      fix: pip wheel --no-deps -w wheels-1 ./demo-1.0.tar.gz  # and name wheels-1/*.whl
    next: pip wheel --no-deps -w wheels-1 ./sources && pip wheel --no-deps -w wheels-1 ./demo-1.0.tar.gz && wheelfix check wheels-1/*.whl wheels/*.whl
    ");
    insta::assert_snapshot!(sandbox.run(&["patch", "wheels", "-o", "new"]), @"
    exit: 1
    --- stderr
    error: `wheels` is a directory with a wheel, not a wheel
      fix: name wheels/*.whl
    next: wheelfix patch wheels/*.whl -o new
    ");
    insta::assert_snapshot!(sandbox.run(&["patch", "demo-1.0.tar.gz", "-o", "new"]), @"
    exit: 1
    --- stderr
    error: `demo-1.0.tar.gz` is a source distribution, not a wheel
      fix: pip wheel --no-deps -w wheels-1 ./demo-1.0.tar.gz  # and name wheels-1/*.whl
    next: pip wheel --no-deps -w wheels-1 ./demo-1.0.tar.gz && wheelfix patch wheels-1/*.whl -o new
    ");
    let text = sandbox.run(&["inspect", "wheels"]);
    let note = format!("note: 1 wheel in it: `wheelfix inspect wheels/{wheel}` looks into one\n");
    assert!(text.ends_with(&note), "{text}");
    // Nothing is counted behind an error that says that there is nothing.
    let text = sandbox.run(&["check", "sources"]);
    assert!(!text.contains("looked at"), "{text}");
}
