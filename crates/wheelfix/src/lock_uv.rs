//! Requirements without a lock: uv resolves them, and its lock is read.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use fs_err as fs;
use tempfile::TempDir;
use wheelfix_format::{PythonVersion, Requirement, Target};
use wheelfix_lock::{Format, Location, Lock, Package, Source, is_open};

use crate::error::{Error, print};
use crate::message::BREAK;
use crate::next_step::{note_input, note_other};
use crate::quoting::shell_word;

/// Why there is no lock to read.
#[derive(Debug, thiserror::Error)]
enum ResolveError {
    /// uv is not there.
    #[error(
        "uv resolves what is not locked, and cannot be run: bring it with `nix-shell -p uv` or `nix shell nixpkgs#uv`"
    )]
    Start(#[source] io::Error),
    /// It found no solution, or could not look for one.
    #[error("uv makes no lock: {status}{stderr}")]
    Failed { status: ExitStatus, stderr: Lines },
    /// It found no Python that fits, and is told to download none.
    #[error(
        "uv finds no Python {python} or later, without which it resolves nothing for it: bring it with `nix-shell -p python{major}{minor}` or `nix shell nixpkgs#python{major}{minor}`{stderr}",
        major = python.major,
        minor = python.minor
    )]
    NoPython {
        python: PythonVersion,
        stderr: Lines,
    },
    /// A file or a directory, which uv's lock names from its own place.
    #[error("`{}`: `{label}` lies at a path", path.display())]
    Path { path: PathBuf, label: String },
    /// A project of another tool.
    #[error("`{}`: there is no `[project]`, which is where uv looks for requirements", .0.display())]
    NoProject(PathBuf),
    /// Several inputs of which not all are requirements.
    #[error("`{0}` is neither a requirement nor the only input")]
    Input(String),
}

/// A directory in the place of a file or a requirement.
#[derive(Debug)]
struct Directory<'p> {
    path: &'p Path,
    /// The first of [`IN_PROJECTS`] that is in it.
    file: Option<&'static str>,
}

/// The files that say what a project needs, the most exact ones first.
const IN_PROJECTS: [&str; 9] = [
    "uv.lock",
    "pylock.toml",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pixi.lock",
    "conda-lock.yml",
    "requirements.txt",
    "pyproject.toml",
];

impl<'p> Directory<'p> {
    /// The directory at a path, if there is one.
    fn at(path: &'p Path) -> Option<Self> {
        let is_there = |name: &&str| path.join(name).is_file();
        let file = IN_PROJECTS.into_iter().find(is_there);
        path.is_dir().then_some(Self { path, file })
    }

    /// Notes what to type next.
    fn note(&self) {
        match self.file() {
            Some(file) => note_input(&self.path.to_string_lossy(), &file, None),
            None => note_other(),
        }
    }

    /// The file that is meant, as it is typed.
    fn file(&self) -> Option<String> {
        let file = self.path.join(self.file?);
        Some(shell_word(&file.to_string_lossy()))
    }
}

impl fmt::Display for Directory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.path.to_string_lossy();
        write!(f, "`{text}` is a directory")?;
        if let (Some(name), Some(file)) = (self.file, self.file()) {
            return write!(f, ", and `{name}` is in it{BREAK}  fix: name {file}");
        }
        write!(f, " without any of `{}`", IN_PROJECTS.join("`, `"))?;
        if text.parse::<Requirement>().is_err() {
            return Ok(());
        }
        let word = shell_word(&format!("{text}>=0"));
        write!(f, "{BREAK}  fix: name {word}  # if the package is meant")
    }
}

/// Refuses directories, whatever packages are called: none is locked in the place of a project.
pub(crate) fn refuse_directories(inputs: &[PathBuf]) -> Result<(), Error> {
    let directories = inputs.iter().filter_map(|path| Directory::at(path));
    let directories: Vec<Directory<'_>> = directories.collect();
    match (&directories[..], inputs) {
        ([], _) => return Ok(()),
        ([directory], [_]) => directory.note(),
        // Files are read one at a time.
        _ => directories.iter().for_each(|_| note_other()),
    }
    print("error", directories);
    Err(Error::Reported)
}

/// The lines that another program wrote, each on one of its own.
#[derive(Debug)]
struct Lines(String);

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.0.lines().filter(|line| !line.trim().is_empty());
        lines.try_for_each(|line| write!(f, "{BREAK}  {line}"))
    }
}

/// The ends of names of lock files: what is called so and is not there is no requirement.
const FILES: [&str; 7] = [".lock", ".toml", ".txt", ".json", ".yaml", ".yml", ".in"];

/// The lock that uv makes of the inputs; `None` if the one input is a lock.
pub(crate) fn resolve(inputs: &[PathBuf], targets: &[Target]) -> Result<Option<Vec<u8>>, Error> {
    let dir = tempfile::tempdir()?;
    match inputs {
        [path] if is_project(path) => {
            fs::copy(path, dir.path().join("pyproject.toml"))?;
        }
        [path]
            if path.extension().is_some_and(|extension| extension == "in") || is_unpinned(path) =>
        {
            write_project(&dir, &[], targets)?;
            add(dir.path(), path, targets)?;
        }
        [path] if path.is_file() || is_path(path) => return Ok(None),
        names => {
            let requirements = names.iter().map(|name| {
                let text = name.to_string_lossy().into_owned();
                let is_one = !is_path(name) && text.parse::<Requirement>().is_ok();
                let other = || Error::refused(ResolveError::Input(text.clone()));
                is_one.then(|| text.clone()).ok_or_else(other)
            });
            let requirements: Vec<String> = requirements.collect::<Result<_, _>>()?;
            write_project(&dir, &requirements, targets)?;
        }
    }
    let mut command = uv("lock");
    run_uv(command.arg("--project").arg(dir.path()), targets)?;
    let bytes = fs::read(dir.path().join("uv.lock"))?;
    Ok(Some(bytes))
}

