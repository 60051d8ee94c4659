//! A second Python for the tests under Nix, and its wheels: `test-wheels/python313.toml`.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::apt::Apt;
use crate::failure::Result;
use crate::manifest::{Listed, Wheel};
use crate::nix::{Nix, store};
use crate::{digest, fetch, place, program};

/// The list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecondPython {
    /// Its version.
    python: String,
    /// The release of Debian that has it.
    release: String,
    /// Its packages, and those of the libraries that it needs.
    packages: Vec<String>,
    #[serde(rename = "wheel")]
    wheels: Vec<Listed>,
}

fn list() -> Result<SecondPython> {
    let path = "test-wheels/python313.toml";
    let text = fs_err::read_to_string(place::root().join(path))?;
    Ok(toml::from_str(&text).map_err(|error| format!("{path}: {error}"))?)
}

/// Puts its wheels into the store, as those of the other one are.
pub(crate) fn add_wheels(nix: &Nix) -> Result {
    let list = list()?;
    let wheels: Vec<Wheel> = list.wheels.into_iter().map(Wheel::from).collect();
    let dir = fetch::bring(&list.python, &wheels.iter().collect::<Vec<_>>())?;
    wheels
        .iter()
        .try_for_each(|wheel| store::add(nix, &dir.join(&wheel.file), &wheel.sha256))
}

/// The directory in which its packages are unpacked; made at the first call.
pub(crate) fn ensure() -> Result<PathBuf> {
    let list = list()?;
    let _lock = place::lock("python")?;
    let key = format!("{} {}", list.release, list.packages.join(" "));
    let key = digest::hex(&Sha256::digest(key));
    let name = format!("python-{}", key.get(..12).unwrap_or_default());
    let dir = place::cache()?.join(name);
    // Appears when all is there.
    let root = dir.join("root");
    if !root.is_dir() {
        unpack(&list, &dir, &root)?;
    }
    Ok(root)
}

fn unpack(list: &SecondPython, dir: &Path, root: &Path) -> Result {
    if program::find("apt-get").is_none() {
        return Err("a second Python is made of Debian's packages: it needs apt-get".into());
    }
    place::remove(dir)?;
    let partial = dir.join("partial");
    let apt = Apt::new(&dir.join("apt"), &list.release, "amd64")?;
    apt.unpack(&list.packages, &partial)?;
    fs_err::remove_dir_all(dir.join("apt"))?;
    Ok(fs_err::rename(partial, root)?)
}
