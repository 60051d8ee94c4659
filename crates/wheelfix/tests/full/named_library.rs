//! A Python package that opens libraries by name, tried in the bed: from a prefix for each of its wheels, and as
//! an environment; with the libraries it computes, and without them it is refused or says which are missing. One for
//! which rules are shipped computes by these alone, and does not without.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;

use tempfile::TempDir;
use wheelfix_link::{Replace, Rule, Rules};
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
    /// Libraries that Debian has not, by soname: empty ones, which can be opened.
    pub(crate) stubs: &'static [&'static str],
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
        stubs: &[],
        without: Without::Silent,
        code: "",
    };
}

/// Shipped rules that name a library of a library path in a source.
pub(crate) fn shipped() -> Vec<Rule<Replace>> {
    let rules = Rules::shipped().unwrap().replace.into_iter();
    let is_one = |rule: &Rule<Replace>| {
        rule.file.is_none() && (rule.body.new.contains("{lib:") || rule.name == "pynvml-driver")
    };
    rules.filter(is_one).collect()
}

impl Row {
    /// Whether a rule is for the package: its name begins with the package's.
    pub(crate) fn owns(&self, rule: &Rule<Replace>) -> bool {
        let rest = rule.name.strip_prefix(self.name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
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
        fs_err::create_dir(attempt.path("stubs")).unwrap();
        for name in row.stubs {
            let soname = format!("-Wl,-soname={name}");
            let args = [
                "-shared",
                "-nostdlib",
                &soname,
                "-o",
                name,
                "-xc",
                "/dev/null",
            ];
            Tool::CC.run_in(&attempt.path("stubs"), &args).expect();
        }
        attempt
    }

    fn run(&self) -> Tried<()> {
        self.compute_by_rules()?;
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

    /// From a prefix on `PYTHONPATH`, where nothing reads a table: with the shipped rules, each of which is there to be
    /// used, and without them.
    fn compute_by_rules(&self) -> Tried<()> {
        let rules: Vec<_> = shipped()
            .into_iter()
            .filter(|rule| self.row.owns(rule))
            .collect();
        if rules.is_empty() {
            return Ok(());
        }
        let python = self.bed.python();
        let prefix = self.path("ruled");
        let mut command = self.command("install", &prefix, &[]);
        let command = self.told(&mut command).arg("--no-bytecode");
        succeeded("install", &command.args(&self.wheels).output().unwrap())?;
        let site = prefix.join(SITE_PACKAGES);
        for rule in &rules {
            has_libraries(&site, rule)?;
        }
        let variable = ("PYTHONPATH", site.as_path());
        self.compute_with("by rules", &python, self.row.code, variable)?;
        self.undo(&rules, &site);
        match self.compute_with("", &python, self.row.code, variable) {
            Ok(()) => Err("computes without the rules, too".to_owned()),
            Err(_) => Ok(()),
        }
    }

    /// Gives sources that rules have changed the text that their wheels have.
    fn undo(&self, rules: &[Rule<Replace>], site: &Path) {
        for (number, wheel) in self.wheels.iter().enumerate() {
            let directory = self.path(&format!("unpacked{number}"));
            let mut command = self.bed.wheelfix(Path::new(env!("CARGO_BIN_EXE_wheelfix")));
            let output = command.arg("unpack").arg(wheel).arg(&directory).output();
            succeeded("unpack", &output.unwrap()).unwrap();
            for file in rules.iter().flat_map(|rule| &rule.body.file) {
                let original = directory.join(file.text());
                if original.is_file() {
                    fs_err::copy(original, site.join(file.text())).unwrap();
                }
            }
        }
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
        if !self.row.stubs.is_empty() {
            command.arg("--lib-path").arg(self.path("stubs"));
        }
        command
    }

    fn compute(&self, how: &str, python: &Path, code: &str) -> Tried<()> {
        self.compute_with(how, python, code, ("PYTHONNOUSERSITE", Path::new("1")))
    }

    fn compute_with(
        &self,
        how: &str,
        python: &Path,
        code: &str,
        (variable, value): (&str, &Path),
    ) -> Tried<()> {
        let mut command = self.bed.command(python);
        command
            .env(variable, value)
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
        // Of many warnings all packages are told at once.
        let all = text
            .lines()
            .filter(|line| line.contains("map lib.getLib [ "));
        let is_among = all
            .flat_map(str::split_whitespace)
            .any(|it| it == attribute);
        let is_told = text.contains(word) && forms.iter().any(|form| text.contains(form));
        let is_told = is_told || text.contains("warning: ") && is_among;
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

/// Whether a source has the paths of all libraries of a rule.
fn has_libraries(site: &Path, rule: &Rule<Replace>) -> Tried<()> {
    let placeholders = rule.body.new.split("{lib:").skip(1);
    let names = placeholders.filter_map(|rest| rest.split('}').next());
    let mut names = names.map(|name| format!("/{name}"));
    let files = rule.body.file.iter().map(|file| site.join(file.text()));
    let mut texts = files.map(|file| fs_err::read_to_string(file).unwrap());
    let is_used = texts.all(|text| names.all(|name| text.contains(&name)));
    is_used
        .then_some(())
        .ok_or_else(|| format!("rule `{}` is not used", rule.name))
}

fn text(output: &Output) -> String {
    let bytes = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn succeeded(how: &str, output: &Output) -> Tried<()> {
    let why = || format!("{how}: {}\n{}", output.status, text(output));
    output.status.success().then_some(()).ok_or_else(why)
}
