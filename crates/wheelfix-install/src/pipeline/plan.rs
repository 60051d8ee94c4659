//! The plan for the files of a tree: decided once and whole, before anything is written.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use wheelfix_link::{Edit, Fault, LinkPlan, Tree};
use wheelfix_loader::Place;
use wheelfix_unbundle::{Request, UnbundlePlan};

use crate::atomic::transaction::Changes;
use crate::pipeline::applied::Applied;
use crate::pipeline::context::Context;
use crate::pipeline::elf_edits::ElfEdits;
use crate::pipeline::error::{LinkError, PipelineError};
use crate::pipeline::sources::{self, Sources, bytecode_of};
use crate::pipeline::verify::{self, key};

/// The scope of the edits of a relocation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Every library and program is linked, and has to load in the end.
    Everything,
    /// Only those are edited that use a bundled library which goes. What did not load before need not
    /// load afterwards.
    Unbundling,
}

/// The tree that is planned for, and how far the plan goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    /// The objects and sources.
    pub(crate) tree: &'a Tree,
    /// Where they lie, and where they will be.
    pub(crate) places: &'a [Place],
    /// The libraries that they may use, and the target that will load them.
    pub(crate) context: &'a Context<'a>,
    /// Which edits are wanted.
    pub(crate) scope: Scope,
}

/// A plan that may still get faults.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    subject: Subject<'a>,
    unbundling: UnbundlePlan,
    link: LinkPlan,
    are_sources_written: bool,
}

/// A plan that can be carried out.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Which bundled libraries go.
    pub(crate) unbundling: UnbundlePlan,
    /// The edits with which all the others load, the files that are dropped, and the sources that are replaced.
    pub(crate) link: LinkPlan,
    /// The edits of ELF files, byte by byte.
    pub(crate) elf_edits: ElfEdits,
    /// Whether the sources have their new texts already.
    are_sources_written: bool,
}

impl<'a> Draft<'a> {
    /// Plans the unbundling and the linking of the ELF files of a tree.
    ///
    /// In the scope of an unbundling backends are dropped where the user names some, or where a library path
    /// has a CUDA to choose by.
    pub(crate) fn of(subject: Subject<'a>) -> Result<Self, LinkError> {
        let Subject {
            tree,
            places,
            context,
            scope,
        } = subject;
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
        let mut link = if wanted.substitutions.is_empty() {
            as_it_is
        } else {
            wheelfix_link::plan(tree, &index, &libraries.rules, &wanted)
        };
        unbundling.faults.extend(unbundling.diverted(&link));
        if scope == Scope::Unbundling {
            let mut names = index.libraries().iter().map(|library| &library.name);
            if wanted.backends.is_empty() && !names.any(|name| name.starts_with("libcudart.so")) {
                link.drops.clear();
            }
            retain_unbundling(&mut link, &unbundling, &before);
        }
        Ok(Self {
            subject,
            unbundling,
            link,
            are_sources_written: false,
        })
    }

    /// Adds the edits of Python sources by rules, which are still to be made.
    pub(crate) fn replace_sources(&mut self, sources: Sources) {
        self.link.sources = sources.edits;
        self.link.faults.extend(sources.faults);
    }

    /// Adds the edits of Python sources by rules that are made already.
    pub(crate) fn add_replaced_sources(&mut self, sources: Sources) {
        self.replace_sources(sources);
        self.are_sources_written = true;
    }

    /// Adds a fault for each excuse that nothing had a use for, where no target is known: no proof follows
    /// that could have one.
    pub(crate) fn refuse_unused(&mut self) {
        let Subject { tree, context, .. } = self.subject;
        verify::refuse_unused(&mut self.link, tree, context);
    }

    /// Adds a fault if nothing is there to be linked.
    pub(crate) fn refuse_nothing(&mut self) {
        let Subject { tree, places, .. } = self.subject;
        if self.link.sources.is_empty() {
            let named: Vec<PathBuf> = places.iter().map(|place| place.used_at.clone()).collect();
            let nothing = wheelfix_link::nothing_in(tree, &named);
            self.link.faults.extend(nothing);
        }
    }

