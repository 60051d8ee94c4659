//! The proof of wheels, as they would be installed.

use std::path::{Path, PathBuf};

use wheelfix_format::{PythonVersion, WheelFilename};
use wheelfix_link::{Proof, ProofOptions, Tree, prove};
use wheelfix_loader::{FileView, Target};

use crate::atomic::staging::Staging;
use crate::event::{Event, Listener, Phase};
use crate::install::{InstallRequest, Installation, open, plan_files};
use crate::layout::Layout;
use crate::layout::python_version;
use crate::pipeline::error::PipelineError;
use crate::pipeline::verify;
use crate::pool::in_pool;

/// Installs wheels into a temporary directory and proves them as if that were the prefix; nothing is
/// kept.
///
/// Whatever keeps them from being linked is a fault of the proof. `request` has `libraries`, and
/// nothing is compiled. In contrast to [`install`](crate::install()) the target may be unknown.
///
/// # Errors
///
/// A wheel is refused, or the machine fails; as [`install`](crate::install()).
pub fn check_wheels(
    request: &InstallRequest,
    target: &Target,
    options: &ProofOptions,
    listener: &Listener<'_>,
) -> Result<Proof, PipelineError> {
    in_pool(request.jobs, || {
        let wheels = open(request, listener)?;
        let staging = Staging::never(&request.prefix, true)?;
        let layout = Layout::of(&request.python);
        let (planned, replaced) = plan_files(request, &wheels, &layout, &staging)?;
        let installation = Installation {
            request,
            wheels: &wheels,
            planned: &planned,
            replaced,
            layout: &layout,
            staging: &staging,
            context: request.context()?,
            beside: Tree::default(),
            table: None,
        };
        let mut written = match installation.write(None, listener) {
            Err(PipelineError::Unsound(plan)) => {
                return Ok(Proof {
                    faults: plan.faults,
                    ..Proof::default()
                });
            }
            written => written?,
        };
        listener(Event::Phase {
            phase: Phase::Verify,
            bytes: 0,
        });
        let to_verify = installation.to_verify(&mut written);
        let excused = to_verify.excused.clone();
        let tree = to_verify.read()?;
        let view = FileView::new(vec![installation.place()]);
        let Some(libraries) = &request.libraries else {
            return Ok(Proof::default());
        };
        let mut proof = prove(&tree, &view, target, &libraries.rules, options);
        verify::settle(&mut proof, &excused, libraries);
        proof.warnings.extend(written.plan.link.warnings);
        Ok(proof)
    })
}

/// The prefix in which wheels that are only checked are said to be installed: for a single one its
/// own path.
pub fn prefix_of_wheels(wheels: &[PathBuf]) -> PathBuf {
    match wheels {
        [wheel] => wheel.clone(),
        _ => PathBuf::from("/wheels"),
    }
}

/// The newest Python in the tags of the names of wheels: `cp311` and `py3` are 3.11.
///
/// `None` if no name is that of a wheel.
pub fn python_of_wheels(wheels: &[PathBuf]) -> Option<PythonVersion> {
    let name = |wheel: &PathBuf| {
        Path::file_name(wheel)?
            .to_str()?
            .parse::<WheelFilename>()
            .ok()
    };
    let names = wheels.iter().filter_map(name);
    names.map(|name| python_version(&name)).max()
}
