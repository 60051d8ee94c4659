//! The derivation of an environment: one site-packages from packages.

use std::path::{Path, PathBuf};

use wheelfix_install::{Activation, EnvError, EnvRequest, InstallRequest, LinkMode, ProofScope};

use crate::builder::attributes::Attributes;
use crate::builder::request::Reader;
use crate::builder::settings::Settings;
use crate::builder::{OUTPUT, jobs, outputs, wheel};
use crate::error::{Error, print};
use crate::inputs::is_wheel_name;
use crate::{env_error, env_report};

/// How files of packages come into the environment.
const LINKS: &[(&str, LinkMode); 5] = &[
    ("auto", LinkMode::Auto),
    ("symlink", LinkMode::Symlink),
    ("copy", LinkMode::Copy),
    ("hardlink", LinkMode::Hardlink),
    ("reflink", LinkMode::Reflink),
];

/// How the interpreter learns where the modules are.
const ACTIVATIONS: &[(&str, Option<Activation>); 3] = &[
    ("venv", Some(Activation::Venv)),
    ("variables", Some(Activation::Variables)),
    ("none", None),
];

/// By which paths libraries are proved to load; by none if nothing is known of the target.
const PROOFS: &[(&str, ProofScope); 3] = &[
    ("both", ProofScope::Both),
    ("environment", ProofScope::Environment),
    ("none", ProofScope::None),
];

pub(crate) fn run(attributes: &Attributes, settings: &Settings) -> Result<(), Error> {
    outputs::refuse_unknown(attributes, &["out"])?;
    let inputs: Vec<PathBuf> = settings.list("inputs").iter().map(PathBuf::from).collect();
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
    let wheel_options = reader.wheel_options(wheels.len());
    let mut libraries = reader.libraries()?;
    // As for wheels that are installed.
    libraries.unbundle.get_or_insert_default();
    let link = reader.choice("link", LINKS);
    let activation = reader.choice("activate", ACTIVATIONS);
    let on_collision = reader.parse("onCollision", str::parse);
    let proof = reader.choice("prove", PROOFS);
    let allow_unmet = reader.parse("allowUnmet", wheelfix_link::Pattern::new);
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
    let (Some(python), Some(out)) = (python, attributes.output("out")) else {
        return Err(Error::Reported);
    };
    Ok(EnvRequest {
        installation: InstallRequest {
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
        },
        inputs,
        activation: activation.filter(|_| runs),
        link,
        on_collision,
        allow_unmet,
        proof: if is_known { proof } else { ProofScope::None },
        dry_run: false,
    })
}
