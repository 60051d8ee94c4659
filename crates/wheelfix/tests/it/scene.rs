//! Runs that are broken off, and what is left of them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use walkdir::WalkDir;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// The libraries of the wheel.
const LIBRARIES: usize = 12;

const WHEEL: &str = "demo-1.0-py3-none-any.whl";

/// Everything at and below a path: the mode, and the bytes of a file or the target of a link.
pub(crate) type State = BTreeMap<PathBuf, (u32, Vec<u8>)>;

/// A command that makes or edits something.
pub(crate) struct Scene {
    pub(crate) sandbox: Sandbox,
    args: Vec<&'static str>,
    /// The path that it makes or edits; it starts as a copy of `start`, if there is one.
    subject: &'static str,
}

impl Scene {
    pub(crate) fn new(name: &str) -> Self {
        let sandbox = Sandbox::new();
        sandbox.wheel(&wheel(&sandbox));
        let (args, subject): (&[&str], _) = match name {
            "install" => (&["install", WHEEL, "--prefix", "a/b/out"], "a"),
            "merge" => (&["install", WHEEL, "--prefix", "out", "--merge"], "out"),
            "env" => (
                &["env", WHEEL, "--prefix", "out", "--allow-unmet", "*"],
                "out",
            ),
            "patch" => (&["patch", "out", "--remove-dep", "gone"], "out"),
            "two trees" => (&["patch", "out/a", "out/b", "--remove-dep", "gone"], "out"),
            "unbundle" => (&["unbundle", "out", "--bundled", "libfoo*=replace"], "out"),
            _ => (&["patch", WHEEL, "--output", "made/out"], "made"),
        };
        let mut args = [args, &["--lib-path", "store"]].concat();
        match name {
            "install" | "merge" | "env" => args.extend(["--python-version", "3.11"]),
            "unbundle" => args.extend(["--rules", "foo.toml"]),
            _ => {}
        }
        match name {
            "merge" => {
                fs_err::create_dir(sandbox.path("start")).unwrap();
                fs_err::write(sandbox.path("start/mine"), "mine").unwrap();
            }
            "patch" | "unbundle" => {
                let args = [
                    "install",
                    WHEEL,
                    "--prefix",
                    "start",
                    "--python-version",
                    "3.11",
                ];
                let unlinked = ["--bundled", "*=keep", "--lib-path", "store"];
                let text = sandbox.run(&[&args[..], &unlinked].concat());
                assert!(text.starts_with("exit: 0\n"), "{text}");
                sandbox.unlink("start");
            }
            "two trees" => ["start/a", "start/b"]
                .map(|tree| sandbox.unlink(tree))
                .into_iter()
                .collect(),
            _ => {}
        }
        Self {
            sandbox,
            args,
            subject,
        }
    }

