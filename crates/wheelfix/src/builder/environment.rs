//! The derivation of an environment: one site-packages from packages.

use std::path::{Path, PathBuf};

use wheelfix_site::{Activation, EnvRequest, InstallRequest, LinkMode, ProofScope};

use crate::builder::attributes::Attributes;
use crate::builder::request::Reader;
use crate::builder::settings::Settings;
use crate::builder::{OUTPUT, hint, jobs, outputs};
use crate::error::{Error, print};
use crate::{env_error, env_report};

/// How files of packages come into the environment.
const LINKS: &[(&str, LinkMode)] = &[
    ("auto", LinkMode::Auto),
    ("symlink", LinkMode::Symlink),
    ("copy", LinkMode::Copy),
    ("hardlink", LinkMode::Hardlink),
    ("reflink", LinkMode::Reflink),
];

/// How the interpreter learns where the modules are.
const ACTIVATIONS: &[(&str, Option<Activation>)] = &[
    ("venv", Some(Activation::Venv)),
    ("variables", Some(Activation::Variables)),
    ("none", None),
];

pub(crate) fn run(attributes: &Attributes, settings: &Settings) -> Result<(), Error> {
    outputs::refuse_unknown(attributes, &["out"])?;
    let inputs: Vec<PathBuf> = settings.list("inputs").iter().map(PathBuf::from).collect();
    if inputs.is_empty() {
        print(["error: the environment has no `inputs`\n\
             hint: in the .nix file `mkEnv { packages = [ ... ]; }` names the packages\n"
            .to_owned()]);
        return Err(Error::Reported);
    }
    let request = request(attributes, settings, inputs)?;
    let result = wheelfix_site::assemble(&request, &|_| {});
    let report = result.map_err(|error| {
        let error = env_error::explain(error, &OUTPUT);
        hint::translate(["--on-collision --allow-unmet --lib-path".to_owned()]);
        error
    })?;
    env_report::print(&report, false, &OUTPUT)
}

fn request(
    attributes: &Attributes,
    settings: &Settings,
    inputs: Vec<PathBuf>,
) -> Result<EnvRequest, Error> {
    let mut reader = Reader::new(settings);
    let python = reader.python();
    let bytecode = reader.bytecode(python.as_ref());
    let wishes = reader.wishes();
    let libraries = reader.libraries()?;
    let link = reader.choice("link", LINKS);
    let activation = reader.choice("activate", ACTIVATIONS);
    let on_collision = reader.parse("onCollision", str::parse);
    let allow_unmet = reader.parse("allowUnmet", wheelfix_relocate::Pattern::new);
    reader.finish()?;
    let (Some(python), Some(out)) = (python, attributes.output("out")) else {
        return Err(Error::Reported);
    };
    let runs = python.executable().is_some();
    let is_wheel = |path: &&PathBuf| path.extension().is_some_and(|it| it == "whl");
    Ok(EnvRequest {
        installation: InstallRequest {
            wheels: inputs.iter().filter(is_wheel).cloned().collect(),
            prefix: Path::new(out).to_owned(),
            merge: false,
            python,
            bytecode,
            wishes,
            libraries: Some(libraries),
            jobs: jobs(),
        },
        inputs,
        activation: activation.filter(|_| runs),
        link,
        on_collision,
        allow_unmet,
        proof: if runs || settings.text("interpreter").is_some() {
            ProofScope::Both
        } else {
            ProofScope::None
        },
        dry_run: false,
    })
}
