//! A wheel with its libraries relocated, written as a wheel.
//!
//! Only ELF files are unpacked, to a scratch directory beside the output. What was not edited is
//! copied compressed, so that the output depends on the input and the edits alone.

mod bill;
mod name;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rayon::prelude::*;
use wheelfix_archive::{
    Digest, ExtractError, ExtractItem, MemberPath, MemberPathError, Observer, Packed, ZipWriter,
    extract,
};
use wheelfix_format::{Record, RecordHash, RecordRow, WheelFile};
use wheelfix_relocate::{Place, Proof, RelocationPlan, Tree};
use wheelfix_wheel::{ContentFault, OpenOptions, Placement, Wheel, WheelError, WheelMember};

use crate::digest::FileDigest;
use crate::event::{Event, Listener, Phase};
use crate::install::in_pool;
use crate::layout::{self, Layout};
use crate::python::Python;
use crate::relocation::{self, Applied, Libraries, RelocationError};
use crate::unbundling;
pub use name::OutputNameError;

/// What to relocate, and where to write it.
#[derive(Clone, Debug)]
pub struct PatchWheelRequest {
    /// The wheel.
    pub wheel: PathBuf,
    /// The wheel to make, or the directory to make one in.
    pub output: PathBuf,
    /// How to open the wheel.
    pub options: OpenOptions,
    /// Which libraries it may use. Bundled ones stay: nothing is unbundled.
    pub libraries: Libraries,
    /// The Python that will load them; `None` if it is not on this machine.
    pub python: Option<Python>,
    /// Whether to decide only.
    pub dry_run: bool,
    /// How many threads to use.
    pub jobs: NonZeroUsize,
}

/// What became of a wheel, or would.
#[derive(Debug)]
pub struct PatchWheelReport {
    /// The new wheel.
    pub output: PathBuf,
    /// What became of each library. Its paths are below [`PREFIX`].
    pub relocation: RelocationPlan,
    /// The proof that all of them load; `None` in a dry run, or if nothing is known of the target.
    pub proof: Option<Proof>,
    /// How many ELF files were edited.
    pub elf_edited: usize,
    /// How many members were copied as they are.
    pub copied: usize,
}

/// The prefix that a wheel is relocated for: run paths name it relative to `$ORIGIN` alone.
pub const PREFIX: &str = "/prefix";

