//! Every way to name a place is the same place: one place in many spellings, and the same output, exit
//! code, document and files each time.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};
use wheelfix_testkit::cache;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// A directory `root` with `here`, which everything runs in, a library in `libs/lib`, wheels, and a
/// tree whose files cannot load before they are patched.
struct Bench {
    sandbox: Sandbox,
    root: PathBuf,
}

/// The outcome of a run: exit code, both streams, and the files.
#[derive(Debug, Eq, PartialEq)]
struct Outcome {
    code: i32,
    stdout: String,
    stderr: String,
    /// Path and mode of each file, with a digest of its content, or where a link leads.
    files: BTreeMap<String, String>,
}

/// Spellings of `NAME` in the root, seen from `here`; `link` leads to the root, `deep` into it.
const SPELLINGS: &[&str] = &[
    "ROOT/NAME",
    "../NAME",
    "../NAME/",
    "..//NAME//",
    "./../NAME/.",
    "../here/../NAME",
    "ROOT/here/../NAME",
    "ROOT/link/NAME",
    "ROOT/deep/../../NAME",
    "../link/here/.././NAME",
    "../alias-NAME",
];

impl Bench {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let root = fs_err::canonicalize(sandbox.path(".")).unwrap();
        for directory in ["here/below", "libs/lib", "none"] {
            fs_err::create_dir_all(root.join(directory)).unwrap();
        }
        symlink(&root, root.join("link")).unwrap();
        symlink("here/below", root.join("deep")).unwrap();
        for name in ["out", "libs", "tree", "input"] {
            symlink(name, root.join(format!("alias-{name}"))).unwrap();
        }
        let bench = Self { sandbox, root };
        let module = bench.compile("void f(void); void PyInit_m(void) { f(); }", &["-la"]);
        let lost = bench.compile("void lost(void); void PyInit_m(void) { lost(); }", &[]);
        let wheel = |name: &str, module: &[u8]| {
            WheelBuilder::new(name, "1.0")
                .platlib()
                .tags("cp311-cp311-linux_x86_64")
                .file(&format!("{name}/__init__.py"), "raise SystemExit(1)\n")
                .file(&format!("{name}/m.so"), module)
                .data(&format!("scripts/{name}"), "#!python\nprint(1)\n")
        };
        wheel("good", &module).write_to(&bench.root.join("here"));
        wheel("lost", &lost).write_to(&bench.root.join("here"));
        fs_err::write(bench.root.join("m.so"), module).unwrap();
        bench.install("input");
        bench
    }

    /// Compiles a module that may need `liba.so`.
    fn compile(&self, source: &str, flags: &[&str]) -> Vec<u8> {
        let start = ["-shared", "-fPIC", "-nostdlib", "-Wl,--no-as-needed"];
        fs_err::write(self.root.join("a.c"), "void f(void) {}").unwrap();
        fs_err::write(self.root.join("m.c"), source).unwrap();
        let library = ["-Wl,-soname,liba.so", "-o", "libs/lib/liba.so", "a.c"];
        let module = ["-o", "m.so", "m.c", "-Llibs/lib"];
        for args in [
            [&start[..], &library[..]].concat(),
            [&start[..], &module[..], flags].concat(),
        ] {
            Tool::CC.run_in(&self.root, &args).expect();
        }
        fs_err::read(self.root.join("m.so")).unwrap()
    }

    /// Makes the place that is only read: an installed prefix.
    fn install(&self, name: &str) {
        let (prefix, libs) = (self.root.join(name), self.root.join("libs"));
        let (prefix, libs) = (prefix.to_str().unwrap(), libs.to_str().unwrap());
        let args = ["install", GOOD, "--prefix", prefix, "--no-bytecode"];
        let outcome = self.run(&[&args[..], &["--lib-path", libs]].concat());
        assert_eq!(outcome.code, 0, "{outcome:?}");
    }

    /// Makes the places that are written anew.
    fn prepare(&self) {
        for name in ["out", "tree"] {
            fs_err::remove_dir_all(self.root.join(name)).ok();
        }
        fs_err::create_dir(self.root.join("tree")).unwrap();
        fs_err::copy(self.root.join("m.so"), self.root.join("tree/m.so")).unwrap();
    }

    /// Runs a command for the Python of the tests.
    fn run(&self, args: &[&str]) -> Outcome {
        let python = cache::tool("python3");
        self.run_with(
            &[args, &["--python", python.to_str().unwrap()]].concat(),
            &[],
        )
    }

    fn run_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Outcome {
        let mut command: Command = self.sandbox.command(args);
        command
            .current_dir(self.root.join("here"))
            .envs(variables.iter().copied());
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| without_scratch(&String::from_utf8(bytes).unwrap());
        let mut files = BTreeMap::new();
        for name in ["out", "tree"] {
            list(&self.root.join(name), name, &mut files);
        }
        Outcome {
            code: output.status.code().unwrap(),
            stdout: text(output.stdout),
            stderr: without_next(&text(output.stderr)),
            files,
        }
    }

    /// Runs a command with each spelling of the places that it names; `@NAME` is a place.
    #[track_caller]
    fn same(&self, args: &[&str], code: i32) -> Outcome {
        let root = self.root.to_str().unwrap();
        let mut first: Option<Outcome> = None;
        for format in [&[][..], &["--json"][..]] {
            let mut first_of_format = None;
            for spelling in SPELLINGS {
                self.prepare();
                let spelt: Vec<String> = args
                    .iter()
                    .map(|arg| match arg.strip_prefix('@') {
                        Some(path) => {
                            let (name, rest) = path.split_once('/').unwrap_or((path, ""));
                            let place = spelling.replace("ROOT", root).replace("NAME", name);
                            if rest.is_empty() {
                                place
                            } else {
                                format!("{place}/{rest}")
                            }
                        }
                        None => (*arg).to_owned(),
                    })
                    .collect();
                let spelt: Vec<&str> = spelt.iter().map(String::as_str).collect();
                let outcome = self.run(&[&spelt[..], format].concat());
                assert_eq!(outcome.code, code, "{spelt:?}: {outcome:?}");
                match &first_of_format {
                    None => first_of_format = Some(outcome),
                    Some(first) => assert_eq!(&outcome, first, "{spelt:?}"),
                }
            }
            first = first.or(first_of_format);
        }
        first.unwrap()
    }
}

