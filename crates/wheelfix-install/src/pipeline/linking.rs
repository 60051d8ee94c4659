//! Decides and applies the relocation of files on disk.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use wheelfix_elf::PatchError;
use wheelfix_link::{
    Excused, Fault, LibPathError, LinkPlan, Proof, ProofOptions, Tree, TreeError,
    excuses_without_proof, merged_excuses,
};
use wheelfix_loader::{FileView, LoaderError, Place, STORE, Target, interpreter_fault};
use wheelfix_unbundle::UnbundleError;

use crate::pipeline::applied::Applied;
use crate::pipeline::context::{Context, Libraries};
use crate::pipeline::sboms::SbomUpdateError;
use crate::pipeline::{sources, unbundling};
use crate::warning::InstallWarning;

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

/// Proves that every object of a tree loads from its final place.
///
/// `places` says where files lie that are not in their final place yet. Gives `None` if nothing is
/// known of the target.
pub(crate) fn prove(
    tree: &Tree,
    places: Vec<Place>,
    context: &Context<'_>,
) -> Result<Option<Proof>, LinkError> {
    prove_in(tree, &FileView::new(places), context, false)
}

/// Proves the same of modules that are for one process.
pub(crate) fn prove_together(
    tree: &Tree,
    places: Vec<Place>,
    context: &Context<'_>,
) -> Result<Option<Proof>, LinkError> {
    prove_in(tree, &FileView::new(places), context, true)
}

/// Adds to a plan that is not sound the faults that a proof finds of the tree as it would be: all
/// faults are reported in one run. One that follows from a fault of the plan is not reported again.
pub(crate) fn foresee(
    tree: &Tree,
    places: Vec<Place>,
    context: &Context<'_>,
    plan: &mut LinkPlan,
) -> Result<(), LinkError> {
    let view = FileView::new(places);
    let foreseen = wheelfix_link::foresee(tree, plan, &view);
    let Some(proof) = prove_in(&foreseen, &view, context, false)? else {
        return Ok(());
    };
    let mut known: BTreeSet<String> = plan.faults.iter().map(unbundling::key).collect();
    known.extend(plan.faults.iter().filter_map(|fault| match fault {
        Fault::Ambiguous { soname, .. } => Some(unbundling::missing_key(soname)),
        _ => None,
    }));
    let is_new = |fault: &Fault| {
        // Sources get their new texts later.
        !matches!(fault, Fault::StaleSource { .. }) && !known.contains(&unbundling::key(fault))
    };
    plan.faults.extend(proof.faults.into_iter().filter(is_new));
    Ok(())
}

fn prove_in(
    tree: &Tree,
    view: &FileView,
    context: &Context<'_>,
    in_one_process: bool,
) -> Result<Option<Proof>, LinkError> {
    let Some(target) = &context.target else {
        return Ok(None);
    };
    let libraries = context.libraries;
    let options = ProofOptions {
        program: context.program.map(Path::to_owned),
        excuses: libraries.options.excuses.clone(),
        backends: libraries.options.backends.clone(),
        stores: stores(tree),
        lib_paths: libraries.lib_paths.clone(),
        in_one_process,
        named: Vec::new(),
        library_table: context.library_table.get().cloned(),
    };
    let rules = &libraries.rules;
    let mut proof = wheelfix_link::prove(tree, view, target, rules, &options);
    let is_version = |fault: &Fault| matches!(fault, Fault::Version { .. });
    if proof.faults.iter().any(is_version) {
        proof.look_for_versions(&context.index(tree)?);
    }
    Ok(Some(proof))
}

/// Adds what the plan excused to what a proof did; an excuse that neither of them used is a fault.
pub(crate) fn settle(proof: &mut Proof, planned: &[Excused], libraries: &Libraries) {
    proof.excused = merged_excuses(planned.iter().chain(&proof.excused));
    let unused = libraries.options.excuses.unused(&proof.excused);
    proof.faults.splice(0..0, unused);
}

/// Adds to a plan a fault for each excuse that it had no use for, where no target is known: no proof
/// follows that could have one.
pub(crate) fn refuse_unused(plan: &mut LinkPlan, tree: &Tree, context: &Context<'_>) {
    if context.target.is_none() {
        let excuses = &context.libraries.options.excuses;
        let unused = excuses_without_proof(tree, excuses, &plan.excused);
        plan.faults.extend(unused);
    }
}

/// Programs that do not start, where nothing is known of the target: no Python says which loader they
/// are to have, and no proof says that they lack one.
pub(crate) fn unstarted(tree: &Tree, context: &Context<'_>) -> Vec<InstallWarning> {
    if context.target.is_some() {
        return Vec::new();
    }
    let view = FileView::new(Vec::new());
    let target = Target::unknown(context.libraries.options.driver_path.clone());
    let warnings = tree.objects().filter_map(|object| {
        Some(InstallWarning::Interpreter {
            reason: interpreter_fault(&view, &target, object)?,
            interpreter: object.interpreter.clone()?,
            path: object.path.clone(),
        })
    });
    warnings.collect()
}

/// Where run paths may lead besides the output: an output in the Nix store may use the store alone.
fn stores(tree: &Tree) -> Vec<PathBuf> {
    let nix = Path::new(STORE);
    if !tree.is_empty() && tree.objects().all(|object| object.path.starts_with(nix)) {
        vec![nix.to_owned()]
    } else {
        Vec::new()
    }
}

/// Writes the Python sources that a plan replaces, and removes the files that it drops.
pub(crate) fn replace_and_drop(plan: &LinkPlan, applied: &mut Applied) -> Result<(), LinkError> {
    sources::apply(&plan.sources, applied)?;
    remove_dropped(plan, applied)
}

/// Removes the files that a plan drops.
pub(crate) fn remove_dropped(plan: &LinkPlan, applied: &mut Applied) -> Result<(), LinkError> {
    for dropped in &plan.drops {
        applied.remove(&dropped.file)?;
    }
    Ok(())
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
pub(crate) fn list(refused: &[(PathBuf, EditFailure)]) -> String {
    let lines = refused
        .iter()
        .map(|(path, error)| format!("`{}`: {error}", path.display()));
    lines.collect::<Vec<_>>().join("\n")
}
