//! Limits of the system on what a process may have: few files, little memory, output that cannot be written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// A wheel with libraries, one of them bundled, and deep directories, installed in `site`, and its inputs.
struct Bench {
    sandbox: Sandbox,
    python: String,
    /// The variables that Nix sets for a builder.
    derivation: Vec<(&'static str, String)>,
    /// All that is there before a run.
    names: Vec<String>,
}

const WHEEL: &str = "deep-1.0-py3-none-linux_x86_64.whl";

/// By this rule a library is libfoo.
const RULES: &str = r#"
[[bundled]]
name = "libfoo"
reason = "Tests."
source = "tests/slow/resources.rs"
soname = ["libfoo.so.1"]
versions = ["FOO_*"]
exports = ["foo_open"]
action = "replace"
group = "foo"
releases = [["FOO_1", "1"]]
"#;

/// Where the wheel has its copy of libfoo.
const COPY: &str = "deep.libs/libfoo-01234567.so.1.0.0";

impl Bench {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        fs_err::create_dir(sandbox.path("libs")).unwrap();
        sandbox.library(
            "int there;",
            &["-o", "libs/libthere.so", "-Wl,-soname,libthere.so"],
        );
        sandbox.library(
            "extern int there; int *f(void) { return &there; }",
            &["-o", "m.so", "-Llibs", "-lthere"],
        );
        bundle(&sandbox);
        let mut wheel = WheelBuilder::new("deep", "1.0").tags("py3-none-linux_x86_64");
        let deep = "d/".repeat(30);
        for number in 0..40 {
            wheel = wheel.file(&format!("deep/{deep}m{number}.py"), "x = 1\n");
        }
        for (name, file) in [
            ("deep/m.so", "m.so"),
            ("deep/ext.so", "ext.so"),
            (COPY, COPY),
        ] {
            wheel = wheel.file(name, fs_err::read(sandbox.path(file)).unwrap());
        }
        sandbox.wheel(&wheel);
        let python = cache::tool("python3").to_str().unwrap().to_owned();
        for directory in ["site", "pristine"] {
            let unpacked = sandbox.run(&["unpack", WHEEL, directory]);
            assert!(unpacked.starts_with("exit: 0\n"), "{unpacked}");
        }
        let path = |name: &str| sandbox.path(name).to_str().unwrap().to_owned();
        let derivation = vec![
            ("out", path("b")),
            ("src", path(WHEEL)),
            ("wheelfixLibs", path("libs")),
            ("wheelfixPython", python.clone()),
        ];
        Self {
            derivation,
            python,
            names: sandbox.names(),
            sandbox,
        }
    }

    /// All commands that write, those that only read, and what each makes.
    fn commands(&self) -> Vec<(Vec<&str>, Option<&'static str>)> {
        let common = ["--lib-path", "libs", "--python", &self.python];
        let with = |start: &[&'static str]| [start, &common[..]].concat();
        vec![
            (with(&["install", WHEEL, "--prefix", "p"]), Some("p")),
            (with(&["env", WHEEL, "--prefix", "e"]), Some("e")),
            (with(&["patch", WHEEL, "--output", "new"]), Some("new")),
            (with(&["unbundle", WHEEL, "--output", "less"]), Some("less")),
            (with(&["patch", "site"]), None),
            (with(&["unbundle", "site", "--rules", "foo.toml"]), None),
            (vec!["builder"], Some("b")),
            (with(&["check", WHEEL]), None),
        ]
    }

    /// Runs a command without limits.
    fn run(&self, args: &[&str]) -> String {
        let variables = self.derivation.iter();
        let variables: Vec<_> = variables
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.sandbox.run_with(args, &variables)
    }

    /// Makes the tree that is edited in its place what it was.
    fn reset(&self) {
        let [from, to] = ["pristine", "site"].map(|tree| self.sandbox.path(tree));
        let now = content(&to);
        let want = content(&from);
        if now == want {
            return;
        }
        fs_err::remove_dir_all(&to).unwrap();
        for (name, bytes) in want {
            let path = to.join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, bytes).unwrap();
        }
    }

    /// All that may not change where a run fails.
    fn state(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        content(&self.sandbox.path("site"))
    }

