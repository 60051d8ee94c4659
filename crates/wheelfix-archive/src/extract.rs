//! The parallel engine that writes members of one or several archives below a directory.
//!
//! Every byte is written once, and checked while it is still in the cache. Directories are made
//! first, by one thread; then workers take from one queue: large members each on its own, the most
//! expensive first, small ones in batches. A small member is inflated into a buffer of its worker, a
//! large one straight into its mapped and allocated file, so that anonymous memory is less than a
//! megabyte for each thread.
//!
//! Nothing is undone after an error: the output directory is a staging directory of the caller, who
//! drops it.

mod checksums;
mod schedule;
mod tree;
mod worker;

use std::fmt;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::Builder;

use rustix::io::Errno;

use crate::content::ContentError;
use crate::extract::schedule::Schedule;
use crate::extract::tree::Tree;
use crate::extract::worker::{Outcome, Shared};
use crate::fault::BREAK;
use crate::member_path::MemberPath;
use crate::output::Output;
use crate::zip::{Member, ZipArchive};

/// A member, and where and how it is written.
#[derive(Clone, Debug)]
pub struct ExtractItem<'a> {
    /// The archive it is in.
    pub archive: &'a ZipArchive,
    /// The member.
    pub member: &'a Member,
    /// Where it is written to, relative to the output directory.
    pub dst: MemberPath,
    /// Whether its mode is 0755; else it is 0644.
    pub executable: bool,
    /// Whether its SHA-256 is computed and compared.
    pub digest: Digest,
    /// Whether it is written before those that are not.
    pub prioritized: bool,
}

/// Whether the SHA-256 of a member is computed and compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Digest {
    /// It is not computed.
    Skip,
    /// It is computed.
    Compute,
    /// It is computed and must be this.
    Expect([u8; 32]),
}

/// The length and the digest of a file that was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extracted {
    /// Its length in bytes.
    pub len: u64,
    /// Its SHA-256, unless that was to be skipped.
    pub sha256: Option<[u8; 32]>,
}

/// A file that was just written and found to be right.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// Position of the item in the list that [`extract`] was given.
    pub index: usize,
    /// The item.
    pub item: &'a ExtractItem<'a>,
    /// The file.
    pub path: &'a Path,
    /// Its content, likely still in the processor's cache.
    pub content: &'a [u8],
}

/// Who wants to know how far the work is. Called from all worker threads.
pub trait Observer: Sync {
    /// Some more bytes were written.
    fn progress(&self, len: u64) {
        let _: u64 = len;
    }

    /// A file was written. The worker waits for the return.
    fn written(&self, file: Written<'_>) {
        let _: Written<'_> = file;
    }
}

/// The observer who does not want to know.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Observer for Silent {}

/// Why members could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The output directory could not be opened, or a directory in it could not be made.
    #[error("failed to create the directory `{}`", path.display())]
    CreateDir {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file could not be written.
    #[error("failed to write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// An archive could not be read to its end.
    #[error(transparent)]
    Archive(io::Error),
    /// Members do not hold what is expected.
    #[error("{}", List(.0))]
    Content(Vec<ItemFault>),
}

/// A member that does not hold what is expected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("member `{name}`: {error}")]
pub struct ItemFault {
    /// Position of the item in the list that [`extract`] was given.
    pub index: usize,
    /// Path of the member.
    pub name: MemberPath,
    /// The fault.
    pub error: ContentError,
}

/// Writes all `items` below the existing directory `root` with this number of threads. Gives the
/// length and the digest of each, in the order of the items.
///
/// After an I/O error the rest is given up; faults of contents are all found and listed.
pub fn extract(
    items: &[ExtractItem<'_>],
    root: &Path,
    threads: NonZeroUsize,
    observer: &dyn Observer,
) -> Result<Vec<Extracted>, ExtractError> {
    let tree = Tree::create(root, items)?;
    let schedule = Schedule::new(items, threads);
    let shared = Shared::new(items, &tree, &schedule, observer);
    let outcomes: Vec<Outcome> = if threads.get() == 1 {
        vec![shared.work(threads)]
    } else {
        std::thread::scope(|scope| {
            // The system may have no more threads to give: whoever is there does all of the work.
            let start = |_| Builder::new().spawn_scoped(scope, || shared.work(threads));
            let workers: Vec<_> = (1..threads.get()).flat_map(start).collect();
            let own = shared.work(threads);
            let join = |worker: std::thread::ScopedJoinHandle<'_, Outcome>| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            let others = workers.into_iter().map(join);
            std::iter::once(own).chain(others).collect()
        })
    };
    // Content that is wrong may be so because it could not be read.
    for item in items {
        item.archive.check_source().map_err(ExtractError::Archive)?;
    }
    merge(outcomes, items)
}

/// Makes directories below the existing directory `root`, with those above them.
pub fn create_directories<'a>(
    root: &Path,
    paths: impl IntoIterator<Item = &'a MemberPath>,
) -> Result<(), ExtractError> {
    let failed = |path: PathBuf, error: Errno| ExtractError::CreateDir {
        path,
        source: error.into(),
    };
    let mut output = Output::new(root).map_err(|error| failed(root.to_owned(), error))?;
    for path in paths {
        let made = output.create_dir(path);
        made.map_err(|error| failed(root.join(path.as_path()), error))?;
    }
    Ok(())
}

/// Writes files that must not exist below the existing directory `root`, with the directories above
/// them: for each where it lies, whether its mode is 0755 instead of 0644, and its content.
pub fn write_files<'a>(
    root: &Path,
    files: impl IntoIterator<Item = (MemberPath, bool, &'a [u8])>,
) -> Result<(), ExtractError> {
    let mut output = Output::new(root).map_err(|error| ExtractError::CreateDir {
        path: root.to_owned(),
        source: error.into(),
    })?;
    for (path, executable, content) in files {
        let file = output.create_file(&path, executable);
        let written = file
            .map_err(io::Error::from)
            .and_then(|mut file| file.write_all(content));
        written.map_err(|source| ExtractError::Write {
            path: root.join(path.as_path()),
            source,
        })?;
    }
    Ok(())
}

/// Joins what the workers found.
fn merge(
    outcomes: Vec<Outcome>,
    items: &[ExtractItem<'_>],
) -> Result<Vec<Extracted>, ExtractError> {
    let mut done = Vec::with_capacity(items.len());
    let mut faults = Vec::new();
    let mut failed = None;
    for outcome in outcomes {
        done.extend(outcome.done);
        faults.extend(outcome.faults);
        failed = failed.or(outcome.failed);
    }
    if let Some(error) = failed {
        return Err(error);
    }
    if !faults.is_empty() {
        faults.sort_by_key(|fault: &ItemFault| fault.index);
        return Err(ExtractError::Content(faults));
    }
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, extracted)| extracted).collect())
}

/// Prints a list of faults.
struct List<'a>(&'a [ItemFault]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [fault] = self.0 {
            return fault.fmt(f);
        }
        write!(f, "{} members are corrupt", self.0.len())?;
        for fault in self.0 {
            write!(f, "{BREAK}  {fault}")?;
        }
        Ok(())
    }
}
