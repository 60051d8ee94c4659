//! The proof that a tree loads, and which of its faults count.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wheelfix_link::{
    Ambiguous, Excused, Fault, LinkPlan, Proof, ProofOptions, Tree, UndefinedVersion,
    excuses_without_proof, merged_excuses,
};
use wheelfix_loader::{FileView, Place, STORE, Target, interpreter_fault};

use crate::pipeline::context::{Context, Libraries};
use crate::pipeline::error::{LinkError, PipelineError};
use crate::warning::InstallWarning;

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
    places: &[Place],
    context: &Context<'_>,
    plan: &mut LinkPlan,
) -> Result<(), LinkError> {
    let view = FileView::new(places.to_vec());
    let foreseen = wheelfix_link::foresee(tree, plan, &view);
    let Some(proof) = prove_in(&foreseen, &view, context, false)? else {
        return Ok(());
    };
    let mut known: BTreeSet<String> = plan.faults.iter().map(key).collect();
    known.extend(plan.faults.iter().filter_map(|fault| match fault {
        Fault::Ambiguous(Ambiguous { soname, .. }) => Some(missing_key(soname)),
        _ => None,
    }));
    let is_new = |fault: &Fault| {
        // Sources get their new texts later.
        !matches!(fault, Fault::StaleSource(_)) && !known.contains(&key(fault))
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
    let is_version = |fault: &Fault| matches!(fault, Fault::Version(_));
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

/// Takes those faults out of a proof that were there before.
fn retain_new(proof: &mut Proof, before: &BTreeSet<String>) {
    proof.faults.retain(|fault| !before.contains(&key(fault)));
}

/// The keys of the faults that a tree has as it is.
pub(crate) fn faults_of(
    tree: &Tree,
    places: Vec<Place>,
    context: &Context<'_>,
) -> Result<BTreeSet<String>, LinkError> {
    let proof = prove(tree, places, context)?;
    let faults = proof.iter().flat_map(|proof| &proof.faults);
    Ok(faults.map(key).collect())
}

/// Accepts a proof, to which what the plan excused is added, if it has no faults but those with the keys of `before`.
pub(crate) fn accept(
    proof: Option<Proof>,
    before: &BTreeSet<String>,
    planned: &[Excused],
    libraries: &Libraries,
) -> Result<Option<Proof>, PipelineError> {
    let Some(mut proof) = proof else {
        return Ok(None);
    };
    retain_new(&mut proof, before);
    settle(&mut proof, planned, libraries);
    if proof.faults.is_empty() {
        Ok(Some(proof))
    } else {
        Err(PipelineError::Unproved(Box::new(proof)))
    }
}

/// The key of a fault: equal for faults of one cause, whichever files these keep from loading.
pub(crate) fn key(fault: &Fault) -> String {
    match fault {
        Fault::Missing(missing) => missing_key(&missing.soname),
        Fault::Version(UndefinedVersion {
            soname,
            version,
            found,
            ..
        }) => format!("version {soname} {version} {found:?}"),
        Fault::Symbols(undefined) => format!("symbols {}", undefined.path.display()),
        Fault::Ambiguous(Ambiguous { soname, .. }) => format!("ambiguous {soname}"),
        other => other.to_string(),
    }
}

/// The key of the fault that a library is missing.
fn missing_key(soname: &str) -> String {
    format!("missing {soname}")
}
