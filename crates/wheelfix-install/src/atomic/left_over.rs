//! Temporary files and directories of runs that were killed.
//!
//! They are known by their names, their owner, and that nobody holds their lock. A directory with a
//! journal is what is left of edits: they are taken back first.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::{Mode, OFlags, open};
use wheelfix_elf::{RANDOM_LEN, TEMPORARY};
use wheelfix_link::{Tree, TreeError};
use wheelfix_loader::{Place, STORE, existing_path};

use crate::atomic::journal::{self, Journal, in_writable};
use crate::atomic::scratch::remove_all;

/// Removes a temporary file or directory that a process left behind, after its edits were taken back; returns
/// whether it was one.
///
/// Anything that is in use, belongs to somebody else, or has another name, stays.
///
/// # Errors
///
/// Edits cannot be taken back. That something cannot be removed is not an error.
pub fn clean_up(path: &Path) -> io::Result<bool> {
    let Some(file) = take(path) else {
        return Ok(false);
    };
    if file.metadata()?.is_dir() {
        match journal::settle(path) {
            Ok(may_go) if may_go => remove_all(path),
            Ok(_) => return Ok(false),
            Err(error) => {
                let text = format!("edits that were broken off cannot be taken back: {error}");
                return Err(io::Error::new(error.kind(), text));
            }
        }
    } else {
        let directory = path.parent().unwrap_or(path);
        in_writable(directory, || fs::remove_file(path)).ok();
    }
    Ok(true)
}

/// Whether a path is a directory in which [`clean_up`] would find edits to take back.
pub(crate) fn has_edits(path: &Path) -> bool {
    take(path).is_some() && Journal::is_in(path)
}

/// Opens and locks what a process left behind; `None` for everything else.
fn take(path: &Path) -> Option<File> {
    if !path.file_name().is_some_and(is_ours) {
        return None;
    }
    let file = open_itself(path).ok()?;
    let is_own = file.metadata().ok()?.uid() == rustix::process::geteuid().as_raw();
    (is_own && file.try_lock().is_ok()).then_some(file)
}

/// Opens what lies at a path to be read: no link is followed, and nobody waits for the other end of a pipe.
pub(crate) fn open_itself(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(open(path, flags, Mode::empty())?))
}

/// Reads places by `scan` after what was left in them and above them is gone.
pub fn scan_clean(
    places: &[Place],
    scan: impl Fn(&[Place]) -> Result<Tree, TreeError>,
) -> Result<Tree, TreeError> {
    clean_up_above(places.iter().map(|place| &place.on_disk))?;
    let tree = scan(places)?;
    let mut found = false;
    for path in &tree.temporary {
        found |= clean_up(path)?;
    }
    if found { scan(places) } else { Ok(tree) }
}

/// Does the same with all in a directory.
pub(crate) fn clean_up_in(directory: &Path) -> io::Result<()> {
    // One that cannot be listed is reported by whoever needs it.
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| is_ours(&entry.file_name())) {
        clean_up(&entry.path())?;
    }
    Ok(())
}

/// Does the same in places that are to be read or edited, and in the directories above them: a run may have been about more
/// than these places, whoever has made them. The root and the store, which has very many entries, are nobody's tree.
pub fn clean_up_above<'p>(places: impl IntoIterator<Item = &'p PathBuf>) -> io::Result<()> {
    let mut directories = BTreeSet::new();
    for place in places {
        // One that is not there is reported later.
        let place = existing_path(place).unwrap_or_else(|_| place.clone());
        directories.extend(place.ancestors().map(Path::to_owned));
    }
    for directory in directories {
        let is_tree = NO_TREES.iter().all(|other| directory != Path::new(other));
        if is_tree && directory.is_dir() {
            clean_up_in(&directory)?;
        }
    }
    Ok(())
}

/// Directories that nobody edits as a tree.
const NO_TREES: [&str; 2] = ["/", STORE];

