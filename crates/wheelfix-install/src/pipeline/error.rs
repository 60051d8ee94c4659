//! Why a command made nothing: the one error of installing, patching and unbundling.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::io;
use std::path::PathBuf;

use wheelfix_archive::{ExtractError, MemberPathError};
use wheelfix_diff::Comparison;
use wheelfix_elf::PatchError;
use wheelfix_format::{TagMismatch, WheelFilenameError};
use wheelfix_link::{LibPathError, LinkPlan, Proof, TreeError, count};
use wheelfix_loader::LoaderError;
use wheelfix_unbundle::{UnbundleError, UnbundlePlan};
use wheelfix_wheel::{ContentFault, ForeignWheel, InstalledError, WheelError};

use crate::atomic::staging::StagingError;
use crate::bytecode::CompileError;
use crate::extraction::ExtractionError;
use crate::files::FileFault;
use crate::pipeline::sboms::SbomUpdateError;
use crate::record::update::RecordUpdateError;

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// Wheels that are refused, in the order of the request.
    #[error("{} refused", count(.0.len(), "wheel"))]
    Wheels(Vec<RefusedWheel>),
    /// Files of a wheel differ from RECORD.
    #[error("{} of `{}` differ from RECORD", .faults.len(), .wheel.display())]
    Contents {
        /// The wheel.
        wheel: PathBuf,
        /// The files.
        faults: Vec<ContentFault>,
    },
    /// The wheels do not fit together, or an option matches nothing.
    #[error("{} with files or requirements", count(.0.len(), "fault"))]
    Files(Vec<FileFault>),
    /// The distributions that are installed below a prefix cannot be listed.
    #[error(transparent)]
    Installed(#[from] InstalledError),
    /// The output cannot be made there.
    #[error(transparent)]
    Staging(#[from] StagingError),
    /// The new wheel cannot have that name.
    #[error(transparent)]
    Output(#[from] OutputNameError),
    /// Files cannot be written.
    #[error(transparent)]
    Extraction(#[from] ExtractionError),
    /// ELF files of a wheel cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] ExtractError),
    /// A path of a wheel that cannot be made.
    #[error(transparent)]
    Path(#[from] MemberPathError),
    /// Libraries cannot be read or edited.
    #[error(transparent)]
    Relocation(#[from] LinkError),
    /// Bundled libraries cannot become what the user wants; the plan says why.
    #[error("{} with bundled libraries", count(.0.faults.len(), "fault"))]
    Bundled(Box<UnbundlePlan>),
    /// The output would not work; the plan says why.
    #[error("{} with libraries", count(.0.faults.len(), "fault"))]
    Unsound(Box<LinkPlan>),
    /// The output would not load, or files that were edited in their place did not and are as they were; the
    /// proof says why.
    #[error("{} with what is loaded", count(.0.faults.len(), "fault"))]
    Unproved(Box<Proof>),
    /// Files to be changed lie elsewhere, in directories that links lead to: the directory as it is
    /// reached, and where it is.
    #[error("{}", Behind(.0))]
    BehindLinks(BTreeSet<(PathBuf, PathBuf)>),
    /// The output was another one when it was made a second time.
    #[error("made a second time, the output has {}", count(.0.differing(), "other file"))]
    MadeTwice(Box<Comparison>),
    /// A RECORD cannot be updated.
    #[error(transparent)]
    Record(#[from] RecordUpdateError),
    /// Byte-compilation broke down.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The threads cannot be started.
    #[error("failed to start threads")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// The operating system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Why a wheel cannot be written under a name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputNameError {
    /// It is not a file name of a wheel.
    #[error("`{}` is not the name of a wheel", path.display())]
    Filename {
        /// The output as asked for.
        path: PathBuf,
        /// The reason why it is not one.
        source: Box<WheelFilenameError>,
    },
    /// It is the name of something else.
    #[error("`{got}` is the name of another wheel, expected {expected}")]
    Other {
        /// Name and version.
        expected: String,
        /// The file name.
        got: String,
    },
    /// It promises platforms on which the wheel will not work.
    #[error("the wheel uses libraries outside of it, so that its tag must be plain: `{expected}`")]
    Platform {
        /// The name that would be true.
        expected: String,
    },
}

/// A wheel that is refused.
#[derive(Debug)]
pub struct RefusedWheel {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: Refusal,
}

/// Why a wheel is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It is not a sound wheel.
    #[error(transparent)]
    Wheel(#[from] WheelError),
    /// It is for another Python or platform.
    #[error(transparent)]
    Tag(#[from] TagMismatch),
    /// It is for another system than its name says.
    #[error(transparent)]
    Foreign(#[from] ForeignWheel),
}

/// Why a relocation cannot be decided or applied.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The libraries that may be used cannot be read.
    #[error(transparent)]
    LibPath(#[from] LibPathError),
    /// The interpreter that is named is not one.
    #[error(transparent)]
    Loader(#[from] LoaderError),
    /// The files of the output cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Bundled libraries cannot be read.
    #[error(transparent)]
    Unbundle(#[from] UnbundleError),
    /// A list of software that names a removed library cannot be updated.
    #[error(transparent)]
    Sbom(#[from] SbomUpdateError),
    /// Files that cannot be edited, by path: their final place, and why.
    #[error("{}", list(.0))]
    Edit(Vec<(PathBuf, EditFailure)>),
    /// The operating system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Why a file is not edited, or what it is now not known.
#[derive(Debug, thiserror::Error)]
pub enum EditFailure {
    /// The edit is refused, or cannot be written; the file is as it was.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// The edited file cannot be read back.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Fails with the files that cannot be edited, if there are any.
pub(crate) fn refuse(failures: Vec<(PathBuf, EditFailure)>) -> Result<(), LinkError> {
    if failures.is_empty() {
        Ok(())
    } else {
        Err(LinkError::Edit(failures))
    }
}

/// A line for each file.
fn list(refused: &[(PathBuf, EditFailure)]) -> String {
    let lines = refused
        .iter()
        .map(|(path, error)| format!("`{}`: {error}", path.display()));
    lines.collect::<Vec<_>>().join("\n")
}

/// A line for each directory.
struct Behind<'a>(&'a BTreeSet<(PathBuf, PathBuf)>);

impl fmt::Display for Behind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (reached, real)) in self.0.iter().enumerate() {
            if position != 0 {
                f.write_char('\n')?;
            }
            let (reached, real) = (reached.display(), real.display());
            write!(
                f,
                "files in `{reached}` are to be edited, which lies elsewhere, in `{real}`"
            )?;
        }
        Ok(())
    }
}
