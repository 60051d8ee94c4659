//! Writes the files of an installation to its staging directory, and notes what the later phases
//! want to know of them while they are still in the cache.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use wheelfix_archive::{
    ContentError, Digest, ExtractError, ExtractItem, Extracted, ItemFault, MemberPath,
    MemberPathError, Observer, Written, extract, write_files,
};
use wheelfix_format::{HashAlgorithm, RecordHash, may_open_libraries};
use wheelfix_link::may_be_module;
use wheelfix_wheel::{Wheel, differs};

use crate::bytecode::Compiler;
use crate::digest::FileDigest;
use crate::event::{Event, Listener};
use crate::files::{File, Source};
use crate::launcher;
use crate::shebang::foreign_interpreter;

/// The facts about the files after all of them were written.
#[derive(Debug)]
pub(crate) struct Extraction {
    /// For each file.
    pub(crate) digests: Vec<FileDigest>,
    /// Positions of the scripts whose first line is a placeholder, ascending.
    pub(crate) placeholders: Vec<usize>,
    /// Positions of the scripts that ask for a program that the target need not have, ascending.
    pub(crate) foreign_scripts: Vec<usize>,
    /// Positions of the ELF files, ascending.
    pub(crate) elf: Vec<usize>,
    /// Positions of the Python sources that may open libraries.
    pub(crate) openers: BTreeSet<usize>,
}

/// Why files could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExtractionError {
    /// A path that cannot be made below the prefix.
    #[error("file cannot be installed: `{path}`")]
    Path {
        /// Relative to the prefix.
        path: String,
        /// The reason why it cannot be made.
        source: MemberPathError,
    },
    /// Files that could not be written.
    #[error(transparent)]
    Extract(ExtractError),
    /// Members that hold something else than they should, in the order of the files.
    #[error("{}", lines(.0))]
    Content(Vec<MemberFault>),
    /// Files whose hash is another than RECORD's, and not SHA-256; paths in their wheels.
    #[error("hash differs from RECORD: `{}`", .0.join("`, `"))]
    Hash(Vec<String>),
    /// The operating system said no.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A member of a wheel that holds something else than it should.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{wheel}`: `{path}`: {source}")]
pub struct MemberFault {
    /// The file name of the wheel.
    pub wheel: String,
    /// Path in the wheel.
    pub path: MemberPath,
    /// The fault of its content.
    pub source: ContentError,
}

fn lines(faults: &[MemberFault]) -> String {
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// The destination of files, and the options for writing them.
#[derive(Debug)]
pub(crate) struct Destination<'a> {
    /// The staging directory.
    pub(crate) root: &'a Path,
    /// Where it will be.
    pub(crate) prefix: &'a Path,
    /// Compiles Python sources as they are written; `None` compiles nothing.
    pub(crate) compiler: Option<&'a Compiler>,
    /// How many threads to use.
    pub(crate) jobs: NonZeroUsize,
}

