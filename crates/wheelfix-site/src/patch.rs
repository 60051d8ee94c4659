//! The relocation of what is on disk already.

use std::collections::BTreeSet;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use fs_err as fs;
use wheelfix_relocate::{Place, Proof, RelocationPlan, Tree};

use crate::event::{Event, Listener, Phase};
use crate::install::in_pool;
use crate::record_update::{Changes, RecordUpdateError, update_records};
use crate::relocation::{self, Applied, Libraries, RelocationError};
use crate::sources::Sources;

/// What to relocate, and how.
#[derive(Clone, Debug)]
pub struct PatchRequest {
    /// Files and directories; libraries of one may be used by another.
    pub paths: Vec<PathBuf>,
    /// Which libraries they may use.
    pub libraries: Libraries,
    /// The Python that will load them; `None` if it is not on this machine.
    pub python: Option<PathBuf>,
    /// Whether to retire segments that hold no section: earlier tools left them, and `strip` breaks
    /// files that have them.
    pub heal: bool,
    /// Whether to decide only.
    pub dry_run: bool,
    /// How many threads to use.
    pub jobs: NonZeroUsize,
}

/// What a relocation did, or would do.
#[derive(Debug)]
pub struct PatchReport {
    /// What became of each library.
    pub relocation: RelocationPlan,
    /// The proof that all of them load; `None` in a dry run, or if nothing is known of the target.
    pub proof: Option<Proof>,
    /// How many ELF files were edited.
    pub elf_edited: usize,
    /// How many bytes were written to edit them.
    pub elf_bytes_written: u64,
    /// How many RECORD files were updated.
    pub records_updated: usize,
}

/// Why nothing was relocated.
#[derive(Debug, thiserror::Error)]
pub enum PatchTreeError {
    /// Libraries cannot be read or edited.
    #[error(transparent)]
    Relocation(#[from] RelocationError),
    /// The files would not work; the plan says why.
    #[error("{} faults with libraries", .0.faults.len())]
    Unsound(Box<RelocationPlan>),
    /// The files were edited and will not load; the proof says why.
    #[error("{} faults with what is loaded", .0.faults.len())]
    Unproved(Box<Proof>),
    /// The files were edited, and a RECORD that lists them cannot be updated.
    #[error(transparent)]
    Record(#[from] RecordUpdateError),
    /// The threads cannot be started.
    #[error("failed to start threads")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// The operating system said no.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Relocates ELF files in place, and keeps RECORD true.
pub fn patch(
    request: &PatchRequest,
    listener: &Listener<'_>,
) -> Result<PatchReport, PatchTreeError> {
    in_pool(request.jobs, || relocate(request, listener))
}

fn relocate(
    request: &PatchRequest,
    listener: &Listener<'_>,
) -> Result<PatchReport, PatchTreeError> {
    let phase = |phase| listener(Event::Phase { phase, bytes: 0 });
    phase(Phase::Read);
    let mut places = Vec::new();
    for path in &request.paths {
        places.push(Place::fixed(fs::canonicalize(path)?));
    }
    let tree = Tree::scan_all(&places).map_err(RelocationError::from)?;

    phase(Phase::Plan);
    let mut relocation = relocation::plan(&tree, &request.libraries)?;
    let sources = Sources::on_disk(&tree, &request.libraries)?;
    relocation.sources = sources.edits;
    relocation.faults.extend(sources.faults);
    if !relocation.is_sound() {
        return Err(PatchTreeError::Unsound(Box::new(relocation)));
    }
    let would_edit = relocation::rehearse(&relocation, request.heal)?;
    if request.dry_run {
        return Ok(PatchReport {
            proof: None,
            elf_edited: would_edit,
            elf_bytes_written: 0,
            records_updated: 0,
            relocation,
        });
    }

    phase(Phase::Apply);
    let mut applied = Applied::default();
    let result = relocation::apply(&relocation, request.heal, &mut applied);
    let elf_edited = applied
        .edited
        .len()
        .saturating_sub(relocation.sources.len());
    let changes = Changes {
        edited: applied.edited,
        removed: applied.removed,
    };
    // Also after an error RECORD tells the truth about the files that were edited before it.
    let mut records_updated = 0;
    for root in record_roots(&places) {
        records_updated += update_records(&root, &changes)?;
    }
    result?;

    phase(Phase::Verify);
    let tree = Tree::scan_all(&places).map_err(RelocationError::from)?;
    let program = request.python.as_deref();
    let mut proof = relocation::prove(&tree, Vec::new(), &request.libraries, program)?;
    if let Some(proof) = proof.take_if(|proof| !proof.faults.is_empty()) {
        return Err(PatchTreeError::Unproved(Box::new(proof)));
    }
    Ok(PatchReport {
        proof,
        relocation,
        elf_edited,
        elf_bytes_written: applied.bytes_written,
        records_updated,
    })
}

/// Where RECORD files that list the files of the places may be: a place itself, or the
/// `site-packages` around it. None is below another.
fn record_roots(places: &[Place]) -> BTreeSet<PathBuf> {
    let around = |path: &Path| {
        let mut ancestors = path.ancestors();
        let found = ancestors.find(|it| it.file_name().is_some_and(|name| name == "site-packages"));
        found.unwrap_or(path).to_owned()
    };
    let roots: BTreeSet<PathBuf> = places.iter().map(|place| around(&place.on_disk)).collect();
    let is_top = |root: &&PathBuf| {
        let mut above = root.ancestors().skip(1);
        !above.any(|ancestor| roots.contains(ancestor))
    };
    roots.iter().filter(is_top).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_looked_for_around_a_place() {
        let places = ["/p", "/p/lib/x", "/q/site-packages/a/b.so", "/r/b.so"];
        let places = places.map(|path| Place::fixed(PathBuf::from(path)));
        let roots: Vec<_> = record_roots(&places).into_iter().collect();
        let want = ["/p", "/q/site-packages", "/r/b.so"].map(PathBuf::from);
        assert_eq!(roots, want);
    }
}
