//! How a wheel that was linked differs from the one that it was, and writing it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use rayon::prelude::*;
use wheelfix_archive::{MemberPath, Packed, ZipWriter};
use wheelfix_format::{Record, RecordHash, RecordRow, WheelFile};
use wheelfix_unbundle::UnbundlePlan;
use wheelfix_wheel::{Placement, Wheel, WheelMember};

use super::sbom::{self, WheelSbom};
use super::{PREFIX, PatchWheelReport, Unpacked};
use crate::digest::FileDigest;
use crate::pipeline::applied::Applied;
use crate::pipeline::error::PipelineError;
use crate::pipeline::sboms;

/// The differences of the new wheel from the old one.
#[derive(Debug, Default)]
pub(super) struct Edits {
    /// New content of members, by path: where it lies, and what it is.
    files: BTreeMap<String, (PathBuf, FileDigest)>,
    /// New texts, by path.
    texts: BTreeMap<String, String>,
    removed: BTreeSet<String>,
}

impl Edits {
    pub(super) fn new(
        wheel: &Wheel,
        filename: &wheelfix_format::WheelFilename,
        unpacked: &[Unpacked],
        applied: &Applied,
        report: &PatchWheelReport,
    ) -> Result<Self, PipelineError> {
        let mut edits = Self::default();
        let member_of: BTreeMap<PathBuf, &Unpacked> = unpacked
            .iter()
            .map(|file| (Path::new(PREFIX).join(file.installed.as_path()), file))
            .collect();
        let member = |path: &Path| member_of.get(path).map(|it| it.member.to_string());
        let mut sbom = WheelSbom::new(wheel);
        let link_plan = &report.link_plan;
        for object in link_plan.edits() {
            if let Some(name) = member(&object.path)
                && let Some(digest) = applied.changes.edited.get(&object.file)
            {
                let notes = object.edit.to_string();
                sbom.edited(&name, digest, &notes.trim().replace("\n  ", "; "));
                edits.files.insert(name, (object.file.clone(), *digest));
            }
        }
        for source in &link_plan.sources {
            if let Some(name) = member(&source.path)
                && let Some(digest) = applied.changes.edited.get(&source.file)
            {
                let notes = format!("texts replaced by rule {}", source.rules.join(", "));
                sbom.edited(&name, digest, &notes);
                edits.removed.extend(bytecode_of(wheel, &name));
                edits.files.insert(name, (source.file.clone(), *digest));
            }
        }
        for drop in &link_plan.drops {
            if let Some(name) = member(&drop.path) {
                sbom.removed(&name, &drop.rule);
                edits.removed.insert(name);
            }
        }
        edits.unbundle(wheel, &report.unbundling, member, &mut sbom)?;
        if let Some(metadata) = &report.metadata {
            let name = metadata.path.display().to_string();
            let notes: Vec<String> = metadata.changes.iter().map(ToString::to_string).collect();
            let digest = FileDigest::of_bytes(metadata.text.as_bytes());
            sbom.edited(&name, &digest, &notes.join("; "));
            edits.texts.insert(name, metadata.text.clone());
        }
        if filename.tags() != wheel.filename().tags() {
            let path = format!("{}/WHEEL", wheel.dist_info());
            let text = text_of(wheel, &path)?;
            edits
                .texts
                .insert(path, WheelFile::with_tags(&text, filename.tags()));
        }
        if !edits.is_empty() {
            edits.texts.insert(sbom::path(wheel), sbom.text());
        }
        Ok(edits)
    }

    /// Leaves bundled libraries out, of the lists of software as well.
    fn unbundle(
        &mut self,
        wheel: &Wheel,
        unbundling: &UnbundlePlan,
        member: impl Fn(&Path) -> Option<String>,
        sbom: &mut WheelSbom<'_>,
    ) -> io::Result<()> {
        let standing_in = sboms::standing_in(unbundling);
        for removed in &unbundling.removed {
            if let Some(name) = member(&removed.path) {
                let by = standing_in.get(&removed.path).map(String::as_str);
                sbom.left_out(&name, by.unwrap_or("nothing needs it any more"));
                self.removed.insert(name);
            }
        }
        for path in lists_of_others(wheel) {
            let text = text_of(wheel, &path)?;
            if let Some(text) = sboms::without_removed(&text, unbundling) {
                self.texts.insert(path, text);
            }
        }
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.texts.is_empty() && self.removed.is_empty()
    }

    /// Writes the wheel; returns how many members were copied.
    pub(super) fn write(&self, wheel: &Wheel, path: &Path) -> Result<usize, PipelineError> {
        let packed: BTreeMap<&String, io::Result<(Packed, FileDigest)>> = self
            .files
            .par_iter()
            .map(|(name, (file, digest))| (name, pack(file).map(|packed| (packed, *digest))))
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

/// The lists of software in a wheel that its makers wrote.
fn lists_of_others(wheel: &Wheel) -> Vec<String> {
    let directory = format!("{}/sboms/", wheel.dist_info());
    let names = wheel.members().map(|member| member.file.path.to_string());
    let is_list = |name: &String| {
        let rest = name.strip_prefix(&directory);
        let is_json = Path::new(name).extension().is_some_and(|it| it == "json");
        is_json && rest.is_some_and(|rest| !rest.starts_with("wheelfix"))
    };
    names.filter(is_list).collect()
}

/// The members that are compiled from a source of the wheel.
fn bytecode_of(wheel: &Wheel, source: &str) -> Vec<String> {
    let (directory, name) = source.rsplit_once('/').unwrap_or(("", source));
    let stem = name.strip_suffix(".py").unwrap_or(name);
    let begin = match directory {
        "" => format!("__pycache__/{stem}."),
        directory => format!("{directory}/__pycache__/{stem}."),
    };
    let names = wheel.members().map(|member| member.file.path.to_string());
    let is_compiled = |name: &String| {
        let rest = name.strip_prefix(&begin);
        rest.is_some_and(|rest| rest.as_bytes().ends_with(b".pyc"))
    };
    names.filter(is_compiled).collect()
}

/// A file, compressed in a file beside it that has no name.
fn pack(file: &Path) -> io::Result<Packed> {
    let directory = file.parent().unwrap_or(file);
    let scratch = tempfile::tempfile_in(directory)?;
    Packed::of_file(fs::File::open(file)?.file(), &scratch)
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
