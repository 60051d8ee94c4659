//! How pip is called: as it is on this machine, else as uv or nixpkgs bring it.

use std::path::{Path, PathBuf};

use crate::quoting::shell_word;
use crate::remedy::{nix_build, packages};

/// The names of pip's program.
const NAMES: [&str; 2] = ["pip", "pip3"];

/// The words that begin a command of pip, for a Python if one is named.
pub(crate) fn pip(python: Option<&str>) -> String {
    let is_there = |name: &str| directory_of(name).is_some();
    match python {
        None => any(is_there).unwrap_or_else(|| "pip".to_owned()),
        Some(python) => of_python(python, is_there),
    }
}

/// The pip of a Python, or another one that is told of it.
fn of_python(python: &str, is_there: impl Fn(&str) -> bool) -> String {
    let word = shell_word(python);
    let directory = match Path::new(python).parent() {
        Some(parent) if parent != Path::new("") => Some(parent.to_owned()),
        _ => directory_of(python),
    };
    let is_beside = |name: &str| directory.iter().any(|it| it.join(name).is_file());
    let others = || any(is_there).map(|pip| format!("{pip} --python {word}"));
    let own = || format!("{word} -m pip");
    if NAMES.into_iter().any(is_beside) {
        own()
    } else {
        others().unwrap_or_else(own)
    }
}

/// The pip of the shell, or one that is brought; `None` if nothing is there that could bring it.
fn any(is_there: impl Fn(&str) -> bool) -> Option<String> {
    if let Some(pip) = NAMES.into_iter().find(|name| is_there(name)) {
        Some(pip.to_owned())
    } else if is_there("uvx") {
        Some("uvx pip".to_owned())
    } else if is_there("nix-build") {
        let expression = format!("with {}; python3Packages.pip", packages());
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
        let python = python.to_str().unwrap();
        let with = |there: &'static [&str]| of_python(python, move |name| there.contains(&name));
        assert_eq!(with(&["pip"]), format!("pip --python {python}"));
        assert_eq!(with(&[]), format!("{python} -m pip"));
        fs_err::write(dir.path().join("pip3"), "").unwrap();
        assert_eq!(with(&["pip"]), format!("{python} -m pip"));
    }
}
