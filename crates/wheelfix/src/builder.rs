//! `wheelfix builder`

mod attributes;
mod conflicts;
mod distributable;
mod environment;
mod hook;
mod inputs;
mod options;
mod outputs;
mod request;
pub(crate) mod settings;
mod source;
mod tree;
mod wheel;
mod wheel_options;

use std::num::NonZeroUsize;

use crate::builder::attributes::{Attributes, AttributesError, JSON_FILE};
use crate::builder::settings::{SettingFault, Settings};
use crate::common::OutputArgs;
use crate::error::{Error, print, to_log};
use crate::remedy::{self, Build};
use crate::settings::Scope;

/// Build a Nix derivation; its attributes say what
///
/// This is for `builder = "${wheelfix}/bin/wheelfix"; args = [ "builder" ];`, see docs/nix.md.
#[derive(Debug, clap::Args)]
pub(crate) struct BuilderArgs {
    #[command(flatten)]
    hook: hook::HookArgs,
}

/// The actions, by name.
const ACTIONS: &[&str] = &["install", "env", "patch"];

pub(crate) fn run(args: &BuilderArgs) -> Result<(), Error> {
    to_log();
    let attributes = Attributes::read(std::env::vars_os()).map_err(not_a_derivation)?;
    let settings = Settings::read(&attributes).map_err(|faults| report_settings(&faults))?;
    if let Some(hook) = args.hook.hook {
        // All hooks of a build read the same settings.
        let checked = settings.refuse_idle(&[Scope::Wheels, Scope::Installs, Scope::Trees]);
        checked.map_err(|faults| report_settings(&faults))?;
        let command = match hook {
            hook::Hook::Install | hook::Hook::Pyproject => "install",
            hook::Hook::Patch => "patch",
            hook::Hook::Conflicts => "env",
        };
        remedy::in_build(command, build_with_hooks(&attributes, &settings));
        return hook::run(hook, &args.hook, &attributes, &settings);
    }
    outputs::refuse_existing(&attributes)?;
    let built = build(&attributes, &settings);
    if built.is_err() {
        // What is there now was made by this build.
        outputs::remove(&attributes);
    }
    built
}

fn build_with_hooks(attributes: &Attributes, settings: &Settings) -> Build {
    let recipe = Build::Recipe {
        is_structured: attributes.is_structured(),
    };
    settings.text("package").map_or(recipe, overlay)
}

fn overlay(package: &str) -> Build {
    Build::Overlay {
        package: package.to_owned(),
    }
}

/// Makes the outputs of a derivation.
fn build(attributes: &Attributes, settings: &Settings) -> Result<(), Error> {
    let check = |scopes| {
        let checked = settings.refuse_idle(scopes);
        checked.map_err(|faults| report_settings(&faults))
    };
    let action = settings.text("action").unwrap_or("install");
    let build = settings.text("package").map(overlay);
    remedy::in_build(action, build.unwrap_or(Build::Derivation));
    match action {
        "install" => {
            check(&[Scope::Wheels, Scope::Installs, Scope::Packages])?;
            wheel::run(attributes, settings)
        }
        "env" => {
            check(&[Scope::Wheels, Scope::Environments])?;
            environment::run(attributes, settings)
        }
        "patch" => {
            check(&[Scope::Trees, Scope::Packages])?;
            tree::run(attributes, settings)
        }
        other => Err(report_settings(&[SettingFault::Value {
            name: "action",
            value: other.to_owned(),
            reason: format!("expected one of: {}", ACTIONS.join(", ")),
        }])),
    }
}

fn not_a_derivation(error: AttributesError) -> Error {
    match error {
        AttributesError::Io(_) => Error::environment(error),
        _ => Error::Refused {
            error: Box::new(error),
            hint: Some("`wheelfix builder` is run by Nix, as the `builder` of a derivation".into()),
        },
    }
}

/// Prints the faults of settings, all at once.
fn report_settings(faults: &[SettingFault]) -> Error {
    print("error", faults);
    let is_structured = std::env::var_os(JSON_FILE).is_some();
    let hint = if is_structured {
        "change `wheelfix = { ... }` in the .nix file"
    } else {
        "in the .nix file each setting is an attribute of the recipe, as `wheelfixLibs` for `libs`"
    };
    print("hint", [hint]);
    Error::Reported
}

/// As many threads as Nix grants; 0 of them stands for one per processor.
fn jobs() -> NonZeroUsize {
    let granted = std::env::var_os("NIX_BUILD_CORES");
    let granted = granted.and_then(|text| text.to_str()?.parse().ok());
    let available = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    granted
        .and_then(NonZeroUsize::new)
        .unwrap_or_else(available)
}

/// Nobody parses a build log, and it is not a terminal.
const OUTPUT: OutputArgs = OutputArgs {
    json: false,
    quiet: false,
    verbose: false,
};