/// Why no wheel was written.
#[derive(Debug, thiserror::Error)]
pub enum PatchWheelError {
    /// It is no sound wheel.
    #[error(transparent)]
    Wheel(#[from] WheelError),
    /// Files of the wheel differ from RECORD.
    #[error("{} differ from RECORD", .0.len())]
    Contents(Vec<ContentFault>),
    /// The new wheel cannot have that name.
    #[error(transparent)]
    Output(#[from] OutputNameError),
    /// A path of the wheel that cannot be made.
    #[error(transparent)]
    Path(#[from] MemberPathError),
    /// ELF files cannot be unpacked.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// Libraries cannot be read or edited.
    #[error(transparent)]
    Relocation(#[from] RelocationError),
    /// The wheel would not work; the plan says why.
    #[error("{} faults with libraries", .0.faults.len())]
    Unsound(Box<RelocationPlan>),
    /// The wheel would not load; the proof says why.
    #[error("{} faults with what is loaded", .0.faults.len())]
    Unproved(Box<Proof>),
    /// The threads cannot be started.
    #[error("failed to start threads")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// The operating system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Relocates the libraries of a wheel into a new wheel, which appears whole or not at all.
pub fn patch_wheel(
    request: &PatchWheelRequest,
    listener: &Listener<'_>,
) -> Result<PatchWheelReport, PatchWheelError> {
    in_pool(request.jobs, || relocate(request, listener))
}

fn relocate(
    request: &PatchWheelRequest,
    listener: &Listener<'_>,
) -> Result<PatchWheelReport, PatchWheelError> {
    let phase = |phase| listener(Event::Phase { phase, bytes: 0 });
    phase(Phase::Read);
    let wheel = Wheel::open_with(&request.wheel, &request.options)?;
    let output = name::directory(&request.output)?;
    let scratch = tempfile::Builder::new()
        .prefix(".wheelfix-")
        .tempdir_in(&output)?;
    let faults = wheel.verify_contents();
    if !faults.is_empty() {
        return Err(PatchWheelError::Contents(faults));
    }
    let version = request.python.as_ref().map(Python::version);
    let layout = Layout::new(version.unwrap_or_else(|| name::python_version(wheel.filename())));
    let libraries = unpack(&wheel, &layout, scratch.path(), request.jobs)?;

    phase(Phase::Plan);
    let tree = Tree::read(paths(&libraries, scratch.path())).and_then(Tree::compared);
    let tree = tree.map_err(RelocationError::from)?;
    let program = request.python.as_ref().and_then(Python::executable);
    let relocation = unbundling::plan(&tree, &[], &request.libraries, program)?.relocation;
    if !relocation.is_sound() {
        return Err(PatchWheelError::Unsound(Box::new(relocation)));
    }
    relocation::rehearse(&relocation, false)?;
    let filename = name::of_output(wheel.filename(), &request.output, &relocation)?;
    let mut report = PatchWheelReport {
        output: output.join(filename.to_string()),
        relocation,
        proof: None,
        elf_edited: 0,
        copied: 0,
    };
    if request.dry_run {
        return Ok(report);
    }

    phase(Phase::Apply);
    let mut applied = Applied::default();
    relocation::apply(&report.relocation, false, &mut applied)?;
    phase(Phase::Verify);
    report.proof = prove(request, &libraries, &applied, scratch.path())?;
    report.elf_edited = applied.edited.len();

    phase(Phase::Publish);
    let edits = Edits::new(&wheel, &filename, &libraries, &applied, &report.relocation)?;
    let staged = scratch.path().join(filename.to_string());
    report.copied = edits.write(&wheel, &staged)?;
    // What is written must be a wheel by our own standards.
    Wheel::open_with(&staged, &request.options)?;
    fs::rename(&staged, &report.output)?;
    Ok(report)
}

/// An ELF file of the wheel.
#[derive(Debug)]
struct Library {
    /// Path in the wheel.
    member: MemberPath,
    /// Path below the prefix and below the scratch directory.
    installed: MemberPath,
}

/// Writes the ELF files of a wheel below a directory, each where it would be installed.
fn unpack(
    wheel: &Wheel,
    layout: &Layout,
    root: &Path,
    jobs: NonZeroUsize,
) -> Result<Vec<Library>, PatchWheelError> {
    let stem = wheel.filename().stem();
    let distribution = stem.split('-').next().unwrap_or(stem);
    let (mut libraries, mut items) = (Vec::new(), Vec::new());
    for member in wheel.elf_files() {
        let Placement::File { scheme, path } = member.placement else {
            continue;
        };
        let directory = layout.directory(*scheme, distribution);
        let installed = MemberPath::new(&layout::join(&directory, path.as_str()))?;
        items.push(ExtractItem {
            archive: wheel.archive(),
            member: member.file,
            dst: installed.clone(),
            executable: member.file.executable,
            digest: Digest::Skip,
            early: false,
        });
        libraries.push(Library {
            member: member.file.path.clone(),
            installed,
        });
    }
    extract(&items, root, jobs, &Quiet)?;
    Ok(libraries)
}

/// An observer who does not want to know.
struct Quiet;

impl Observer for Quiet {}

/// Where the libraries will be, and where they are.
fn paths(libraries: &[Library], root: &Path) -> Vec<(PathBuf, PathBuf)> {
    let path = |library: &Library| {
        let below = library.installed.as_path();
        (Path::new(PREFIX).join(below), root.join(below))
    };
    libraries.iter().map(path).collect()
}

fn prove(
    request: &PatchWheelRequest,
    libraries: &[Library],
    applied: &Applied,
    root: &Path,
) -> Result<Option<Proof>, PatchWheelError> {
    let mut paths = paths(libraries, root);
    paths.retain(|(_, file)| !applied.removed.contains(file));
    let tree = Tree::read(paths).map_err(RelocationError::from)?;
    let place = Place {
        on_disk: root.to_owned(),
        used_at: PathBuf::from(PREFIX),
    };
    let program = request.python.as_ref().and_then(Python::executable);
    match relocation::prove(&tree, vec![place], &request.libraries, program)? {
        Some(proof) if !proof.faults.is_empty() => Err(PatchWheelError::Unproved(Box::new(proof))),
        proof => Ok(proof),
    }
}

/// How the new wheel differs from the old one.
#[derive(Debug, Default)]
struct Edits {
    /// New content of members, by path: where it lies.
    files: BTreeMap<String, PathBuf>,
    /// New texts, by path.
    texts: BTreeMap<String, String>,
    removed: BTreeSet<String>,
}

impl Edits {
    fn new(
        wheel: &Wheel,
        filename: &wheelfix_format::WheelFilename,
        libraries: &[Library],
        applied: &Applied,
        relocation: &RelocationPlan,
    ) -> Result<Self, PatchWheelError> {
        let mut edits = Self::default();
        let member_of: BTreeMap<PathBuf, &Library> = libraries
            .iter()
            .map(|library| (Path::new(PREFIX).join(library.installed.as_path()), library))
            .collect();
        let member = |path: &Path| member_of.get(path).map(|it| it.member.to_string());
        for object in relocation.edits() {
            if let Some(name) = member(&object.path)
                && applied.edited.contains_key(&object.file)
            {
                edits.files.insert(name, object.file.clone());
            }
        }
        edits.removed = relocation
            .drops
            .iter()
            .filter_map(|it| member(&it.path))
            .collect();
        if filename.tags() != wheel.filename().tags() {
            let path = format!("{}/WHEEL", wheel.dist_info());
            let text = text_of(wheel, &path)?;
            edits
                .texts
                .insert(path, WheelFile::with_tags(&text, filename.tags()));
        }
        if !edits.is_empty() {
            let bill = bill::text(wheel, relocation, &member, applied);
            edits.texts.insert(bill::path(wheel), bill);
        }
        Ok(edits)
    }

    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.texts.is_empty() && self.removed.is_empty()
    }

    /// Writes the wheel; returns how many members were copied.
    fn write(&self, wheel: &Wheel, path: &Path) -> Result<usize, PatchWheelError> {
        let packed: BTreeMap<&String, io::Result<(Packed, FileDigest)>> = self
            .files
            .par_iter()
            .map(|(name, file)| (name, pack(file)))
            .collect();
        let mut rows = Vec::new();
        let mut copied = 0;
        let mut zip = ZipWriter::new(BufWriter::new(fs::File::create_new(path)?));
        let mut fresh = self.texts.clone();
        let mut packed = packed;
        for member in wheel.members() {
            let name = member.file.path.to_string();
            if self.is_left_out(&member, &name) {
                continue;
            }
            if let Some(packed) = packed.remove(&name) {
                let (packed, digest) = packed?;
                zip.add(&member.file.path, member.file.executable, &packed)?;
                rows.push(row(name, digest));
            } else if let Some(text) = fresh.remove(&name) {
                zip.add(&member.file.path, false, &Packed::new(text.as_bytes()))?;
                rows.push(row(name, FileDigest::of_bytes(text.as_bytes())));
            } else {
                zip.copy(wheel.archive(), member.file)?;
                copied += 1;
                rows.push(copied_row(wheel, &member)?);
            }
        }
        for (name, text) in fresh {
            zip.add(
                &MemberPath::new(&name)?,
                false,
                &Packed::new(text.as_bytes()),
            )?;
            rows.push(row(name, FileDigest::of_bytes(text.as_bytes())));
        }
        if !self.is_empty() {
            let record = format!("{}/RECORD", wheel.dist_info());
            rows.push(RecordRow::unhashed(record.clone()));
            let text = Record { rows }.to_string();
            zip.add(
                &MemberPath::new(&record)?,
                false,
                &Packed::new(text.as_bytes()),
            )?;
        }
        zip.finish()?.flush()?;
        Ok(copied)
    }

    /// Whether a member is gone, or written last. If nothing changes, all members stay.
    fn is_left_out(&self, member: &WheelMember<'_>, name: &str) -> bool {
        let is_made = matches!(member.placement, Placement::Record | Placement::Signature);
        !self.is_empty() && (is_made || self.removed.contains(name))
    }
}

/// A file, compressed.
fn pack(file: &Path) -> io::Result<(Packed, FileDigest)> {
    let content = fs::read(file)?;
    Ok((Packed::new(&content), FileDigest::of_bytes(&content)))
}

/// The row of a member that stays: as it was, or true where another was accepted.
fn copied_row(wheel: &Wheel, member: &WheelMember<'_>) -> io::Result<RecordRow> {
    let path = member.file.path.to_string();
    if let Some(hash) = member.hash {
        return Ok(RecordRow {
            path,
            hash: Some(hash.clone()),
            size: Some(member.file.len),
        });
    }
    let content = wheel.archive().read_whole(member.file, u64::MAX);
    let content = content.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(row(path, FileDigest::of_bytes(&content)))
}

fn row(path: String, digest: FileDigest) -> RecordRow {
    RecordRow {
        path,
        hash: Some(RecordHash::sha256(digest.sha256)),
        size: Some(digest.len),
    }
}

/// Longest text that is read.
const MAX_TEXT_LEN: u64 = 1 << 20;

fn text_of(wheel: &Wheel, path: &str) -> io::Result<String> {
    let archive = wheel.archive();
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let Some(member) = archive.find(path) else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let bytes = archive.read(member, MAX_TEXT_LEN).map_err(invalid)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}
