//! Merges the directories of inputs, and the files of wheels, into one tree: which entry comes from
//! where, and which collide. Nothing is written.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use wheelfix_format::is_python_source;
use wheelfix_loader::existing_path;

use crate::env::collision::{CollisionAction, Decision, EnvCollisionKind, Rules};
use crate::env::content;
use crate::env::fault::EnvFault;
use crate::env::generated::{GeneratedFile, Virtual};
use crate::env::listing::{EntryKind, is_left_out, leads_away, list, may_be_elf, scan};
use crate::layout::{Layout, join};

/// Something that files come from. The position of a source is its rank wherever the order of the
/// inputs must not matter: the environment's own files, wheels by name, prefixes by path.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The prefix, or the wheel; empty for the environment's own files.
    pub(crate) path: PathBuf,
    /// Its place among the inputs, for `first` and `last`.
    pub(crate) rank: usize,
}

/// How many directories may lie above each other in the environment: what merges and makes them calls
/// itself for each. Real packages have about twenty; wheels must not have more than this either.
const DEPTH_LIMIT: usize = 128;

/// One name in a directory of the environment.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) what: What,
}

/// The entry with a name. `source` is the position of the source that has it at the same place.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum What {
    /// A directory of the environment itself, sorted by name.
    Directory(Vec<Node>),
    /// A directory of one source, which is taken whole.
    Whole { source: usize },
    /// A file of a source.
    File { source: usize },
    /// A link of a source.
    Link { source: usize },
    /// A Python script of a source, which gets a new first line.
    Script { source: usize },
    /// A file that is made: its position.
    GeneratedFile { file: usize },
}

/// A candidate for a place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Candidate<'a> {
    /// An entry of a prefix.
    Disk { source: usize, kind: EntryKind },
    /// A file that is made: its position.
    File { source: usize, file: usize },
    /// A directory of files that are made; the source is one of those that need it.
    Directory {
        source: usize,
        below: &'a BTreeMap<String, Virtual>,
    },
}

impl Candidate<'_> {
    pub(crate) fn source(&self) -> usize {
        match self {
            Self::Disk { source, .. }
            | Self::File { source, .. }
            | Self::Directory { source, .. } => *source,
        }
    }

    fn is_directory(&self) -> bool {
        match self {
            Self::Disk { kind, .. } => {
                matches!(kind, EntryKind::Directory | EntryKind::DirectoryLink)
            }
            Self::File { .. } => false,
            Self::Directory { .. } => true,
        }
    }
}

/// A collision, its owners not known yet.
#[derive(Clone, Debug)]
pub(crate) struct UnownedCollision {
    pub(crate) path: String,
    pub(crate) kind: EnvCollisionKind,
    /// Source and path of each candidate.
    pub(crate) candidates: Vec<(usize, String)>,
    /// The decision of a rule, and the index of the candidate that counts.
    pub(crate) decision: Option<(Decision, usize)>,
}

/// The findings of a merge.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) faults: Vec<EnvFault>,
    pub(crate) unowned: Vec<UnownedCollision>,
    /// Files and directories that the environment does not have, since others do: source, and path.
    pub(crate) shadowed: Vec<(usize, String)>,
    /// Files that may be ELF files: path, and source.
    pub(crate) elf: Vec<(String, usize)>,
    /// Python sources: path, and source.
    pub(crate) python: Vec<(String, usize)>,
    /// Equal files that are made: the position of the one that is kept, and that of another.
    pub(crate) twins: Vec<(usize, usize)>,
    /// How many files lie in directories that are taken whole.
    pub(crate) whole_files: usize,
}

impl Notes {
    /// Puts the files of all threads in one order.
    pub(crate) fn sort_files(&mut self) {
        self.elf.sort_unstable();
        self.python.sort_unstable();
    }
}

