//! A Python package that opens libraries by name, tried in the bed: from a prefix for each of its wheels, and as
//! an environment; with the libraries it computes, and without them it is refused or says which are missing.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;

use tempfile::TempDir;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::nixos::Bed;

use crate::programs::SITE_PACKAGES;

/// A package, and what shows that it works.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The packages of the bed whose libraries its Python code opens.
    pub(crate) packages: &'static [&'static str],
    /// Those whose libraries its ELF files need.
    pub(crate) runtime: &'static [&'static str],
    /// The outcome without the former.
    pub(crate) without: Without,
    /// A program in Python that computes.
    pub(crate) code: &'static str,
}

/// The answer of wheelfix where the libraries are not on a library path.
#[derive(Clone, Copy)]
pub(crate) enum Without {
    /// Nothing: it opens none that is not in the wheel.
    Silent,
    /// A warning, with the attribute to add.
    Told(&'static str),
    /// An error, with the attribute to add.
    Refused(&'static str),
}

impl Row {
    pub(crate) const NONE: Self = Self {
        name: "",
        packages: &[],
        runtime: &[],
        without: Without::Silent,
        code: "",
    };
}

/// Tries all rows, and says of each that fails why.
pub(crate) fn run_all(rows: &[Row], wheels: impl Fn(&str) -> Vec<PathBuf> + Sync) {
    let (next, results) = (Mutex::new(rows.iter()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some(row) = next.lock().unwrap().next() else {
                        break;
                    };
                    let tried = Attempt::new(row, wheels(row.name)).run();
                    results.lock().unwrap().push((row.name, tried));
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    let failed = results.iter().filter_map(|(name, tried)| {
        let why = tried.as_ref().err()?;
        Some(format!("{name}: {why}"))
    });
    let failed: Vec<String> = failed.collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    assert_eq!(results.len(), rows.len());
}

/// A row that is tried.
struct Attempt<'r> {
    row: &'r Row,
    /// Dependencies before those that need them.
    wheels: Vec<PathBuf>,
    dir: TempDir,
    bed: Bed,
}

type Tried<T> = Result<T, String>;

impl<'r> Attempt<'r> {
    fn new(row: &'r Row, wheels: Vec<PathBuf>) -> Self {
        let attempt = Self {
            row,
            wheels,
            dir: tempfile::tempdir().unwrap(),
            bed: Bed::find(),
        };
        attempt.make_driver();
        attempt
    }

    fn run(&self) -> Tried<()> {
        let sites = self.prefixes()?;
        let start = format!("import site\nfor each in {sites:?}:\n    site.addsitedir(each)\n");
        let code = format!("{start}{}", self.row.code);
        self.compute("from prefixes", &self.bed.python(), &code)?;
        let env = self.path("env");
        let mut command = self.command("env", &env, &[]);
        succeeded(
            "env",
            &self.told(&mut command).args(&self.wheels).output().unwrap(),
        )?;
        self.compute("environment", &env.join("bin/python"), self.row.code)?;
        let mut install = self.command("install", &self.path("bare"), &[]);
        self.judge("install", install.arg("--no-bytecode").args(&self.wheels))?;
        let mut env = self.command("env", &self.path("bare-env"), &[]);
        self.judge("env", env.args(&self.wheels))
    }

    /// A prefix for each wheel; their modules.
    fn prefixes(&self) -> Tried<Vec<PathBuf>> {
        let mut prefixes = Vec::new();
        for (number, wheel) in self.wheels.iter().enumerate() {
            let prefix = self.path(&format!("prefix{number}"));
            let mut command = self.command("install", &prefix, &prefixes);
            command.args(["--no-bytecode", "--library-table"]);
            succeeded(
                "install",
                &self.told(&mut command).arg(wheel).output().unwrap(),
            )?;
            prefixes.push(prefix);
        }
        Ok(prefixes.iter().map(|it| it.join(SITE_PACKAGES)).collect())
    }

    /// A command of wheelfix with what ELF files need.
    fn command(&self, name: &str, prefix: &Path, prefixes: &[PathBuf]) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_wheelfix"));
        let mut command = self.bed.wheelfix(program);
        command.arg(name).arg("--prefix").arg(prefix);
        command.arg("--python").arg(self.bed.python());
        command.arg("--driver-path").arg(self.path("driver"));
        let runtime = self.row.runtime.iter().map(|name| self.bed.library(name));
        for dir in prefixes.iter().cloned().chain(runtime) {
            command.arg("--lib-path").arg(dir);
        }
        command
    }

    /// Tells a command of the libraries that Python code opens.
    fn told<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        for package in self.row.packages {
            command.arg("--lib-path").arg(self.bed.library(package));
        }
        command
    }

    fn compute(&self, how: &str, python: &Path, code: &str) -> Tried<()> {
        let mut command = self.bed.command(python);
        command
            .env("SDL_VIDEODRIVER", "dummy")
            .env_remove("DISPLAY");
        let output = command.args(["-W", "ignore", "-c", code]).output();
        succeeded(how, &output.unwrap())
    }

    /// Compares what a command does without the libraries.
    fn judge(&self, how: &str, command: &mut Command) -> Tried<()> {
        let output = command.output().unwrap();
        let text = text(&output);
        let (code, word, attribute) = match self.row.without {
            Without::Silent => return succeeded(how, &output),
            Without::Told(attribute) => (0, "warning: `", attribute),
            Without::Refused(attribute) => (1, "error: `", attribute),
        };
        let forms = [
            format!("lib.getLib {attribute}'"),
            format!("of `{attribute}`"),
        ];
        let is_told = text.contains(word) && forms.iter().any(|form| text.contains(form));
        if output.status.code() == Some(code) && is_told {
            return Ok(());
        }
        Err(format!(
            "{how} without libraries: {}\n{text}",
            output.status
        ))
    }

    /// The management library of a driver, of which one version is asked.
    fn make_driver(&self) {
        let dir = self.path("driver");
        fs_err::create_dir(&dir).unwrap();
        let source = "int nvmlInitWithFlags(unsigned flags) { return 0; }\n\
            int nvmlSystemGetDriverVersion(char *text, unsigned len) { text[0] = '7'; text[1] = 0; return 0; }\n";
        fs_err::write(dir.join("driver.c"), source).unwrap();
        let args = [
            "-shared",
            "-fPIC",
            "-nostdlib",
            "-o",
            "libnvidia-ml.so.1",
            "driver.c",
        ];
        Tool::CC.run_in(&dir, &args).expect();
    }

    fn path(&self, name: &str) -> PathBuf {
        fs_err::canonicalize(self.dir.path()).unwrap().join(name)
    }
}

fn text(output: &Output) -> String {
    let bytes = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn succeeded(how: &str, output: &Output) -> Tried<()> {
    let why = || format!("{how}: {}\n{}", output.status, text(output));
    output.status.success().then_some(()).ok_or_else(why)
}
