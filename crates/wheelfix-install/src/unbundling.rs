//! The step between extraction and relocation: which bundled libraries go.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fs_err as fs;
use wheelfix_link::{Edit, Fault, LibraryIndex, LinkPlan, Place, Proof, Tree};
use wheelfix_unbundle::{Request, UnbundleOptions, UnbundlePlan};

use crate::linking::{self, Applied, Libraries, LinkError};

/// The plans for the libraries of a tree.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The plan for bundled libraries.
    pub(crate) unbundling: UnbundlePlan,
    /// The plan of the edits with which all the others load.
    pub(crate) link_plan: LinkPlan,
}

impl Planned {
    /// Adds to a relocation that is not sound the faults of the tree as it would be, without the
    /// libraries that go.
    pub(crate) fn foresee(
        &mut self,
        tree: &Tree,
        places: Vec<Place>,
        libraries: &Libraries,
        program: Option<&Path>,
    ) -> Result<(), LinkError> {
        let tree = self.unbundling.with_substitutions(tree);
        linking::foresee(&tree, places, libraries, program, &mut self.link_plan)
    }
}

/// Plans the unbundling and the relocation of the ELF files of a tree; `program` is the Python that
/// will load them.
pub(crate) fn plan(
    tree: &Tree,
    places: &[Place],
    libraries: &Libraries,
    program: Option<&Path>,
) -> Result<Planned, LinkError> {
    let index = linking::index(tree, libraries)?;
    let wanted = linking::options(libraries, program)?;
    let Some(options) = &libraries.unbundle else {
        let link_plan = wheelfix_link::plan(tree, &index, &libraries.rules, &wanted);
        return Ok(Planned {
            unbundling: UnbundlePlan::default(),
            link_plan,
        });
    };
    let mut unbundling = unbundle(tree, places, libraries, options, (&index, program))?;
    let revised = unbundling.with_substitutions(tree);
    let mut link_plan = wheelfix_link::plan(&revised, &index, &libraries.rules, &wanted);
    unbundling.merge_into(&mut link_plan);
    Ok(Planned {
        unbundling,
        link_plan,
    })
}

fn unbundle(
    tree: &Tree,
    places: &[Place],
    libraries: &Libraries,
    options: &UnbundleOptions,
    (index, program): (&LibraryIndex, Option<&Path>),
) -> Result<UnbundlePlan, LinkError> {
    let target = linking::target(libraries, program)?;
    let request = Request {
        tree,
        places,
        index,
        rules: &libraries.rules,
        link_options: &libraries.options,
        options,
        target: target.as_ref(),
    };
    Ok(wheelfix_unbundle::plan(&request)?)
}

/// The part of a plan that is about bundled libraries alone: the edits of files that use one that
/// goes, and the faults that were not there before.
///
/// Backends are dropped where the user names some, or where a library path has a CUDA to choose by.
pub(crate) fn alone(
    mut planned: Planned,
    tree: &Tree,
    libraries: &Libraries,
) -> Result<Planned, LinkError> {
    let index = linking::index(tree, libraries)?;
    let before = wheelfix_link::plan(tree, &index, &libraries.rules, &libraries.options);
    let before: BTreeSet<String> = before.faults.iter().map(key).collect();
    let unbundling = &planned.unbundling;
    let going = unbundling.libraries.iter().filter(|library| library.goes());
    let users: BTreeSet<&PathBuf> = going.flat_map(|library| &library.users).collect();
    for object in &mut planned.link_plan.objects {
        if !users.contains(&object.path) {
            object.edit = Edit::default();
        }
    }
    let mut names = index
        .libraries()
        .iter()
        .map(|library| library.name.as_str());
    if libraries.options.backends.is_empty() && !names.any(|name| name.starts_with("libcudart.so"))
    {
        planned.link_plan.drops.clear();
    }
    let is_option = |fault: &Fault| {
        matches!(
            fault,
            Fault::UnusedBackend { .. } | Fault::UnusedIgnore { .. }
        )
    };
    planned
        .link_plan
        .faults
        .retain(|fault| is_option(fault) || !before.contains(&key(fault)));
    Ok(planned)
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
        Fault::Symbols { path, .. } => format!("symbols {}", path.display()),
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
        fs::remove_file(&removed.file)?;
        applied.removed.insert(removed.file.clone());
        directories.extend(removed.file.parent().map(Path::to_path_buf));
    }
    for directory in directories {
        if fs::read_dir(&directory)?.next().is_none() {
            fs::remove_dir(&directory)?;
        }
    }
    Ok(())
}
