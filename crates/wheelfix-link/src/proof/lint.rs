//! Run path elements that are a danger, whether or not everything is found today.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use wheelfix_loader::{FileView, LoaderKind, Object, Target, existing_path, normalize};

use crate::fault::Fault;
use crate::fault::file::ForbiddenElement;
use crate::fault::object::ExecutableStack;
use crate::proof::ProofOptions;
use crate::proof::simulation::Simulation;
use crate::rules::{Rule, Rules, Stale, any_matches};
use crate::tree::Tree;

/// Looks at the run paths of the objects of a tree.
pub(crate) struct Lint<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) view: &'a FileView,
    pub(crate) target: &'a Target,
    pub(crate) rules: &'a Rules,
    pub(crate) options: &'a ProofOptions,
    /// The stores and the library paths, as they were named and with links resolved.
    pub(crate) allowed: Vec<PathBuf>,
    /// Directories that something was loaded from.
    pub(crate) used: BTreeSet<PathBuf>,
}

/// The directories that processes loaded something from.
pub(crate) fn used(simulations: &[Simulation<'_>]) -> BTreeSet<PathBuf> {
    let loaded = simulations
        .iter()
        .flat_map(|simulation| &simulation.process.loaded);
    let directories = loaded.filter_map(|loaded| Path::new(&loaded.path).parent());
    directories.map(normalize).collect()
}

/// The directories that run paths may name.
pub(crate) fn allowed(options: &ProofOptions) -> Vec<PathBuf> {
    let named = || options.stores.iter().chain(&options.lib_paths);
    let real = named().filter_map(|path| existing_path(path).ok());
    named().cloned().chain(real).collect()
}

impl Lint<'_> {
    /// The faults of the run path of an object, and warnings about directories that are not there
    /// and about an executable stack.
    pub(crate) fn object(&self, object: &Object) -> (Vec<Fault>, Vec<Fault>) {
        let (mut faults, mut warnings) = (Vec::new(), Vec::new());
        for element in object.run_path.iter().flat_map(|path| &path.elements) {
            let fault = |reason: String| {
                Fault::Element(ForbiddenElement {
                    path: object.path.clone(),
                    element: element.clone(),
                    reason,
                })
            };
            if let Some(reason) = self.danger(object, element) {
                faults.push(fault(reason));
            } else if !self.is_there(&self.expand(object, element)) {
                warnings.push(fault("there is no such directory".to_owned()));
            }
        }
        let is_glibc = self.target.loader == LoaderKind::Glibc;
        if is_glibc && object.load_conditions.executable_stack && !object.is_program() {
            let path = object.path.clone();
            warnings.push(Fault::ExecutableStack(ExecutableStack { path }));
        }
        (faults, warnings)
    }

    /// Why an element must not be there.
    fn danger(&self, object: &Object, element: &str) -> Option<String> {
        if element.is_empty() {
            return Some("an empty element is the current directory".to_owned());
        }
        let directory = self.expand(object, element);
        if !directory.is_absolute() {
            return Some("it is relative to the current directory".to_owned());
        }
        if self.is_allowed(&directory) {
            return None;
        }
        // What was loaded from there is proved, unless only a store is there on the target.
        if self.options.stores.is_empty() && self.used.contains(&directory) {
            return self
                .is_writable_by_all(&directory)
                .then(|| "everybody can write there".to_owned());
        }
        // Of what was loaded from there nobody can say that it is on another machine.
        let there = self.is_there(&directory);
        let is_used = self.used.contains(&directory);
        let stale = |rule: &&Rule<Stale>| {
            any_matches(&rule.body.element, element)
                && !is_used
                && !(there && rule.body.unless_there)
        };
        if let Some(rule) = self.rules.stale.iter().find(stale) {
            return Some(format!(
                "it is outside of the Nix store and of the files themselves (rule `{}`)",
                rule.name
            ));
        }
        // Of a file that is in no store nobody knows here where its output ends.
        let has_origin = element.contains("$ORIGIN") || element.contains("${ORIGIN}");
        let is_free = has_origin && !self.is_in_allowed(&object.path);
        if !self.options.stores.is_empty() && !is_free {
            return Some("it is outside of the output and of the store".to_owned());
        }
        self.is_writable_by_all(&directory)
            .then(|| "everybody can write there".to_owned())
    }

    /// Whether a directory is one of the output, of a store or of the user's choice.
    fn is_allowed(&self, directory: &Path) -> bool {
        *directory == self.target.driver_path
            || self.tree.directories().contains_key(directory)
            || self.is_in_allowed(directory)
    }

    /// Whether a path is in a store or in a library path.
    fn is_in_allowed(&self, path: &Path) -> bool {
        self.allowed.iter().any(|allowed| path.starts_with(allowed))
    }

    fn expand(&self, object: &Object, element: &str) -> PathBuf {
        let origin = object.directory().to_string_lossy();
        let expanded = self.target.tokens(&origin, object.abi).expand(element);
        if expanded.starts_with('/') {
            normalize(Path::new(&expanded))
        } else {
            PathBuf::from(expanded)
        }
    }

    fn is_there(&self, directory: &Path) -> bool {
        *directory == self.target.driver_path
            || self.view.is_directory(&directory.to_string_lossy())
    }

    fn is_writable_by_all(&self, directory: &Path) -> bool {
        let candidates = self.view.on_disk(&directory.to_string_lossy());
        let metadata = candidates
            .iter()
            .find_map(|disk| fs_err::metadata(disk).ok());
        metadata.is_some_and(|metadata| metadata.permissions().mode() & 0o002 != 0)
    }
}
