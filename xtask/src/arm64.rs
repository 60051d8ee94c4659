//! `cargo xtask arm64`: what tests need of 64-bit Arm, which is `test-wheels/arm64.toml`.

use std::path::PathBuf;

use pico_args::Arguments;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::apt::Apt;
use crate::failure::Result;
use crate::manifest::Listed;
use crate::{arguments, digest, fetch, place, program};

/// The list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arm64 {
    /// The CPython that the wheels are chosen for.
    python: String,
    /// The release of Debian that has it.
    release: String,
    /// Packages of a system that is unpacked, with that Python.
    system: Vec<String>,
    /// Packages of libraries, which lie apart.
    libraries: Vec<String>,
    #[serde(rename = "wheel")]
    wheels: Vec<Listed>,
}

pub(crate) fn task(args: Arguments) -> Result {
    arguments::finish(args)?;
    let dir = ensure()?;
    eprintln!("the system is in {}", dir.display());
    Ok(())
}

/// Brings wheels, libraries and the system; returns the directory of the last two.
pub(crate) fn ensure() -> Result<PathBuf> {
    let text = fs_err::read_to_string(place::root().join("test-wheels/arm64.toml"))?;
    let list: Arm64 =
        toml::from_str(&text).map_err(|error| format!("test-wheels/arm64.toml: {error}"))?;
    fetch::listed(&list.python, &list.wheels, &|_| true)?;
    let _lock = place::lock("arm64")?;
    let key = digest::hex(&Sha256::digest(&text));
    let name = format!("arm64-{}", key.get(..12).unwrap_or_default());
    let dir = place::cache()?.join(name);
    // Written last.
    let marker = dir.join("complete");
    if marker.is_file() {
        return Ok(dir);
    }
    if program::find("apt-get").is_none() {
        return Err("the system is made of Debian's packages: it needs apt-get".into());
    }
    place::remove(&dir)?;
    let apt = Apt::new(&dir.join("apt"), &list.release, "arm64")?;
    apt.unpack(&list.system, &dir.join("system"))?;
    apt.unpack(&list.libraries, &dir.join("libraries"))?;
    fs_err::remove_dir_all(dir.join("apt"))?;
    fs_err::write(marker, "")?;
    Ok(dir)
}
