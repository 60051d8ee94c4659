//! The resolution of a need to a library: the decision that a run path is then written for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wheelfix_loader::{Object, Tokens, normalize};

use crate::index::{Found, Library, LibraryIndex, needed_path};
use crate::plan::{PlanOptions, Satisfied};
use crate::rules::dlopen_dependency::DlopenDependency;
use crate::rules::{Pattern, Rule, Rules, any_matches};
use crate::tree::Tree;

/// All that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolver<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) index: &'a LibraryIndex,
    pub(crate) rules: &'a Rules,
    pub(crate) options: &'a PlanOptions,
    /// Final paths of the files that will not be in the output.
    pub(crate) dropped: &'a BTreeSet<PathBuf>,
}

/// The library that a need means.
#[derive(Debug)]
pub(crate) enum Answer<'a> {
    /// The C library of the target has it.
    Libc(&'a str),
    /// The driver of the machine has it.
    Driver(&'a str),
    /// It is named by a path, and in the output.
    Path(&'a Object),
    /// It is named by a path, and elsewhere.
    PathOutside(&'a Object),
    /// An object of the output, in this directory, under this name if not the one that is needed.
    Output {
        directory: PathBuf,
        rename: Option<String>,
    },
    /// A library of the index.
    Library {
        library: &'a Library,
        rename: Option<String>,
    },
    /// Several that differ, and why none of them is first.
    Ambiguous(Vec<PathBuf>, String),
    /// Nothing.
    Nothing,
}

impl<'a> Resolver<'a> {
    /// Decides what `name` means for `object`.
    ///
    /// The C library and the driver come first, for a copy of a part of these never works. Then the
    /// output, as its own run path says, its own directory, the rest of it; then the index. Last
    /// come files of another name with the soname, which need a renamed `DT_NEEDED`.
    pub(crate) fn answer(&self, object: &Object, name: &str) -> Answer<'a> {
        if let Some(rule) = matching(&self.rules.libc, name, |body| &body.soname) {
            return Answer::Libc(rule);
        }
        if let Some(rule) = matching(&self.rules.driver, name, |body| &body.soname) {
            return Answer::Driver(rule);
        }
        if name.contains('/') {
            return self.by_path(object, name);
        }
        let in_output = self.by_name_in_output(object, name);
        if !matches!(in_output, Answer::Nothing) {
            return in_output;
        }
        match self.index.by_file_name(name, object, self.rules) {
            Found::Library(library) => {
                return Answer::Library {
                    library,
                    rename: None,
                };
            }
            Found::Ambiguous(libraries) => return self.rivals_of_index(&libraries),
            Found::Nothing => {}
        }
        self.by_soname(object, name)
    }

    /// The file that a name with a `/` leads to: the loader searches nowhere else.
    fn by_path(&self, object: &Object, name: &str) -> Answer<'a> {
        let path = needed_path(object, name);
        let inside = self.tree.get(&normalize(&path));
        if let Some(found) = inside.filter(|_| path.is_absolute()) {
            return if self.fits(object, found) {
                Answer::Path(found)
            } else {
                Answer::Nothing
            };
        }
        let outside = self.index.by_path(&path);
        let outside = outside.filter(|found| found.fits(object.abi, object.os_abi));
        outside.map_or(Answer::Nothing, Answer::PathOutside)
    }

    fn by_name_in_output(&self, object: &Object, name: &str) -> Answer<'a> {
        let near = self
            .own_directories(object)
            .into_iter()
            .map(|(_, directory)| directory);
        for directory in near.chain([object.directory().to_path_buf()]) {
            if self.lookup(object, &directory, name).is_some() {
                return Answer::Output {
                    directory,
                    rename: None,
                };
            }
        }
        let far: Vec<(PathBuf, &Object)> = self
            .tree
            .holders(name)
            .filter_map(|directory| {
                Some((
                    directory.to_path_buf(),
                    self.lookup(object, directory, name)?,
                ))
            })
            .collect();
        self.one_of(object, far, name, None)
    }

    fn by_soname(&self, object: &Object, name: &str) -> Answer<'a> {
        let others = self
            .tree
            .with_soname(name)
            .filter(|found| self.fits(object, found));
        let others: Vec<_> = others
            .map(|found| (found.directory().to_path_buf(), found))
            .collect();
        let rename = others
            .first()
            .and_then(|(_, found)| found.file_name().to_str());
        let rename = rename.map(ToOwned::to_owned);
        let answer = self.one_of(object, others, name, rename);
        if !matches!(answer, Answer::Nothing) {
            return answer;
        }
        match self.index.by_soname(name, object, self.rules) {
            Found::Library(library) => Answer::Library {
                library,
                rename: Some(library.name.clone()),
            },
            Found::Ambiguous(libraries) => self.rivals_of_index(&libraries),
            Found::Nothing => Answer::Nothing,
        }
    }

    /// The first of several objects of the output, if all are copies of each other; else the one that a rule
    /// prefers, or that lies where the run path of what needs it led to when it was built.
    fn one_of(
        &self,
        wanted: &Object,
        found: Vec<(PathBuf, &'a Object)>,
        name: &str,
        rename: Option<String>,
    ) -> Answer<'a> {
        let Some((_, first)) = found.first() else {
            return Answer::Nothing;
        };
        let same = found.iter().all(|(_, other)| {
            other.path == first.path || (other.content.is_some() && other.content == first.content)
        });
        let preferred = found.iter().position(|(_, object)| {
            self.rules.prefer.iter().any(|rule| {
                any_matches(&rule.body.soname, name)
                    && rule
                        .body
                        .path
                        .iter()
                        .any(|path| path.matches_end(&object.path))
            })
        });
        let preferred = preferred.or_else(|| built_beside(wanted, &found));
        if !same && preferred.is_none() {
            let paths = found
                .iter()
                .map(|(_, object)| object.path.clone())
                .collect();
            let reason =
                "the output has several that differ, none on the run path of what needs it";
            return Answer::Ambiguous(paths, reason.to_owned());
        }
        let chosen = found.into_iter().nth(preferred.unwrap_or(0));
        chosen.map_or(Answer::Nothing, |(directory, _)| Answer::Output {
            directory,
            rename,
        })
    }

    fn rivals_of_index(&self, libraries: &[&Library]) -> Answer<'a> {
        let paths = libraries
            .iter()
            .map(|library| library.directory.join(&library.name))
            .collect();
        let entry = libraries
            .first()
            .and_then(|library| self.index.entries().get(library.entry));
        let entry = entry.map_or_else(String::new, |entry| entry.display().to_string());
        Answer::Ambiguous(
            paths,
            format!("the library path `{entry}` has several that differ"),
        )
    }

    /// The object that a directory of the output has under a name.
    pub(crate) fn lookup(
        &self,
        wanted: &Object,
        directory: &Path,
        name: &str,
    ) -> Option<&'a Object> {
        let found = self.tree.lookup(directory, name)?;
        self.fits(wanted, found).then_some(found)
    }

    fn fits(&self, wanted: &Object, found: &Object) -> bool {
        found.fits(wanted.abi, wanted.os_abi) && !self.dropped.contains(&found.path)
    }

    /// The elements of the object's run path that lie in the output, with their directories: first
    /// come, no directory twice.
    pub(crate) fn own_directories(&self, object: &Object) -> Vec<(String, PathBuf)> {
        let origin = object.directory().to_string_lossy();
        let tokens = Tokens::new(&origin, object.abi, true);
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        for element in object.run_path.iter().flat_map(|path| &path.elements) {
            let expanded = PathBuf::from(tokens.expand(element));
            if !expanded.is_absolute() {
                continue;
            }
            let directory = normalize(&expanded);
            if self.tree.directories().contains_key(&directory) && seen.insert(directory.clone()) {
                found.push((element.clone(), directory));
            }
        }
        found
    }
}

