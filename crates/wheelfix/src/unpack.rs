//! `wheelfix unpack`

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::Serialize;
use wheelfix_archive::{ContentError, ExtractError, ItemFault, normalise_times};
use wheelfix_format::{Pattern, is_wheel_name};
use wheelfix_install::{Event, Phase, Staging, StagingError};
use wheelfix_wheel::{
    OpenOptions, SourceArchive, SourceArchiveError, UnpackError, Unpacked, UnpackedKind, Wheel,
    WheelError, WheelFault,
};

use crate::common::{JobsArgs, OutputArgs};
use crate::document;
use crate::error::{Error, print_line, printed};
use crate::inputs;
use crate::install_error;
use crate::limits::{self, LimitArgs};
use crate::next_step::note_taken;
use crate::progress::Progress;
use crate::table;
use crate::warnings;
use crate::wheel_options::accepted;

/// Unpack a wheel or a source distribution, safely
///
/// A wheel is compared with its RECORD on the way. Modes become 0644 or 0755, all files get the same
/// modification time. DIR appears whole, or not at all.
#[derive(Debug, clap::Args)]
pub(crate) struct UnpackArgs {
    /// The archive: .whl, .tar.gz, .tar.bz2, .tar.xz, .tar.zst or .zip
    archive: PathBuf,
    /// Directory to create; it must be empty if it exists
    dir: PathBuf,
    /// Files of a wheel to accept although RECORD does not vouch for them
    #[arg(long, value_name = "GLOB", value_parser = accepted)]
    accept_mismatch: Vec<Pattern>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    jobs: JobsArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The kind of an archive.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Wheel,
    Sdist,
}

pub(crate) fn run(args: &UnpackArgs) -> Result<(), Error> {
    let progress = Progress::bytes(args.output.quiet);
    let result = unpack(args, &progress);
    progress.finish();
    let (kind, staging, unpacked) = result?;
    // Where the report cannot be written, there is no directory either.
    printed(print(args, kind, &unpacked).map_err(Error::from))?;
    staging.publish().map_err(staging_error)
}

/// A directory in the place of an archive.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is a directory: `unpack` takes one archive", .0.display())]
struct NotAnArchive(PathBuf);

/// Unpacks into a staging directory.
fn unpack(args: &UnpackArgs, progress: &Progress) -> Result<(Kind, Staging, Vec<Unpacked>), Error> {
    let is_wheel = is_wheel_name(&args.archive);
    if !is_wheel && let Some(path) = args.accept_mismatch.first() {
        let text = format!("`--accept-mismatch {path}` is for wheels, which have a RECORD");
        return Err(Error::Usage(text));
    }
    inputs::existing(&args.archive)?;
    if args.archive.is_dir() {
        return Err(Error::refused(NotAnArchive(args.archive.clone())));
    }
    let (kind, staging, unpacked) = if is_wheel {
        unpack_wheel(args, progress)?
    } else {
        unpack_sdist(args, progress)?
    };
    normalise_times(staging.root())?;
    Ok((kind, staging, unpacked))
}

fn unpack_wheel(
    args: &UnpackArgs,
    progress: &Progress,
) -> Result<(Kind, Staging, Vec<Unpacked>), Error> {
    let options = OpenOptions {
        limits: args.limits.resolve(),
        accept_mismatch: args.accept_mismatch.clone(),
        ..OpenOptions::default()
    };
    let wheel = Wheel::open_with(&args.archive, &options).map_err(|error| match error {
        WheelError::Io(error) => error.into(),
        WheelError::Archive(faults) => refused(args, faults),
        WheelError::Wheel(faults) => {
            let paths = faults.list().iter().filter_map(WheelFault::mismatch);
            let hint = install_error::accept(paths);
            refused_with(&args.archive, faults, hint)
        }
        error => refused(args, error),
    })?;
    if !args.output.quiet {
        warnings::print(wheel.accepted(), |_| (), args.output.verbose);
    }
    let staging = Staging::whole(&args.dir).map_err(staging_error)?;
    let bytes = wheel.members().map(|member| member.file.len).sum();
    progress.show(Event::Phase {
        phase: Phase::Extract,
        bytes,
    });
    let count = |len| progress.show(Event::Bytes(len));
    let unpacked = wheel.unpack(staging.root(), args.jobs.count(), &count);
    let unpacked = unpacked.map_err(|error| match error {
        UnpackError::Extract(error) => extract_error(args, error),
        UnpackError::Hash(ref paths) => {
            let hint = install_error::accept(paths.iter().map(String::as_str));
            refused_with(&args.archive, error, hint)
        }
    })?;
    Ok((Kind::Wheel, staging, unpacked))
}

fn unpack_sdist(
    args: &UnpackArgs,
    progress: &Progress,
) -> Result<(Kind, Staging, Vec<Unpacked>), Error> {
    let failed = |error| match error {
        SourceArchiveError::Io(error) => error.into(),
        SourceArchiveError::Extract(error) => extract_error(args, error),
        SourceArchiveError::NoFilename
        | SourceArchiveError::Filename(_)
        | SourceArchiveError::TopLevel(_) => refused(args, error),
        SourceArchiveError::Zip(faults) => refused(args, faults),
        SourceArchiveError::Tar(faults) => refused(args, faults),
    };
    let sdist = SourceArchive::open(&args.archive, &args.limits.resolve()).map_err(failed)?;
    let staging = Staging::whole(&args.dir).map_err(staging_error)?;
    let count = |len| progress.show(Event::Bytes(len));
    let unpacked = sdist.unpack(staging.root(), args.jobs.count(), &count);
    Ok((Kind::Sdist, staging, unpacked.map_err(failed)?))
}