fn is_project(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name == "pyproject.toml")
}

/// Refuses a lock that uv made of something else than was meant: an empty one of a project of Poetry, or of
/// setuptools without `[project]`, and one with paths, which begin where uv made it.
pub(crate) fn check(inputs: &[PathBuf], lock: &Lock<'_>) -> Result<(), Error> {
    let [path] = inputs else { return Ok(()) };
    let path = path.clone();
    let (error, hint) = if lock.packages.is_empty() && is_project(&path) {
        let hint = if fs::read_to_string(&path)?.contains("[tool.poetry") {
            "`poetry lock` writes poetry.lock: give that file"
        } else {
            "what stands in setup.cfg or setup.py is for setuptools alone: give requirements, or a file of them as \
             requirements.in"
        };
        (ResolveError::NoProject(path), hint)
    } else if let Some(package) = lock.packages.iter().find(|package| has_path(package)) {
        let label = package.label();
        let hint =
            "`uv lock` in the directory of the project makes a lock with paths: give that file";
        (ResolveError::Path { path, label }, hint)
    } else {
        return Ok(());
    };
    print("error", [error]);
    print("hint", [hint]);
    Err(Error::Reported)
}

/// Whether a package lies at a relative path, beside the project itself.
fn has_path(package: &Package<'_>) -> bool {
    let is_relative = |path: &str| !path.starts_with('/') && path != ".";
    match &package.source {
        Source::Directory { path, .. } | Source::Virtual { path } => is_relative(path),
        _ => {
            let mut files = package.wheels.iter().chain(&package.sdist);
            files.any(|file| matches!(&file.location, Location::Path(path) if is_relative(path)))
        }
    }
}

/// Whether a name that is not there is meant as the name of a file.
fn is_path(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.contains('/') && !text.contains("://") || FILES.iter().any(|end| text.ends_with(end))
}

/// Whether a file is called as a lock of requirements is, and has some that any version may serve.
fn is_unpinned(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Format::of(&name) == Some(Format::Requirements)
        && fs::read_to_string(path).is_ok_and(|text| is_open(&text))
}

/// Adds the requirements of a file to a project; what the file names lies beside it.
fn add(project: &Path, path: &Path, targets: &[Target]) -> Result<(), Error> {
    let mut command = uv("add");
    command.args(["--no-sync", "--requirements"]);
    command.arg(path.file_name().unwrap_or_default());
    command.arg("--project").arg(project);
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    command.current_dir(directory.unwrap_or(Path::new(".")));
    run_uv(&mut command, targets)
}

/// Writes a project that is not installed itself, for the oldest Python of the targets.
fn write_project(dir: &TempDir, requirements: &[String], targets: &[Target]) -> Result<(), Error> {
    let oldest = oldest_python(targets);
    let oldest = oldest.map_or_else(String::new, |python| {
        format!("requires-python = \">={python}\"\n")
    });
    // Strings of TOML are those of JSON.
    let list = serde_json::to_string(requirements).map_err(io::Error::from)?;
    let text = format!(
        "[project]\nname = \"requirements\"\nversion = \"0\"\n{oldest}dependencies = {list}\n\
        [tool.uv]\npackage = false\n"
    );
    fs::write(dir.path().join("pyproject.toml"), text)?;
    Ok(())
}

fn oldest_python(targets: &[Target]) -> Option<PythonVersion> {
    targets.iter().map(|target| target.python).min()
}

/// Whether uv says that it found no Python that fits, or none that runs.
fn lacks_python(stderr: &str) -> bool {
    let texts = ["No interpreter found for Python", "Python interpreter from"];
    texts.iter().any(|text| stderr.contains(text))
}

/// uv, with the configuration of its user. It brings no Python of its own, which does not start on NixOS and which nobody
/// has asked for.
#[expect(clippy::disallowed_methods, reason = "uv is the resolver")]
fn uv(subcommand: &str) -> Command {
    let mut command = Command::new("uv");
    command.args([subcommand, "--quiet", "--no-python-downloads"]);
    command.stdin(Stdio::null());
    command
}

fn run_uv(command: &mut Command, targets: &[Target]) -> Result<(), Error> {
    let output = command.output();
    let output = output.map_err(|error| Error::environment(ResolveError::Start(error)))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = Lines(String::from_utf8_lossy(&output.stderr).into_owned());
    let status = output.status;
    match oldest_python(targets) {
        Some(python) if lacks_python(&stderr.0) => {
            Err(Error::environment(ResolveError::NoPython {
                python,
                stderr,
            }))
        }
        _ => Err(Error::refused(ResolveError::Failed { status, stderr })),
    }
}