/// Which of several lies in the only directory that is called, with the one above it, as an absolute element of a run path
/// is: a directory of the tree that was built, of which the output is a part.
fn built_beside(wanted: &Object, found: &[(PathBuf, &Object)]) -> Option<usize> {
    let elements = wanted.run_path.iter().flat_map(|path| &path.elements);
    let built = elements.map(|element| normalize(Path::new(element)));
    built.filter(|built| built.is_absolute()).find_map(|built| {
        let end: PathBuf = built.strip_prefix(built.parent()?.parent()?).ok()?.into();
        let mut there = (0..).zip(found).filter(|(_, (dir, _))| dir.ends_with(&end));
        let (position, _) = there.next()?;
        there.next().is_none().then_some(position)
    })
}

impl Answer<'_> {
    /// The answer as the plan reports it; `None` if it is ambiguous or nothing.
    pub(crate) fn satisfied(&self, name: &str, index: &LibraryIndex) -> Option<Satisfied> {
        Some(match self {
            Self::Libc(rule) => Satisfied::Libc {
                rule: (*rule).to_owned(),
            },
            Self::Driver(rule) => Satisfied::Driver {
                rule: (*rule).to_owned(),
            },
            Self::Path(object) => Satisfied::Output {
                path: object.path.clone(),
            },
            Self::PathOutside(object) => Satisfied::Library {
                path: object.path.clone(),
                lib_path: None,
            },
            Self::Output {
                directory, rename, ..
            } => Satisfied::Output {
                path: directory.join(rename.as_deref().unwrap_or(name)),
            },
            Self::Library { library, .. } => Satisfied::Library {
                path: library.directory.join(&library.name),
                lib_path: index.entries().get(library.entry).cloned(),
            },
            Self::Ambiguous(..) | Self::Nothing => return None,
        })
    }
}

