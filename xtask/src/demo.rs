//! `cargo xtask demo`: real wheels, each installed into a prefix of its own, import and compute.
//!
//! That is how packages lie in a Nix store: nothing is found by lying side by side.

mod compute;
pub(crate) mod install;
pub(crate) mod prefixes;
mod table;
mod trace;

use pico_args::Arguments;

use crate::failure::Result;
use crate::manifest::{Manifest, Set};
use crate::nixos::{self, Bed};
use crate::setup::{self, Purpose};
use crate::{arguments, build, fetch, python};

pub(crate) fn task(mut args: Arguments) -> Result {
    let set = if args.contains("--small") {
        Set::Small
    } else {
        Set::Cuda
    };
    let keep = args.contains("--keep");
    let bed = if args.contains("--nixos") {
        Some(nixos::ensure()?)
    } else {
        None
    };
    arguments::finish(args)?;
    run(set, keep, bed.as_ref())
}

/// Fetches, installs, computes and checks, and computes again in the bed if there is one; prints a
/// table of the installs.
pub(crate) fn run(set: Set, keep: bool, bed: Option<&Bed>) -> Result {
    setup::ensure(Purpose::Demo)?;
    let wheelfix = build::release()?;
    let wheels = fetch::fetch(set)?;
    let python = python::interpreter().ok_or("no suitable Python")?;
    let manifest = Manifest::read()?;

    let mut prefixes = prefixes::Prefixes::new()?;
    eprintln!("installing into {}", prefixes.dir().display());
    let mut rows = Vec::new();
    for wheel in manifest.of_set(set) {
        let job = install::Job {
            wheelfix: &wheelfix,
            python: &python,
            file: &wheels.join(&wheel.file),
        };
        rows.push(job.install(wheel, &mut prefixes)?);
    }
    table::print(&rows);

    compute::programs(&prefixes)?;
    compute::with_scipy(&python, &prefixes)?;
    if set >= Set::Cuda {
        compute::with_torch(&python, &prefixes, &manifest)?;
    }
    if let Some(bed) = bed {
        compute::in_bed(bed, set, &prefixes, &manifest)?;
    }
    prefixes.finish(keep)
}
