//! Planning a relocation: pure, from the facts of all objects to the edits of each.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wheelfix_loader::{Abi, Loader, LoaderKind, Object};

use crate::excuse::Record;
use crate::fault::Fault;
use crate::fault::choice::Ambiguous;
use crate::fault::evidence::Evidence;
use crate::fault::excuse_kind::ExcuseKind;
use crate::fault::file::DamagedFile;
use crate::fault::interpreter::WrongInterpreter;
use crate::fault::missing::Missing;
use crate::index::LibraryIndex;
use crate::plan::resolve::{Answer, Resolver};
use crate::plan::run_path_plan::RunPathPlanner;
use crate::plan::{Edit, LinkPlan, Need, ObjectPlan, PlanOptions, Satisfied};
use crate::plan::{backend, unused};
use crate::role::indispensable::keep;
use crate::rules::Rules;
use crate::rules::dlopen_dependency::dependencies;
use crate::tree::{Skipped, Tree};

/// Plans the relocation of all objects of a tree.
///
/// Faults do not end the planning: the plan carries all of them.
pub fn plan(tree: &Tree, index: &LibraryIndex, rules: &Rules, options: &PlanOptions) -> LinkPlan {
    let original = tree;
    let revised = options.substitutions.carried_out(tree);
    let tree = &*revised;
    let nothing_dropped = BTreeSet::new();
    let mut resolver = Resolver {
        tree,
        index,
        rules,
        options,
        dropped: &nothing_dropped,
    };
    let target = options.target.or_else(|| prevailing_abi(tree));
    let c_library = options.c_library.or_else(|| prevailing_c_library(tree));
    let decision = backend::decide(resolver, target);
    let drops = decision.drops.iter();
    let dropped: BTreeSet<PathBuf> = drops.map(|drop| drop.path.clone()).collect();
    resolver.dropped = &dropped;
    let mut planner = Planner {
        original,
        resolver,
        faults: Faults::default(),
        excused: Record::default(),
    };
    let mut objects = Vec::new();
    let mut skipped = tree.skipped.clone();
    let data = tree.data.iter().map(|file| file.path.clone());
    skipped.extend(data.map(|path| Skipped::new(path, "begins as an ELF file does and is data")));
    for object in tree
        .objects()
        .filter(|object| !dropped.contains(&object.path))
    {
        let reason = if Some(object.abi) != target {
            "is for another machine"
        } else if c_library.is_some_and(|ours| object.is_for_other_c_library(ours)) {
            "is for another C library"
        } else {
            objects.push(planner.object(object));
            continue;
        };
        skipped.push(Skipped::new(object.path.clone(), reason));
    }
    skipped.sort_by(|one, other| one.path.cmp(&other.path));
    let unusable = index.unusable_besides(|name| planner.faults.missing.contains_key(name));
    let mut faults = planner.faults.into_list(tree, options.loader.as_ref());
    faults.extend(decision.faults);
    let excused = planner.excused.into_list();
    faults.extend(unused::excuses(resolver, &excused));
    faults.extend(unused::rules(resolver));
    LinkPlan {
        target,
        objects,
        drops: decision.drops,
        removed: options.substitutions.removed.clone(),
        skipped,
        unusable,
        sources: Vec::new(),
        excused,
        warnings: decision.warnings,
        faults,
    }
}

/// The ABI that most of the objects have; of several, the smallest. `None` if there are no objects.
fn prevailing_abi(tree: &Tree) -> Option<Abi> {
    let mut counts: BTreeMap<Abi, usize> = BTreeMap::new();
    for object in tree.objects() {
        *counts.entry(object.abi).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    counts
        .into_iter()
        .find(|(_, count)| *count == most)
        .map(|(abi, _)| abi)
}

/// The C library that the objects are for where some are for glibc; `None` where nothing says so.
fn prevailing_c_library(tree: &Tree) -> Option<LoaderKind> {
    let mut named = tree.objects().filter_map(Object::c_library);
    named.find(|kind| *kind == LoaderKind::Glibc)
}

/// The faults so far, those about one library together.
#[derive(Default)]
struct Faults {
    missing: BTreeMap<String, Missing>,
    ambiguous: BTreeMap<(String, Vec<PathBuf>), (BTreeSet<PathBuf>, String)>,
    /// Programs that the interpreter that the user names cannot start.
    unstarted: BTreeSet<PathBuf>,
}

impl Faults {
    fn into_list(self, tree: &Tree, loader: Option<&Loader>) -> Vec<Fault> {
        let unstarted = loader.filter(|_| !self.unstarted.is_empty());
        let unstarted = unstarted.map(|loader| {
            Fault::WrongInterpreter(WrongInterpreter {
                interpreter: loader.path.clone(),
                machine: format!("{} and {}", loader.abi, loader.kind),
                programs: self.unstarted,
            })
        });
        let unreadable = tree.unreadable.iter().map(|file| {
            Fault::Unreadable(DamagedFile {
                path: file.path.clone(),
                reason: file.reason.clone(),
                is_kept: false,
            })
        });
        let missing = self.missing.into_values().map(Fault::Missing);
        let ambiguous =
            self.ambiguous
                .into_iter()
                .map(|((soname, candidates), (needed_by, reason))| {
                    Fault::Ambiguous(Ambiguous {
                        soname,
                        needed_by,
                        candidates,
                        reason,
                    })
                });
        let faults = unreadable.chain(missing).chain(ambiguous).chain(unstarted);
        let mut faults: Vec<Fault> = faults.collect();
        keep(&mut faults, tree);
        faults
    }
}

struct Planner<'a> {
    /// The tree before the substitutions.
    original: &'a Tree,
    resolver: Resolver<'a>,
    faults: Faults,
    /// Things that are missing and excused.
    excused: Record,
}

