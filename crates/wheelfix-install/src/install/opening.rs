//! The wheels of an installation, opened: all that cannot be used is told at once.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use rayon::prelude::*;
use wheelfix_loader::existing_path;
use wheelfix_wheel::{OpenOptions, Wheel};

use crate::event::{Event, Listener, Phase};
use crate::install::InstallRequest;
use crate::pipeline::error::{PipelineError, Refusal, RefusedWheel};

/// An error if a wheel could not be read to its end: it explains all others.
pub(crate) fn check_sources(wheels: &[Wheel]) -> io::Result<()> {
    wheels.iter().try_for_each(Wheel::check_source)
}

/// Opens all wheels and compares their tags with the target; all faults at once.
pub(crate) fn open(
    request: &InstallRequest,
    listener: &Listener<'_>,
) -> Result<Vec<Wheel>, PipelineError> {
    listener(Event::Phase {
        phase: Phase::Read,
        bytes: 0,
    });
    let options = OpenOptions {
        limits: request.wheel_options.limits,
        accept_mismatch: request.wheel_options.accept_mismatch.clone(),
        with_record_faults: false,
        exceptions_are_shared: true,
    };
    let open = |path: &PathBuf| -> Result<Wheel, Refusal> {
        let wheel = Wheel::open_with(path, &options)?;
        request.python.target().rank(wheel.filename().tags())?;
        match wheel.foreign() {
            Some(foreign) => Err(foreign.into()),
            None => Ok(wheel),
        }
    };
    let paths = distinct(&request.wheels);
    let results: Vec<_> = paths.par_iter().map(open).collect();
    let (mut wheels, mut refused) = (Vec::new(), Vec::new());
    for (path, result) in paths.iter().zip(results) {
        match result {
            Ok(wheel) => wheels.push(wheel),
            Err(reason) => refused.push(RefusedWheel {
                path: path.clone(),
                reason,
            }),
        }
    }
    if refused.is_empty() {
        Ok(wheels)
    } else {
        Err(PipelineError::Wheels(refused))
    }
}

/// The wheels, one that is named twice once.
fn distinct(wheels: &[PathBuf]) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let is_new = |path: &&PathBuf| seen.insert(existing_path(path).unwrap_or((*path).clone()));
    wheels.iter().filter(is_new).cloned().collect()
}
