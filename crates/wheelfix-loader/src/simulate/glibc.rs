//! The search of glibc's loader: `_dl_map_object` of `elf/dl-load.c`, step by step.
//!
//! Written after glibc 2.36,
//! <https://sourceware.org/git/?p=glibc.git;a=blob;f=elf/dl-load.c;hb=refs/tags/glibc-2.36>. Names in
//! backticks in the comments are the functions there.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::object::{DF_1_NODEFLIB, Object};
use crate::run_path::PathKind;
use crate::simulate::process::{Outcome, Process};
use crate::simulate::trace::Event;

impl Process<'_> {
    /// `_dl_map_object`.
    pub(crate) fn find_by_glibc(&mut self, loader: Option<usize>, name: &str) -> Outcome {
        if let Some(known) = self.loaded_under(name) {
            return Outcome::Loaded(known);
        }
        if name.contains('/') {
            let path = self.expand(loader, name);
            return self.open_path(loader, &path, name);
        }
        let found = self
            .search_rpaths(loader, name)
            .or_else(|| self.search_environment(loader, name))
            .or_else(|| self.search_runpath(loader, name))
            .or_else(|| self.search_cache(loader, name))
            .or_else(|| self.search_default(loader, name));
        found.unwrap_or(Outcome::Missing)
    }

    /// An object answers to the path by which it was opened, to the names by which it was asked
    /// for, and to its soname, which from then on is one of the names.
    fn loaded_under(&mut self, name: &str) -> Option<usize> {
        let known = self.named(name)?;
        self.add_name(known, name);
        Some(known)
    }

    /// `DT_RPATH` of what needs it, of what loaded that, and so on; at last of the program. Not at
    /// all if what needs it has a `DT_RUNPATH`.
    fn search_rpaths(&mut self, loader: Option<usize>, name: &str) -> Option<Outcome> {
        let has_runpath = |object: &Object| {
            object
                .run_path
                .as_ref()
                .is_some_and(|path| path.kind == PathKind::Runpath)
        };
        if self
            .object(loader)
            .is_some_and(|object| has_runpath(&object))
        {
            return None;
        }
        let mut at = loader;
        let mut did_program = false;
        while let Some(index) = at {
            if let Some(found) = self.search_run_path(index, PathKind::Rpath, loader, name) {
                return Some(found);
            }
            did_program |= index == 0;
            at = self.loaded.get(index).and_then(|loaded| loaded.loader);
        }
        if did_program || self.loaded.is_empty() {
            return None;
        }
        self.search_run_path(0, PathKind::Rpath, loader, name)
    }

    fn search_environment(&mut self, loader: Option<usize>, name: &str) -> Option<Outcome> {
        let target = self.target;
        let directories = self.fill_in(None, &target.library_path);
        self.open_in(&directories, || "LD_LIBRARY_PATH".to_owned(), loader, name)
    }

    fn search_runpath(&mut self, loader: Option<usize>, name: &str) -> Option<Outcome> {
        self.search_run_path(loader?, PathKind::Runpath, loader, name)
    }

    fn search_cache(&mut self, loader: Option<usize>, name: &str) -> Option<Outcome> {
        let target = self.target;
        let cache = target.cache.as_ref()?;
        self.trace.note(|| Event::Cache);
        let asking = self.object(loader.or(Some(0)))?;
        let path = cache.lookup(name, asking.abi, &target.subdirectories)?;
        // The loader names the file before it asks whether it may be used.
        self.trace.note(|| Event::Try(path.to_owned()));
        let is_default = target
            .system_directories
            .iter()
            .any(|directory| path.starts_with(directory));
        if asking.flags_1 & DF_1_NODEFLIB != 0 && is_default {
            return None;
        }
        self.take(loader, path, name)
    }

    fn search_default(&mut self, loader: Option<usize>, name: &str) -> Option<Outcome> {
        let asking = self.object(loader.or(Some(0)))?;
        if asking.flags_1 & DF_1_NODEFLIB != 0 {
            return None;
        }
        let target = self.target;
        let directories = self.fill_in(None, &target.system_directories);
        self.open_in(
            &directories,
            || "default directories".to_owned(),
            loader,
            name,
        )
    }

    /// Searches the run path of the object at `index`, if it is of this kind.
    fn search_run_path(
        &mut self,
        index: usize,
        kind: PathKind,
        loader: Option<usize>,
        name: &str,
    ) -> Option<Outcome> {
        let object = self.object(Some(index))?;
        let path = object.run_path.as_ref().filter(|path| path.kind == kind)?;
        let directories = self.fill_in(Some(index), &path.elements);
        let owner = self.loaded.get(index)?.path.clone();
        self.open_in(&directories, || format!("{kind} of {owner}"), loader, name)
    }

    /// `fillin_rpath`: the directories of a list, each with one `/` at its end, none twice. An
    /// empty element is the current directory.
    fn fill_in(&mut self, owner: Option<usize>, elements: &[String]) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut directories = Vec::new();
        for element in elements {
            let expanded = self.expand(owner, element);
            let directory = if element.is_empty() {
                String::new()
            } else if expanded.is_empty() {
                continue;
            } else {
                format!("{}/", expanded.trim_end_matches('/'))
            };
            if seen.insert(directory.clone()) {
                directories.push(directory);
            }
        }
        for directory in &directories {
            if !self.directories.contains_key(directory) {
                let state = (!directory.starts_with('/')).then_some(true);
                let states = vec![state; self.target.subdirectories.len() + 1];
                self.directories.insert(directory.clone(), states);
            }
        }
        directories
    }

    /// `open_path`: tries the name in each directory, in its subdirectories first. One that is not
    /// there is never tried again by this process.
    fn open_in(
        &mut self,
        directories: &[String],
        whose: impl FnOnce() -> String,
        loader: Option<usize>,
        name: &str,
    ) -> Option<Outcome> {
        if directories.is_empty() {
            return None;
        }
        self.trace.note(|| Event::Search {
            whose: whose(),
            directories: directories.to_vec(),
        });
        let target = self.target;
        for directory in directories {
            let subdirectories = target.subdirectories.iter().map(String::as_str).chain([""]);
            for (at, subdirectory) in subdirectories.enumerate() {
                if self.state(directory, at) == Some(false) {
                    continue;
                }
                let path = format!("{directory}{subdirectory}{name}");
                self.trace.note(|| Event::Try(path.clone()));
                let found = self.take(loader, &path, name);
                if found.is_some() {
                    self.set_state(directory, at, true);
                    return found;
                }
                if self.state(directory, at).is_none() {
                    let there = self
                        .view
                        .is_directory(&format!("{directory}{subdirectory}"));
                    self.set_state(directory, at, there);
                }
            }
        }
        None
    }

    fn state(&self, directory: &str, at: usize) -> Option<bool> {
        self.directories
            .get(directory)
            .and_then(|states| states.get(at).copied().flatten())
    }

    fn set_state(&mut self, directory: &str, at: usize, there: bool) {
        let states = self.directories.get_mut(directory);
        if let Some(state) = states.and_then(|states| states.get_mut(at)) {
            *state = Some(there);
        }
    }

    /// Puts the values of the dynamic string tokens of an object into a text.
    fn expand(&self, owner: Option<usize>, text: &str) -> String {
        let Some(loaded) = owner.and_then(|index| self.loaded.get(index)) else {
            return text.to_owned();
        };
        let origin = match loaded.path.rsplit_once('/') {
            Some(("", _)) => "/",
            Some((directory, _)) => directory,
            None => ".",
        };
        self.target.tokens(origin, loaded.object.abi).expand(text)
    }

    fn object(&self, index: Option<usize>) -> Option<Arc<Object>> {
        Some(Arc::clone(&self.loaded.get(index?)?.object))
    }
}
