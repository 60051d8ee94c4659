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

/// The same with bytecode: some sources, none of which compiles in no time.
const COMPILE: [&str; 6] = [
    "install",
    "sources-1.0-py3-none-any.whl",
    "--prefix",
    "out",
    "--python",
    "python3",
];

fn sources() -> WheelBuilder {
    let mut wheel = WheelBuilder::new("sources", "1.0");
    for number in 0..60 {
        let source = format!("def f{number}(x):\n    assert x\n    return [x, {number}]\n");
        wheel = wheel.file(&format!("sources/m{number}.py"), source.repeat(20));
    }
    wheel
}

#[test]
fn killed_at_any_moment_it_leaves_a_whole_prefix_or_none() {
    let sandbox = Sandbox::new();
    sandbox.wheel(&large());
    kill(&sandbox, &ARGS);
}

#[test]
fn killed_while_it_compiles_it_leaves_a_whole_prefix_or_none() {
    let sandbox = Sandbox::new();
    sandbox.wheel(&sources());
    kill(&sandbox, &COMPILE);
    assert!(sandbox.tree("out").contains("/__pycache__/m59.cpython-"));
}

/// Kills an installation at 50 moments, evenly spread over the time that it takes.
#[track_caller]
fn kill(sandbox: &Sandbox, args: &[&str]) {
    let start = Instant::now();
    assert!(sandbox.run(args).starts_with("exit: 0\n"));
    let whole_run = start.elapsed();
    let whole = sandbox.tree("out");
    fs_err::remove_dir_all(sandbox.path("out")).unwrap();

    let mut killed = 0;
    for moment in 0..50 {
        let mut child = sandbox
            .command(args)
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

    assert!(sandbox.run(args).starts_with("exit: 0\n"));
    assert_eq!(sandbox.tree("out"), whole);
}

#[test]
fn killed_while_it_merges_it_changes_no_file_that_was_there() {
    let sandbox = Sandbox::new();
    sandbox.wheel(&large());
    let args = [&ARGS[..], &["--merge"]].concat();
    let start = Instant::now();
    fs_err::create_dir(sandbox.path("out")).unwrap();
    fs_err::write(sandbox.path("out/mine"), "mine").unwrap();
    assert!(sandbox.run(&args).starts_with("exit: 0\n"));
    let whole_run = start.elapsed();
    let whole = sandbox.tree("out");
    for moment in 0..50 {
        fs_err::remove_dir_all(sandbox.path("out")).unwrap();
        fs_err::create_dir(sandbox.path("out")).unwrap();
        fs_err::write(sandbox.path("out/mine"), "mine").unwrap();
        let mut child = sandbox
            .command(&args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole_run * moment / 50);
        child.kill().unwrap();
        child.wait().unwrap();
        let mine = fs_err::read_to_string(sandbox.path("out/mine")).unwrap();
        assert_eq!(mine, "mine", "killed at moment {moment}");
        // What has a final name is whole.
        for line in sandbox.tree("out").lines() {
            let is_staged = line.contains(" .wheelfix-");
            assert!(is_staged || whole.contains(line), "moment {moment}: {line}");
        }
    }
}

/// Runs a script in a name space of its own, so that nothing is left of what it mounts.
#[expect(clippy::disallowed_methods, reason = "mounts file systems")]
fn run_with_mounts(sandbox: &Sandbox, script: &str) -> (String, String) {
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .current_dir(sandbox.path(""))
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    (stdout, String::from_utf8(output.stderr).unwrap())
}

/// Installs onto disks of several sizes in kilobytes: all but the last are too small.
#[track_caller]
fn fill_disks(sandbox: &Sandbox, args: &[&str], sizes: &[u32]) {
    fs_err::create_dir(sandbox.path("disk")).unwrap();
    let program = env!("CARGO_BIN_EXE_wheelfix");
    let args = args.join(" ").replace(" out ", " disk/out ");
    let sizes_text: Vec<String> = sizes.iter().map(ToString::to_string).collect();
    let script = format!(
        "for size in {}; do
            mount -t tmpfs -o size=${{size}}k none disk || exit 99
            {program} {args} --quiet
            echo $size exit: $?
            ls -A disk
            umount disk
        done",
        sizes_text.join(" ")
    );
    let (stdout, stderr) = run_with_mounts(sandbox, &script);
    let (last, small) = sizes.split_last().unwrap();
    let refused: Vec<String> = small.iter().map(|it| format!("{it} exit: 3\n")).collect();
    let want = format!("{}{last} exit: 0\nout\n", refused.concat());
    assert_eq!(stdout, want, "{stderr}");
    let reasons = stderr.matches("No space left on device").count();
    assert_eq!(reasons, small.len(), "{stderr}");
}

#[test]
fn a_full_disk_is_an_error_that_leaves_nothing() {
    let sandbox = Sandbox::new();
    sandbox.wheel(&large());
    fill_disks(&sandbox, &ARGS, &[100, 2000, 5000, 20_000]);
}

#[test]
fn so_is_one_that_is_full_of_a_large_file() {
    let sandbox = Sandbox::new();
    let content =
        (0..3_u32 << 20).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]);
    let wheel =
        WheelBuilder::new("large", "1.0").file("large/data.bin", content.collect::<Vec<u8>>());
    sandbox.wheel(&wheel);
    fill_disks(&sandbox, &ARGS, &[64, 1000, 3000, 10_000]);
}

#[test]
fn so_is_one_that_is_full_of_bytecode() {
    let sandbox = Sandbox::new();
    sandbox.wheel(&sources());
    fill_disks(&sandbox, &COMPILE, &[400, 500, 20_000]);
}

#[test]
fn a_source_that_cannot_be_written_to_will_do() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("source")).unwrap();
    let wheel = large().write_to(&sandbox.path("source"));
    let program = env!("CARGO_BIN_EXE_wheelfix");
    let name = wheel.file_name().unwrap().to_str().unwrap();
    let script = format!(
        "mount --bind source source && mount -o remount,bind,ro source || exit 99
        touch source/x 2> /dev/null && exit 98
        {program} install --quiet source/{name} --prefix out --python-version 3.11
        echo exit: $?
        cd source && {program} unpack --quiet {name} ../unpacked
        echo exit: $?"
    );
    let (stdout, stderr) = run_with_mounts(&sandbox, &script);
    assert_eq!(stdout, "exit: 0\nexit: 0\n", "{stderr}");
    assert_eq!(sandbox.names(), ["out", "source", "unpacked"]);
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
    assert!(stderr.contains("sealed`: permission denied"), "{stderr}");
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
