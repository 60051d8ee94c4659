//! The wheels of a lock as inputs of an environment.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use fs_err::{self as fs, File};
use rayon::prelude::*;
use wheelfix_format::{WheelFilename, is_wheel_name};
use wheelfix_install::Python;
use wheelfix_lock::{Location, Locked, LockedError, LockedFile, LockedPackage, LockedSource};
use wheelfix_wheel::installed_distributions;

use crate::error::{Error, print};
use crate::install_error;
use crate::message::BREAK;
use crate::next_step::{note_before, note_other, wheels_directory};
use crate::quoting::shell_word;

/// A lock whose packages make the environment
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Lock")]
pub(crate) struct LockedArgs {
    /// Document of `wheelfix lock` whose wheels are inputs; each has to be in a directory of `--wheels`
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// Selection of the lock [default: default]
    #[arg(long, value_name = "NAME", requires = "lock")]
    select: Option<String>,
    /// Directory of downloaded wheels of the lock
    #[arg(long, value_name = "DIR", requires = "lock")]
    wheels: Vec<PathBuf>,
}

/// A wheel of the lock that cannot be used.
#[derive(Debug, thiserror::Error)]
enum WheelFault {
    /// It is in none of the directories.
    #[error("`{name}` is in no directory of `--wheels`{}  fix: {download}", BREAK)]
    Missing { name: String, download: String },
    /// A directory of wheels that is not there.
    #[error("`{}`: no such directory", path.display())]
    NoDirectory { path: PathBuf },
    /// It is not at its path either.
    #[error("`{name}` is in no directory of `--wheels`, nor at `{}`", path.display())]
    NotThere { name: String, path: PathBuf },
    /// Other bytes have its name.
    #[error("`{}` is another file than the lock has: expected {wanted}, got {got}", path.display())]
    Other {
        path: PathBuf,
        wanted: String,
        got: String,
    },
    /// It cannot be read.
    #[error("failed to read `{}`: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    /// There is no wheel of it.
    #[error("{package} {how}: name a wheel or a prefix of it among the inputs")]
    NoWheel { package: String, how: String },
}

