//! The step between extraction and relocation: which bundled libraries go.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wheelfix_link::{Edit, Fault, LinkPlan, Proof, Tree};
use wheelfix_loader::Place;
use wheelfix_unbundle::{Request, UnbundlePlan};

use crate::pipeline::applied::Applied;
use crate::pipeline::context::Context;
use crate::pipeline::error::PipelineError;
use crate::pipeline::linking::{self, LinkError};

/// The scope of the edits of a relocation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Every library and program is linked, and has to load in the end.
    Everything,
    /// Only those are edited that use a bundled library which goes. What did not load before need not
    /// load afterwards.
    Unbundling,
}

/// The plans for the libraries of a tree.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The plan for bundled libraries.
    pub(crate) unbundling: UnbundlePlan,
    /// The plan of the edits with which all the others load.
    pub(crate) link_plan: LinkPlan,
}

impl Planned {
    /// Refuses plans that cannot be carried out. Where all is to load, the faults of the tree as it would
    /// be come along.
    pub(crate) fn refuse_unsound(
        mut self,
        tree: &Tree,
        places: Vec<Place>,
        context: &Context<'_>,
        scope: Scope,
    ) -> Result<Self, PipelineError> {
        if !self.unbundling.is_sound() {
            return Err(PipelineError::Bundled(Box::new(self.unbundling)));
        }
        if self.link_plan.is_sound() {
            return Ok(self);
        }
        if scope == Scope::Everything {
            linking::foresee(tree, places, context, &mut self.link_plan)?;
        }
        Err(PipelineError::Unsound(Box::new(self.link_plan)))
    }
}

/// Plans the unbundling and the relocation of the ELF files of a tree.
///
/// In the scope of an unbundling backends are dropped where the user names some, or where a library path
/// has a CUDA to choose by.
pub(crate) fn plan(
    tree: &Tree,
    places: &[Place],
    context: &Context<'_>,
    scope: Scope,
) -> Result<Planned, LinkError> {
    let libraries = context.libraries;
    let index = context.index(tree)?;
    let mut wanted = context.plan_options();
    let as_it_is = wheelfix_link::plan(tree, &index, &libraries.rules, &wanted);
    let mut unbundling = UnbundlePlan::default();
    if let Some(options) = &libraries.unbundle {
        unbundling = wheelfix_unbundle::plan(&Request {
            tree,
            places,
            index: &index,
            rules: &libraries.rules,
            link_plan: &as_it_is,
            options,
            target: context.target.as_ref(),
        })?;
    }
    let before: BTreeSet<String> = as_it_is.faults.iter().map(key).collect();
    wanted.substitutions = unbundling.substitutions();
    let mut link_plan = if wanted.substitutions.is_empty() {
        as_it_is
    } else {
        wheelfix_link::plan(tree, &index, &libraries.rules, &wanted)
    };
    unbundling.faults.extend(unbundling.diverted(&link_plan));
    if scope == Scope::Unbundling {
        let mut names = index.libraries().iter().map(|library| &library.name);
        if wanted.backends.is_empty() && !names.any(|name| name.starts_with("libcudart.so")) {
            link_plan.drops.clear();
        }
        retain_unbundling(&mut link_plan, &unbundling, &before);
    }
    Ok(Planned {
        unbundling,
        link_plan,
    })
}

/// Leaves in a plan what is about bundled libraries alone: the edits of files that use one that goes,
/// and the faults that were not there before.
fn retain_unbundling(
    link_plan: &mut LinkPlan,
    unbundling: &UnbundlePlan,
    before: &BTreeSet<String>,
) {
    let going = unbundling.libraries.iter().filter(|library| library.goes());
    let users: BTreeSet<&PathBuf> = going.flat_map(|library| &library.users).collect();
    for object in &mut link_plan.objects {
        if !users.contains(&object.path) {
            object.edit = Edit::default();
        }
    }
    // Plugins are left to those who link: here nothing says which libraries the output is to have.
    link_plan.drops.retain(|drop| drop.is_backend);
    link_plan.warnings.clear();
    let faults = &mut link_plan.faults;
    faults.retain(|fault| is_of_option(fault) || !before.contains(&key(fault)));
}

/// Whether a fault is about an option, and not about files that were there before.
fn is_of_option(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::UnusedBackend { .. } | Fault::UnusedIgnore { .. } | Fault::WrongInterpreter { .. }
    )
}

/// Takes those faults out of a proof that were there before.
pub(crate) fn retain_new(proof: &mut Proof, before: &BTreeSet<String>) {
    proof.faults.retain(|fault| !before.contains(&key(fault)));
}

/// The key of a fault: equal for faults of one cause, whichever files these keep from loading.
pub(crate) fn key(fault: &Fault) -> String {
    match fault {
        Fault::Missing(missing) => missing_key(&missing.soname),
        Fault::Version {
            soname,
            version,
            found,
            ..
        } => format!("version {soname} {version} {found:?}"),
        Fault::Symbols(undefined) => format!("symbols {}", undefined.path.display()),
        Fault::Ambiguous { soname, .. } => format!("ambiguous {soname}"),
        other => other.to_string(),
    }
}

/// The key of the fault that a library is missing.
pub(crate) fn missing_key(soname: &str) -> String {
    format!("missing {soname}")
}

/// Removes the libraries that go, and the directories that are empty then.
pub(crate) fn apply(plan: &UnbundlePlan, applied: &mut Applied) -> Result<(), LinkError> {
    let mut directories: BTreeSet<PathBuf> = BTreeSet::new();
    for removed in &plan.removed {
        applied.remove(&removed.file)?;
        directories.extend(removed.file.parent().map(Path::to_path_buf));
    }
    let mut directories = directories.into_iter();
    Ok(directories.try_for_each(|directory| applied.writer.remove_empty(directory))?)
}