/// A merge of sources.
#[derive(Debug)]
pub(crate) struct Merger<'a> {
    pub(crate) sources: &'a [Source],
    pub(crate) generated: &'a [GeneratedFile<'a>],
    pub(crate) rules: &'a Rules,
    pub(crate) layout: &'a Layout,
    /// Whether a directory of one source is taken whole.
    pub(crate) whole: bool,
    /// Whether the Python files that are made are compiled.
    pub(crate) compiles: bool,
    /// Whether Python scripts in `bin` get a new first line.
    pub(crate) rewrites: bool,
    pub(crate) notes: Mutex<Notes>,
}

/// The result for one place.
struct Outcome {
    node: Option<Node>,
    /// The sources whose candidate is what the environment has; none if that is not decided.
    valid: Vec<usize>,
}

/// For each Python source of a directory: the sources of files whose content is that in the
/// environment, and whether that file is made.
type Modules = BTreeMap<String, (Vec<usize>, bool)>;

impl<'a> Merger<'a> {
    /// Merges everything; returns the entries of the prefix.
    pub(crate) fn merge(&self, prefixes: &[usize], files: &'a Virtual) -> Vec<Node> {
        let mut candidates: Vec<Candidate<'a>> = prefixes
            .iter()
            .map(|source| Candidate::Disk {
                source: *source,
                kind: EntryKind::Directory,
            })
            .collect();
        candidates.extend(files.directory(self.generated));
        self.directory("", &candidates)
    }

