//! Runs that are killed, or fail, at any step: nothing is half done.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use wheelfix_testkit::elf::Tool;

use crate::scene::{Scene, State};
use crate::support::Sandbox;

/// Ends the process, or fails a call, at a given change of the file system. What it counts are calls of the C library,
/// which the program makes for nearly all changes.
const BREAK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
static int count, at = -1, with;
__attribute__((constructor)) static void start(void) {
    at = getenv("BREAK_AT") ? atoi(getenv("BREAK_AT")) : -1;
    with = getenv("BREAK_WITH") ? atoi(getenv("BREAK_WITH")) : 0;
}
static int breaks(void) {
    if (__sync_add_and_fetch(&count, 1) != at) return 0;
    if (with == -1) { chmod(getenv("BREAK_SEAL"), 0555); return 0; }
    if (with == 0) { kill(getpid(), SIGKILL); for (;;) pause(); }
    errno = with;
    return 1;
}
#define WRAP(type, name, params, args) \
    type name params { \
        static type (*real) params; \
        if (!real) real = dlsym(RTLD_NEXT, #name); \
        return breaks() ? -1 : real args; \
    }
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(int, rmdir, (const char *path), (path))
WRAP(int, rename, (const char *from, const char *to), (from, to))
WRAP(int, linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
WRAP(int, unlink, (const char *path), (path))
WRAP(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
WRAP(int, ftruncate64, (int file, off64_t len), (file, len))
WRAP(int, chmod, (const char *path, mode_t mode), (path, mode))
WRAP(int, fchmod, (int file, mode_t mode), (file, mode))
WRAP(ssize_t, pwrite64, (int file, const void *bytes, size_t len, off64_t at), (file, bytes, len, at))
static ssize_t (*real_write)(int, const void *, size_t);
ssize_t write(int file, const void *bytes, size_t len) {
    if (!real_write) real_write = dlsym(RTLD_NEXT, "write");
    struct stat64 state;
    int counts = fstat64(file, &state) == 0 && S_ISREG(state.st_mode);
    return counts && breaks() ? -1 : real_write(file, bytes, len);
}
"#;

/// The library that breaks runs off.
fn breaker(sandbox: &Sandbox) {
    fs_err::write(sandbox.path("break.c"), BREAK).unwrap();
    let args = ["-shared", "-fPIC", "-o", "break.so", "break.c", "-ldl"];
    Tool::CC.run_in(&sandbox.path(""), &args).expect();
}

/// Breaks a run off at every step.
#[track_caller]
fn breaks_off(name: &str) {
    let scene = Scene::new(name);
    breaker(&scene.sandbox);
    scene.reset();
    let before = scene.state();
    assert!(scene.command().status().unwrap().success());
    let want = scene.state();
    assert!(want != before);
    let run = |step: u32, with: i32| {
        scene.reset();
        let mut command = scene.command();
        command.env("LD_PRELOAD", scene.sandbox.path("break.so"));
        command.env("BREAK_AT", step.to_string());
        command.env("BREAK_WITH", with.to_string());
        command.status().unwrap()
    };
    let mut steps = 0;
    loop {
        steps += 1;
        let status = run(steps, 0);
        if status.success() {
            break;
        }
        assert_eq!(status.signal(), Some(9), "{name}, step {steps}: {status}");
        scene.heals(&want, &format!("{name}, killed at step {steps}"));
    }
    assert!(10 < steps, "{name}: only {steps} steps");
    // 28 is ENOSPC.
    for step in 1..steps {
        let status = run(step, 28);
        let when = format!("{name}, no space at step {step}: {status}");
        let got = scene.state();
        if status.success() {
            // What failed was nothing but tidying up.
            scene.heals(&want, &when);
        } else {
            assert_eq!(status.code(), Some(3), "{when}");
            for path in before.keys().chain(got.keys()) {
                assert!(
                    before.get(path) == got.get(path),
                    "{when}: {}",
                    path.display()
                );
            }
            scene.is_clean(&when);
        }
    }
}

/// The command as a user without the rights of the superuser, who owns everything in the sandbox.
#[expect(clippy::disallowed_methods, reason = "runs the program under test")]
fn as_somebody(scene: &Scene) -> Command {
    let command = scene.command();
    if !rustix::process::geteuid().is_root() {
        return command;
    }
    // The program itself lies where only its owner may look.
    let program = scene.sandbox.path("wheelfix");
    if !program.is_file() {
        fs_err::copy(command.get_program(), &program).unwrap();
    }
    let mut chown = Command::new("chown");
    chown
        .args(["-R", "65534:65534"])
        .arg(scene.sandbox.path(""));
    assert!(chown.status().unwrap().success());
    let mut other = Command::new("setpriv");
    other.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    other.arg(program).args(command.get_args());
    other.current_dir(scene.sandbox.path(""));
    other.stdout(Stdio::null()).stderr(Stdio::null());
    other
}

/// Makes a directory of what is edited unwritable at every step; before the first one, too.
#[track_caller]
fn is_sealed(name: &str, directory: &str) {
    let scene = Scene::new(name);
    breaker(&scene.sandbox);
    scene.reset();
    let before = scene.state();
    assert!(scene.command().status().unwrap().success());
    let want = scene.state();
    let mut refused = 0;
    for step in 0..60 {
        scene.reset();
        let sealed = scene.path().join(SITE).join(directory);
        let permissions = fs_err::metadata(&sealed).unwrap().permissions();
        let mut command = as_somebody(&scene);
        if step == 0 {
            let sealed_mode = std::fs::Permissions::from_mode(0o555);
            fs_err::set_permissions(&sealed, sealed_mode).unwrap();
        }
        command.env("LD_PRELOAD", scene.sandbox.path("break.so"));
        command.env("BREAK_AT", step.to_string());
        command.env("BREAK_WITH", "-1");
        command.env("BREAK_SEAL", &sealed);
        let status = command.status().unwrap();
        let when = format!("{name}, `{directory}` sealed at step {step}: {status}");
        if sealed.is_dir() {
            fs_err::set_permissions(&sealed, permissions).unwrap();
        }
        scene.is_clean(&when);
        let got = scene.state();
        let is_done = status.success();
        assert!(is_done || status.code() == Some(3), "{when}");
        let expected = if is_done { &want } else { &before };
        for path in expected.keys().chain(got.keys()) {
            assert!(
                expected.get(path) == got.get(path),
                "{when}: {}",
                path.display()
            );
        }
        refused += usize::from(!is_done);
    }
    assert!(0 < refused, "{name}, `{directory}`: never refused");
}

const SITE: &str = "lib/python3.11/site-packages";

#[test]
fn a_directory_that_becomes_unwritable_changes_nothing() {
    is_sealed("patch", "demo-1.0.dist-info");
    is_sealed("unbundle", "demo-1.0.dist-info");
    is_sealed("unbundle", "demo.libs");
}

#[test]
fn a_tree_on_a_full_disk_stays_as_it_was() {
    for name in ["patch", "unbundle"] {
        let scene = Scene::new(name);
        scene.reset();
        let command = scene.command();
        let arguments: Vec<_> = command.get_args().map(|it| it.to_str().unwrap()).collect();
        let (program, arguments) = (env!("CARGO_BIN_EXE_wheelfix"), arguments.join("' '"));
        fs_err::remove_dir_all(scene.path()).unwrap();
        fs_err::create_dir(scene.path()).unwrap();
        // How much room is left: KiB, and inodes.
        let script = format!(
            "for room in 0:100 4:100 8:100 16:100 24:100 40:100 4096:0 4096:1 4096:2 4096:3 4096:5; do
                mount -t tmpfs none out || exit 99
                cp -a start/. out
                used=$(df -k --output=used out | tail -1)
                inodes=$(df --output=iused out | tail -1)
                mount -o remount,size=$((used + ${{room%:*}}))k,nr_inodes=$((inodes + ${{room#*:}})) out || exit 98
                '{program}' '{arguments}'
                code=$?
                left=$(find out -name '.wheelfix-*' -o -name '.tmp*')
                diff -r start out > /dev/null && same=same || same=other
                echo $code $same $left
                umount out
            done"
        );
        let answers = run_with_mounts(&scene.sandbox, &script);
        let lines: Vec<&str> = answers.lines().collect();
        assert_eq!(lines.len(), 11, "{answers}");
        assert!(
            3 <= lines.iter().filter(|line| **line == "3 same").count(),
            "{answers}"
        );
        for line in lines {
            assert!(line == "3 same" || line == "0 other", "{name}: {answers}");
        }
    }
}

/// Runs a script in a name space of its own, so that nothing is left of what it mounts.
#[expect(clippy::disallowed_methods, reason = "mounts file systems")]
fn run_with_mounts(sandbox: &Sandbox, script: &str) -> String {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    let output = command.current_dir(sandbox.path("")).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn several_trees_are_edited_all_or_none() {
    let scene = Scene::new("two trees");
    breaker(&scene.sandbox);
    scene.reset();
    let before = scene.state();
    assert!(scene.command().status().unwrap().success());
    let want = scene.state();
    let is_killed = |step: usize| {
        scene.reset();
        let mut command = scene.command();
        command.env("LD_PRELOAD", scene.sandbox.path("break.so"));
        command.env("BREAK_AT", step.to_string());
        !command.status().unwrap().success()
    };
    let mut end = 16;
    while is_killed(end) {
        end += 16;
    }
    // The journals are closed in the last steps.
    let (mut undone, mut done) = (0, 0);
    for step in (end - 48..end).filter(|step| is_killed(*step)) {
        // Whichever comes first.
        let trees = [["out/a", "out/b"], ["out/b", "out/a"]];
        for tree in trees.into_iter().cycle().nth(step).into_iter().flatten() {
            scene.sandbox.run(&["check", tree]);
        }
        scene.is_clean(&format!("step {step}"));
        let got = scene.state();
        assert!(got == before || got == want, "step {step}: one of two");
        undone += usize::from(got == before);
        done += usize::from(got == want);
    }
    assert!(0 < undone && 2 < done, "{undone} and {done}");
}

/// Kills `wheelfix patch` of a place of the scene of that name when some of its edits are made; returns the state before.
fn broken_off(scene: &Scene, place: &str) -> State {
    for step in 1..200 {
        scene.reset();
        let path = scene.sandbox.path(place);
        fs_err::create_dir_all(&path).unwrap();
        fs_err::copy(scene.sandbox.path("dep.so"), path.join("dep.so")).unwrap();
        let before = scene.state();
        let mut command = scene
            .sandbox
            .command(&["patch", place, "--lib-path", "store"]);
        command.env("LD_PRELOAD", scene.sandbox.path("break.so"));
        command.env("BREAK_AT", step.to_string());
        assert!(!command.output().unwrap().status.success(), "{place}");
        let got = scene.state();
        let mut edited = before
            .iter()
            .filter(|(path, it)| got.get(*path) != Some(it));
        if edited.any(|(path, _)| path.ends_with("dep.so")) {
            return before;
        }
    }
    panic!("nothing is edited");
}

#[test]
fn every_command_takes_back_what_was_broken_off() {
    let scene = Scene::new("patch");
    breaker(&scene.sandbox);
    let file = format!("out/{SITE}/demo/dep0.so");
    let env = ["env", "out", "--prefix", "made", "--python-version", "3.11"];
    let env = [&env[..], &["--allow-unmet", "*", "--prove", "none"]].concat();
    let commands: [(&str, &[&str]); 5] = [
        ("out", &["check", &file]),
        ("out", &["why", &file]),
        ("out", &["patchelf", "--print-rpath", &file]),
        ("out", &env),
        ("out/share/deep", &env),
    ];
    for (place, command) in commands {
        let before = broken_off(&scene, place);
        let text = scene.sandbox.run(command);
        assert!(scene.state() == before, "{command:?}: {text}");
        let made = scene.sandbox.path("made");
        if made.is_dir() {
            fs_err::remove_dir_all(made).unwrap();
        }
    }
}

#[test]
fn new_files_are_written_before_anything_changes() {
    let scene = Scene::new("patch");
    breaker(&scene.sandbox);
    scene.reset();
    let command = ["patch", "out", "--lib-path", "store"];
    assert!(scene.sandbox.run(&command).starts_with("exit: 0\n"));
    let name = format!("{SITE}/demo-1.0.dist-info/RECORD");
    let want = scene.state().remove(Path::new(&name)).unwrap();
    broken_off(&scene, "out");
    let half = scene.state();
    let is_new = |path: &Path| path.to_string_lossy().contains("/new-");
    let found = half.iter().any(|(path, it)| is_new(path) && *it == want);
    assert!(found, "{:?}", half.keys());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "runs the program that is edited")]
fn a_running_program_is_as_it_was_or_edited() {
    let scene = Scene::new("patch");
    breaker(&scene.sandbox);
    let source = "#include <unistd.h>\nvoid dep(void); int main(void) { dep(); for (;;) pause(); }";
    fs_err::write(scene.sandbox.path("run.c"), source).unwrap();
    let args = ["-o", "run", "run.c", "store/lib/libdep.so.1"];
    Tool::CC.run_in(&scene.sandbox.path(""), &args).expect();
    let program = scene.path().join("bin/run");
    let patch = |step: u32| {
        scene.reset();
        fs_err::create_dir(scene.path().join("bin")).unwrap();
        fs_err::copy(scene.sandbox.path("run"), &program).unwrap();
        let before = scene.state();
        let mut run = Command::new(&program);
        run.env("LD_LIBRARY_PATH", scene.sandbox.path("store/lib"));
        let mut running = run.spawn().unwrap();
        let mut command = scene.command();
        command.env("LD_PRELOAD", scene.sandbox.path("break.so"));
        command.env("BREAK_AT", step.to_string());
        let status = command.status().unwrap();
        running.kill().unwrap();
        running.wait().unwrap();
        (before, status)
    };
    let (_, status) = patch(1_000_000);
    assert!(status.success());
    let want = scene.state();
    for step in (1..).step_by(5) {
        let (before, status) = patch(step);
        if status.success() {
            break;
        }
        scene.sandbox.run(&["check", "out"]);
        scene.is_clean(&format!("step {step}"));
        let got = scene.state();
        assert!(got == before || got == want, "step {step}");
    }
}

#[test]
fn edits_of_somebody_else_that_were_broken_off_are_not_built_upon() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let scene = Scene::new("patch");
    breaker(&scene.sandbox);
    broken_off(&scene, "out");
    let left = fs_err::read_dir(scene.path())
        .unwrap()
        .map(|it| it.unwrap().path());
    let left: Vec<_> = left.filter(|it| it.join("journal").is_file()).collect();
    let [journal] = &left[..] else {
        panic!("{left:?}")
    };
    std::os::unix::fs::chown(journal, Some(1234), None).unwrap();
    let half = scene.state();
    let text = scene.sandbox.run(&["patch", "out", "--lib-path", "store"]);
    assert!(
        text.starts_with("exit: 3\n") && text.contains("only user 1234"),
        "{text}"
    );
    assert!(scene.state() == half);
}

#[test]
fn patch_is_broken_off_at_every_step() {
    breaks_off("patch");
}

#[test]
fn unbundle_is_broken_off_at_every_step() {
    breaks_off("unbundle");
}

#[test]
fn install_is_broken_off_at_every_step() {
    breaks_off("install");
}

#[test]
fn a_wheel_is_broken_off_at_every_step() {
    breaks_off("wheel");
}

#[test]
fn merge_is_broken_off_at_every_step() {
    breaks_off("merge");
}
