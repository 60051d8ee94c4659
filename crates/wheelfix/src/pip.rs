//! How pip is called: as it is on this machine, else as uv or nixpkgs bring it.

use std::path::{Path, PathBuf};

use crate::nixpkgs::packages;
use crate::quoting::shell_word;
use crate::remedy::nix_build;

/// The names of pip's program.
const NAMES: [&str; 2] = ["pip", "pip3"];

/// The words that begin a command of pip, for the Python of the command line if one is named.
pub(crate) fn pip() -> String {
    let is_there = |name: &str| directory_of(name).is_some();
    let python = python_of(std::env::args_os().filter_map(|word| word.into_string().ok()));
    let python = python.and_then(|python| Some((whole(&python)?, python)));
    match python {
        None => any(is_there).unwrap_or_else(|| "pip".to_owned()),
        Some((path, python)) => of_python(&python, &path, is_there),
    }
}

/// The value of `--python`; `None` without one.
fn python_of(mut words: impl Iterator<Item = String>) -> Option<String> {
    while let Some(word) = words.next() {
        if word == "--python" {
            return words.next();
        }
        if let Some(python) = word.strip_prefix("--python=") {
            return Some(python.to_owned());
        }
    }
    None
}

/// The path of a Python: pip does not look for one on `PATH`. `None` if it is not there.
fn whole(python: &str) -> Option<PathBuf> {
    let path = if python.contains('/') {
        PathBuf::from(python)
    } else {
        directory_of(python)?.join(python)
    };
    path.is_file().then_some(path)
}

/// The pip of a Python at a path, or another one that is told of it.
fn of_python(python: &str, path: &Path, is_there: impl Fn(&str) -> bool) -> String {
    let own = || format!("{} -m pip", shell_word(python));
    if NAMES
        .into_iter()
        .any(|name| path.with_file_name(name).is_file())
    {
        return own();
    }
    let path = shell_word(&path.to_string_lossy());
    let other = any(is_there).map(|pip| format!("{pip} --python {path}"));
    other.unwrap_or_else(own)
}

/// The pip of the shell, or one that is brought; `None` if nothing is there that could bring it.
fn any(is_there: impl Fn(&str) -> bool) -> Option<String> {
    if let Some(pip) = NAMES.into_iter().find(|name| is_there(name)) {
        Some(pip.to_owned())
    } else if is_there("uvx") {
        Some("uvx pip".to_owned())
    } else if is_there("nix-build") {
        let expression = format!("with {}; python3Packages.pip", packages([]));
        Some(format!("{}/bin/pip", nix_build(&expression, "")))
    } else {
        None
    }
}

/// The directory in which a shell finds a program.
pub(crate) fn directory_of(name: impl AsRef<Path>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find(|directory| directory.join(&name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_brings_pip_is_asked_where_there_is_none() {
        let with = |there: &'static [&str]| any(move |name| there.contains(&name));
        assert_eq!(with(&["uvx", "pip3"]).as_deref(), Some("pip3"));
        assert_eq!(with(&["uvx", "nix-build"]).as_deref(), Some("uvx pip"));
        assert_eq!(
            with(&["nix-build"]).as_deref(),
            Some(
                "\"$(nix-build --no-out-link -E 'with import <nixpkgs> { }; python3Packages.pip')\"/bin/pip"
            )
        );
        assert_eq!(with(&[]), None);
    }

    #[test]
    fn a_python_without_pip_is_told_to_another() {
        let dir = tempfile::tempdir().unwrap();
        let python = dir.path().join("python3");
        let of =
            |there: &'static [&str]| of_python("python3", &python, |name| there.contains(&name));
        let path = python.display();
        assert_eq!(of(&["pip"]), format!("pip --python {path}"));
        assert_eq!(of(&[]), "python3 -m pip");
        fs_err::write(dir.path().join("pip3"), "").unwrap();
        assert_eq!(of(&["pip"]), "python3 -m pip");
    }

    #[test]
    fn the_python_is_the_one_that_is_named() {
        let of = |words: &[&str]| python_of(words.iter().map(|word| (*word).to_owned()));
        assert_eq!(of(&["env", "--python", "a"]).as_deref(), Some("a"));
        assert_eq!(
            of(&["env", "--python=b", "--python", "a"]).as_deref(),
            Some("b")
        );
        assert_eq!(of(&["env", "--python-version", "3.11"]), None);
    }
}
