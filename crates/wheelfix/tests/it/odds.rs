//! Requests that are easily made wrongly, or in passing.

use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

#[track_caller]
fn expect(sandbox: &Sandbox, args: &[&str], code: i32, want: &str) {
    let text = sandbox.run(args);
    assert!(
        text.starts_with(&format!("exit: {code}\n")),
        "{args:?}: {text}"
    );
    assert!(text.contains(want), "{args:?}: {text}");
}

fn wheel(name: &str, file: &str) -> WheelBuilder {
    WheelBuilder::new(name, "1.0")
        .file(file, "x = 1\n")
        .entry_points(&format!("[console_scripts]\n{name} = {name}:main\n"))
}

#[test]
fn why_looks_into_the_library_paths() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("libs")).unwrap();
    for (source, args) in [
        (
            "void a(void) {}",
            &["-o", "libs/liba.so", "-Wl,-soname,liba.so"][..],
        ),
        (
            "void a(void); void m(void) { a(); }",
            &["-o", "m.so", "-Llibs", "-la"],
        ),
    ] {
        sandbox.library(source, args);
    }
    let near = "near miss: [DIR]/libs/liba.so: it is in a library path";
    expect(&sandbox, &["why", "m.so", "--lib-path", "libs"], 1, near);
    expect(
        &sandbox,
        &["why", "m.so", "liba.so", "--lib-path", "libs"],
        1,
        near,
    );
    expect(
        &sandbox,
        &["why", "m.so", "--lib-path", "libs", "--json"],
        1,
        "[DIR]/libs/liba.so",
    );
    let want = "libc, which nothing needs, if [DIR]/m.so opens it\n";
    expect(&sandbox, &["why", "m.so", "libc"], 1, want);
}

#[test]
fn a_directory_of_wheels_is_not_a_prefix() {
    let sandbox = Sandbox::new();
    sandbox.wheel(&wheel("a", "a.py"));
    sandbox.wheel(&wheel("b", "b.py"));
    let want = "`[DIR]` is not a prefix: it has no `lib/pythonX.Y/site-packages`, and 2 wheels";
    expect(
        &sandbox,
        &["env", ".", "--prefix", "e", "--python-version", "3.11"],
        1,
        want,
    );
    assert!(!sandbox.names().contains(&"e".to_owned()));
}

#[test]
fn sources_and_an_unpacked_wheel_are_not_prefixes() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("sources")).unwrap();
    fs_err::write(sandbox.path("sources/pyproject.toml"), "[project]\n").unwrap();
    fs_err::create_dir_all(sandbox.path("flat/a-1.0.dist-info")).unwrap();
    let env = |input: &str, want: &str| {
        let args = ["env", input, "--prefix", "e", "--python-version", "3.11"];
        expect(&sandbox, &args, 1, want);
        assert!(!sandbox.names().contains(&"e".to_owned()));
    };
    env(
        "sources",
        "sources` is a source tree, not a wheel\n  fix: pip wheel",
    );
    env("sources", "next: pip wheel --no-deps");
    env(
        "flat",
        "flat` is not a prefix: `a-1.0.dist-info` lies at its top",
    );
    env(
        "flat",
        "hint: name the wheels themselves, not what was unpacked from them or installed by `pip --target`\n",
    );
}

#[test]
fn a_directory_is_not_an_archive() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("sources")).unwrap();
    let want = "error: `sources` is a directory: `unpack` takes one archive\n";
    expect(&sandbox, &["unpack", "sources", "d"], 1, want);
}

#[test]
fn a_backend_where_there_are_none_is_said_to_be_one() {
    let sandbox = Sandbox::new();
    let name = sandbox.wheel(&wheel("a", "a.py"));
    let args = [
        "install",
        &name,
        "--prefix",
        "p",
        "--python-version",
        "3.11",
        "--backend",
        "b",
    ];
    let want =
        "error: `b` names no backend of these files\n  there are none\n  fix: remove --backend b\n";
    expect(&sandbox, &args, 1, want);
}