    /// Makes everything as it is before a run.
    pub(crate) fn reset(&self) {
        let (subject, start) = (self.path(), self.sandbox.path("start"));
        if subject.is_dir() {
            fs_err::remove_dir_all(&subject).unwrap();
        }
        if start.is_dir() {
            copy(&start, &subject);
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.sandbox.path(self.subject)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = self.sandbox.command(&self.args);
        command.args(["--quiet", "--jobs", "2"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The state of what it makes or edits.
    pub(crate) fn state(&self) -> State {
        state(&self.path())
    }

    /// Nothing temporary is left anywhere.
    #[track_caller]
    pub(crate) fn is_clean(&self, when: &str) {
        let entries = WalkDir::new(self.sandbox.path("")).min_depth(1);
        for entry in entries {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy();
            let is_left = name.starts_with(".wheelfix-") || name.starts_with(".tmp");
            assert!(!is_left, "{when}: {}", entry.path().display());
        }
    }

    /// Runs to the end, and wants what a run makes that is not broken off.
    #[track_caller]
    pub(crate) fn heals(&self, want: &State, when: &str) {
        // It is refused if it was broken off after everything was done.
        self.command().status().unwrap();
        self.is_clean(when);
        let got = self.state();
        for path in want.keys().chain(got.keys()) {
            assert!(
                want.get(path) == got.get(path),
                "{when}: {}",
                path.display()
            );
        }
    }
}

impl Sandbox {
    /// Makes a tree in which the libraries are as they were in the wheel, and RECORD is true of them.
    fn unlink(&self, tree: &str) {
        let site = self.path(tree).join("lib/python3.11/site-packages");
        if self.path(tree).is_dir() {
            fs_err::remove_dir_all(self.path(tree)).unwrap();
        }
        fs_err::create_dir_all(&site).unwrap();
        let status = unzip(&self.path(WHEEL), &site);
        assert!(status.success());
    }
}

#[expect(clippy::disallowed_methods, reason = "another reader of wheels")]
fn unzip(wheel: &Path, directory: &Path) -> ExitStatus {
    let mut command = Command::new("python3");
    command.args(["-m", "zipfile", "-e"]);
    command.args([wheel, directory]).status().unwrap()
}

/// A wheel with libraries that lack a run path, one with a bundled library, and requirements.
fn wheel(sandbox: &Sandbox) -> WheelBuilder {
    fs_err::create_dir_all(sandbox.path("store/lib")).unwrap();
    fs_err::write(sandbox.path("foo.toml"), RULES).unwrap();
    sandbox.library(
        "void dep(void) {}",
        &["-Wl,-soname,libdep.so.1", "-o", "store/lib/libdep.so.1"],
    );
    let foo = "int foo_open(void) { return 1; }";
    sandbox.library(
        foo,
        &["-Wl,-soname,libfoo.so.1", "-o", "store/lib/libfoo.so.1"],
    );
    let copy = "libfoo-01234567.so.1";
    sandbox.library(foo, &["-Wl,-soname,libfoo-01234567.so.1", "-o", copy]);
    sandbox.library(
        "void dep(void); void use(void) { dep(); }",
        &["store/lib/libdep.so.1", "-o", "dep.so"],
    );
    sandbox.library(
        "int foo_open(void); int use(void) { return foo_open(); }",
        &[copy, "-Wl,-rpath,$ORIGIN/../demo.libs", "-o", "foo.so"],
    );
    let read = |name: &str| fs_err::read(sandbox.path(name)).unwrap();
    let sbom = r#"{"bomFormat": "CycloneDX", "specVersion": "1.4", "components": [
        {"type": "library", "name": "libfoo"}, {"type": "library", "name": "other"}]}"#;
    let mut wheel = WheelBuilder::new("demo", "1.0")
        .metadata("Requires-Dist: gone\nRequires-Dist: kept\n")
        .file("demo/__init__.py", "x = 1\n")
        .file("demo/foo.so", read("foo.so"))
        .file("demo.libs/libfoo-01234567.so.1", read(copy))
        .dist_info("sboms/theirs.cdx.json", sbom);
    for number in 0..LIBRARIES {
        wheel = wheel.file(&format!("demo/dep{number}.so"), read("dep.so"));
        wheel = wheel.file(
            &format!("demo/m{number}.py"),
            format!("x = {number}\n").repeat(2000),
        );
    }
    wheel
}

/// The rule by which a library is libfoo.
const RULES: &str = r#"
[[bundled]]
name = "libfoo"
reason = "Tests."
source = "tests/it/scene.rs"
soname = ["libfoo.so.1"]
exports = ["foo_open"]
action = "replace"
group = "foo"
"#;

/// Copies a tree with its modes.
fn copy(from: &Path, to: &Path) {
    for entry in WalkDir::new(from).sort_by_file_name() {
        let entry = entry.unwrap();
        let to = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            fs_err::create_dir(&to).unwrap();
        } else {
            fs_err::copy(entry.path(), &to).unwrap();
        }
    }
}

fn state(path: &Path) -> State {
    let mut state = State::new();
    if !path.try_exists().unwrap() {
        return state;
    }
    for entry in WalkDir::new(path) {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        let content = if entry.file_type().is_file() {
            fs_err::read(entry.path()).unwrap()
        } else {
            Vec::new()
        };
        let inside = entry.path().strip_prefix(path).unwrap();
        state.insert(inside.to_owned(), (mode, content));
    }
    state
}
