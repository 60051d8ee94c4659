//! A path of the command line that does not name an input: told for what it is, with what to type.

use std::fmt::{self, Display};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fs_err as fs;
use wheelfix_format::{Requirement, has_sdist_name, is_wheel_name};
use wheelfix_install::Python;
use wheelfix_link::count;
use wheelfix_lock::Locked;

use crate::error::{Error, print};
use crate::message::BREAK;
use crate::next_step::{free_name, note_input, note_other, note_requirement, wheels_directory};
use crate::pip::pip;
use crate::quoting::shell_word;
use crate::remedy::{command, is_in_build};

/// The target of the Python that is installed for, once it is known.
static TARGET: OnceLock<String> = OnceLock::new();

/// Says for which Python inputs are installed.
pub(crate) fn for_python(python: &Python) {
    TARGET.get_or_init(|| python.target().to_string());
}

/// A name for the document of a lock.
fn document() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| free_name("lock", ".json"))
}

/// A path that does not name a file, or names one of another kind than is wanted.
#[derive(Debug, thiserror::Error)]
pub(crate) struct WrongInput {
    path: PathBuf,
    kind: Kind,
}

/// The kinds of what is named instead.
#[derive(Debug)]
enum Kind {
    /// Nothing is there; perhaps a file with a similar name.
    Absent(Option<String>),
    /// Text that a shell would have expanded; perhaps in a directory that is not there.
    Glob(Option<PathBuf>),
    Url,
    Requirement,
    /// A list of requirements, as pip reads them.
    Requirements,
    /// A lock file, or a project whose requirements uv resolves.
    Lock,
    /// The document that `wheelfix lock` makes.
    Document,
    Sdist,
    Sources,
    /// A directory with so many wheels.
    Wheels(usize),
    Prefix,
    Directory,
    File,
}

impl Display for WrongInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.path.display())?;
        match &self.kind {
            Kind::Absent(_) => f.write_str(": no such file or directory"),
            Kind::Glob(None) => f.write_str(": no file matches"),
            Kind::Glob(Some(directory)) => {
                let directory = directory.display();
                write!(f, ": no file matches, there is no directory `{directory}`")
            }
            Kind::Url => f.write_str(" is a URL: wheelfix downloads nothing"),
            Kind::Requirements => f.write_str(" is a list of requirements, not a wheel"),
            Kind::Lock => f.write_str(" says what to install, and is not a wheel"),
            Kind::Document => f.write_str(" is the document of a lock, not a wheel"),
            Kind::Requirement => {
                f.write_str(": no such file; wheelfix downloads nothing, if a package is meant")
            }
            Kind::Sdist => f.write_str(" is a source distribution, not a wheel"),
            Kind::Sources => f.write_str(" is a source tree, not a wheel"),
            Kind::Wheels(1) => f.write_str(" is a directory with a wheel, not a wheel"),
            Kind::Wheels(count) => write!(f, " is a directory with {count} wheels, not a wheel"),
            Kind::Prefix => f.write_str(" is a prefix, not a wheel"),
            Kind::Directory => f.write_str(" is a directory, not a wheel"),
            Kind::File => f.write_str(" is not a wheel: the name of one ends with `.whl`"),
        }?;
        match self.fix() {
            Some(fix) => write!(f, "{BREAK}  fix: {fix}"),
            None => Ok(()),
        }
    }
}