/// The archive is not acceptable.
fn refused(args: &UnpackArgs, error: impl StdError + Send + Sync + 'static) -> Error {
    let hint = limits::hint(&error);
    refused_with(&args.archive, error, hint)
}

/// The archive at a path is not acceptable.
pub(crate) fn refused_with(
    path: &Path,
    error: impl StdError + Send + Sync + 'static,
    hint: Option<String>,
) -> Error {
    Error::Refused {
        hint,
        error: Box::new(ArchiveError {
            path: path.to_owned(),
            error: Box::new(error),
        }),
    }
}

fn extract_error(args: &UnpackArgs, error: ExtractError) -> Error {
    match error {
        ExtractError::Content(ref faults) => {
            let is_hash = |fault: &&ItemFault| matches!(fault.error, ContentError::Sha256 { .. });
            let wrong = faults.iter().filter(|fault| is_hash(fault));
            let hint = install_error::accept(wrong.map(|fault| fault.name.as_str()));
            refused_with(&args.archive, error, hint)
        }
        ExtractError::CreateDir { .. } | ExtractError::Write { .. } | ExtractError::Archive(_) => {
            Error::environment(error)
        }
    }
}

fn staging_error(error: StagingError) -> Error {
    match error {
        StagingError::Io(error) => error.into(),
        StagingError::NotEmpty(path) => {
            note_taken(&path);
            Error::refused(TargetError::NotEmpty(path))
        }
        StagingError::NotADirectory(path) => {
            note_taken(&path);
            Error::refused(TargetError::NotADirectory(path))
        }
        error @ (StagingError::Collisions(_) | StagingError::Changed(_)) => Error::refused(error),
    }
}

/// An error with the archive that it is about.
#[derive(Debug)]
struct ArchiveError {
    path: PathBuf,
    error: Box<dyn StdError + Send + Sync>,
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path.display(), self.error)
    }
}

impl StdError for ArchiveError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

/// Why nothing can be unpacked to a directory.
#[derive(Debug, thiserror::Error)]
enum TargetError {
    #[error("directory exists and is not empty: `{}`", .0.display())]
    NotEmpty(PathBuf),
    #[error("not a directory: `{}`", .0.display())]
    NotADirectory(PathBuf),
}

/// The content of the JSON document, version 1.
#[derive(Serialize)]
struct Document<'a> {
    archive: &'a Path,
    kind: Kind,
    dir: &'a Path,
    /// Of all files, in bytes.
    bytes: u64,
    entries: Vec<EntryDocument<'a>>,
}

/// Something that was unpacked; fields that it does not have are left out.
#[derive(Serialize)]
struct EntryDocument<'a> {
    /// Relative to the directory.
    path: &'a str,
    #[serde(flatten)]
    kind: KindDocument<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum KindDocument<'a> {
    File {
        bytes: u64,
        executable: bool,
        /// In hexadecimal.
        #[serde(skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
    Directory,
    Symlink {
        target: &'a str,
    },
    HardLink {
        target: &'a str,
    },
}

fn print(args: &UnpackArgs, kind: Kind, unpacked: &[Unpacked]) -> io::Result<()> {
    let lens = unpacked.iter().map(|entry| match entry.kind {
        UnpackedKind::File { len, .. } => len,
        _ => 0,
    });
    let bytes = lens.sum();
    if args.output.json {
        let document = Document {
            archive: &args.archive,
            kind,
            dir: &args.dir,
            bytes,
            entries: unpacked.iter().map(entry).collect(),
        };
        document::print(&document)?;
    } else if !args.output.quiet {
        let is_dir = |entry: &&Unpacked| entry.kind == UnpackedKind::Directory;
        let files = unpacked.iter().filter(|entry| !is_dir(entry)).count();
        let noun = if files == 1 { "file" } else { "files" };
        let (bytes, dir) = (table::bytes(bytes), args.dir.display());
        print_line(format_args!("{files} {noun}, {bytes}, unpacked to {dir}"))?;
    }
    Ok(())
}

fn entry(unpacked: &Unpacked) -> EntryDocument<'_> {
    let kind = match &unpacked.kind {
        UnpackedKind::File {
            len,
            executable,
            sha256,
        } => KindDocument::File {
            bytes: *len,
            executable: *executable,
            sha256: sha256.map(|digest| HEXLOWER.encode(&digest)),
        },
        UnpackedKind::Directory => KindDocument::Directory,
        UnpackedKind::Symlink { target } => KindDocument::Symlink { target },
        UnpackedKind::HardLink { target } => KindDocument::HardLink {
            target: target.as_str(),
        },
    };
    EntryDocument {
        path: unpacked.path.as_str(),
        kind,
    }
}