/// A text without the names of temporary directories, which differ.
fn without_scratch(text: &str) -> String {
    let mut parts = text.split(".wheelfix-");
    let mut clean = parts.next().unwrap().to_owned();
    for part in parts {
        clean.push_str(".wheelfix-");
        clean.push_str(part.get(6..).unwrap_or_default());
    }
    clean
}

fn digest(content: &[u8]) -> String {
    let digest = Sha256::digest(content);
    let digits = digest.iter().take(8).map(|byte| format!("{byte:02x}"));
    digits.collect()
}

/// The text without the line to type, which names files as they were spelt.
fn without_next(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines.filter(|line| !line.starts_with("next: ")).collect()
}

/// All files below a directory, with their modes and contents, or where links lead.
fn list(directory: &Path, name: &str, files: &mut BTreeMap<String, String>) {
    let Ok(entries) = fs_err::read_dir(directory) else {
        return;
    };
    for entry in entries {
        let entry = entry.unwrap();
        let name = format!("{name}/{}", entry.file_name().to_str().unwrap());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            list(&entry.path(), &name, files);
        } else if kind.is_symlink() {
            let target = fs_err::read_link(entry.path()).unwrap();
            files.insert(name, target.display().to_string());
        } else {
            let mode = entry.metadata().unwrap().permissions().mode();
            let content = fs_err::read(entry.path()).unwrap();
            files.insert(format!("{name} {mode:o}"), digest(&content));
        }
    }
}

const GOOD: &str = "good-1.0-cp311-cp311-linux_x86_64.whl";
const LOST: &str = "lost-1.0-cp311-cp311-linux_x86_64.whl";

#[test]
fn a_prefix_is_installed_the_same() {
    let bench = Bench::new();
    let args = ["install", GOOD, "--prefix", "@out", "--lib-path", "@libs"];
    let outcome = bench.same(&args, 0);
    let names: Vec<&String> = outcome.files.keys().collect();
    let has_bytecode = names.iter().any(|name| name.contains("/__pycache__/"));
    assert!(has_bytecode, "{names:?}");
}

