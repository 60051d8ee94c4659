//! nixpkgs' auto-patchelf beside wheelfix: the program itself, given the same directories and no flag.
//!
//! It edits pip's copy; the wheels that are required beside it are wheelfix's copies, of which it may use every directory
//! that has libraries.
//!
//! <https://github.com/NixOS/nixpkgs/tree/25.11/pkgs/by-name/au/auto-patchelf>

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use crate::corpus::copies::Copies;
use crate::corpus::list::Project;
use crate::corpus::probe::Request;
use crate::failure::Result;
use crate::{digest, place, program, python};

/// The result for a project.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PeerOutcome {
    /// Edited, and it can be used.
    Works,
    /// Edited, and it cannot be used.
    DoesNotWork,
    /// Refused: it asks for libraries, or for a flag.
    Refused,
}

/// An outcome that is kept.
#[derive(Debug, Deserialize, Serialize)]
struct Kept {
    key: String,
    outcome: PeerOutcome,
    /// Its errors, or why the use failed.
    reason: String,
}

/// nixpkgs' auto-patchelf.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The script.
    pub(crate) script: PathBuf,
}

/// A wheel that it is to make usable.
pub(crate) struct Task<'task> {
    pub(crate) copies: &'task Copies<'task>,
    pub(crate) project: &'task Project,
    /// The directories of libraries that it may use.
    pub(crate) libraries: &'task [PathBuf],
    /// The key of wheelfix's outcome.
    pub(crate) key: &'task str,
}

impl Peer {
    /// The result for a wheel, perhaps that of an earlier run.
    pub(crate) fn judge(&self, task: &Task<'_>) -> Result<PeerOutcome> {
        let key = format!("{} {}", task.key, digest::of_file(&self.script)?);
        let key = digest::hex(&Sha256::digest(key));
        let file = task.copies.work.join("results");
        let file = file.join(format!("{}.peer.json", task.project.name));
        let known = fs_err::read(&file).ok();
        let known: Option<Kept> = known.and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(known) = known.filter(|known| known.key == key) {
            return Ok(known.outcome);
        }
        let (outcome, reason) = self.run(task)?;
        let kept = Kept {
            key,
            outcome,
            reason,
        };
        fs_err::write(&file, serde_json::to_vec_pretty(&kept)?)?;
        Ok(outcome)
    }

    fn run(&self, task: &Task<'_>) -> Result<(PeerOutcome, String)> {
        let Task {
            copies, project, ..
        } = task;
        let mut siblings: Vec<PathBuf> = Vec::new();
        for file in &project.siblings {
            let lib_paths = [&siblings[..], task.libraries].concat();
            siblings.push(copies.sibling(file, &lib_paths)?);
        }
        let prefix = copies.work.join("peer").join(&project.name);
        place::empty(&prefix)?;
        let mut copy = Command::new("cp");
        copy.args(["--archive", "--no-target-directory"]);
        program::output(copy.arg(copies.control(&project.wheel)?).arg(&prefix))?;
        let output = self.command(task, &siblings, &prefix)?.output()?;
        let answer = if output.status.success() {
            let places = [siblings, vec![prefix.clone()]].concat();
            let answer = Request::of_use(copies.bed, project, &places).ask(copies.bed)?;
            match answer.error() {
                None => (PeerOutcome::Works, String::new()),
                Some(error) => (PeerOutcome::DoesNotWork, error.to_owned()),
            }
        } else {
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            let errors = text.lines().filter(|line| line.starts_with("error: "));
            let errors: Vec<&str> = errors.take(20).collect();
            (PeerOutcome::Refused, errors.join("\n"))
        };
        fs_err::remove_dir_all(&prefix)?;
        Ok(answer)
    }

    fn command(&self, task: &Task<'_>, siblings: &[PathBuf], prefix: &Path) -> Result<Command> {
        let support = task.copies.work.join("bintools/nix-support");
        fs_err::create_dir_all(&support)?;
        let loader = task.copies.bed.loader();
        let libc = loader.ancestors().nth(2).unwrap_or(Path::new("/"));
        fs_err::write(
            support.join("dynamic-linker"),
            loader.to_string_lossy().as_bytes(),
        )?;
        fs_err::write(support.join("orig-libc"), libc.to_string_lossy().as_bytes())?;
        let tools = python::tools()?;
        let mut command = Command::new(tools.join("python3"));
        command.env("NIX_BINTOOLS", task.copies.work.join("bintools"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(tools).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path)?);
        command.arg(&self.script).arg("--paths").arg(prefix);
        command.arg("--libs").args(task.libraries);
        for sibling in siblings {
            command.args(library_directories(sibling)?);
        }
        Ok(command)
    }
}

/// The directories of a prefix that have shared libraries, sorted.
fn library_directories(prefix: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut directories = BTreeSet::new();
    for entry in WalkDir::new(prefix) {
        let entry = entry?;
        let is_library = entry.file_name().to_string_lossy().contains(".so");
        if let Some(directory) = entry.path().parent().filter(|_| is_library) {
            directories.insert(directory.to_path_buf());
        }
    }
    Ok(directories)
}