/// Writes all files.
pub(crate) fn run(
    wheels: &[Wheel],
    files: &[File<'_>],
    destination: &Destination<'_>,
    listener: &Listener<'_>,
) -> Result<Extraction, ExtractionError> {
    let (items, positions) = items(wheels, files)?;
    let watcher = Watcher {
        files,
        positions: &positions,
        destination,
        listener,
        notes: Mutex::default(),
    };
    let extracted = extract(&items, destination.root, destination.jobs, &watcher);
    let extracted = extracted.map_err(|error| match error {
        ExtractError::Content(faults) => {
            let names = |fault| name_wheel(fault, wheels, files, &positions);
            ExtractionError::Content(faults.into_iter().map(names).collect())
        }
        error => ExtractionError::Extract(error),
    })?;
    let mut notes = watcher
        .notes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    if !notes.wrong.is_empty() {
        notes.wrong.sort();
        return Err(ExtractionError::Hash(notes.wrong));
    }
    notes.texts(files);
    notes.placeholders.sort_unstable();
    notes.foreign_scripts.sort_unstable();
    notes.elf.sort_unstable();
    write_texts(files, destination.root)?;

    Ok(Extraction {
        digests: digests(files, extracted, destination)?,
        placeholders: notes.placeholders,
        foreign_scripts: notes.foreign_scripts,
        elf: notes.elf,
        openers: notes.openers,
    })
}

/// The digests of all files; sources that are made here are handed to the compiler.
fn digests(
    files: &[File<'_>],
    extracted: Vec<Extracted>,
    destination: &Destination<'_>,
) -> Result<Vec<FileDigest>, ExtractionError> {
    let mut extracted = extracted.into_iter();
    let mut digests = Vec::with_capacity(files.len());
    for file in files {
        let digest = match &file.source {
            Source::Member { .. } => extracted.next().and_then(|extracted| {
                Some(FileDigest {
                    sha256: extracted.sha256?,
                    len: extracted.len,
                })
            }),
            Source::Text(text) => {
                let path = destination.root.join(&file.path);
                if file.compile
                    && let Some(compiler) = destination.compiler
                {
                    compiler.push(path, final_path(destination, file));
                }
                Some(FileDigest::of_bytes(text.as_bytes()))
            }
        };
        match digest {
            Some(digest) => digests.push(digest),
            None => digests.push(FileDigest::of_file(&destination.root.join(&file.path))?),
        }
    }
    Ok(digests)
}

/// Writes the files that are made here.
fn write_texts(files: &[File<'_>], root: &Path) -> Result<(), ExtractionError> {
    let mut texts = Vec::new();
    for file in files {
        if let Source::Text(text) = &file.source {
            texts.push((destination_of(file)?, file.executable, text.as_bytes()));
        }
    }
    write_files(root, texts).map_err(ExtractionError::Extract)
}

/// Where a file goes.
fn destination_of(file: &File<'_>) -> Result<MemberPath, ExtractionError> {
    MemberPath::new(&file.path).map_err(|source| ExtractionError::Path {
        path: file.path.clone(),
        source,
    })
}

/// The fault of an item with the wheel that it is in; `positions` has the file of each item.
fn name_wheel(
    fault: ItemFault,
    wheels: &[Wheel],
    files: &[File<'_>],
    positions: &[usize],
) -> MemberFault {
    let file = positions
        .get(fault.index)
        .and_then(|position| files.get(*position));
    let wheel = file.and_then(|file| match file.source {
        Source::Member { wheel, .. } => wheels.get(wheel),
        Source::Text(_) => None,
    });
    MemberFault {
        wheel: wheel.map_or_else(String::new, |wheel| wheel.filename().to_string()),
        path: fault.name,
        source: fault.error,
    }
}

/// The items to extract, and for each the position of its file.
fn items<'a>(
    wheels: &'a [Wheel],
    files: &[File<'a>],
) -> Result<(Vec<ExtractItem<'a>>, Vec<usize>), ExtractionError> {
    let mut items = Vec::new();
    let mut positions = Vec::new();
    for (position, file) in files.iter().enumerate() {
        let Source::Member {
            wheel,
            member,
            hash,
        } = file.source
        else {
            continue;
        };
        let Some(wheel) = wheels.get(wheel) else {
            continue;
        };
        let dst = destination_of(file)?;
        items.push(ExtractItem {
            archive: wheel.archive(),
            member,
            dst,
            executable: file.executable,
            digest: expected_digest(hash),
            prioritized: file.compile,
        });
        positions.push(position);
    }
    Ok((items, positions))
}

/// SHA-256 is compared while extracting; of the other hashes see [`Watcher::written`].
fn expected_digest(hash: Option<&RecordHash>) -> Digest {
    let sha256 = hash.filter(|hash| hash.algorithm() == HashAlgorithm::Sha256);
    match sha256.and_then(|hash| hash.digest().try_into().ok()) {
        Some(digest) => Digest::Expect(digest),
        None => Digest::Compute,
    }
}

/// Hears of every file that is written.
struct Watcher<'a> {
    files: &'a [File<'a>],
    /// For each item, the position of its file.
    positions: &'a [usize],
    destination: &'a Destination<'a>,
    listener: &'a Listener<'a>,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    placeholders: Vec<usize>,
    foreign_scripts: Vec<usize>,
    elf: Vec<usize>,
    openers: BTreeSet<usize>,
    wrong: Vec<String>,
}

impl Notes {
    /// Notes the scripts that are texts of ours, as those of which a rule has replaced a text.
    fn texts(&mut self, files: &[File<'_>]) {
        for (position, file) in files.iter().enumerate().filter(|(_, file)| file.script) {
            let Source::Text(text) = &file.source else {
                continue;
            };
            if launcher::has_placeholder(text.as_bytes()) {
                self.placeholders.push(position);
            } else if foreign_interpreter(text.as_bytes()).is_some() {
                self.foreign_scripts.push(position);
            }
        }
    }
}

impl Observer for Watcher<'_> {
    fn progress(&self, len: u64) {
        (self.listener)(Event::Bytes(len));
    }

    fn written(&self, written: Written<'_>) {
        let Some(position) = self.positions.get(written.index).copied() else {
            return;
        };
        let Some(file) = self.files.get(position) else {
            return;
        };
        if file.compile
            && let Some(compiler) = self.destination.compiler
        {
            compiler.push(written.path.to_owned(), final_path(self.destination, file));
        }
        let is_placeholder = file.script && launcher::has_placeholder(written.content);
        let is_elf = written.content.starts_with(b"\x7fELF") || may_be_module(written.path);
        let is_wrong = differs(file.hash(), written.content);
        let is_foreign = file.executable && foreign_interpreter(written.content).is_some();
        let is_opener = file.compile && may_open_libraries(written.content);
        if !(is_placeholder || is_foreign || is_elf || is_opener || is_wrong) {
            return;
        }
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if is_placeholder {
            notes.placeholders.push(position);
        }
        if is_foreign {
            notes.foreign_scripts.push(position);
        }
        if is_elf {
            notes.elf.push(position);
        }
        if is_opener {
            notes.openers.insert(position);
        }
        if is_wrong {
            notes.wrong.push(written.item.member.path.to_string());
        }
    }
}

fn final_path(destination: &Destination<'_>, file: &File<'_>) -> PathBuf {
    destination.prefix.join(&file.path)
}