#[test]
fn uv_that_is_not_there_is_named_with_what_brings_it() {
    let sandbox = Sandbox::new();
    let args = ["lock", "demo", "--target", "x86_64-linux-cp311"];
    let text = sandbox.run_with(&args, &[("PATH", "/none")]);
    assert!(text.starts_with("exit: 3\n"), "{text}");
    assert!(
        text.contains("`nix-shell -p uv` or `nix shell nixpkgs#uv`"),
        "{text}"
    );
}

#[test]
fn a_wheel_twice_is_one_and_a_copy_is_named() {
    let sandbox = Sandbox::new();
    let name = sandbox.wheel(&wheel("a", "a.py"));
    fs_err::create_dir(sandbox.path("copy")).unwrap();
    fs_err::copy(sandbox.path(&name), sandbox.path("copy").join(&name)).unwrap();
    std::os::unix::fs::symlink(".", sandbox.path("link")).unwrap();
    fs_err::create_dir(sandbox.path("x")).unwrap();
    let (again, copy) = (format!("x/../link/{name}"), format!("copy/{name}"));
    let target = ["--python-version", "3.11"];
    for (command, prefix) in [("install", "p"), ("env", "e")] {
        let args = [command, &name, &again, "--prefix", prefix];
        expect(&sandbox, &[&args[..], &target].concat(), 0, "");
    }
    let args = ["install", &name, &copy, "--prefix", "q"];
    let want = format!("`a` comes in 2 wheels: `{name}` and `{copy}`");
    let text = sandbox.run(&[&args[..], &target].concat());
    assert!(
        text.contains(&want) && !text.contains("different content"),
        "{text}"
    );
}

#[test]
fn a_direct_url_is_a_url() {
    let sandbox = Sandbox::new();
    let name = sandbox.wheel(&wheel("a", "a.py"));
    let install = |prefix: &str, url: &str, code: i32, want: &str| {
        let args = [
            "install",
            &name,
            "--prefix",
            prefix,
            "--python-version",
            "3.11",
        ];
        expect(
            &sandbox,
            &[&args[..], &["--direct-url", url]].concat(),
            code,
            want,
        );
    };
    for url in [
        "foo",
        "",
        "foo bar://x",
        "https://",
        "a.whl",
        "/x/a.whl",
        "9p://x",
    ] {
        install("p", url, 2, "is not an absolute URL");
    }
    install("q", "file:///x/a.whl", 0, "");
    install("r", "git+https://files.example.org/a@v1", 0, "");
}

#[test]
fn names_of_wheels_that_differ_in_case_collide_in_an_environment() {
    let sandbox = Sandbox::new();
    let one = sandbox.wheel(&wheel("one", "pkg/Thing.py"));
    let two = sandbox.wheel(&wheel("two", "pkg/thing.py"));
    let args = [
        "env",
        &one,
        &two,
        "--prefix",
        "e",
        "--python-version",
        "3.11",
    ];
    expect(&sandbox, &args, 1, "differ in case only");
    let both = wheel("three", "pkg3/Thing.py").file("pkg3/thing.py", "");
    let both = sandbox.wheel(&both);
    let args = ["env", &both, "--prefix", "e", "--python-version", "3.11"];
    expect(&sandbox, &args, 0, "");
}

#[test]
fn a_quiet_dry_run_says_nothing() {
    let sandbox = Sandbox::new();
    let name = sandbox.wheel(&wheel("a", "a.py"));
    let target = ["--python-version", "3.11", "--dry-run"];
    for command in ["install", "env"] {
        let args = [&[command, &name, "--prefix", "p"], &target[..]].concat();
        let text = sandbox.run(&args);
        assert_ne!(text, "exit: 0\n");
        assert_eq!(
            sandbox.run(&[&args[..], &["--quiet"]].concat()),
            "exit: 0\n"
        );
    }
    for command in ["patch", "unbundle"] {
        let args = [command, "/bin/true", "--dry-run", "--quiet"];
        assert_eq!(sandbox.run(&args), "exit: 0\n");
    }
}

