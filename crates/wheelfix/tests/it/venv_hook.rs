//! The functions for shells: the programs run as they do without them, and what they changed is patched.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use wheelfix_testkit::cache;

use crate::venv::Venv;

const WHEELFIX: &str = env!("CARGO_BIN_EXE_wheelfix");

/// How each shell evaluates the functions.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "eval \"$(WHEELFIX venv-hook bash)\""),
    ("zsh", "eval \"$(WHEELFIX venv-hook zsh)\""),
    ("fish", "WHEELFIX venv-hook fish | source"),
];

/// A shell in the sandbox, with the functions; gives exit code, and both outputs.
fn shell(venv: &Venv, script: &str) -> (i32, String) {
    shell_of(venv, SHELLS[0], "", script)
}

/// Runs something before the functions are there, and something after that.
#[expect(clippy::disallowed_methods, reason = "runs a shell")]
fn shell_of(venv: &Venv, (shell, hook): (&str, &str), before: &str, script: &str) -> (i32, String) {
    let tools = cache::tool("uv").parent().unwrap().to_owned();
    let path = format!(
        "{}:{}",
        tools.display(),
        std::env::var_os("PATH").unwrap().display()
    );
    let hook = hook.replace("WHEELFIX", WHEELFIX);
    let output = Command::new(shell)
        .args(["-c", &format!("{before}\n{hook}\n{script}")])
        .current_dir(venv.path("."))
        .env_clear()
        .envs([
            ("PATH", path.as_str()),
            ("UV_CACHE_DIR", "cache"),
            ("UV_OFFLINE", "1"),
        ])
        .envs([("UV_NO_CONFIG", "1"), ("WHEELFIX_LIB_PATH", "libs")])
        .env("UV_PYTHON", cache::tool("python3"))
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

#[track_caller]
fn expect(venv: &Venv, script: &str, code: i32, patched: bool) -> String {
    let (got, text) = shell(venv, script);
    assert_eq!(got, code, "{script}: {text}");
    let lines = text.lines().filter(|line| line.starts_with("wheelfix: "));
    assert_eq!(lines.count(), usize::from(patched), "{script}: {text}");
    text
}

#[test]
fn environments_are_patched_behind_uv_and_pip() {
    let venv = Venv::new();
    let wheel = venv.wheel("one", "1.0", "a");
    let install = format!("uv pip install --no-index -p v {wheel}");
    let text = expect(&venv, &install, 0, true);
    assert!(text.contains("1 ELF file edited in `"), "{text}");
    expect(&venv, &install, 0, false);
    expect(
        &venv,
        "unset UV_PYTHON; VIRTUAL_ENV=v uv pip uninstall one",
        0,
        false,
    );
    expect(
        &venv,
        &format!("unset UV_PYTHON; VIRTUAL_ENV=v uv pip install --no-index {wheel}"),
        0,
        true,
    );
    expect(&venv, "uv pip install --no-index -p v none", 1, false);
    expect(&venv, "uv --version; false", 1, false);
    let other = venv.wheel("two", "1.0", "b");
    let pip = format!("pip --python v/bin/python install --no-index {other}");
    expect(&venv, &pip, 0, true);
    // A library that is nowhere is told; the program has done what it was to do.
    let broken = venv.wheel("three", "1.0", "b");
    fs_err::remove_file(venv.path("libs/libb.so")).unwrap();
    let install = format!("uv pip install --no-index -p v {broken}");
    let text = expect(&venv, &install, 0, true);
    assert!(
        text.contains("`libb.so` is missing") && text.contains("is not patched"),
        "{text}"
    );
}

#[test]
fn a_program_of_a_project_starts_in_a_patched_environment() {
    let venv = Venv::new();
    venv.wheel("one", "1.0", "a");
    venv.wheel("two", "1.0", "b");
    let project = "[project]\nname = 'p'\nversion = '1'\nrequires-python = '>=3.11'\ndependencies = ['one']\n\
        [tool.uv]\nno-index = true\nfind-links = ['.']\n";
    fs_err::write(venv.path("pyproject.toml"), project).unwrap();
    let check = format!("{WHEELFIX} check $VIRTUAL_ENV --python $VIRTUAL_ENV/bin/python; exit 7");
    let run = format!("unset UV_NO_CONFIG; cd libs/..; uv run -q sh -c '{check}'");
    let text = expect(&venv, &run, 7, true);
    assert!(
        text.contains("1 of ") && !text.contains("missing"),
        "{text}"
    );
    expect(&venv, &run, 7, false);
    let text = expect(&venv, "unset UV_NO_CONFIG; cd libs; uv add -q two", 0, true);
    assert!(text.contains("/.venv`"), "{text}");
    expect(
        &venv,
        "unset UV_NO_CONFIG; uv remove -q two; uv sync -q",
        0,
        false,
    );
    let sync = "unset UV_NO_CONFIG; export UV_PROJECT_ENVIRONMENT=other; cd libs; uv sync -q";
    let text = expect(&venv, sync, 0, true);
    assert!(text.contains("/other`"), "{text}");
    let text = expect(
        &venv,
        "unset UV_NO_CONFIG; uv run -q python -c 'print(input())' <<< text",
        0,
        false,
    );
    assert!(text.contains("text"), "{text}");
    expect(
        &venv,
        "unset UV_NO_CONFIG; uv run -q no-such-program",
        2,
        false,
    );
}

/// A program that is called `pip` and ends as it is told by signals.
fn program(venv: &Venv, script: &str) {
    fs_err::create_dir_all(venv.path("bin")).unwrap();
    let path = venv.path("bin/pip");
    fs_err::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn signals_and_codes_are_the_programs() {
    let venv = Venv::new();
    program(
        &venv,
        "trap 'exit 9' TERM\necho ready\nwhile :; do sleep 0.05; done\n",
    );
    let path = format!("{}:/usr/bin:/bin", venv.path("bin").display());
    let mut wheelfix = venv.sandbox.command(&["venv-run", "pip", "install"]);
    let wheelfix = wheelfix.env("PATH", &path).stdout(Stdio::piped());
    let mut run = wheelfix.spawn().unwrap();
    let mut ready = [0; 6];
    let stdout = run.stdout.as_mut().unwrap();
    std::io::Read::read_exact(stdout, &mut ready).unwrap();
    let pid = rustix::process::Pid::from_raw(run.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(9));

    program(&venv, "kill -TERM $$\n");
    let mut wheelfix = venv.sandbox.command(&["venv-run", "pip", "install"]);
    let status = wheelfix.env("PATH", &path).status().unwrap();
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    assert_eq!(signal, Some(15));

    let text = venv.sandbox.run_with(&["venv-run", "pip4"], &[]);
    assert!(
        text.starts_with("exit: 127\n") && text.contains("`pip4` is not on PATH"),
        "{text}"
    );
    let skip = venv.path("bin");
    program(&venv, "exit 5\n");
    let variables = [
        ("PATH", path.as_str()),
        ("WHEELFIX_VENV_SKIP", skip.to_str().unwrap()),
    ];
    let text = venv
        .sandbox
        .run_with(&["venv-run", "pip", "--version"], &variables[..1]);
    assert!(text.starts_with("exit: 5\n"), "{text}");
    let text = venv
        .sandbox
        .run_with(&["venv-run", "pip", "--version"], &variables);
    assert!(!text.starts_with("exit: 5\n"), "{text}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "`script` makes a terminal")]
fn the_terminal_interrupts_the_program_once() {
    let venv = Venv::new();
    program(
        &venv,
        "trap 'echo got >>got; exit 9' INT\necho ready\nwhile :; do sleep 0.05; done\n",
    );
    // A shell that stays would end with a code of its own: dash says 130 after the signal, whatever its child says.
    let run = format!("exec {WHEELFIX} venv-run pip install");
    let mut script = Command::new("script")
        .args(["-qec", &run, "typescript"])
        .env("SHELL", "/bin/sh")
        .current_dir(venv.path("."))
        .env(
            "PATH",
            format!("{}:/usr/bin:/bin", venv.path("bin").display()),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 5];
    std::io::Read::read_exact(script.stdout.as_mut().unwrap(), &mut ready).unwrap();
    let keyboard = script.stdin.as_mut().unwrap();
    std::io::Write::write_all(keyboard, b"\x03").unwrap();
    assert_eq!(script.wait().unwrap().code(), Some(9));
    let got = fs_err::read_to_string(venv.path("got")).unwrap();
    assert_eq!(got, "got\n");
}

#[test]
fn three_shells_take_the_functions() {
    for (index, shell) in SHELLS.into_iter().enumerate() {
        let venv = Venv::new();
        let wheel = venv.wheel("one", "1.0", "a");
        let install = format!("uv pip install --no-index -p v {wheel}");
        let before = [
            "shopt -s expand_aliases; alias uv='uv --offline'",
            "alias uv='uv --offline'",
            "alias uv 'command uv --offline'",
        ][index];
        for (line, text) in [("1 ELF file edited", 1), ("wheelfix: ", 0)] {
            let (code, said) = shell_of(&venv, shell, before, &install);
            assert_eq!(code, 0, "{shell:?}: {said}");
            assert_eq!(said.matches(line).count(), text, "{shell:?}: {said}");
        }
        // Words stay words, and the exit code is the program's.
        program(&venv, "printf '<%s>' \"$@\"\nexit 9\n");
        let path = venv.path("bin");
        let set = match shell.0 {
            "fish" => format!("set -x PATH {} $PATH", path.display()),
            _ => format!("PATH={}:$PATH", path.display()),
        };
        let script = format!("{set}\npip show 'a b' '*' ''");
        let (code, said) = shell_of(&venv, shell, "", &script);
        assert_eq!((code, said.as_str()), (9, "<show><a b><*><>"), "{shell:?}");
    }
}

/// Programs that start others find the wrappers, as functions do not get through.
#[test]
#[expect(clippy::disallowed_methods, reason = "runs direnv")]
fn direnv_puts_wrappers_in_front_of_the_programs() {
    let venv = Venv::new();
    let wheel = venv.wheel("one", "1.0", "a");
    let envrc =
        format!("export WHEELFIX_LIB_PATH=$PWD/libs\neval \"$({WHEELFIX} venv-hook direnv)\"\n");
    fs_err::write(venv.path(".envrc"), envrc).unwrap();
    let tools = cache::tool("uv").parent().unwrap().to_owned();
    let direnv = |args: &[&str]| {
        let mut command = Command::new("direnv");
        command.args(args).current_dir(venv.path(".")).env_clear();
        command
            .env("PATH", format!("{}:/usr/bin:/bin", tools.display()))
            .env("HOME", venv.path("home"))
            .envs([("UV_CACHE_DIR", "cache"), ("UV_OFFLINE", "1")])
            .env("UV_NO_CONFIG", "1");
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(output.status.success(), "{args:?}: {text}");
        text
    };
    direnv(&["allow"]);
    let install = [
        "exec",
        ".",
        "env",
        "uv",
        "pip",
        "install",
        "--no-index",
        "-p",
        "v",
    ];
    let install = [&install[..], &[wheel.as_str()]].concat();
    for edited in [1, 0] {
        let text = direnv(&install);
        assert_eq!(text.matches("1 ELF file edited").count(), edited, "{text}");
        assert!(!text.contains("error"), "{text}");
    }
    let text = direnv(&["exec", ".", "which", "uv", "pip", "poetry"]);
    assert_eq!(text.matches(".direnv/wheelfix/bin/").count(), 3, "{text}");
}

#[test]
fn functions_are_printed_for_three_shells() {
    let venv = Venv::new();
    for (shell, begin) in [
        ("bash", "function uv {"),
        ("zsh", "function uv {"),
        ("fish", "function uv "),
    ] {
        let text = venv.expect(&["venv-hook", shell], 0, begin);
        assert!(text.contains("venv-run poetry"), "{text}");
    }
    venv.expect(&["venv-hook", "csh"], 2, "invalid value");
}