/// Whether a name is one that we give.
pub(crate) fn is_ours(name: &OsStr) -> bool {
    let end = name.as_encoded_bytes().strip_prefix(TEMPORARY.as_bytes());
    end.is_some_and(|end| end.len() == RANDOM_LEN && end.iter().all(u8::is_ascii_alphanumeric))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::{panic, thread};

    use super::*;
    use crate::atomic::journal::Home;
    use crate::atomic::scratch::Scratch;

    /// A temporary directory in which a journal names one path that was not there.
    fn journal(tree: &Path, path: &str) -> PathBuf {
        let directory = tree.join(".wheelfix-aB3dEf0123456789");
        fs::create_dir_all(&directory).unwrap();
        let bytes = path.as_bytes();
        let home = serde_json::to_string(&Home::of(&directory).unwrap()).unwrap();
        let entries = format!(r#"[{{"path": {bytes:?}, "was": "Absent"}}]"#);
        let text = format!(
            r#"{{"version": 2, "home": {home}, "entries": {entries}, "others": [], "first": null}}"#
        );
        fs::write(directory.join("journal"), text).unwrap();
        directory
    }

    #[test]
    fn only_what_was_left_behind_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let in_use = Scratch::new_in(dir.path()).unwrap();
        for name in [
            ".wheelfix-aB3dEf0123456789",
            ".wheelfix-config",
            ".wheelfix-aB3d-f0123456789",
            "x",
        ] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join(".wheelfix-file00aaaabbbbcc"), "").unwrap();
        std::os::unix::fs::symlink("x", dir.path().join(".wheelfix-link00aaaabbbbcc")).unwrap();
        clean_up_in(dir.path()).unwrap();
        let left = fs::read_dir(dir.path()).unwrap();
        let mut left: Vec<_> = left.map(|it| it.unwrap().file_name()).collect();
        left.retain(|name| Some(name.as_os_str()) != in_use.path().file_name());
        left.sort();
        let want = [
            ".wheelfix-aB3d-f0123456789",
            ".wheelfix-config",
            ".wheelfix-link00aaaabbbbcc",
            "x",
        ];
        assert_eq!(left, want);
        assert!(in_use.path().is_dir());
    }

    #[test]
    fn runs_that_clean_up_at_once_take_nothing_from_one_another() {
        let dir = tempfile::tempdir().unwrap();
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    clean_up_in(dir.path()).unwrap();
                }
            });
            let made = panic::catch_unwind(|| {
                for _ in 0..500 {
                    let scratch = Scratch::new_in(dir.path()).unwrap();
                    assert!(scratch.path().is_dir());
                    let file = wheelfix_elf::temporary_file(dir.path()).unwrap();
                    file.persist(dir.path().join("file")).unwrap();
                }
            });
            is_done.store(true, Ordering::Relaxed);
            made.unwrap();
        });
    }

    #[test]
    fn a_journal_reaches_nothing_outside_of_its_tree() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, victim) = (dir.path().join("tree"), dir.path().join("victim"));
        fs::create_dir(&tree).unwrap();
        std::os::unix::fs::symlink("..", tree.join("link")).unwrap();
        for path in [
            "../victim",
            victim.to_str().unwrap(),
            "link/victim",
            "a/../../victim",
        ] {
            fs::write(&victim, "").unwrap();
            let directory = journal(&tree, path);
            let error = clean_up(&directory).unwrap_err();
            assert!(
                error.to_string().contains("out of its tree"),
                "{path}: {error}"
            );
            assert!(victim.is_file(), "{path}");
        }
        fs::write(tree.join("own"), "").unwrap();
        let directory = journal(&tree, "own");
        assert!(clean_up(&directory).unwrap());
        assert!(!tree.join("own").is_file() && !directory.is_dir());
    }

    #[test]
    fn a_journal_counts_only_where_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, copy) = (dir.path().join("tree"), dir.path().join("copy"));
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("own"), "").unwrap();
        let directory = journal(&tree, "own");
        let name = directory.file_name().unwrap();
        fs::create_dir_all(copy.join(name)).unwrap();
        fs::write(copy.join("own"), "").unwrap();
        let text = fs::read_to_string(directory.join("journal")).unwrap();
        let check = |text: &str| {
            fs::write(copy.join(name).join("journal"), text).unwrap();
            let error = clean_up(&copy.join(name)).unwrap_err().to_string();
            assert!(copy.join("own").is_file() && copy.join(name).is_dir());
            error
        };
        assert!(check(&text).contains("was not written in this directory"));
        assert!(check(&text.replace("\"version\": 2", "\"version\": 1")).contains("version 1"));
        fs::remove_file(copy.join(name).join("journal")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", copy.join(name).join("journal")).unwrap();
        assert!(clean_up(&copy.join(name)).is_err());
    }
}