#[test]
fn a_patched_wheel_goes_to_a_directory_that_is_made() {
    let sandbox = Sandbox::new();
    let name = sandbox.wheel(&wheel("a", "a.py"));
    fs_err::create_dir(sandbox.path("x")).unwrap();
    expect(
        &sandbox,
        &["patch", &name, "-o", "x/../out"],
        0,
        &format!("[DIR]/out/{name}"),
    );
    expect(
        &sandbox,
        &["patch", &name, "-o", &format!("deep/er/{name}")],
        0,
        "",
    );
    assert!(sandbox.path("out").join(&name).is_file());
    assert!(sandbox.path("deep/er").join(&name).is_file());
    expect(
        &sandbox,
        &["patch", &name, "-o", "dry/run", "--dry-run"],
        0,
        "",
    );
    expect(
        &sandbox,
        &["patch", &name, "-o", "bad/b-1.0-py3-none-any.whl"],
        1,
        "another wheel",
    );
    let names = sandbox.names();
    assert_eq!(
        names,
        [&name, "deep", "out", "x"],
        "what fails leaves a directory"
    );
}

#[test]
fn a_requirement_that_cannot_be_read_is_told() {
    let sandbox = Sandbox::new();
    let lines = "Requires-Dist: b>=1.0,\nRequires-Dist: c >= one two\n";
    let one = sandbox.wheel(&wheel("a", "a.py").metadata(lines));
    let two = sandbox.wheel(&wheel("b", "b.py"));
    let target = ["--prefix", "e", "--python-version", "3.11"];
    let want = "warning: nothing is known of a requirement of a 1.0: \
                invalid version specifier in requirement `c >= one two`";
    let args = [&["env", &one, &two], &target[..]].concat();
    expect(&sandbox, &args, 0, want);
    fs_err::remove_dir_all(sandbox.path("e")).unwrap();
    let want = "requires `b>=1.0,`, which is not in the environment";
    expect(&sandbox, &[&["env", &one], &target[..]].concat(), 1, want);
}

#[test]
fn where_was_searched_is_said_once() {
    let sandbox = Sandbox::new();
    for args in [
        &["-o", "libone.so", "-Wl,-soname,libone.so"][..],
        &["-o", "libtwo.so", "-Wl,-soname,libtwo.so"],
        &["-o", "m.so", "-L.", "-lone", "-ltwo"],
    ] {
        sandbox.library("", args);
    }
    fs_err::remove_file(sandbox.path("libone.so")).unwrap();
    fs_err::remove_file(sandbox.path("libtwo.so")).unwrap();
    for command in ["check", "patch"] {
        let text = sandbox.run(&[command, "m.so"]);
        assert_eq!(text.matches("is missing\n").count(), 2, "{text}");
        assert_eq!(text.matches("  searched: ").count(), 1, "{text}");
        assert_eq!(text.matches("needed by: ").count(), 2, "{text}");
    }
}

/// The command under test with these arguments, its output on a terminal.
#[expect(
    clippy::disallowed_methods,
    reason = "gives the program under test a terminal"
)]
fn on_a_terminal(sandbox: &Sandbox, args: &str, variables: &[(&str, &str)]) -> String {
    let line = format!("{} {args}", env!("CARGO_BIN_EXE_wheelfix"));
    let output = std::process::Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(sandbox.path("."))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .stdin(std::process::Stdio::null())
        .output()
        .expect("apt-get install bsdutils");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn labels_have_colour_on_a_terminal_alone() {
    let sandbox = Sandbox::new();
    let is_coloured = |text: &str| {
        assert!(text.contains("error:"), "{text}");
        text.contains('\u{1b}')
    };
    let piped = |variables: &[(&str, &str)]| sandbox.run_with(&["check", "nowhere"], variables);
    assert!(!is_coloured(&piped(&[("TERM", "xterm")])));
    assert!(is_coloured(&piped(&[("CLICOLOR_FORCE", "1")])));
    assert!(is_coloured(&on_a_terminal(&sandbox, "check nowhere", &[])));
    for variable in [("NO_COLOR", "1"), ("CLICOLOR", "0"), ("TERM", "dumb")] {
        let text = on_a_terminal(&sandbox, "check nowhere", &[variable]);
        assert!(!is_coloured(&text), "{variable:?}: {text}");
    }
    // Nix gives builders a terminal, whose text it keeps.
    for variables in [&[][..], &[("CLICOLOR_FORCE", "1")]] {
        assert!(!is_coloured(&on_a_terminal(&sandbox, "builder", variables)));
    }
}
