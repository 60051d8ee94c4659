//! The derivation of an environment: one site-packages from packages.

use std::path::{Path, PathBuf};

use wheelfix_format::is_wheel_name;
use wheelfix_install::{EnvError, EnvRequest, InstallRequest, ProofScope};

use crate::builder::attributes::Attributes;
use crate::builder::request::Reader;
use crate::builder::settings::Settings;
use crate::builder::{OUTPUT, jobs, outputs, source, wheel};
use crate::error::{Error, print};
use crate::{env_error, env_report};

pub(crate) fn run(attributes: &Attributes, settings: &Settings) -> Result<(), Error> {
    outputs::refuse_unknown(attributes, &["out"])?;
    let mut inputs = Vec::new();
    for input in settings.list("inputs") {
        inputs.extend(source::of_environment(PathBuf::from(input))?);
    }
    if inputs.is_empty() {
        print("error", ["the environment has no `inputs`"]);
        print(
            "hint",
            ["in the .nix file `mkEnv { packages = [ ... ]; }` names the packages"],
        );
        return Err(Error::Reported);
    }
    let request = request(attributes, settings, inputs)?;
    let result = wheelfix_install::assemble(&request, &|_| {});
    let report = result.map_err(explain)?;
    env_report::print(&report, false, &OUTPUT)
}

/// Prints the faults, and the changes to make in the .nix file.
fn explain(error: EnvError) -> Error {
    match error {
        EnvError::Install(error) => wheel::explain(error),
        faults @ EnvError::Faults(_) => env_error::explain(faults, &OUTPUT),
    }
}

fn request(
    attributes: &Attributes,
    settings: &Settings,
    inputs: Vec<PathBuf>,
) -> Result<EnvRequest, Error> {
    let is_wheel = |path: &&PathBuf| is_wheel_name(path);
    let wheels: Vec<PathBuf> = inputs.iter().filter(is_wheel).cloned().collect();
    let mut reader = Reader::new(settings);
    let python = reader.python();
    let bytecode = reader.bytecode(python.as_ref());
    let options = reader.options()?;
    let wheel_options = reader.wheel_options(&options, wheels.len());
    let mut libraries = reader.libraries(&options)?;
    // As for wheels that are installed.
    libraries.unbundle.get_or_insert_default();
    let (activation, proof) = (options.assembly.activation(), options.assembly.scope());
    let runs = python.as_ref().is_some_and(|it| it.executable().is_some());
    let is_known =
        runs || settings.text("target").is_some() || settings.text("interpreter").is_some();
    if python.is_some() {
        let reason = "needs `python`: `pythonVersion` names no program";
        reader.refuse_unless(activation.is_none() || runs, "activate", reason);
        let reason = "needs `python` or `interpreter`, without which the C library is not known";
        reader.refuse_unless(proof == ProofScope::None || is_known, "prove", reason);
    }
    reader.finish()?;
    let (Some(python), Some(out), Some(wheel_options)) =
        (python, attributes.output("out"), wheel_options)
    else {
        return Err(Error::Reported);
    };
    let installation = InstallRequest {
        wheels,
        prefix: Path::new(out).to_owned(),
        merge: false,
        python,
        bytecode,
        wheel_options,
        libraries: Some(libraries),
        library_table: settings.flag("libraryTable") != Some(false),
        check_twice: settings.flag("checkTwice") == Some(true),
        jobs: jobs(),
    };
    Ok(EnvRequest {
        activation: activation.filter(|_| runs),
        proof: if is_known { proof } else { ProofScope::None },
        ..options.assembly.request(inputs, installation)
    })
}
