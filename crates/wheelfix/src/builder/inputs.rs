//! Propagated inputs of store paths, as nixpkgs writes them: `nix-support/propagated-build-inputs`.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

const FILE: &str = "nix-support/propagated-build-inputs";

/// The paths and those that they propagate, nearest first, each once.
pub(crate) fn closure<'a>(roots: impl Iterator<Item = &'a Path>) -> io::Result<Vec<PathBuf>> {
    let mut queue: VecDeque<PathBuf> = roots.map(Path::to_owned).collect();
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    while let Some(path) = queue.pop_front() {
        if !seen.insert(path.clone()) {
            continue;
        }
        match fs::read_to_string(path.join(FILE)) {
            Ok(text) => queue.extend(text.split_whitespace().map(PathBuf::from)),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(error),
        }
        found.push(path);
    }
    Ok(found)
}

/// Writes the paths that an output propagates.
pub(crate) fn write<'a>(output: &Path, paths: impl IntoIterator<Item = &'a str>) -> io::Result<()> {
    let words: Vec<&str> = paths.into_iter().collect();
    if words.is_empty() {
        return Ok(());
    }
    let file = output.join(FILE);
    fs::create_dir_all(file.parent().unwrap_or(output))?;
    fs::write(file, words.join(" ") + "\n")
}

/// Whether an error says that a path is a file, or propagates nothing.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| dir.path().join(name));
        write(&a, [b.to_str().unwrap(), c.to_str().unwrap()]).unwrap();
        write(&b, [c.to_str().unwrap(), a.to_str().unwrap()]).unwrap();
        fs::write(&c, "a file").unwrap();
        let got = closure([b.as_path(), c.as_path()].into_iter()).unwrap();
        assert_eq!(got, [b, c, a]);
    }

    #[test]
    fn nothing_is_written_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), []).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