impl WrongInput {
    /// Whether nothing is there.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(
            self.kind,
            Kind::Absent(_) | Kind::Glob(_) | Kind::Url | Kind::Requirement
        )
    }

    fn word(&self) -> String {
        shell_word(&self.path.to_string_lossy())
    }

    fn fix(&self) -> Option<String> {
        if is_in_build() {
            return None;
        }
        let (word, wheels) = (self.word(), wheels_directory());
        match &self.kind {
            Kind::Absent(near) => near
                .as_ref()
                .map(|name| format!("perhaps `{name}` is meant")),
            Kind::Url => Some(self.fetch()),
            Kind::Requirement => Some(format!("{}  # and name {wheels}/*.whl", self.fetch())),
            Kind::Lock => {
                let (lock, document) = (self.lock(), shell_word(document()));
                Some(format!("{lock}  # and `wheelfix env --lock {document}`"))
            }
            Kind::Document => Some(format!("wheelfix env --lock {word}")),
            Kind::Sdist | Kind::Sources | Kind::Requirements => {
                Some(format!("{}  # and name {wheels}/*.whl", self.fetch()))
            }
            Kind::Wheels(_) => Some(format!("name {word}/*.whl")),
            Kind::Prefix => Some(format!(
                "wheelfix env --prefix DIR {word}  # an environment of it; `wheelfix patch` links it anew"
            )),
            Kind::Glob(Some(directory)) => {
                let (pip, directory) = (pip(), shell_word(&directory.to_string_lossy()));
                Some(format!(
                    "{pip} download --only-binary=:all: -d {directory} PACKAGE  # which brings its wheels there"
                ))
            }
            Kind::Glob(None) | Kind::Directory | Kind::File => None,
        }
    }

    /// The command that makes the document of a lock.
    fn lock(&self) -> String {
        let target = TARGET.get().map_or("TARGET", String::as_str);
        let (word, document) = (self.word(), shell_word(document()));
        format!("wheelfix lock {word} --target {target} -o {document}")
    }

    /// The command that downloads wheels, or makes one from sources.
    fn fetch(&self) -> String {
        let path = self.path.to_string_lossy();
        // pip takes a bare word for a requirement, and a dash for an option.
        let path = if path.contains('/') || matches!(self.kind, Kind::Requirement) {
            path.into_owned()
        } else {
            format!("./{path}")
        };
        let (pip, wheels, path) = (pip(), wheels_directory(), shell_word(&path));
        match &self.kind {
            Kind::Requirements => {
                format!("{pip} download --only-binary=:all: -d {wheels} -r {path}")
            }
            Kind::Requirement => {
                let alone = if takes_wheels() { "" } else { "--no-deps " };
                format!("{pip} download --only-binary=:all: {alone}-d {wheels} {path}")
            }
            Kind::Url if is_wheel_name(&self.path) => {
                format!("{pip} download --no-deps -d {wheels} {path}")
            }
            _ => format!("{pip} wheel --no-deps -w {wheels} {path}"),
        }
    }

    /// Notes what to type next.
    pub(crate) fn note(&self) {
        let path = self.path.to_string_lossy();
        match &self.kind {
            Kind::Requirement if takes_wheels() => note_requirement(Some(&path), &path),
            Kind::Url | Kind::Sdist | Kind::Sources | Kind::Requirement | Kind::Requirements => {
                let wheels = format!("{}/*.whl", wheels_directory());
                note_input(&path, &wheels, Some(self.fetch()));
            }
            // Other commands take one.
            Kind::Wheels(count) if 1 < *count && !takes_wheels() => note_other(),
            Kind::Wheels(_) => note_input(&path, &format!("{}/*.whl", self.word()), None),
            Kind::Lock if command() == "env" && TARGET.get().is_some() => {
                let option = format!("--lock={}", shell_word(document()));
                note_input(&path, &option, Some(self.lock()));
            }
            Kind::Document if command() == "env" => {
                note_input(&path, &format!("--lock={}", self.word()), None);
            }
            Kind::Absent(_)
            | Kind::Glob(_)
            | Kind::Lock
            | Kind::Document
            | Kind::Prefix
            | Kind::Directory
            | Kind::File => note_other(),
        }
    }
}

/// Whether the command takes several wheels.
fn takes_wheels() -> bool {
    ["install", "env", "check"].contains(&command())
}

/// The fault of a path that is to be a wheel; `None` if a wheel may be there.
pub(crate) fn not_a_wheel(path: &Path) -> Option<WrongInput> {
    let kind = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => of_directory(path),
        Ok(_) if is_wheel_name(path) => return None,
        Ok(_) if has_sdist_name(path) => Kind::Sdist,
        Ok(_) => of_file(path),
        Err(error) if error.kind() == ErrorKind::NotFound => of_nothing(path),
        Err(_) => return None,
    };
    let path = path.to_owned();
    Some(WrongInput { path, kind })
}

/// The fault of a path that is to exist; `None` if it does, or cannot be looked at.
pub(crate) fn absent(path: &Path) -> Option<WrongInput> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Some(WrongInput {
            path: path.to_owned(),
            kind: of_nothing(path),
        }),
        _ => None,
    }
}

fn of_directory(path: &Path) -> Kind {
    if wheelfix_install::is_source_tree(path) {
        return Kind::Sources;
    }
    match wheels_in(path).unwrap_or_default().len() {
        0 if !wheelfix_install::pythons_of(path).is_empty() => Kind::Prefix,
        0 => Kind::Directory,
        count => Kind::Wheels(count),
    }
}

/// The wheels in a directory, sorted.
pub(crate) fn wheels_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut wheels = Vec::new();
    for entry in fs::read_dir(directory)? {
        let file = entry?.path();
        if is_wheel_name(&file) {
            wheels.push(file);
        }
    }
    wheels.sort_unstable();
    Ok(wheels)
}

/// Says that a directory has wheels, for a command that takes one.
pub(crate) fn wheels_beside(directory: &Path) -> Option<String> {
    let wheels = wheels_in(directory).ok()?;
    let first = wheels.first()?;
    let (command, first) = (command(), shell_word(&first.to_string_lossy()));
    let count = count(wheels.len(), "wheel");
    Some(format!(
        "{count} in it: `wheelfix {command} {first}` looks into one"
    ))
}

