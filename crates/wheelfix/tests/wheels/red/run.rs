//! The commands, and the loader's opinion.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use wheelfix_testkit::nixos::Lib64;

use super::yard::Yard;
use super::{Broken, Situation};

/// Where modules are in a prefix.
pub(super) const SITE_PACKAGES: &str = "lib/python3.11/site-packages";

/// A command that proves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verb {
    Install,
    Env,
    Builder,
    Patch,
    Check,
    CheckWheel,
}

impl Verb {
    pub(super) const ALL: [Self; 6] = [
        Self::Install,
        Self::Env,
        Self::Builder,
        Self::Patch,
        Self::Check,
        Self::CheckWheel,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Env => "env",
            Self::Builder => "builder",
            Self::Patch => "patch",
            Self::Check => "check",
            Self::CheckWheel => "check of the wheel",
        }
    }
}

/// Opens or starts what is broken, in a process of its own.
const OPEN: &str = "import ctypes, os, sys; ctypes.CDLL(sys.argv[1], mode=os.RTLD_NOW)";
const IMPORT: &str = "import sys; sys.path.insert(0, sys.argv[2]); __import__(sys.argv[1])";

/// Whether the loader takes it, in the bed; the library path stands in for what relocating it could
/// make it find.
pub(super) fn loads(yard: &Yard, broken: Broken, site: &Path, library_path: &[PathBuf]) -> bool {
    let python = yard.bed.python();
    let words = |lib64: Lib64, words: &[&Path]| {
        // The variable is for the last program only, not for what makes the namespace.
        let path = std::env::join_paths(library_path).unwrap();
        let mut variable = std::ffi::OsString::from("LD_LIBRARY_PATH=");
        variable.push(path);
        let mut command = yard.bed.command_with(lib64, "env");
        command.arg(variable).args(words).current_dir("/");
        command.output().unwrap().status.success()
    };
    let run = |script: &str, more: &[&Path]| {
        let start = [&*python, Path::new("-Ic"), Path::new(script)];
        words(Lib64::Empty, &[&start, more].concat())
    };
    match broken {
        Broken::Object(path) => run(OPEN, &[&site.join(path)]),
        Broken::Named(name) => run(OPEN, &[Path::new(name)]),
        Broken::Import(name) => run(IMPORT, &[Path::new(name), site]),
        Broken::Program(path) => {
            let program = site.join(path);
            words(Lib64::Empty, &[&program]) && words(Lib64::Stub, &[&program])
        }
    }
}

/// The fault in how the command ended; `None` if it refused, or fixed it.
pub(super) fn fault(yard: &Yard, situation: &Situation, verb: Verb) -> Option<String> {
    let (mut command, site) = match verb {
        Verb::Install | Verb::Env => prefix(yard, verb),
        Verb::Builder => builder(yard, situation),
        Verb::Patch | Verb::Check => tree(yard, verb),
        Verb::CheckWheel => {
            let mut command = wheelfix(yard, "check");
            command.arg(yard.wheel(&yard.path("cwd")));
            (command, yard.site())
        }
    };
    if verb != Verb::Builder {
        command.args(flags(yard, situation));
    }
    let output = command.current_dir(yard.path("cwd")).output().unwrap();
    match output.status.code() {
        Some(1 | 3) => None,
        // An excuse for everything is wrong usage.
        Some(2) if !situation.excused.is_empty() => None,
        // What it would be when it is installed is what is checked.
        Some(0) if verb == Verb::CheckWheel && situation.is_mended => None,
        Some(0) if verb != Verb::Check && loads(yard, situation.broken, &site, &[]) => {
            (!situation.is_mended).then(|| "ends with 0 and was mended, unexpectedly".to_owned())
        }
        Some(0) => Some("ends with 0".to_owned()),
        other => Some(format!(
            "ends with {other:?}: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        )),
    }
}

pub(super) fn wheelfix(yard: &Yard, name: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_wheelfix"));
    // A loader that is there and does not run deceives more than none.
    let mut command = yard.bed.wheelfix_with(Lib64::Stub, program);
    command.arg(name);
    command
}

fn flags(yard: &Yard, situation: &Situation) -> Vec<PathBuf> {
    let mut flags: Vec<PathBuf> = vec!["--python".into(), yard.bed.python()];
    for dir in yard.lib() {
        flags.extend(["--lib-path".into(), dir]);
    }
    for glob in situation.excused {
        flags.extend(["--ignore-missing", glob].map(PathBuf::from));
    }
    if let Some(path) = interpreter(yard, situation) {
        flags.extend(["--interpreter".into(), path]);
    }
    flags
}

fn interpreter(yard: &Yard, situation: &Situation) -> Option<PathBuf> {
    situation
        .interpreter
        .map(|path| yard.path("lib").join(path))
}

fn prefix(yard: &Yard, verb: Verb) -> (Command, PathBuf) {
    let prefix = yard.path(verb.name());
    let mut command = wheelfix(yard, verb.name());
    if verb == Verb::Install {
        command.arg("--no-bytecode");
    }
    // Another way to name the same place.
    command
        .arg("--prefix")
        .arg(Path::new("..").join(verb.name()));
    command.arg(yard.wheel(&yard.path("cwd")));
    (command, prefix.join(SITE_PACKAGES))
}

fn builder(yard: &Yard, situation: &Situation) -> (Command, PathBuf) {
    let out = yard.path("out");
    let wheel = yard.wheel(&yard.path("cwd"));
    let name = wheel.file_name().unwrap().to_str().unwrap();
    // As in a store: a hash before the name.
    let source = yard.path(&format!("0123456789abcdfghijklmnpqrsvwxyz-{name}"));
    fs_err::rename(&wheel, &source).unwrap();
    let mut settings = json!({
        "python": yard.bed.python_prefix(), "libs": yard.lib(), "bytecode": false,
        "ignoreMissing": situation.excused,
    });
    if let Some(path) = interpreter(yard, situation) {
        settings["interpreter"] = json!(path);
    }
    let attributes = json!({"src": source, "outputs": {"out": out}, "wheelfix": settings});
    fs_err::write(yard.path("attrs.json"), attributes.to_string()).unwrap();
    let mut command = wheelfix(yard, "builder");
    command.env("NIX_ATTRS_JSON_FILE", yard.path("attrs.json"));
    (command, out.join(SITE_PACKAGES))
}

fn tree(yard: &Yard, verb: Verb) -> (Command, PathBuf) {
    let tree = yard.path(verb.name());
    let mut copy = Command::new("cp");
    let copied = copy.arg("-a").arg(yard.site()).arg(&tree).status().unwrap();
    assert!(copied.success());
    let mut command = wheelfix(yard, verb.name());
    command.arg(Path::new("../cwd/..").join(verb.name()));
    (command, tree)
}
