//! The run path that an object needs, from what satisfies its needs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wheelfix_loader::{Object, PathKind, RunPath, origin_relative};

use crate::plan::resolve::{Answer, Resolver};
use crate::plan::{RunPathEdit, RunPathStyle};

/// One element of a run path that is being built.
#[derive(Clone, Debug)]
struct Element {
    text: String,
    directory: PathBuf,
}

/// A name that must be found, and the directory it must be found in.
#[derive(Debug)]
struct Wanted {
    name: String,
    directory: PathBuf,
}

/// Builds the run path of one object.
pub(crate) struct RunPathPlanner<'a> {
    resolver: Resolver<'a>,
    object: &'a Object,
    elements: Vec<Element>,
    wanted: Vec<Wanted>,
}

impl<'a> RunPathPlanner<'a> {
    /// The change of the run path, given what satisfies each need and each library opened later.
    /// `None` leaves it as it is.
    pub(crate) fn edit(
        resolver: Resolver<'a>,
        object: &'a Object,
        needs: &[(String, Answer<'a>)],
        opens: &[(String, Answer<'a>)],
    ) -> Option<RunPathEdit> {
        let mut planner = Self {
            resolver,
            object,
            elements: Vec::new(),
            wanted: Vec::new(),
        };
        match resolver.options.style {
            RunPathStyle::Origin => planner.origin(needs, opens),
            RunPathStyle::Absolute => planner.absolute(needs, opens),
        }
        let driver = needs
            .iter()
            .chain(opens)
            .any(|(_, answer)| matches!(answer, Answer::Driver(_)));
        planner.append_driver(driver, needs);
        planner.order();
        planner.compare()
    }

    /// In the output first, `$ORIGIN`-relative; then outside; each in the order of the needs.
    fn origin(&mut self, needs: &[(String, Answer<'a>)], opens: &[(String, Answer<'a>)]) {
        self.begin_program();
        for (text, directory) in self.resolver.own_directories(self.object) {
            if self.holds_libraries(&directory) {
                self.elements.push(Element { text, directory });
            }
        }
        for (name, answer) in needs.iter().chain(opens) {
            if let Answer::Output {
                directory, rename, ..
            } = answer
            {
                self.want(rename.as_deref().unwrap_or(name), directory);
                self.add_inside(directory);
            }
        }
        for (name, answer) in needs.iter().chain(opens) {
            if let Answer::Library { library, .. } = answer {
                self.want(
                    if name == &library.name {
                        name
                    } else {
                        &library.name
                    },
                    &library.directory,
                );
                self.add(&library.directory.to_string_lossy(), &library.directory);
            }
        }
        self.keep_neighbours_in_reach(needs, opens);
        self.append();
    }

    /// The object had no run path, so what it opened was found through those of the objects that
    /// loaded it. With a run path of its own this ends; its own directory then is what they had in
    /// common.
    fn keep_neighbours_in_reach(
        &mut self,
        needs: &[(String, Answer<'a>)],
        opens: &[(String, Answer<'a>)],
    ) {
        let outside = needs.iter().chain(opens);
        let gets_one = outside
            .into_iter()
            .any(|(_, answer)| matches!(answer, Answer::Library { .. } | Answer::Driver(_)));
        let own = self.object.directory().to_path_buf();
        if self.object.run_path.is_none() && gets_one && self.holds_libraries(&own) {
            let known = self.elements.iter().any(|element| element.directory == own);
            if !known {
                self.elements.insert(
                    0,
                    Element {
                        text: "$ORIGIN".to_owned(),
                        directory: own,
                    },
                );
            }
        }
    }

    /// As nixpkgs' auto-patchelf: absolute, in the order of the needs, the run path that was there
    /// forgotten.
    fn absolute(&mut self, needs: &[(String, Answer<'a>)], opens: &[(String, Answer<'a>)]) {
        self.begin_program();
        for (name, answer) in needs.iter().chain(opens) {
            match answer {
                Answer::Output {
                    directory, rename, ..
                } => {
                    self.want(rename.as_deref().unwrap_or(name), directory);
                    self.add(&directory.to_string_lossy(), directory);
                }
                Answer::Library { library, .. } => {
                    self.want(&library.name, &library.directory);
                    self.add(&library.directory.to_string_lossy(), &library.directory);
                }
                _ => {}
            }
        }
        self.append();
    }

    /// Adds the directories that the user names for programs: these open libraries by names that no
    /// file states.
    fn begin_program(&mut self) {
        if self.object.interpreter.is_some() {
            for directory in &self.resolver.options.runtime_dependencies {
                self.add(&directory.to_string_lossy(), directory);
            }
        }
    }

    fn append(&mut self) {
        for text in &self.resolver.options.append {
            self.add(text, Path::new(text));
        }
    }

    /// Appends the driver path, so that nothing in it comes before what was found; but puts it
    /// first where a directory of the path has a needed library of the driver itself, which can
    /// only be a stub.
    fn append_driver(&mut self, needed: bool, needs: &[(String, Answer<'a>)]) {
        let driver = self.resolver.options.driver_path.clone();
        let text = driver.to_string_lossy().into_owned();
        let had = self
            .object
            .run_path
            .iter()
            .any(|path| path.elements.contains(&text));
        if !needed && !had {
            return;
        }
        let shadowed = needs.iter().any(|(name, answer)| {
            matches!(answer, Answer::Driver(_))
                && self
                    .elements
                    .iter()
                    .any(|element| self.has(&element.directory, name))
        });
        let element = Element {
            text,
            directory: driver,
        };
        if shadowed {
            self.elements.insert(0, element);
        } else {
            self.elements.push(element);
        }
    }

    fn want(&mut self, name: &str, directory: &Path) {
        self.wanted.push(Wanted {
            name: name.to_owned(),
            directory: directory.to_path_buf(),
        });
    }

    /// Adds a directory of the output, relative to the object. Where a link in another directory leads to the object, `$ORIGIN`
    /// is the directory of the link when it is opened over that, so that the directory is added as it is, too.
    fn add_inside(&mut self, directory: &Path) {
        let own = self.object.directory();
        if let Some(text) = origin_relative(own, directory) {
            self.add(&text, directory);
        }
        let mut links = self.resolver.tree.links_to(&self.object.path);
        let text = directory.to_string_lossy();
        if links.any(|link| link.parent() != Some(own))
            && self.elements.iter().all(|element| element.text != text)
        {
            self.elements.push(Element {
                text: text.into_owned(),
                directory: directory.to_path_buf(),
            });
        }
    }

    fn add(&mut self, text: &str, directory: &Path) {
        if self
            .elements
            .iter()
            .all(|element| element.directory != directory)
        {
            self.elements.push(Element {
                text: text.to_owned(),
                directory: directory.to_path_buf(),
            });
        }
    }

    /// Whether a directory of the output has libraries that this object could open.
    fn holds_libraries(&self, directory: &Path) -> bool {
        let names = self.resolver.tree.directories().get(directory);
        names.into_iter().flatten().any(|(name, path)| {
            let found = self.resolver.lookup(self.object, directory, name);
            let is_library = |found: &Object| found.soname.is_some() || name.starts_with("lib");
            *path != self.object.path && found.is_some_and(is_library)
        })
    }

    /// Whether the loader would find a file of this name there that it would take.
    fn has(&self, directory: &Path, name: &str) -> bool {
        self.resolver.lookup(self.object, directory, name).is_some()
            || self
                .resolver
                .index
                .lookup(directory, name)
                .is_some_and(|library| library.object.fits(self.object.abi, self.object.os_abi))
    }

    /// Moves directories to the front until each wanted name is found where it was meant to be.
    ///
    /// Each round puts one directory before another; a cycle ends after as many rounds as there are
    /// pairs, and is then left for the proof to name.
    fn order(&mut self) {
        let rounds = self.elements.len().pow(2);
        for _ in 0..rounds {
            let misplaced = self.wanted.iter().find_map(|wanted| {
                let shadow = self
                    .elements
                    .iter()
                    .position(|element| self.has(&element.directory, &wanted.name))?;
                let meant = self
                    .elements
                    .iter()
                    .position(|element| element.directory == wanted.directory)?;
                (shadow < meant).then_some((shadow, meant))
            });
            let Some((shadow, meant)) = misplaced else {
                return;
            };
            let element = self.elements.remove(meant);
            self.elements.insert(shadow, element);
        }
    }

    /// The change, if the elements are not those of the file.
    fn compare(self) -> Option<RunPathEdit> {
        let mut seen = BTreeSet::new();
        let elements: Vec<String> = self
            .elements
            .into_iter()
            .map(|element| element.text)
            .filter(|text| seen.insert(text.clone()))
            .collect();
        match &self.object.run_path {
            Some(old) if old.elements == elements => None,
            Some(_) if elements.is_empty() => Some(RunPathEdit::Remove),
            Some(old) => Some(RunPathEdit::Set(RunPath {
                kind: old.kind,
                elements,
            })),
            None if elements.is_empty() => None,
            None => Some(RunPathEdit::Set(RunPath {
                kind: PathKind::Runpath,
                elements,
            })),
        }
    }
}
