//! Completions and manual pages, which packages install.

use std::process::Command;

use crate::support::Sandbox;

const COMMANDS: [&str; 4] = ["inspect", "install", "patchelf", "venv-hook"];

/// The completions of a shell, in a file.
#[track_caller]
fn completions(sandbox: &Sandbox, shell: &str) -> String {
    let text = sandbox.run_with(&["completions", shell], &[]);
    let script = text.strip_prefix("exit: 0\n--- stdout\n").unwrap();
    for command in COMMANDS {
        assert!(script.contains(command), "{shell}: {command}");
    }
    fs_err::write(sandbox.path(shell), script).unwrap();
    script.to_owned()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "runs shells")]
fn shells_take_their_completions() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        completions(&sandbox, shell);
        let script = sandbox.path(shell);
        let status = Command::new(shell).arg("-n").arg(script).status().unwrap();
        assert!(status.success(), "{shell}");
    }
    for (shell, begin) in [
        ("nushell", "module completions {"),
        ("elvish", "\nuse builtin;"),
        ("powershell", "\nusing namespace"),
    ] {
        let script = completions(&sandbox, shell);
        assert!(script.starts_with(begin), "{shell}: {script:.80}");
    }
    let typed = "source ./bash; COMP_WORDS=(wheelfix ins); COMP_CWORD=1; _wheelfix wheelfix ins wheelfix; \
        echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash")
        .args(["-c", typed])
        .current_dir(sandbox.path("."))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "inspect install\n");
    let text = sandbox.run_with(&["completions", "csh"], &[]);
    assert!(text.starts_with("exit: 2\n"), "{text}");
}

#[test]
fn each_command_has_a_manual_page() {
    let sandbox = Sandbox::new();
    let text = sandbox.run_with(&["man", "share/man1"], &[]);
    assert_eq!(text, "exit: 0\n");
    let page = |name: &str| fs_err::read_to_string(sandbox.path("share/man1").join(name)).unwrap();
    for command in COMMANDS {
        assert!(
            page("wheelfix.1").contains(&command.replace('-', "\\-")),
            "{command}"
        );
        let page = page(&format!("wheelfix-{command}.1"));
        assert!(page.contains(".TH "), "{page}");
    }
    let text = sandbox.run_with(&["man", "share/man1/wheelfix.1"], &[]);
    assert!(text.starts_with("exit: 3\n"), "{text}");
}
