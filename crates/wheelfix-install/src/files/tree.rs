//! The files of a prefix before they exist: which belongs where, and which collide.

use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::sync::Arc;

use wheelfix_format::RecordHash;

/// The files that are to be made, by path.
///
/// Paths are relative to the prefix, with `/` as separator.
#[derive(Debug)]
pub(crate) struct Tree<T> {
    files: BTreeMap<String, Candidates<Entry<T>>>,
}

/// One or more candidates for a path.
#[derive(Debug)]
pub(crate) struct Candidates<T> {
    pub(crate) first: T,
    pub(crate) more: Vec<T>,
}

impl<T> Candidates<T> {
    fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(&self.more)
    }
}

/// One candidate for a path.
#[derive(Debug)]
struct Entry<T> {
    owner: Arc<str>,
    content: Option<Content>,
    value: T,
}

/// The length and hash by which two files are compared without reading them: checksums of zip archives
/// are easily made the same.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Content {
    /// In bytes.
    pub(crate) len: u64,
    /// Of the whole file, by RECORD.
    pub(crate) hash: RecordHash,
}

/// Two candidates for one place.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Collision {
    /// The path, relative to the prefix, with `/` as separator.
    pub path: String,
    /// Where it comes from: names of wheels. The first is the one whose candidate is a file.
    pub owners: Vec<String>,
    /// The kind of the collision.
    pub kind: CollisionKind,
}

/// How two candidates for one place differ.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum CollisionKind {
    /// Two files with different content.
    Content,
    /// A file where another candidate needs a directory.
    FileAndDirectory,
}

impl fmt::Display for Collision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            CollisionKind::Content => "with different content",
            CollisionKind::FileAndDirectory => "as a file and as a directory",
        };
        write!(
            f,
            "`{}` comes {kind} from {}",
            self.path,
            self.owners.join(" and ")
        )
    }
}

impl<T> Tree<T> {
    /// A tree without files.
    pub(crate) fn new() -> Self {
        Self {
            files: BTreeMap::new(),
        }
    }

    /// Claims a path; `content` is `None` for a file that is equal to no other.
    pub(crate) fn insert(
        &mut self,
        path: String,
        owner: &Arc<str>,
        content: Option<Content>,
        value: T,
    ) {
        let entry = Entry {
            owner: Arc::clone(owner),
            content,
            value,
        };
        match self.files.entry(path) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(Candidates {
                    first: entry,
                    more: Vec::new(),
                });
            }
            btree_map::Entry::Occupied(mut occupied) => occupied.get_mut().more.push(entry),
        }
    }

    /// The candidates for each path, by path; more than one are equal. Or all collisions, by path.
    pub(crate) fn resolve(self) -> Result<Vec<Candidates<T>>, Vec<Collision>> {
        let collisions = self.collisions();
        if !collisions.is_empty() {
            return Err(collisions);
        }
        let values = |candidates: Candidates<Entry<T>>| Candidates {
            first: candidates.first.value,
            more: candidates
                .more
                .into_iter()
                .map(|candidate| candidate.value)
                .collect(),
        };
        Ok(self.files.into_values().map(values).collect())
    }

    /// All candidates, by path; those to one path in the order in which they were made.
    pub(crate) fn into_candidates(self) -> impl Iterator<Item = T> {
        self.files.into_values().flat_map(|candidates| {
            let all = std::iter::once(candidates.first).chain(candidates.more);
            all.map(|entry| entry.value)
        })
    }

    fn collisions(&self) -> Vec<Collision> {
        let mut collisions = Vec::new();
        let below = self.below_files();
        for (path, candidates) in &self.files {
            if !all_equal(candidates) {
                collisions.push(Collision {
                    path: path.clone(),
                    owners: owners(candidates),
                    kind: CollisionKind::Content,
                });
            }
            if let Some(below) = below.get(path.as_str()) {
                let mut owners = owners(candidates);
                for candidate in below.iter() {
                    if !owners.iter().any(|owner| **owner == *candidate.owner) {
                        owners.push(candidate.owner.to_string());
                    }
                }
                collisions.push(Collision {
                    path: path.clone(),
                    owners,
                    kind: CollisionKind::FileAndDirectory,
                });
            }
        }
        collisions
    }

    /// By the path of each file that others need to be a directory: the first of these.
    fn below_files(&self) -> BTreeMap<&str, &Candidates<Entry<T>>> {
        let mut below = BTreeMap::new();
        let mut known = "";
        for (path, candidates) in &self.files {
            let mut rest = path.as_str();
            // Those of one directory follow one another.
            while let Some((directory, _)) = rest.rsplit_once('/')
                && directory != known
            {
                if self.files.contains_key(directory) {
                    below.entry(directory).or_insert(candidates);
                }
                rest = directory;
            }
            known = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        }
        below
    }
}

fn all_equal<T>(candidates: &Candidates<Entry<T>>) -> bool {
    let first = &candidates.first.content;
    candidates.more.is_empty()
        || first.is_some()
            && candidates
                .more
                .iter()
                .all(|candidate| candidate.content == *first)
}

fn owners<T>(candidates: &Candidates<Entry<T>>) -> Vec<String> {
    candidates
        .iter()
        .map(|candidate| candidate.owner.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(candidates: &[(&str, &str, Option<u8>)], want: &str) {
        let mut tree = Tree::new();
        for (path, owner, byte) in candidates {
            let content = byte.map(|byte| Content {
                len: 1,
                hash: RecordHash::sha256([byte; 32]),
            });
            let value = format!("{path} of {owner}");
            tree.insert((*path).to_owned(), &Arc::from(*owner), content, value);
        }
        let got = match tree.resolve() {
            Ok(files) => files
                .iter()
                .map(|candidates| format!("{}, {} more\n", candidates.first, candidates.more.len()))
                .collect::<Vec<_>>(),
            Err(collisions) => collisions.iter().map(|it| format!("{it}\n")).collect(),
        };
        assert_eq!(got.concat(), want);
    }

    #[test]
    fn equal_files_are_one() {
        check(
            &[
                ("b", "W", Some(2)),
                ("a", "V", Some(1)),
                ("a", "W", Some(1)),
            ],
            "a of V, 1 more\nb of W, 0 more\n",
        );
    }

    #[test]
    fn every_collision_is_named() {
        check(
            &[
                ("a", "V", Some(1)),
                ("a", "W", Some(2)),
                ("b", "V", None),
                ("b", "W", None),
                ("c", "V", None),
                ("c-d", "V", None),
                ("c/e", "W", None),
            ],
            "`a` comes with different content from V and W\n\
             `b` comes with different content from V and W\n\
             `c` comes as a file and as a directory from V and W\n",
        );
    }
}
