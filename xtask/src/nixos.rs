//! `cargo xtask nixos`: the bed, a place shaped like NixOS in which programs run.
//!
//! Half of what users of NixOS report cannot be seen on plain Debian, whose loader and libraries lie
//! where every program looks for them. In the bed `/lib64` is empty, or has a loader that does not
//! run; each library lies in a prefix of its own, as in a store; and a Python is started by a loader
//! in such a prefix. The tests enter it with `wheelfix_testkit::nixos`.

mod bed;
mod packages;

use std::ffi::OsString;
use std::process::Command;

use pico_args::Arguments;

pub(crate) use self::bed::Bed;
use crate::failure::Result;
use crate::setup::{self, Purpose};
use crate::{arguments, build, digest, program};

pub(crate) fn task(args: Arguments) -> Result {
    let mut words = args.finish();
    let separator = words.iter().position(|word| word == "--");
    let command = separator.map(|index| words.split_off(index).split_off(1));
    let mut args = Arguments::from_vec(words);
    let loader = args.opt_value_from_fn("--loader", loader)?;
    arguments::finish(args)?;
    let bed = ensure()?;
    match command.as_deref() {
        Some([name, rest @ ..]) => enter(&bed, loader.unwrap_or("none"), name, rest),
        Some([]) => Err("nothing follows `--`: name a program".into()),
        None => bed.describe(),
    }
}

/// Makes the bed, unless it is there.
pub(crate) fn ensure() -> Result<Bed> {
    setup::ensure(Purpose::Tests)?;
    Bed::ensure(&build::debug()?)
}

/// The digest of the list that the bed is made of.
pub(crate) fn key() -> Result<String> {
    Ok(digest::of_file(&packages::list())?)
}

fn loader(name: &str) -> std::result::Result<&'static str, String> {
    ["none", "stub"]
        .into_iter()
        .find(|known| *known == name)
        .ok_or_else(|| "expected `none` or `stub`".to_owned())
}

/// Runs a program with our own input and output.
fn enter(bed: &Bed, loader: &str, name: &OsString, rest: &[OsString]) -> Result {
    let mut command = Command::new(bed.enter());
    command.arg(loader).arg(name).args(rest);
    let text = program::show(&command);
    let status = command
        .status()
        .map_err(|error| format!("failed to run `{text}`: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{text}`: {status}").into())
    }
}
