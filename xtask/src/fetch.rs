//! Bringing wheels into the cache directory: verified by digest, never twice, a few at a time.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rayon::prelude::*;

use crate::failure::{Failure, Result};
use crate::manifest::{Listed, Manifest, Set, Wheel};
use crate::{digest, place, program, python};

/// Downloads that run at the same time.
const WORKERS: usize = 3;

/// Wheels of at least this many bytes are downloaded by a process of their own, so that what an
/// interrupted run has brought stays.
const ALONE: u64 = 8 << 20;

/// Where fetched wheels lie, under the names of the manifest.
pub(crate) fn dir() -> Result<PathBuf> {
    Ok(place::cache()?.join("wheels"))
}

/// Brings the wheels of a set that are not there yet, and checks the digests of all.
///
/// Returns the directory that holds them.
pub(crate) fn fetch(set: Set) -> Result<PathBuf> {
    let manifest = Manifest::read()?;
    let wanted: Vec<&Wheel> = manifest.of_set(set).collect();
    let dir = bring(&manifest.python, &wanted)?;
    eprintln!(
        "{} wheels of the {set} set are in {}",
        wanted.len(),
        dir.display()
    );
    if set == Set::Full {
        fetch_sdists(&manifest.sdists)?;
    }
    Ok(dir)
}

/// Brings the wheels of another list whose files are wanted; returns the directory that holds them.
pub(crate) fn listed(
    python_version: &str,
    wheels: &[Listed],
    is_wanted: &dyn Fn(&str) -> bool,
) -> Result<PathBuf> {
    let wanted = wheels.iter().filter(|wheel| is_wanted(&wheel.file));
    let wanted: Vec<Wheel> = wanted.cloned().map(Wheel::from).collect();
    bring(python_version, &wanted.iter().collect::<Vec<_>>())
}

/// Brings the wheels that are not there yet, and checks the digests of all.
pub(crate) fn bring(python_version: &str, wanted: &[&Wheel]) -> Result<PathBuf> {
    let dir = dir()?;
    fs_err::create_dir_all(&dir)?;
    let _lock = place::lock("wheels")?;
    let there: Vec<bool> = wanted
        .par_iter()
        .map(|wheel| is_there(&dir, wheel))
        .collect::<Result<_>>()?;
    let missing: Vec<&Wheel> = wanted
        .iter()
        .zip(there)
        .filter_map(|(wheel, there)| (!there).then_some(*wheel))
        .collect();
    if !missing.is_empty() {
        let megabytes = missing.iter().map(|wheel| wheel.size).sum::<u64>() / 1_000_000;
        eprintln!(
            "fetching {} wheels, {megabytes} MB, into {}",
            missing.len(),
            dir.display()
        );
        download(python_version, &missing, &dir)?;
    }
    Ok(dir)
}

/// Finds the files of source distributions with pip; reads `NAME VERSION` lines.
const FIND_SDISTS: &str = include_str!("fetch_sdists.py");

/// Brings the source distributions that are not there yet, and checks the digests of all.
fn fetch_sdists(sdists: &[Listed]) -> Result {
    let dir = place::cache()?.join("sdists");
    fs_err::create_dir_all(&dir)?;
    let is_there =
        |sdist: &&Listed| verify(&dir.join(&sdist.file), &sdist.sha256, sdist.size).is_ok();
    let missing: Vec<&Listed> = sdists.iter().filter(|sdist| !is_there(sdist)).collect();
    if !missing.is_empty() {
        eprintln!("fetching {} source distributions", missing.len());
        let partial = place::cache()?.join("partial-sdists");
        fs_err::create_dir_all(&partial)?;
        let python = python::tools()?.join("python3");
        let mut command = Command::new(python);
        command.args(["-I", "-c", FIND_SDISTS]).arg(&partial);
        program::output(command.args(missing.iter().map(|sdist| &sdist.file)))?;
        for sdist in missing {
            let path = partial.join(&sdist.file);
            verify(&path, &sdist.sha256, sdist.size)?;
            fs_err::rename(&path, dir.join(&sdist.file))?;
        }
        fs_err::remove_dir_all(&partial)?;
    }
    eprintln!(
        "{} source distributions are in {}",
        sdists.len(),
        dir.display()
    );
    Ok(())
}

/// Whether the wheel lies in the directory; one with other contents is removed.
fn is_there(dir: &Path, wheel: &Wheel) -> Result<bool> {
    let path = dir.join(&wheel.file);
    if !path.try_exists()? {
        return Ok(false);
    }
    match verify(&path, &wheel.sha256, wheel.size) {
        Ok(()) => Ok(true),
        Err(error) => {
            eprintln!("{error}: fetching it again");
            fs_err::remove_file(&path)?;
            Ok(false)
        }
    }
}

fn verify(path: &Path, wanted: &str, wanted_size: u64) -> Result {
    let size = fs_err::metadata(path)?.len();
    if size != wanted_size {
        return Err(format!(
            "{}: expected {wanted_size} bytes, got {size}",
            path.display()
        )
        .into());
    }
    let got = digest::of_file(path)?;
    if got != wanted {
        return Err(format!("{}: expected SHA-256 {wanted}, got {got}", path.display()).into());
    }
    Ok(())
}