impl LockedArgs {
    /// The wheels of the selection, checked; nothing without a lock. What is among the `given` inputs is
    /// taken from there.
    pub(crate) fn wheels(&self, python: &Python, given: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
        let Some(path) = &self.lock else {
            return Ok(Vec::new());
        };
        let of_lock = |error: LockedError| {
            print("error", [format!("`{}` {error}", path.display())]);
            Error::Reported
        };
        let locked = Locked::read(&fs::read(path)?).map_err(of_lock)?;
        let target = locked.target(python.target()).map_err(of_lock)?;
        let select = self.select.as_deref().unwrap_or("default");
        let packages = locked.packages(target, select).map_err(of_lock)?;
        let given = given_names(given)?;
        let (taken, wanted): (Vec<_>, Vec<_>) = packages
            .iter()
            .partition(|package| given.contains(&package.name));
        let beside = path.parent().unwrap_or(Path::new(""));
        let found: Vec<_> = wanted
            .par_iter()
            .map(|package| self.find(package, beside))
            .collect();
        let mut wheels = Vec::new();
        let absent = self.wheels.iter().filter(|path| !path.is_dir());
        let absent = absent.map(|path| WheelFault::NoDirectory { path: path.clone() });
        let mut faults: Vec<WheelFault> = absent.collect();
        for result in found {
            match result {
                Ok(wheel) => wheels.extend(wheel),
                Err(fault) => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            return Err(self.refuse(&faults));
        }
        let notes = taken.iter().map(|package| {
            let package = label(package);
            format!("{package} comes from the inputs, not from the lock")
        });
        print("note", notes);
        let left = wanted.iter().filter_map(|package| match &package.from {
            LockedSource::Directory(path) => Some((label(package), path)),
            _ => None,
        });
        let left = left.map(|(package, path)| {
            format!(
                "{package} lies in the directory `{path}` and is not installed: name a wheel of it among the inputs"
            )
        });
        print("warning", left);
        Ok(wheels)
    }

    /// Prints the faults; that a directory is not there is worse than that a wheel is not in it.
    fn refuse(&self, faults: &[WheelFault]) -> Error {
        for fault in faults {
            self.note(fault);
        }
        print("error", faults);
        if 1 < faults.len() {
            print("error", [format!("{} faults in all", faults.len())]);
        }
        let is_absent = |fault| matches!(fault, &WheelFault::NoDirectory { .. });
        if faults.iter().any(is_absent) {
            Error::ReportedEnvironment
        } else {
            Error::Reported
        }
    }

    /// The directory in which downloaded wheels are looked for first.
    fn directory(&self) -> &Path {
        let first = self.wheels.first().map(PathBuf::as_path);
        first.unwrap_or(Path::new(wheels_directory()))
    }

    /// The command that downloads a wheel, whatever it is for.
    fn download(&self, name: &str, url: &str) -> String {
        let path = self.directory().join(name);
        let (path, url) = (shell_word(&path.to_string_lossy()), shell_word(url));
        format!("curl -fL --create-dirs -o {path} {url}")
    }

    /// Notes what to type next.
    fn note(&self, fault: &WheelFault) {
        let option = format!("--wheels={}", shell_word(wheels_directory()));
        let option = self.wheels.is_empty().then_some(option.as_str());
        match fault {
            WheelFault::Missing { download, .. } => note_before(option, Some(download.clone())),
            // It is made for what is downloaded.
            WheelFault::NoDirectory { path } if path == self.directory() => note_before(None, None),
            _ => note_other(),
        }
    }

    /// The wheel of a package, which is the one that the lock has; `None` for what is not installed.
    fn find(&self, package: &LockedPackage, beside: &Path) -> Result<Option<PathBuf>, WheelFault> {
        let file = match &package.from {
            LockedSource::Wheel(file) => file,
            LockedSource::Other(how) => {
                return Err(WheelFault::NoWheel {
                    package: label(package),
                    how: how.clone(),
                });
            }
            LockedSource::Directory(_) | LockedSource::Virtual => return Ok(None),
        };
        let names = || std::iter::once(file.name.clone()).chain(name_in_url(file));
        let in_directory = |directory: &PathBuf| names().map(|name| directory.join(name)).collect();
        let in_directories = self.wheels.iter().flat_map::<Vec<PathBuf>, _>(in_directory);
        let own = file.path.iter().map(|path| beside.join(path));
        let name = file.name.clone();
        let mut last = match &file.url {
            Some(url) => WheelFault::Missing {
                download: self.download(&name, url),
                name,
            },
            None => WheelFault::NotThere {
                name,
                path: own.clone().collect(),
            },
        };
        for path in in_directories.chain(own) {
            match check(&path, file) {
                Ok(true) => return Ok(Some(path)),
                Ok(false) => {}
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }
}

/// The name of a wheel in its URL, which is the one that it is downloaded under: some locks spell names of their own.
fn name_in_url(file: &LockedFile) -> Option<String> {
    let name = Location::Url(file.url.as_deref()?.into())
        .file_name()?
        .into_owned();
    (name != file.name && is_wheel_name(&name)).then_some(name)
}

/// Whether a file is there; an error if it is another one.
fn check(path: &Path, file: &LockedFile) -> Result<bool, WheelFault> {
    let failed = |error| WheelFault::Read {
        path: path.to_owned(),
        error,
    };
    let mut reader = match File::open(path) {
        Ok(reader) => reader,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    // Where a lock has a path alone, nothing vouches for what is there.
    let Some(wanted) = &file.hash else {
        return Ok(true);
    };
    let got = wanted.of_reader(&mut reader).map_err(failed)?;
    if got == *wanted {
        return Ok(true);
    }
    Err(WheelFault::Other {
        path: path.to_owned(),
        wanted: wanted.to_string(),
        got: got.to_string(),
    })
}

fn label(package: &LockedPackage) -> String {
    match &package.version {
        Some(version) => format!("{} {version}", package.name),
        None => package.name.clone(),
    }
}

/// The normalised names of the distributions that inputs are or have.
fn given_names(inputs: &[PathBuf]) -> Result<BTreeSet<String>, Error> {
    let mut names = BTreeSet::new();
    for input in inputs {
        let file = input.file_name().and_then(|name| name.to_str());
        let wheel = file.and_then(|name| name.parse::<WheelFilename>().ok());
        if let Some(wheel) = wheel {
            names.insert(wheel.name().to_string());
            continue;
        }
        let installed = installed_distributions(std::slice::from_ref(input));
        let installed = installed.map_err(install_error::installed)?;
        names.extend(installed.keys().map(ToString::to_string));
    }
    Ok(names)
}
