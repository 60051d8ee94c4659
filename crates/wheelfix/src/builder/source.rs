//! The wheels that a derivation names: `src` or `srcs`.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use fs_err::File;
use serde_json::Value;
use wheelfix_format::is_wheel_name;

use crate::builder::attributes::Attributes;
use crate::error::{Error, print};
use crate::inputs::wheels_in;

/// A source that is not a wheel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceFault {
    /// There is none.
    #[error("the derivation has no `src`")]
    None,
    /// It is not a path.
    #[error("`src` has to be the path of a wheel, got: `{0}`")]
    Type(String),
    /// It is a directory.
    #[error("`src` is a directory: `{}`", .0.display())]
    Directory(PathBuf),
    /// It is a source archive.
    #[error("`src` is a {kind} archive, no wheel: `{}`", .path.display())]
    Archive { path: PathBuf, kind: &'static str },
    /// It is not named as a wheel is.
    #[error("`src` is not named as a wheel is: `{}`", .0.display())]
    Name(PathBuf),
    /// The operating system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl SourceFault {
    /// The change to make in the .nix file; `None` if none would help.
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::None => Some("add `src = fetchurl { url = \"...whl\"; hash = \"...\"; };`"),
            Self::Type(_) => Some("`src` is one wheel, `srcs` a list of wheels"),
            Self::Directory(_) => Some(
                "fetch the wheel as it is, with `fetchurl`; `fetchzip`, `fetchTree` and \
                `builtins.fetchTarball` unpack it",
            ),
            Self::Archive { .. } => Some(
                "a source distribution has to be built: use `buildPythonPackage` with \
                `pyproject = true`, or fetch the wheel, whose URL ends in `.whl`",
            ),
            Self::Name(_) => {
                Some("give `fetchurl` a `name` that ends in `.whl`: the file name of the wheel")
            }
            Self::Io(_) => None,
        }
    }
}

/// The beginnings of archives that are taken for wheels.
const ARCHIVES: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
];

/// The wheels of the derivation; all faults at once.
pub(crate) fn wheels(attributes: &Attributes) -> Result<Vec<PathBuf>, Error> {
    let (mut wheels, mut faults) = (Vec::new(), Vec::new());
    for source in sources(attributes) {
        match source.and_then(check) {
            Ok(paths) => wheels.extend(paths),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        return Ok(wheels);
    }
    let mut environment = false;
    for fault in &faults {
        environment |= matches!(fault, SourceFault::Io(_));
        print("error", [fault]);
        print("hint", fault.hint());
    }
    Err(if environment {
        Error::ReportedEnvironment
    } else {
        Error::Reported
    })
}

/// The directory of the derivation, where `src` is not a wheel.
pub(crate) fn directory(attributes: &Attributes) -> Result<PathBuf, SourceFault> {
    match attributes.get("src") {
        Some(Value::String(path)) => Ok(PathBuf::from(path)),
        Some(other) => Err(SourceFault::Type(other.to_string())),
        None => Err(SourceFault::None),
    }
}

fn sources(attributes: &Attributes) -> Vec<Result<PathBuf, SourceFault>> {
    let of_value = |value: &Value| match value {
        Value::String(path) => Ok(PathBuf::from(path)),
        other => Err(SourceFault::Type(other.to_string())),
    };
    match (attributes.get("src"), attributes.get("srcs")) {
        (Some(source), None) => vec![of_value(source)],
        (None, Some(Value::Array(list))) => list.iter().map(of_value).collect(),
        (None, Some(Value::String(words))) => words
            .split_whitespace()
            .map(|word| Ok(PathBuf::from(word)))
            .collect(),
        (Some(_), Some(_)) => {
            vec![Err(SourceFault::Type("both `src` and `srcs`".to_owned()))]
        }
        (None, Some(other)) => vec![Err(SourceFault::Type(other.to_string()))],
        (None, None) => vec![Err(SourceFault::None)],
    }
}

/// The wheels at a path: it itself, or all in the directory, as the output `dist` of a recipe has them.
fn check(path: PathBuf) -> Result<Vec<PathBuf>, SourceFault> {
    if fs_err::metadata(&path)?.is_dir() {
        let wheels = wheels_in(&path)?;
        return if wheels.is_empty() {
            Err(SourceFault::Directory(path))
        } else {
            Ok(wheels)
        };
    }
    if let Some(kind) = archive(&path)? {
        return Err(SourceFault::Archive { path, kind });
    }
    if !is_wheel_name(&path) {
        return Err(SourceFault::Name(path));
    }
    Ok(vec![path])
}

/// The inputs of an environment at a path: the wheels in it, as the output `dist` of a recipe has them, or it itself.
pub(crate) fn of_environment(path: PathBuf) -> io::Result<Vec<PathBuf>> {
    let is_dir = fs_err::metadata(&path).is_ok_and(|it| it.is_dir());
    let wheels = if is_dir {
        wheels_in(&path)?
    } else {
        Vec::new()
    };
    Ok(if wheels.is_empty() {
        vec![path]
    } else {
        wheels
    })
}

/// The kind of archive that a file is by its first bytes, if it is one of those that sources are
/// packed in.
fn archive(path: &Path) -> io::Result<Option<&'static str>> {
    let mut start = Vec::new();
    File::open(path)?.take(8).read_to_end(&mut start)?;
    let kind = ARCHIVES.iter().find(|(magic, _)| start.starts_with(magic));
    Ok(kind.map(|(_, kind)| *kind))
}
