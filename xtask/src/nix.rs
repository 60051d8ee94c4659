//! Nix: a machine that has none gets one beside the host, in the cache directory.
//!
//! No daemon, no build users, no binary cache; the sandbox is on. A Nix that the machine has already
//! is used as it is, with our configuration.

pub(crate) mod against;
pub(crate) mod debian;
pub(crate) mod host;
pub(crate) mod lint;
pub(crate) mod rodeo;
pub(crate) mod second_python;
pub(crate) mod sources;
pub(crate) mod store;
pub(crate) mod test;
pub(crate) mod uv_lock;
pub(crate) mod variants;

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Result;
use crate::{place, program, python};

/// A Nix that works, and how to call it.
#[derive(Debug)]
pub(crate) struct Nix {
    /// Where its programs are.
    bin: PathBuf,
    /// The directory of `nix.conf`.
    conf: PathBuf,
    /// Whether it was brought for the tests.
    is_ours: bool,
}

/// The paths of the host that builders of the tests see: the programs and libraries of Debian.
const SANDBOX_PATHS: &[&str] = &["/bin", "/lib", "/lib64", "/usr", "/etc/alternatives"];

impl Nix {
    /// Finds a Nix, or brings one.
    pub(crate) fn ensure() -> Result<Self> {
        let _lock = place::lock("nix")?;
        let there = program::find("nix-build");
        let is_ours = there.is_none();
        let bin = match there {
            Some(path) => path.parent().map(PathBuf::from).unwrap_or_default(),
            None => debian::ensure()?,
        };
        let conf = place::cache()?.join("nix-conf");
        fs_err::create_dir_all(&conf)?;
        let text = format!(
            "build-users-group =\nsubstituters =\nflake-registry =\n\
            experimental-features = nix-command flakes\nsandbox = true\n\
            sandbox-paths = {}\nmax-jobs = 2\n",
            sandbox_paths()?
        );
        fs_err::write(conf.join("nix.conf"), text)?;
        let nix = Self { bin, conf, is_ours };
        let version = program::output(nix.command("nix-build").arg("--version"))?;
        eprintln!("{} in {}", version.trim_end(), nix.bin.display());
        Ok(nix)
    }

    /// Frees what the tests have built, on a machine whose store is for them alone.
    pub(crate) fn collect_garbage(&self) -> Result {
        if self.is_ours {
            program::output(&mut self.command("nix-collect-garbage")).map(drop)
        } else {
            eprintln!("what was built stays in the store: nix-collect-garbage frees it");
            Ok(())
        }
    }

    /// One of Nix's programs.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.env("NIX_CONF_DIR", &self.conf);
        command
    }
}

/// The paths of the host that builders see; with the Python, if it is elsewhere.
fn sandbox_paths() -> Result<String> {
    let mut paths: Vec<String> = SANDBOX_PATHS
        .iter()
        .map(|path| (*path).to_owned())
        .collect();
    let python = python::interpreter()
        .ok_or_else(|| format!("no CPython {}: run `cargo xtask setup`", python::VERSION))?;
    let python = fs_err::canonicalize(python)?;
    if !python.starts_with("/usr")
        && let Some(prefix) = python.ancestors().nth(2)
    {
        paths.push(prefix.display().to_string());
    }
    Ok(paths.join(" "))
}