    /// Refuses a plan that cannot be carried out. Where all is to load, the faults of the tree as it would be
    /// come along. Files are healed or not.
    pub(crate) fn finish(mut self, heal: bool) -> Result<Plan, PipelineError> {
        if !self.unbundling.is_sound() {
            return Err(PipelineError::Bundled(Box::new(self.unbundling)));
        }
        if !self.link.is_sound() {
            let Subject {
                tree,
                places,
                context,
                scope,
            } = self.subject;
            if scope == Scope::Everything {
                verify::foresee(tree, places, context, &mut self.link)?;
            }
            return Err(PipelineError::Unsound(Box::new(self.link)));
        }
        let elf_edits = ElfEdits::plan(&self.link, heal)?;
        Ok(Plan {
            unbundling: self.unbundling,
            link: self.link,
            elf_edits,
            are_sources_written: self.are_sources_written,
        })
    }
}

impl Plan {
    /// The plan that changes nothing.
    pub(crate) fn empty() -> Self {
        Self {
            unbundling: UnbundlePlan::default(),
            link: LinkPlan::empty(),
            elf_edits: ElfEdits::default(),
            are_sources_written: false,
        }
    }

    /// The files that change or go.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.elf_edits.files().chain(self.other_files())
    }

    /// The files that the plan is about, also those that are as they are to be already.
    pub(crate) fn wanted_files(&self) -> impl Iterator<Item = &PathBuf> {
        let edited = self.link.edits().map(|object| &object.file);
        edited.chain(self.other_files())
    }

    fn other_files(&self) -> impl Iterator<Item = &PathBuf> {
        let removed = self.unbundling.removed.iter();
        let removed = removed.map(|removed| &removed.file);
        let dropped = self.link.drops.iter().map(|drop| &drop.file);
        let sources = self.link.sources.iter().map(|source| &source.file);
        removed.chain(dropped).chain(sources)
    }

    /// Adds what changes to a transaction.
    pub(crate) fn add_to(&self, changes: &mut Changes) -> io::Result<()> {
        self.elf_edits.add_to(changes)?;
        for dropped in &self.link.drops {
            changes.replace(&dropped.file)?;
        }
        for source in &self.link.sources {
            changes.replace(&source.file)?;
            for stale in bytecode_of(&source.file)? {
                changes.replace(&stale)?;
            }
        }
        for removed in &self.unbundling.removed {
            changes.replace(&removed.file)?;
            if let Some(directory) = removed.file.parent() {
                changes.remove_directory(directory)?;
            }
        }
        Ok(())
    }

    /// Makes the changes; where they are only written beside the files, [`make`](Self::make) is to be called.
    ///
    /// The digests of ELF files that were edited at once are known after [`Applied::hash`] only.
    pub(crate) fn apply(&self, applied: &mut Applied) -> Result<(), LinkError> {
        if applied.writer.is_later() {
            self.elf_edits.prepare(applied)?;
            applied.hash()?;
        } else {
            self.elf_edits.apply(applied)?;
        }
        if !self.are_sources_written {
            sources::apply(&self.link.sources, applied)?;
        }
        for dropped in &self.link.drops {
            applied.remove(&dropped.file)?;
        }
        self.remove_bundled(applied)
    }

    /// Makes the changes that [`apply`](Self::apply) wrote beside the files.
    pub(crate) fn make(&self, applied: &Applied) -> Result<(), LinkError> {
        self.elf_edits.make()?;
        Ok(applied.writer.make()?)
    }

    /// Removes the libraries that go, and the directories that are empty then.
    fn remove_bundled(&self, applied: &mut Applied) -> Result<(), LinkError> {
        let mut directories: BTreeSet<PathBuf> = BTreeSet::new();
        for removed in &self.unbundling.removed {
            applied.remove(&removed.file)?;
            directories.extend(removed.file.parent().map(Path::to_path_buf));
        }
        let mut directories = directories.into_iter();
        Ok(directories.try_for_each(|directory| applied.writer.remove_empty(directory))?)
    }
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
        Fault::UnusedBackend(_) | Fault::UnusedIgnore(_) | Fault::WrongInterpreter(_)
    )
}
