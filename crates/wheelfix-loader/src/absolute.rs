//! From a path as somebody wrote it to the one name of its place.
//!
//! Nothing else makes paths absolute, so that every way to name a place names the same place. The
//! names differ in what becomes of symbolic links: [`real_path`] follows all of them, as what is made
//! or read there should not depend on how it was reached; [`absolute_path`] keeps them where they are
//! meant, as in a link of a profile, or that of the driver.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

/// How many links the kernel follows before it takes them for a loop: `MAXSYMLINKS`.
const MAX_LINKS: usize = 40;

/// The same path, absolute and without `.`, `..` and doubled or trailing slashes.
///
/// Links stay, but for one before a `..`: the parent is that of the directory which it leads to, as
/// for the kernel. Nothing of it need exist.
///
/// # Errors
///
/// The current directory is gone, or a link before a `..` cannot be followed.
pub fn absolute_path(path: &Path) -> io::Result<PathBuf> {
    let mut absolute = PathBuf::from("/");
    for component in std::path::absolute(path)?.components() {
        match component {
            Component::Normal(name) => absolute.push(name),
            Component::ParentDir => {
                if absolute.is_symlink() {
                    absolute = real_path(&absolute)?;
                }
                absolute.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Ok(absolute)
}

/// Where a path leads: absolute, without `.`, `..` and symbolic links. What is not there yet is taken
/// for directories to be made, also behind a link that dangles.
///
/// # Errors
///
/// The current directory is gone, a directory on the way cannot be searched, a file is in the way, or
/// links lead in a circle.
pub fn real_path(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let mut pending: Vec<OsString> = reversed(&absolute);
    let mut real = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = pending.pop() {
        if name == ".." {
            real.pop();
            continue;
        }
        real.push(name);
        let metadata = match fs_err::symlink_metadata(&real) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_symlink() {
            links += 1;
            if MAX_LINKS < links {
                let error = io::Error::from(rustix::io::Errno::LOOP);
                let text = format!(
                    "failed to follow the links of `{}`: {error}",
                    path.display()
                );
                return Err(io::Error::new(error.kind(), text));
            }
            let target = fs_err::read_link(&real)?;
            real.pop();
            if target.is_absolute() {
                real = PathBuf::from("/");
            }
            pending.extend(reversed(&target));
        } else if !metadata.is_dir() && !pending.is_empty() {
            let text = format!("`{}` is not a directory", real.display());
            return Err(io::Error::new(ErrorKind::NotADirectory, text));
        }
    }
    Ok(real)
}

/// Where a path leads that must exist, as [`real_path`].
///
/// # Errors
///
/// It does not exist, or the kernel cannot follow it.
pub fn existing_path(path: &Path) -> io::Result<PathBuf> {
    match fs_err::canonicalize(path) {
        Ok(real) => Ok(real),
        Err(error) => {
            let text = match error.kind() {
                ErrorKind::NotFound => format!("`{}`: no such file or directory", path.display()),
                _ => error.to_string(),
            };
            Err(io::Error::new(error.kind(), text))
        }
    }
}

/// The names in a path, last first; `..` is one of them.
fn reversed(path: &Path) -> Vec<OsString> {
    let names = path
        .components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with `real/child`, `link` to `real/child`, `dangling` to `none/x`, `loop` to itself
    /// and a `file`.
    fn sandbox() -> (tempfile::TempDir, PathBuf) {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let root = fs_err::canonicalize(dir.path()).unwrap();
        fs_err::create_dir_all(root.join("real/child")).unwrap();
        fs_err::write(root.join("file"), "").unwrap();
        symlink("real/child", root.join("link")).unwrap();
        symlink(root.join("none/x"), root.join("dangling")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        (dir, root)
    }

    #[test]
    fn every_spelling_leads_to_one_place() {
        let (_guard, root) = sandbox();
        for (path, real, absolute) in [
            ("real/child/x", "real/child/x", "real/child/x"),
            ("real//child/./x/", "real/child/x", "real/child/x"),
            ("real/../real/child/x", "real/child/x", "real/child/x"),
            ("none/../real/child/x", "real/child/x", "real/child/x"),
            ("link/x", "real/child/x", "link/x"),
            ("link/../child/x", "real/child/x", "real/child/x"),
            ("link/../../link", "real/child", "link"),
            ("dangling/y", "none/x/y", "dangling/y"),
            ("dangling/../y", "none/y", "none/y"),
            ("file/.", "file", "file"),
        ] {
            let path = root.join(path);
            assert_eq!(real_path(&path).unwrap(), root.join(real), "{path:?}");
            let got = absolute_path(&path).unwrap();
            assert_eq!(got, root.join(absolute), "{path:?}");
        }
        assert_eq!(real_path(Path::new("/../..")).unwrap(), Path::new("/"));
    }

    #[test]
    fn the_kernel_agrees_where_all_is_there() {
        let (_guard, root) = sandbox();
        for path in [
            "link/..",
            "link/../child/../..",
            "real/./child//../child",
            ".",
        ] {
            let path = root.join(path);
            let kernel = fs_err::canonicalize(&path).unwrap();
            assert_eq!(real_path(&path).unwrap(), kernel, "{path:?}");
            let absolute = absolute_path(&path).unwrap();
            assert_eq!(fs_err::canonicalize(absolute).unwrap(), kernel, "{path:?}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        let (_guard, root) = sandbox();
        for path in ["loop/x", "file/x", "file/../x"] {
            assert!(real_path(&root.join(path)).is_err(), "{path}");
        }
        let error = existing_path(&root.join("none")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(
            error
                .to_string()
                .ends_with("/none`: no such file or directory")
        );
    }
}
