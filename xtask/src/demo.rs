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
use crate::manifest::{Manifest, Set, Wheel};
use crate::nixos::{self, Bed};
use crate::setup::{self, Purpose};
use crate::{arguments, build, disk, fetch, place, python};

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
    let manifest = Manifest::read()?;
    announce(&manifest, set)?;
    let megabytes = megabytes(&manifest, set);
    disk::ensure(disk::of_demo(megabytes)?)?;
    setup::ensure(Purpose::Demo)?;
    let wheelfix = build::release()?;
    let wheels = fetch::fetch(set)?;
    let python = python::interpreter().ok_or("no suitable Python")?;

    let mut prefixes = prefixes::Prefixes::new()?;
    eprintln!("installing into {}", prefixes.dir().display());
    let mut rows = Vec::new();
    table::head();
    for wheel in manifest.of_set(set) {
        let job = install::Job {
            wheelfix: &wheelfix,
            python: &python,
            file: &wheels.join(&wheel.file),
        };
        let row = job.install(wheel, &mut prefixes)?;
        table::row(&row);
        rows.push(row);
    }
    table::sum(&rows);

    compute::programs(&prefixes)?;
    compute::with_scipy(&python, &prefixes)?;
    if set >= Set::Cuda {
        compute::with_torch(&python, &prefixes, &manifest)?;
    }
    if let Some(bed) = bed {
        compute::in_bed(bed, set, &prefixes, &manifest)?;
    }
    let runtimes = prefixes.runtimes().to_owned();
    prefixes.finish(keep)?;
    if let Some(wheel) = manifest.of_set(set).find(|wheel| wheel.name() == "numpy") {
        let file = wheels.join(&wheel.file);
        let (wheelfix, python) = (wheelfix.display(), python.display());
        let (runtimes, file) = (runtimes.display(), file.display());
        println!(
            "all of it works. Try it:\n  {wheelfix} env --prefix demo-env --python {python} \
             --lib-path {runtimes} {file} && demo-env/bin/python -c 'import numpy; print(numpy.eye(2))'"
        );
    }
    Ok(())
}

/// The size of all wheels of a set.
fn megabytes(manifest: &Manifest, set: Set) -> u64 {
    manifest.of_set(set).map(|wheel| wheel.size).sum::<u64>() / 1_000_000
}

/// Says what the demo takes, before it takes it.
fn announce(manifest: &Manifest, set: Set) -> Result {
    let wheels: Vec<&Wheel> = manifest.of_set(set).collect();
    let megabytes = megabytes(manifest, set);
    eprintln!(
        "{} wheels ({megabytes} MB, kept in {}) are unpacked below {} (three times that, gone at the end), \
         by a program that is compiled before (2 GB in {}, some minutes the first time)",
        wheels.len(),
        place::cache()?.display(),
        place::target().join("demo").display(),
        place::target().join("release").display(),
    );
    Ok(())
}
