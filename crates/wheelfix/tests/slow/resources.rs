//! Limits of the system on what a process may have: few files, little memory, output that cannot be written.

use std::process::{Command, Stdio};

use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// A wheel with a library, deep directories and a program, installed in `site`, and its inputs.
struct Bench {
    sandbox: Sandbox,
    python: String,
    /// All that is there before a run.
    names: Vec<String>,
}

const WHEEL: &str = "deep-1.0-py3-none-linux_x86_64.whl";

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
        let module = fs_err::read(sandbox.path("m.so")).unwrap();
        let mut wheel = WheelBuilder::new("deep", "1.0").tags("py3-none-linux_x86_64");
        let deep = "d/".repeat(30);
        for number in 0..40 {
            wheel = wheel.file(&format!("deep/{deep}m{number}.py"), "x = 1\n");
        }
        sandbox.wheel(&wheel.file("deep/m.so", module));
        let python = cache::tool("python3").to_str().unwrap().to_owned();
        for directory in ["site", "pristine"] {
            let unpacked = sandbox.run(&["unpack", WHEEL, directory]);
            assert!(unpacked.starts_with("exit: 0\n"), "{unpacked}");
        }
        let names = sandbox.names();
        Self {
            sandbox,
            python,
            names,
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
            (with(&["check", WHEEL]), None),
        ]
    }

    /// Makes the tree that is edited in its place what it was.
    fn reset(&self) {
        for file in ["deep/m.so", "deep-1.0.dist-info/RECORD"] {
            let [from, to] = ["pristine", "site"].map(|tree| self.sandbox.path(tree).join(file));
            fs_err::copy(from, to).unwrap();
        }
    }

    /// Runs a command under limits of `prlimit`; checks that it ends in a way that is documented and leaves the whole
    /// output, or what was there before.
    #[expect(clippy::disallowed_methods, reason = "runs the program under limits")]
    fn expect_clean(&self, limit: &str, args: &[&str], makes: Option<&str>) -> i32 {
        self.reset();
        let before = digest(&self.sandbox);
        let output = Command::new("prlimit")
            .args([limit, env!("CARGO_BIN_EXE_wheelfix")])
            .args(args)
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
            assert_eq!(digest(&self.sandbox), before, "{told}");
        }
        if let Some(made) = makes.filter(|_| code == 0) {
            fs_err::remove_dir_all(self.sandbox.path(made)).unwrap();
        }
        code
    }
}

/// The tree that is edited in its place, with the content of the library and of RECORD.
fn digest(sandbox: &Sandbox) -> (String, Vec<u8>, Vec<u8>) {
    let read = |file: &str| fs_err::read(sandbox.path("site").join(file)).unwrap();
    let record = read("deep-1.0.dist-info/RECORD");
    (sandbox.tree("site"), read("deep/m.so"), record)
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
        for megabytes in [40, 60, 80, 100, 150, 200, 250, 300, 400] {
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
        assert!(bench.sandbox.run(&args).starts_with("exit: 0\n"));
        let edited = digest(&bench.sandbox);
        let mut names = bench.sandbox.names();
        if let Some(made) = makes {
            fs_err::remove_dir_all(bench.sandbox.path(made)).unwrap();
        }
        if !is_edited {
            names.clone_from(&bench.names);
        }
        for more in [&[][..], &["--json"]] {
            bench.reset();
            let mut command = bench.sandbox.command(&[&args[..], more].concat());
            let full = fs_err::OpenOptions::new().write(true).open("/dev/full");
            command.stdout(Stdio::from(full.unwrap().into_file()));
            let output = command.output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            let told = format!("{args:?} {more:?}: {stderr}");
            assert_eq!(output.status.code(), Some(3), "{told}");
            assert!(stderr.contains("No space left on device"), "{told}");
            assert_eq!(bench.sandbox.names(), names, "{told}");
            assert_eq!(digest(&bench.sandbox), edited, "{told}");
            if let Some(made) = makes.filter(|_| is_edited) {
                fs_err::remove_dir_all(bench.sandbox.path(made)).unwrap();
            }
        }
    }
}