    pub(crate) fn note<T>(&self, note: impl FnOnce(&mut Notes) -> T) -> T {
        note(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where a candidate's file or directory lies.
    pub(crate) fn disk(&self, source: usize, path: &str) -> PathBuf {
        let root = self.sources.get(source).map(|source| &source.path);
        root.map(|root| root.join(path)).unwrap_or_default()
    }

    /// The entries of a directory that all candidates have.
    fn directory(&self, path: &str, candidates: &[Candidate<'a>]) -> Vec<Node> {
        let mut groups = self.group(path, candidates);
        // A directory of files that are made is one candidate, also where several wheels have a part in it.
        let is_generated =
            |candidate: &Candidate<'_>| matches!(candidate, Candidate::Directory { .. });
        if 1 < candidates.len() || candidates.iter().any(is_generated) {
            self.remove_case_twins(path, &mut groups);
        }
        let caches = groups.remove("__pycache__");
        let outcomes: Vec<(String, Outcome)> = groups
            .into_par_iter()
            .map(|(name, candidates)| {
                let outcome = self.entry(path, &name, candidates);
                (name, outcome)
            })
            .collect();
        let mut modules = Modules::new();
        let mut nodes = Vec::with_capacity(outcomes.len());
        for (name, outcome) in outcomes {
            if is_python_source(&name) && caches.is_some() {
                let generated = matches!(
                    outcome.node,
                    Some(Node {
                        what: What::GeneratedFile { .. },
                        ..
                    })
                );
                modules.insert(name, (outcome.valid, generated));
            }
            nodes.extend(outcome.node);
        }
        if let Some(candidates) = caches {
            let node = self.caches(path, candidates, &modules);
            nodes.extend(node);
            nodes.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        }
        nodes
    }

    /// All candidates for the names in a directory, in the order of the sources.
    fn group(
        &self,
        path: &str,
        candidates: &[Candidate<'a>],
    ) -> BTreeMap<String, Vec<Candidate<'a>>> {
        let list = |candidate: &Candidate<'a>| {
            let mut faults = Vec::new();
            let listed: Vec<(String, Candidate<'a>)> = match candidate {
                Candidate::Disk { source, .. } => list(&self.disk(*source, path), &mut faults)
                    .into_iter()
                    .filter(|entry| !is_left_out(path, &entry.name))
                    .map(|entry| {
                        let (source, kind) = (*source, entry.kind);
                        (entry.name, Candidate::Disk { source, kind })
                    })
                    .collect(),
                Candidate::Directory { below, .. } => below
                    .iter()
                    .flat_map(|(name, node)| {
                        let candidates = node.candidates(self.generated);
                        candidates.map(|candidate| (name.clone(), candidate))
                    })
                    .collect(),
                Candidate::File { .. } => Vec::new(),
            };
            (listed, faults)
        };
        let listed: Vec<_> = if candidates.len() == 1 {
            candidates.iter().map(list).collect()
        } else {
            candidates.par_iter().map(list).collect()
        };
        let mut groups: BTreeMap<String, Vec<Candidate<'a>>> = BTreeMap::new();
        for (entries, faults) in listed {
            if !faults.is_empty() {
                self.note(|notes| notes.faults.extend(faults));
            }
            for (name, candidate) in entries {
                groups.entry(name).or_default().push(candidate);
            }
        }
        for candidates in groups.values_mut() {
            candidates.sort_by_key(Candidate::source);
        }
        groups
    }

    /// Decides between names of different sources that differ in case only.
    fn remove_case_twins(&self, path: &str, groups: &mut BTreeMap<String, Vec<Candidate<'a>>>) {
        let mut folded: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for name in groups.keys() {
            let names = folded.entry(name.to_lowercase()).or_default();
            names.push(name.clone());
        }
        for names in folded.into_values().filter(|names| 1 < names.len()) {
            let owners = |name: &String| -> Vec<usize> {
                let candidates = groups.get(name).into_iter().flatten();
                candidates.map(Candidate::source).collect()
            };
            let all: Vec<Vec<usize>> = names.iter().map(owners).collect();
            // A source that has all of them means it.
            let mut sources = all.iter().flatten();
            if sources.any(|source| all.iter().all(|owners| owners.contains(source))) {
                continue;
            }
            let candidates: Vec<(usize, String)> = names
                .iter()
                .zip(&all)
                .flat_map(|(name, owners)| {
                    owners.iter().map(move |owner| (*owner, join(path, name)))
                })
                .collect();
            let first = names.first().map(|name| join(path, name));
            let place = first.unwrap_or_default();
            let kept = self.decide(&place, EnvCollisionKind::Case, &candidates);
            let kept = kept
                .and_then(|kept| candidates.get(kept))
                .map(|(_, path)| path);
            for name in &names {
                let path = join(path, name);
                if kept != Some(&path) {
                    self.lose(&path, &groups.remove(name).unwrap_or_default());
                }
            }
        }
    }

    /// Asks the rules which candidate counts, and notes the collision.
    fn decide(
        &self,
        path: &str,
        kind: EnvCollisionKind,
        candidates: &[(usize, String)],
    ) -> Option<usize> {
        let in_site = self.layout.from_site_packages(path);
        let decision = self.rules.decide(path, &in_site);
        let rank = |place: &usize| {
            let (source, _) = candidates.get(*place)?;
            self.sources.get(*source).map(|source| source.rank)
        };
        let mut by_rank: Vec<usize> = (0..candidates.len()).collect();
        by_rank.sort_by_key(rank);
        let kept = decision.as_ref().and_then(|decision| {
            // The order of the inputs counts only where a rule of the user speaks of it.
            let order: Vec<usize> = if decision.shipped {
                (0..candidates.len()).collect()
            } else {
                by_rank.clone()
            };
            match decision.action {
                CollisionAction::First => order.first().copied(),
                CollisionAction::Last => order.last().copied(),
                CollisionAction::Error => None,
            }
        });
        let place = kept.and_then(|kept| by_rank.iter().position(|place| *place == kept));
        let collision = UnownedCollision {
            path: path.to_owned(),
            kind,
            candidates: by_rank
                .iter()
                .filter_map(|place| candidates.get(*place).cloned())
                .collect(),
            decision: decision.zip(place),
        };
        self.note(|notes| notes.unowned.push(collision));
        kept
    }

    /// Notes candidates that do not count.
    fn lose(&self, path: &str, candidates: &[Candidate<'a>]) {
        // Nearly all files have one candidate: no lock for them.
        if !candidates.is_empty() {
            let shadowed = named(path, candidates);
            self.note(|notes| notes.shadowed.extend(shadowed));
        }
    }

    /// Decides on a name.
    fn entry(&self, directory: &str, name: &str, mut candidates: Vec<Candidate<'a>>) -> Outcome {
        let path = join(directory, name);
        let directories = candidates
            .iter()
            .filter(|candidate| candidate.is_directory())
            .count();
        if directories != 0 && directories != candidates.len() {
            let named = named(&path, &candidates);
            let kept = self.decide(&path, EnvCollisionKind::FileAndDirectory, &named);
            let Some(kept) = kept.and_then(|kept| candidates.get(kept)).copied() else {
                return Outcome::undecided();
            };
            let (kept, shadowed): (Vec<_>, Vec<_>) = candidates
                .into_iter()
                .partition(|candidate| candidate.is_directory() == kept.is_directory());
            self.lose(&path, &shadowed);
            candidates = kept;
        }
        let (what, valid) = if candidates.iter().all(Candidate::is_directory) {
            let valid = candidates.iter().map(Candidate::source).collect();
            (self.below(&path, &candidates), valid)
        } else {
            match self.file(&path, &candidates) {
                Some(decided) => decided,
                None => return Outcome::undecided(),
            }
        };
        Outcome {
            node: Some(Node {
                name: name.to_owned(),
                what,
            }),
            valid,
        }
    }

    /// Decides on a directory.
    fn below(&self, path: &str, candidates: &[Candidate<'a>]) -> What {
        if let [Candidate::Disk { source, kind }] = candidates {
            if self.whole {
                self.scan(path, *source);
                return What::Whole { source: *source };
            }
            if *kind == EntryKind::DirectoryLink {
                return What::Link { source: *source };
            }
        }
        for candidate in candidates {
            if let Candidate::Disk {
                source,
                kind: EntryKind::DirectoryLink,
            } = candidate
                && self.is_circle(path, *source)
            {
                let link = self.disk(*source, path);
                self.note(|notes| notes.faults.push(EnvFault::Loop(link)));
                return What::Directory(Vec::new());
            }
        }
        if DEPTH_LIMIT <= path.split('/').count() {
            let source = candidates
                .first()
                .map(Candidate::source)
                .unwrap_or_default();
            let path = self.disk(source, path);
            let limit = DEPTH_LIMIT;
            self.note(|notes| notes.faults.push(EnvFault::Depth { path, limit }));
            return What::Directory(Vec::new());
        }
        What::Directory(self.directory(path, candidates))
    }

    /// Whether a link to a directory leads to one above it.
    fn is_circle(&self, path: &str, source: usize) -> bool {
        let link = self.disk(source, path);
        let parent = link.parent().and_then(|parent| existing_path(parent).ok());
        match (existing_path(&link), parent) {
            (Ok(target), Some(parent)) => parent.starts_with(target),
            _ => false,
        }
    }

    /// Looks at a directory that is taken whole.
    fn scan(&self, path: &str, source: usize) {
        let scan = scan(&self.disk(source, path));
        self.note(|notes| {
            notes.faults.extend(scan.faults);
            notes.whole_files += scan.files;
            let elf = scan.elf.into_iter();
            notes
                .elf
                .extend(elf.map(|below| (join(path, &below), source)));
            let python = scan.python.into_iter();
            notes
                .python
                .extend(python.map(|below| (join(path, &below), source)));
        });
    }

    /// Decides on a file; returns also the sources that have the same. `None` if no candidate counts.
    fn file(&self, path: &str, candidates: &[Candidate<'a>]) -> Option<(What, Vec<usize>)> {
        let (first, more) = candidates.split_first()?;
        let is_one = more
            .iter()
            .all(|candidate| self.is_equal(path, first, candidate));
        let winner = if is_one {
            first
        } else {
            let named = named(path, candidates);
            let kept = self.decide(path, EnvCollisionKind::Content, &named)?;
            candidates.get(kept)?
        };
        let (equal, shadowed): (Vec<Candidate<'a>>, Vec<Candidate<'a>>) = candidates
            .iter()
            .copied()
            .partition(|candidate| is_one || self.is_equal(path, winner, candidate));
        self.lose(path, &shadowed);
        let valid = equal.iter().map(Candidate::source).collect();
        let (winner, twins) = equal.split_first()?;
        if let Candidate::File { file, .. } = winner {
            let twins = twins.iter().filter_map(|twin| match twin {
                Candidate::File { file: other, .. } => Some((*file, *other)),
                _ => None,
            });
            let twins: Vec<_> = twins.collect();
            if !twins.is_empty() {
                self.note(|notes| notes.twins.extend(twins));
            }
        }
        Some((self.what(path, winner), valid))
    }

    fn what(&self, path: &str, candidate: &Candidate<'a>) -> What {
        let (source, kind) = match candidate {
            Candidate::Disk { source, kind } => (*source, *kind),
            Candidate::File { file, .. } => return What::GeneratedFile { file: *file },
            Candidate::Directory { source, .. } => (*source, EntryKind::Directory),
        };
        let disk = || self.disk(source, path);
        let name = path.rsplit('/').next().unwrap_or(path);
        if may_be_elf(name) && (kind == EntryKind::File || leads_away(&disk())) {
            self.note(|notes| notes.elf.push((path.to_owned(), source)));
        }
        if is_python_source(name) {
            self.note(|notes| notes.python.push((path.to_owned(), source)));
        }
        let in_bin = self.rewrites
            && path
                .strip_prefix("bin/")
                .is_some_and(|rest| !rest.contains('/'));
        if in_bin && content::is_python_script(&disk()) {
            return What::Script { source };
        }
        match kind {
            EntryKind::File | EntryKind::Directory => What::File { source },
            EntryKind::FileLink | EntryKind::DirectoryLink => What::Link { source },
        }
    }

    /// Whether two candidates for a file are the same bytes.
    fn is_equal(&self, path: &str, one: &Candidate<'a>, other: &Candidate<'a>) -> bool {
        let content = |candidate: &Candidate<'a>| match candidate {
            Candidate::File { file, .. } => self
                .generated
                .get(*file)
                .map(content::Content::GeneratedFile),
            Candidate::Disk { source, .. } => {
                Some(content::Content::Disk(self.disk(*source, path)))
            }
            Candidate::Directory { .. } => None,
        };
        let (Some(one), Some(other)) = (content(one), content(other)) else {
            return false;
        };
        match one.is_equal(&other) {
            Ok(equal) => equal,
            Err(error) => {
                self.note(|notes| notes.faults.push(error.into()));
                // One error is enough.
                true
            }
        }
    }

    /// Decides on a directory of bytecode.
    ///
    /// Its files follow their sources: where these agree, the bytecode of any of them will do, though
    /// it is never equal, because it names the place of its source.
    fn caches(
        &self,
        directory: &str,
        candidates: Vec<Candidate<'a>>,
        modules: &Modules,
    ) -> Option<Node> {
        let path = join(directory, "__pycache__");
        if !candidates.iter().all(Candidate::is_directory) {
            return self.entry(directory, "__pycache__", candidates).node;
        }
        if let [Candidate::Disk { source, .. }] = candidates.as_slice() {
            let follows = |(valid, generated): &(Vec<usize>, bool)| {
                valid.contains(source) && !(*generated && self.compiles)
            };
            if modules.values().all(follows) {
                return self.entry(directory, "__pycache__", candidates).node;
            }
        }
        let groups = self.group(&path, &candidates);
        let mut nodes = Vec::new();
        for (name, mut candidates) in groups {
            let module = name.split('.').next().unwrap_or(&name);
            if let Some((valid, generated)) = modules.get(&format!("{module}.py")) {
                candidates.retain(|candidate| {
                    valid.contains(&candidate.source()) && !(*generated && self.compiles)
                });
                candidates.truncate(1);
            }
            if !candidates.is_empty() {
                nodes.extend(self.entry(&path, &name, candidates).node);
            }
        }
        (!nodes.is_empty()).then_some(Node {
            name: "__pycache__".to_owned(),
            what: What::Directory(nodes),
        })
    }
}

impl Outcome {
    fn undecided() -> Self {
        Self {
            node: None,
            valid: Vec::new(),
        }
    }
}

/// Source and path of candidates for one place.
fn named(path: &str, candidates: &[Candidate<'_>]) -> Vec<(usize, String)> {
    let candidates = candidates.iter();
    candidates
        .map(|candidate| (candidate.source(), path.to_owned()))
        .collect()
}
