//! The files below a path, symbolic links followed, each place once.
//!
//! Environments are trees of links, into a store or a cache. The loader opens an object by its path in
//! the environment, so that is its path here too; only what is found twice, by a link within the tree
//! or by two links to one directory, is taken once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;
use wheelfix_elf::is_temporary;
use wheelfix_loader::existing_path;

use super::Unreadable;

/// The result of a walk: directories by name, what links lead to behind what they lie beside.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// Files, by the path that leads to them from a place.
    pub files: Vec<PathBuf>,
    /// Links to files that are none of `files`: the link is the only path that leads there.
    pub outside: Vec<PathBuf>,
    /// Links to one of `files` or `outside`: path of the link, path of that.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Files and directories on their way to their final names, or left behind on it. Nothing of them is
    /// content.
    pub temporary: Vec<PathBuf>,
}

/// Whether a file name is that of a copy that uv has not finished, and leaves behind when it is interrupted: that of
/// temporary files of the crate `tempfile`.
pub(crate) fn is_half_copied(name: &str) -> bool {
    let rest = name.strip_prefix(".tmp");
    rest.is_some_and(|rest| {
        rest.len() == 6 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Such a copy, of which so much is there that it can be read as an ELF file.
pub(crate) fn half_copy(path: PathBuf) -> Unreadable {
    Unreadable {
        path,
        reason: "is a copy that was not finished".to_owned(),
        is_executable: false,
    }
}

/// Walks places, each a directory or a file.
///
/// A link to a directory above one of the places is not followed, and nothing that leads nowhere.
///
/// # Errors
///
/// A place does not exist, or a directory cannot be listed.
pub fn walk(places: &[PathBuf]) -> Result<Walk, walkdir::Error> {
    let mut walker = Walker::default();
    for place in places {
        // That a place is not there is an error of the walk.
        let real = existing_path(place).unwrap_or_else(|_| place.clone());
        walker
            .above
            .extend(real.ancestors().skip(1).map(Path::to_path_buf));
        walker.add(place.clone(), real);
    }
    while let Some(real) = walker.pending.pop_front() {
        walker.walk_root(&real)?;
    }
    Ok(walker.finish())
}

#[derive(Default)]
struct Walker {
    /// Where directories are reached that are walked, by their real paths.
    roots: BTreeMap<PathBuf, PathBuf>,
    /// Real paths of those that were not walked yet.
    pending: VecDeque<PathBuf>,
    /// Directories above the places.
    above: BTreeSet<PathBuf>,
    files: Vec<PathBuf>,
    /// Links to files, and where they lead.
    links: Vec<(PathBuf, PathBuf)>,
    temporary: Vec<PathBuf>,
}

impl Walker {
    fn add(&mut self, path: PathBuf, real: PathBuf) {
        if !self.roots.contains_key(&real) {
            self.pending.push_back(real.clone());
            self.roots.insert(real, path);
        }
    }

    /// Walks one root; directories that links lead to become roots.
    fn walk_root(&mut self, real: &Path) -> Result<(), walkdir::Error> {
        let Some(root) = self.roots.get(real).cloned() else {
            return Ok(());
        };
        let is_other_root = |path: &Path| {
            let inside = path.strip_prefix(&root).unwrap_or(path);
            !inside.as_os_str().is_empty() && self.roots.contains_key(&real.join(inside))
        };
        let (mut files, mut links, mut temporary) = (Vec::new(), Vec::new(), Vec::new());
        let entries = WalkDir::new(&root).sort_by_file_name().into_iter();
        for entry in entries.filter_entry(|entry| {
            if entry.depth() != 0 && is_temporary(entry.file_name()) {
                temporary.push(entry.path().to_owned());
                return false;
            }
            !entry.file_type().is_dir() || !is_other_root(entry.path())
        }) {
            let entry = entry?;
            // A place may be a link to a file, which is opened by that name.
            let is_named = entry.depth() == 0 && entry.path().is_file();
            if is_named || entry.file_type().is_file() {
                files.push(entry.into_path());
            } else if entry.file_type().is_symlink() && entry.depth() != 0 {
                links.push(entry.into_path());
            }
        }
        self.files.append(&mut files);
        self.temporary.append(&mut temporary);
        for link in links {
            // A link that leads nowhere or in a circle provides nothing.
            let Ok(target) = existing_path(&link) else {
                continue;
            };
            if target.is_file() {
                self.links.push((link, target));
            } else if target.is_dir()
                && !self.above.contains(&target)
                && self.reached(&target).is_none()
            {
                self.add(link, target);
            }
        }
        Ok(())
    }

    /// Where something is reached that lies below a root.
    fn reached(&self, real: &Path) -> Option<PathBuf> {
        let (root, path) = real
            .ancestors()
            .find_map(|ancestor| self.roots.get_key_value(ancestor))?;
        let inside = real.strip_prefix(root).ok()?;
        // Joining an empty path would add a `/` at the end.
        Some(if inside.as_os_str().is_empty() {
            path.clone()
        } else {
            path.join(inside)
        })
    }

    /// Tells links within what was walked from links that lead out of it. Of several in one directory
    /// to one file the first with the name of that file counts, or else the first.
    fn finish(self) -> Walk {
        let mut walk = Walk::default();
        let mut out: BTreeMap<(PathBuf, &PathBuf), Vec<&PathBuf>> = BTreeMap::new();
        for (link, target) in &self.links {
            if let Some(file) = self.reached(target) {
                walk.links.push((link.clone(), file));
            } else {
                let directory = link.parent().unwrap_or(link).to_path_buf();
                out.entry((directory, target)).or_default().push(link);
            }
        }
        for ((_, target), links) in out {
            let own = links
                .iter()
                .find(|link| link.file_name() == target.file_name());
            let Some(first) = own.or(links.first()).copied() else {
                continue;
            };
            walk.outside.push(first.clone());
            let others = links.iter().filter(|link| **link != first);
            walk.links
                .extend(others.map(|link| ((*link).clone(), first.clone())));
        }
        walk.files = self.files;
        walk.temporary = self.temporary;
        walk
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory; a name that ends in `/` is a directory, `a -> b` a link, any other a file.
    fn sandbox(entries: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let root = existing_path(dir.path()).unwrap();
        for entry in entries {
            let (name, target) = entry.split_once(" -> ").unwrap_or((entry, ""));
            let path = root.join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            match target {
                "" => fs_err::write(path, "").unwrap(),
                target => symlink(target.replace("ROOT", root.to_str().unwrap()), path).unwrap(),
            }
        }
        (dir, root)
    }

    #[track_caller]
    fn check(entries: &[&str], want: &[&str]) {
        let (_guard, root) = sandbox(entries);
        let found = walk(&[root.join("place")]).unwrap();
        let name = |path: &PathBuf| path.strip_prefix(&root).unwrap().display().to_string();
        let mut got: Vec<String> = found.files.iter().map(name).collect();
        got.extend(
            found
                .outside
                .iter()
                .map(|path| format!("out {}", name(path))),
        );
        let links = found.links.iter();
        got.extend(links.map(|(link, file)| format!("{} -> {}", name(link), name(file))));
        assert_eq!(got, want);
    }

    #[test]
    fn links_out_are_followed() {
        check(
            &[
                "store/x/lib/libx.so.1.2",
                "store/x/lib/libx.so.1 -> libx.so.1.2",
                "store/y/file",
                "place/y -> ROOT/store/y",
                "place/lib/libx.so -> ROOT/store/x/lib/libx.so.1",
                "place/lib/libx.so.1 -> ROOT/store/x/lib/libx.so.1",
                "place/lib/libx.so.1.2 -> ROOT/store/x/lib/libx.so.1.2",
            ],
            &[
                "place/y/file",
                "out place/lib/libx.so.1.2",
                "place/lib/libx.so -> place/lib/libx.so.1.2",
                "place/lib/libx.so.1 -> place/lib/libx.so.1.2",
            ],
        );
    }

    #[test]
    fn each_place_is_walked_once() {
        check(
            &[
                "store/x/sub/file",
                "store/x/other -> sub",
                "place/a -> ../store/x/sub",
                "place/b -> ../store/x",
                "place/c -> ../store/x/sub/",
                "place/lib/file",
                "place/lib64 -> lib",
                "place/one -> lib/file",
                "place/two -> ../store/x/sub/file",
            ],
            &[
                "place/lib/file",
                "place/a/file",
                "place/one -> place/lib/file",
                "place/two -> place/a/file",
            ],
        );
    }

    #[test]
    fn a_place_may_be_a_link_to_a_file() {
        let (_guard, root) = sandbox(&["store/x.so", "place/x.so -> ../store/x.so"]);
        let place = root.join("place/x.so");
        let found = walk(std::slice::from_ref(&place)).unwrap();
        assert_eq!(found.files, [place]);
    }

    #[test]
    fn circles_and_what_leads_nowhere_are_left() {
        check(
            &[
                "place/file",
                "place/up -> ..",
                "place/all -> /",
                "place/self -> self",
                "place/none -> nothing",
                "place/sub/back -> ..",
                "store/x/place -> ROOT/place",
                "place/x -> ../store/x",
            ],
            &["place/file"],
        );
    }
}