/// Downloads the wheels in several processes; all failures are reported together.
fn download(python_version: &str, wheels: &[&Wheel], dir: &Path) -> Result {
    let bin = python::tools()?;
    let partial = place::cache()?.join("partial");
    if partial.try_exists()? {
        fs_err::remove_dir_all(&partial)?;
    }
    let job = Job {
        python: bin.join("python3"),
        python_version,
        dir,
        partial: &partial,
        all: wheels.iter().map(|wheel| wheel.size).sum(),
        brought: AtomicU64::new(0),
    };
    let queue = Mutex::new(batches(wheels));
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(batch) = lock(&queue).pop_front() {
                    if let Err(failure) = job.bring(&batch) {
                        lock(&failures).push(failure);
                    }
                }
            });
        }
    });
    fs_err::remove_dir_all(&partial)?;
    let failures: Vec<String> = lock(&failures).iter().map(Failure::to_string).collect();
    if failures.is_empty() {
        Ok(())
    } else {
        Err(failures.join("\n").into())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The largest wheels first and alone, then all small ones together.
///
/// No two wheels of a batch have the same name, because pip would take them for a conflict.
fn batches<'wheels>(wheels: &[&'wheels Wheel]) -> VecDeque<Vec<&'wheels Wheel>> {
    let mut sorted = wheels.to_vec();
    sorted.sort_by_key(|wheel| std::cmp::Reverse(wheel.size));
    let mut batches: VecDeque<Vec<&Wheel>> = VecDeque::new();
    for wheel in sorted {
        let fits = |batch: &&mut Vec<&Wheel>| {
            batch
                .iter()
                .all(|other| other.size < ALONE && other.name() != wheel.name())
        };
        match batches.iter_mut().find(fits) {
            Some(batch) if wheel.size < ALONE => batch.push(wheel),
            _ => batches.push_back(vec![wheel]),
        }
    }
    batches
}

/// The settings that all batches have in common.
struct Job<'job> {
    python: PathBuf,
    python_version: &'job str,
    dir: &'job Path,
    partial: &'job Path,
    /// The bytes of all wheels, and of those that are there already.
    all: u64,
    brought: AtomicU64,
}

impl Job<'_> {
    /// Downloads a batch to a directory of its own, verifies it and moves it to its place.
    fn bring(&self, batch: &[&Wheel]) -> Result {
        let Some(first) = batch.first() else {
            return Ok(());
        };
        let partial = self.partial.join(first.name()).join(first.version());
        fs_err::create_dir_all(&partial)?;
        let requirements = partial.join("requirements.txt");
        fs_err::write(&requirements, pinned(batch))?;
        program::output(&mut self.pip_download(batch, &partial, &requirements))?;
        for wheel in batch {
            let path = partial.join(&wheel.file);
            verify(&path, &wheel.sha256, wheel.size)?;
            fs_err::rename(&path, self.dir.join(&wheel.file))?;
            let brought = self.brought.fetch_add(wheel.size, Ordering::Relaxed) + wheel.size;
            let megabytes = |bytes: u64| bytes / 1_000_000;
            let (brought, all) = (megabytes(brought), megabytes(self.all));
            eprintln!("fetched {}: {brought} of {all} MB", wheel.file);
        }
        Ok(())
    }

    fn pip_download(&self, batch: &[&Wheel], partial: &Path, requirements: &Path) -> Command {
        let platforms: BTreeSet<&str> = batch.iter().flat_map(|wheel| wheel.platforms()).collect();
        let mut command = Command::new(&self.python);
        command
            .args([
                "-I",
                "-m",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args([
                "--no-cache-dir",
                "--no-deps",
                "--only-binary=:all:",
                "--require-hashes",
                // The file is known; pip takes 3.11 for 3.11.0, which scalene 2.4.0 excludes.
                "--ignore-requires-python",
            ])
            .args([
                "--implementation=cp",
                "--python-version",
                self.python_version,
            ])
            .args(platforms.iter().map(|tag| format!("--platform={tag}")))
            .arg("--dest")
            .arg(partial)
            .arg("--requirement")
            .arg(requirements);
        command
    }
}

/// A requirements file that only these very files satisfy.
fn pinned(batch: &[&Wheel]) -> String {
    let line = |wheel: &&Wheel| {
        format!(
            "{}=={} --hash=sha256:{}\n",
            wheel.name(),
            wheel.version(),
            wheel.sha256
        )
    };
    batch.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wheels: &[(&str, u64)], want: &[&[&str]]) {
        let wheels: Vec<Wheel> = wheels
            .iter()
            .map(|(file, size)| Wheel {
                file: (*file).to_owned(),
                sha256: "0".repeat(64),
                size: *size,
                set: Set::Small,
                exercises: String::new(),
            })
            .collect();
        let batches = batches(&wheels.iter().collect::<Vec<_>>());
        let got: Vec<Vec<&str>> = batches
            .iter()
            .map(|batch| batch.iter().map(|wheel| wheel.file.as_str()).collect())
            .collect();
        assert_eq!(got, want);
    }

    #[test]
    fn large_wheels_come_first_and_alone() {
        check(
            &[
                ("a-1.whl", 1),
                ("b-1.whl", ALONE),
                ("c-1.whl", 2),
                ("d-1.whl", ALONE + 1),
            ],
            &[&["d-1.whl"], &["b-1.whl"], &["c-1.whl", "a-1.whl"]],
        );
    }

    #[test]
    fn versions_of_a_distribution_do_not_meet() {
        check(
            &[("a-1.whl", 3), ("a-2.whl", 2), ("b-1.whl", 1)],
            &[&["a-1.whl", "b-1.whl"], &["a-2.whl"]],
        );
    }
}