impl<'a> Planner<'a> {
    fn object(&mut self, object: &'a Object) -> ObjectPlan {
        let answer = |name: &String| (name.clone(), self.resolver.answer(object, name));
        let answers: Vec<(String, Answer<'a>)> = object.needed.iter().map(answer).collect();
        let mut needed = Vec::with_capacity(answers.len());
        for (name, answer) in &answers {
            needed.push(self.need(object, name, answer));
        }
        let (opens, dlopen) = self.opened(object);
        let edit = Edit {
            run_path: RunPathPlanner::edit(self.resolver, object, &answers, &opens),
            interpreter: self.interpreter(object),
            rename_needed: self.renames(object, &answers),
        };
        ObjectPlan {
            path: object.path.clone(),
            file: object.file.clone(),
            edit,
            needed,
            dlopen,
        }
    }

    /// The interpreter that a program is to get, if that is another one.
    fn interpreter(&mut self, object: &Object) -> Option<String> {
        let options = self.resolver.options;
        let loader = options.loader.as_ref()?;
        let old = object
            .interpreter
            .as_ref()
            .filter(|_| object.is_program())?;
        if !loader.starts(object) {
            // That of the Python is for what is like the Python; what was asked for is for all.
            if options.interpreter.is_some() {
                self.faults.unstarted.insert(object.path.clone());
            }
            return None;
        }
        (Path::new(old) != loader.path).then(|| loader.path.to_string_lossy().into_owned())
    }

    /// Notes what satisfies one need, or that nothing does.
    fn need(&mut self, object: &Object, name: &str, answer: &Answer<'a>) -> Need {
        let by = match answer.satisfied(name, self.resolver.index) {
            Some(by) => by,
            None => match self.excusing(object, &[name]) {
                Some(glob) => Satisfied::Ignored { glob },
                None => self.fault(object, name, answer, None),
            },
        };
        Need {
            soname: name.to_owned(),
            by,
        }
    }

    /// The globs that excuse a library, or all of several alternatives.
    fn excusing(&mut self, object: &Object, alternatives: &[&str]) -> Option<String> {
        let globs = self.resolver.options.excuses.of_library(alternatives)?;
        let name = alternatives.join(" or ");
        let text = globs.iter().map(String::as_str).collect::<Vec<_>>();
        let text = text.join(" and ");
        self.excused
            .note((ExcuseKind::Library, &name), globs, &object.path);
        Some(text)
    }

    fn fault(
        &mut self,
        object: &Object,
        name: &str,
        answer: &Answer<'a>,
        opened: Option<&Evidence>,
    ) -> Satisfied {
        if let Answer::Ambiguous(candidates, reason) = answer {
            let key = (name.to_owned(), candidates.clone());
            let entry = self.faults.ambiguous.entry(key);
            let (needed_by, _) = entry.or_insert_with(|| (BTreeSet::new(), reason.clone()));
            needed_by.insert(object.path.clone());
        } else if let Some(missing) = self.faults.missing.get_mut(name) {
            missing.needed_by.insert(object.path.clone());
            if opened.is_none() {
                missing.opened = None;
            }
        } else {
            let missing = self.resolver.missing(object, name, opened);
            self.faults.missing.insert(name.to_owned(), missing);
        }
        Satisfied::Missing
    }

    /// The libraries that rules and notes say the object opens while it runs.
    fn opened(&mut self, object: &'a Object) -> (Vec<(String, Answer<'a>)>, Vec<Need>) {
        let mut answers = Vec::new();
        let mut needs = Vec::new();
        for dependency in dependencies(self.resolver.rules, object) {
            let mut found = self.resolver.open(object, &dependency);
            let mut optional = dependency.optional;
            if optional || dependency.evidence == Evidence::Data {
                // What may be missing forces no decision between rivals.
                let all = found.len();
                found.retain(|(_, answer)| !matches!(answer, Answer::Ambiguous(..)));
                optional |= found.len() < all;
            }
            if found.is_empty() {
                let name = dependency.name();
                let by = match (
                    self.excusing(object, &dependency.names()),
                    &dependency.evidence,
                ) {
                    (Some(glob), _) => Satisfied::Ignored { glob },
                    (None, Evidence::Rule(rule)) if optional => {
                        let rule = rule.clone();
                        Satisfied::Optional { rule }
                    }
                    (None, origin) if optional => Satisfied::Optional {
                        rule: origin.to_string(),
                    },
                    (None, origin) => self.fault(object, &name, &Answer::Nothing, Some(origin)),
                };
                needs.push(Need { soname: name, by });
            }
            for (name, answer) in found {
                needs.push(self.need(object, &name, &answer));
                answers.push((name, answer));
            }
        }
        (answers, needs)
    }

    /// The needs that get other names: the name that is in the file and the new one, those of the
    /// substitutions first and in their order.
    fn renames(&self, object: &Object, answers: &[(String, Answer<'_>)]) -> Vec<(String, String)> {
        let original = self.original.get(&object.path);
        let names = original.map_or(&object.needed, |original| &original.needed);
        let renamed = names.iter().zip(answers).map(|(old, (name, answer))| {
            let new = match answer {
                Answer::Output { rename, .. } | Answer::Library { rename, .. } => rename.as_ref(),
                _ => None,
            };
            (old.clone(), new.unwrap_or(name).clone())
        });
        let mut renamed: Vec<_> = renamed.filter(|(old, new)| old != new).collect();
        let substitutions = &self.resolver.options.substitutions;
        if let Some(first) = substitutions.renames.get(&object.path) {
            let place = |old: &String| first.iter().position(|(name, _)| name == old);
            renamed.sort_by_key(|(old, _)| place(old).unwrap_or(first.len()));
        }
        renamed
    }
}