fn of_file(path: &Path) -> Kind {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match path.extension().and_then(|it| it.to_str()) {
        Some("txt" | "in") if name.contains("require") => Kind::Requirements,
        Some("lock") => Kind::Lock,
        Some("toml") if ["pyproject.toml", "pylock.toml"].contains(&name.as_ref()) => Kind::Lock,
        Some("json") if fs::read(path).is_ok_and(|text| Locked::read(&text).is_ok()) => {
            Kind::Document
        }
        _ => Kind::File,
    }
}

/// Names that are those of files and directories, although packages could be called so.
const FILES: &[&str] = &[
    "build",
    "dist",
    "env",
    "out",
    "result",
    "venv",
    "wheelhouse",
    "wheels",
];

/// Endings of files that nobody calls a package by.
const ENDINGS: &[&str] = &[
    "cfg", "gz", "in", "json", "lock", "py", "so", "toml", "txt", "yaml", "yml", "zip",
];

/// Of a command for files on disk no package is asked.
fn of_nothing(path: &Path) -> Kind {
    let text = path.to_string_lossy();
    if text.contains("://") && !text.starts_with("file://") {
        return Kind::Url;
    }
    if is_glob(path) {
        let directory = path.parent().filter(|it| !is_glob(it));
        let directory = directory.filter(|it| *it != Path::new("") && !it.is_dir());
        return Kind::Glob(directory.map(Path::to_owned));
    }
    let ending = path.extension().and_then(|it| it.to_str());
    let is_file = text.contains('/')
        || is_wheel_name(path)
        || has_sdist_name(path)
        || FILES.contains(&text.as_ref())
        || ending.is_some_and(|it| ENDINGS.contains(&it));
    if !is_file
        && !["why", "patch", "unbundle"].contains(&command())
        && text.parse::<Requirement>().is_ok()
    {
        return Kind::Requirement;
    }
    Kind::Absent(near(path))
}

fn is_glob(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?'])
}

/// A wheel beside the path whose name is like that of the path.
fn near(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let score = |other: &String| strsim::jaro_winkler(name, other);
    let wheels = wheels_in(directory).ok()?.into_iter();
    let names = wheels.filter_map(|it| it.file_name()?.to_str().map(str::to_owned));
    let best = names.max_by(|a, b| score(a).total_cmp(&score(b)))?;
    (0.8 < score(&best)).then(|| path.with_file_name(best).to_string_lossy().into_owned())
}

/// The fault of a path that is to be a wheel or a prefix.
pub(crate) fn not_an_input(path: &Path) -> Option<WrongInput> {
    let wrong = not_a_wheel(path);
    wrong.filter(|it| !matches!(it.kind, Kind::Prefix | Kind::Directory))
}

/// The fault of a path in which a command found nothing, if it is a thing with wheels or of which one is made.
pub(crate) fn of_other_kind(path: &Path) -> Option<WrongInput> {
    let is_other =
        |it: &WrongInput| matches!(it.kind, Kind::Sdist | Kind::Sources | Kind::Wheels(_));
    not_a_wheel(path).filter(is_other)
}

/// Both, if both are there; else all that is wrong is told, also with the inputs, which nothing looks at then.
pub(crate) fn both<A, B>(
    one: Result<A, Error>,
    other: Result<B, Error>,
    inputs: impl Iterator<Item = WrongInput>,
) -> Result<(A, B), Error> {
    let are_told = one.is_err() || other.is_err();
    all(one, other, inputs.filter(|_| are_told))
}

/// Both, if both are there and no input is wrong; else all that is wrong is told.
pub(crate) fn all<A, B>(
    one: Result<A, Error>,
    other: Result<B, Error>,
    inputs: impl Iterator<Item = WrongInput>,
) -> Result<(A, B), Error> {
    let errors = match (one, other, refuse(inputs)) {
        (Ok(one), Ok(other), None) => return Ok((one, other)),
        (one, other, wrong) => [one.err(), other.err(), wrong],
    };
    Err(Error::last_of(errors.into_iter().flatten()).unwrap_or(Error::Reported))
}

/// Tells of inputs that are none; `None` if there are none of these.
pub(crate) fn refuse(inputs: impl Iterator<Item = WrongInput>) -> Option<Error> {
    let inputs: Vec<WrongInput> = inputs.inspect(WrongInput::note).collect();
    print("error", &inputs);
    let absent = inputs.iter().map(WrongInput::is_absent).max()?;
    Some(if absent {
        Error::ReportedEnvironment
    } else {
        Error::Reported
    })
}

/// Refuses a path that does not exist.
pub(crate) fn existing(path: &Path) -> Result<(), Error> {
    match absent(path) {
        Some(absent) => {
            absent.note();
            Err(Error::environment(absent))
        }
        None => Ok(()),
    }
}