/// The name of the first rule one of whose globs matches.
fn matching<'a, T>(
    rules: &'a [Rule<T>],
    name: &str,
    globs: impl Fn(&'a T) -> &'a Vec<crate::rules::Pattern>,
) -> Option<&'a str> {
    let rule = rules
        .iter()
        .find(|rule| any_matches(globs(&rule.body), name))?;
    Some(&rule.name)
}

impl<'a> Resolver<'a> {
    /// The answers for the first alternative that is there, by name; empty if none is there.
    pub(crate) fn open(
        &self,
        object: &Object,
        dependency: &DlopenDependency,
    ) -> Vec<(String, Answer<'a>)> {
        for alternative in &dependency.alternatives {
            let names = if alternative.is_literal() {
                vec![alternative.text().to_owned()]
            } else {
                self.names_matching(object, alternative)
            };
            let answers = names.into_iter().map(|name| {
                let answer = self.answer(object, &name);
                (name, answer)
            });
            let found: Vec<_> = answers
                .filter(|(_, answer)| !matches!(answer, Answer::Nothing))
                .collect();
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    /// The names of libraries that a glob matches: those of the output, or else those of the first
    /// library path that has some.
    fn names_matching(&self, object: &Object, glob: &Pattern) -> Vec<String> {
        let fits =
            |found: &Object| found.fits(object.abi, object.os_abi) && found.path != object.path;
        let ours: BTreeSet<String> = self
            .tree
            .objects()
            .filter(|found| fits(found) && !self.dropped.contains(&found.path))
            .filter_map(|found| found.file_name().to_str())
            .filter(|name| glob.matches(name))
            .map(ToOwned::to_owned)
            .collect();
        if !ours.is_empty() {
            return ours.into_iter().collect();
        }
        let theirs = self
            .index
            .libraries()
            .iter()
            .filter(|library| fits(&library.object));
        let matching: Vec<_> = theirs
            .filter(|library| glob.matches(&library.name))
            .collect();
        let Some(first) = matching.first() else {
            return Vec::new();
        };
        let same = matching
            .iter()
            .filter(|other| (other.tier, other.entry) == (first.tier, first.entry));
        let names: BTreeSet<String> = same.map(|library| library.name.clone()).collect();
        names.into_iter().collect()
    }
}