#[test]
fn what_cannot_load_is_refused_the_same() {
    let bench = Bench::new();
    let args = ["install", LOST, "--prefix", "@out", "--lib-path", "@libs"];
    let outcome = bench.same(&args, 1);
    assert!(outcome.stderr.contains("`lost`"), "{outcome:?}");
    let merged = [
        "install",
        LOST,
        "--prefix",
        "@out",
        "--merge",
        "--lib-path",
        "@libs",
    ];
    bench.same(&merged, 1);
}

#[test]
fn an_environment_is_made_the_same() {
    let bench = Bench::new();
    let args = ["env", "@input", "--prefix", "@out", "--lib-path", "@libs"];
    let outcome = bench.same(&args, 0);
    assert!(
        outcome.stdout.contains("1 object proved to load"),
        "{outcome:?}"
    );
    let broken = [
        "env",
        "@input",
        LOST,
        "--prefix",
        "@out",
        "--lib-path",
        "@libs",
    ];
    bench.same(&broken, 1);
}

#[test]
fn files_are_patched_checked_and_explained_the_same() {
    let bench = Bench::new();
    let patched = bench.same(&["patch", "@tree", "--lib-path", "@libs"], 0);
    let before = digest(&fs_err::read(bench.root.join("m.so")).unwrap());
    assert_ne!(patched.files["tree/m.so 100755"], before);
    bench.same(&["check", "@input", "--lib-path", "@libs"], 0);
    bench.same(&["check", "@tree", "--ld-library-path", "@libs/lib"], 0);
    let missing = bench.same(&["check", "@tree", "--lib-path", "@libs"], 1);
    assert!(missing.stderr.contains("near miss"), "{missing:?}");
    bench.same(&["why", "@tree/m.so", "--driver-path", "@none"], 1);
}

#[test]
fn the_builder_takes_them_the_same() {
    let bench = Bench::new();
    let python = cache::tool("python3");
    let mut first: Option<Outcome> = None;
    for spelling in SPELLINGS {
        bench.prepare();
        let spell = |name: &str| {
            let root = bench.root.to_str().unwrap();
            spelling.replace("ROOT", root).replace("NAME", name)
        };
        let attributes = serde_json::json!({
            "src": bench.root.join("here").join(GOOD),
            "outputs": { "out": bench.root.join("out") },
            "wheelfix": { "python": python, "libs": [spell("libs")] },
        });
        let file = bench.root.join("attributes.json");
        fs_err::write(&file, attributes.to_string()).unwrap();
        let outcome = bench.run_with(
            &["builder"],
            &[("NIX_ATTRS_JSON_FILE", file.to_str().unwrap())],
        );
        assert_eq!(outcome.code, 0, "{outcome:?}");
        match &first {
            None => first = Some(outcome),
            Some(first) => assert_eq!(&outcome, first, "{spelling}"),
        }
    }
}

#[test]
fn a_python_behind_a_script_is_the_same_python() {
    let bench = Bench::new();
    let shim = bench.root.join("here/python");
    let python = cache::tool("python3");
    let text = format!("#!/bin/sh\nexec '{}' \"$@\"\n", python.display());
    fs_err::write(&shim, text).unwrap();
    fs_err::set_permissions(&shim, std::fs::Permissions::from_mode(0o755)).unwrap();
    let libs = bench.root.join("libs");
    for command in [
        &["install", LOST, "--prefix", "../out"][..],
        &["env", LOST, "--prefix", "../out"],
        &["check", LOST],
        &["patch", LOST, "-o", "../out"],
        &["check", "../input"],
        &["why", "../input/lib/python3.11/site-packages/good/m.so"],
    ] {
        let run = |python: &str| {
            bench.prepare();
            let more = ["--lib-path", libs.to_str().unwrap(), "--python", python];
            bench.run_with(&[command, &more].concat(), &[])
        };
        let real = run(python.to_str().unwrap());
        assert_eq!(real.code, i32::from(command.contains(&LOST)), "{real:?}");
        for spelling in ["./python", shim.to_str().unwrap(), "../here/python"] {
            assert_eq!(run(spelling), real, "{command:?} with {spelling}");
        }
    }
}