    /// Runs a command under limits of `prlimit`; checks that it ends in a way that is documented and leaves the whole
    /// output, or what was there before.
    #[expect(clippy::disallowed_methods, reason = "runs the program under limits")]
    fn expect_clean(&self, limit: &str, args: &[&str], makes: Option<&str>) -> i32 {
        self.reset();
        let before = self.state();
        let output = Command::new("prlimit")
            .args([limit, env!("CARGO_BIN_EXE_wheelfix")])
            .args(args)
            .envs(self.derivation.iter().map(|(name, value)| (name, value)))
            .current_dir(self.sandbox.path(""))
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        let told = format!("{limit} {args:?}: {code:?} {stderr}");
        let code = code.unwrap_or_else(|| panic!("killed: {told}"));
        let mut want = self.names.clone();
        match code {
            0 => want.extend(makes.map(str::to_owned)),
            // The system's own loader did not get as far as the program, or a Python did not.
            1 | 3 | 127 => assert!(stderr.contains("rror"), "{told}"),
            _ => panic!("{told}"),
        }
        want.sort();
        assert_eq!(self.sandbox.names(), want, "{told}");
        if code != 0 {
            assert!(self.state() == before, "{told}");
        }
        if let Some(made) = makes.filter(|_| code == 0) {
            fs_err::remove_dir_all(self.sandbox.path(made)).unwrap();
        }
        code
    }
}

/// Puts a copy of libfoo where the wheel bundles it, a module that needs it, and what may replace it.
fn bundle(sandbox: &Sandbox) {
    fs_err::create_dir(sandbox.path("deep.libs")).unwrap();
    fs_err::write(sandbox.path("foo.toml"), RULES).unwrap();
    let versions = "FOO_1 { global: foo_open; local: *; };";
    fs_err::write(sandbox.path("versions.map"), versions).unwrap();
    for (output, soname) in [
        ("libs/libfoo.so.1", "libfoo.so.1"),
        (COPY, "libfoo-01234567.so.1.0.0"),
    ] {
        let soname = format!("-Wl,-soname,{soname}");
        let script = "-Wl,--version-script=versions.map";
        sandbox.library(
            "int foo_open(void) { return 1; }",
            &["-o", output, &soname, script],
        );
    }
    let run_path = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../deep.libs";
    sandbox.library(
        "extern int foo_open(void); int use(void) { return foo_open(); }",
        &["-o", "ext.so", COPY, run_path],
    );
}

/// The files below a directory.
fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut pending = vec![dir.to_path_buf()];
    while let Some(at) = pending.pop() {
        for entry in fs_err::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let bytes = fs_err::read(&path).unwrap();
                files.insert(path.strip_prefix(dir).unwrap().to_path_buf(), bytes);
            }
        }
    }
    files
}

#[test]
fn with_few_files_a_run_succeeds_or_leaves_nothing() {
    let bench = Bench::new();
    for (args, makes) in bench.commands() {
        for files in [5, 7, 8, 9, 10, 12] {
            bench.expect_clean(&format!("--nofile={files}"), &args, makes);
        }
        // One for each level of directories, and a few.
        bench.expect_clean("--nofile=16", &args, makes);
        let code = bench.expect_clean("--nofile=64", &args, makes);
        assert_eq!(code, 0, "{args:?}");
    }
}

#[test]
fn with_little_memory_a_run_succeeds_or_leaves_nothing() {
    let bench = Bench::new();
    for (args, makes) in bench.commands() {
        // With less the kernel cannot start a program with debug information at all.
        for megabytes in [60, 80, 100, 150, 200, 250, 300, 400, 500, 600, 800] {
            bench.expect_clean(&format!("--as={}", megabytes << 20), &args, makes);
        }
        assert_eq!(bench.expect_clean("--as=4294967296", &args, makes), 0);
    }
}

#[test]
fn where_the_report_cannot_be_written_output_is_whole_or_not_there() {
    let bench = Bench::new();
    for (args, makes) in bench.commands() {
        // Edits are done before they are told of; what they are is the same with a report.
        let is_edited = matches!(args.first(), Some(&"patch" | &"unbundle"));
        bench.reset();
        let whole = bench.run(&args);
        assert!(whole.starts_with("exit: 0\n"), "{args:?}: {whole}");
        let edited = bench.state();
        let mut names = bench.sandbox.names();
        if let Some(made) = makes {
            fs_err::remove_dir_all(bench.sandbox.path(made)).unwrap();
        }
        if !is_edited {
            names.clone_from(&bench.names);
        }
        for more in [&[][..], &["--json"]] {
            if args == ["builder"] && !more.is_empty() {
                continue;
            }
            bench.reset();
            let mut command = bench.sandbox.command(&[&args[..], more].concat());
            command.envs(bench.derivation.iter().map(|(name, value)| (name, value)));
            let full = fs_err::OpenOptions::new().write(true).open("/dev/full");
            command.stdout(Stdio::from(full.unwrap().into_file()));
            let output = command.output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            let told = format!("{args:?} {more:?}: {stderr}");
            assert_eq!(output.status.code(), Some(3), "{told}");
            assert!(stderr.contains("No space left on device"), "{told}");
            assert_eq!(bench.sandbox.names(), names, "{told}");
            assert!(bench.state() == edited, "{told}");
            if let Some(made) = makes.filter(|_| is_edited) {
                fs_err::remove_dir_all(bench.sandbox.path(made)).unwrap();
            }
        }
    }
}
