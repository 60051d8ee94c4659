//! `wheelfix install` when the machine is against it: killed, out of space, without permission.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// A wheel of some megabytes in many files, so that an installation takes a while.
fn large() -> WheelBuilder {
    let mut wheel = WheelBuilder::new("large", "1.0");
    for number in 0..400 {
        // Hardly compressible, and the same in every run.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ number;
        let content: Vec<u8> = (0..16 * 1024)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[0]
            })
            .collect();
        wheel = wheel.file(&format!("large/data{number}.bin"), content);
    }
    wheel
}

const ARGS: [&str; 6] = [
    "install",
    "large-1.0-py3-none-any.whl",
    "--prefix",
    "out",
    "--python-version",
    "3.11",
];

#[test]
fn killed_at_any_moment_it_leaves_a_whole_prefix_or_none() {
    let sandbox = Sandbox::new();
    sandbox.wheel(&large());
    let start = Instant::now();
    assert!(sandbox.run(&ARGS).starts_with("exit: 0\n"));
    let whole_run = start.elapsed();
    let whole = sandbox.tree("out");
    fs_err::remove_dir_all(sandbox.path("out")).unwrap();

    let mut killed = 0;
    for moment in 0..50 {
        let mut child = sandbox
            .command(&ARGS)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole_run * moment / 50);
        child.kill().unwrap();
        let finished = child.wait().unwrap().success();
        killed += u32::from(!finished);
        let names = sandbox.names();
        if names.contains(&"out".to_owned()) {
            assert_eq!(sandbox.tree("out"), whole, "killed at moment {moment}");
            fs_err::remove_dir_all(sandbox.path("out")).unwrap();
        } else {
            assert!(!finished, "moment {moment}: success without a prefix");
        }
    }
    assert!(killed > 10, "only {killed} of 50 runs were killed in time");

    assert!(sandbox.run(&ARGS).starts_with("exit: 0\n"));
    assert_eq!(sandbox.tree("out"), whole);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "mounts a small file system")]
fn a_full_disk_is_an_error_that_leaves_nothing() {
    let sandbox = Sandbox::new();
    sandbox.wheel(&large());
    fs_err::create_dir(sandbox.path("disk")).unwrap();
    let program = env!("CARGO_BIN_EXE_wheelfix");
    // A mount of its own name space, so that nothing is left of it.
    let script = format!(
        "mount -t tmpfs -o size=2m none disk || exit 99
        {program} install large-1.0-py3-none-any.whl --prefix disk/out --python-version 3.11
        echo exit: $?
        ls -A disk"
    );
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .current_dir(sandbox.path(""))
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stdout, "exit: 3\n", "{stderr}");
    assert!(stderr.contains("No space left on device"), "{stderr}");
}

/// Runs without the rights of the superuser, whoever runs the tests.
#[expect(clippy::disallowed_methods, reason = "runs the program under test")]
fn run_unprivileged(sandbox: &Sandbox, args: &[&str]) -> (Option<i32>, String) {
    let program = env!("CARGO_BIN_EXE_wheelfix");
    let mut command = if rustix::process::geteuid().is_root() {
        // The program itself lies where only its owner may look.
        let copy = sandbox.path("wheelfix");
        fs_err::copy(program, &copy).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.arg(copy);
        command
    } else {
        Command::new(program)
    };
    let output = command
        .args(args)
        .current_dir(sandbox.path(""))
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), stderr)
}

#[test]
fn missing_permissions_are_named() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&WheelBuilder::new("demo", "1.0").file("a.py", ""));
    let mode = |path: &str, mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        fs_err::set_permissions(sandbox.path(path), permissions).unwrap();
    };
    mode("", 0o777);
    fs_err::create_dir(sandbox.path("sealed")).unwrap();
    mode("sealed", 0o555);
    let args = [
        "install",
        &wheel,
        "--prefix",
        "sealed/out",
        "--python-version",
        "3.11",
    ];
    let (code, stderr) = run_unprivileged(&sandbox, &args);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("Permission denied"), "{stderr}");
    assert_eq!(sandbox.tree("sealed"), "");

    mode(&wheel, 0o000);
    let args = [
        "install",
        &wheel,
        "--prefix",
        "out",
        "--python-version",
        "3.11",
    ];
    let (code, stderr) = run_unprivileged(&sandbox, &args);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(
        stderr.contains(&wheel) && stderr.contains("Permission denied"),
        "{stderr}"
    );
    assert!(!sandbox.names().contains(&"out".to_owned()));
}

#[test]
fn a_hanging_reader_of_nothing_is_no_concern() {
    // Progress goes to standard error and only to a terminal: a closed pipe ends nothing.
    let sandbox = Sandbox::new();
    sandbox.wheel(&large());
    let mut child = sandbox
        .command(&ARGS)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            break;
        }
        assert!(Instant::now() < deadline, "does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(sandbox.names().contains(&"out".to_owned()));
}
