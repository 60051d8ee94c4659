//! The derivation of installed wheels.

use std::path::{Path, PathBuf};

use wheelfix_install::{
    InstallReport, InstallRequest, Layout, PipelineError, Refusal, WheelOptions,
};

use crate::builder::attributes::Attributes;
use crate::builder::outputs::{self, OutputError};
use crate::builder::request::Reader;
use crate::builder::settings::Settings;
use crate::builder::{OUTPUT, inputs, jobs, source};
use crate::error::{Error, print};
use crate::{install_error, install_report};

/// The outputs that are made if the derivation has them.
const OUTPUTS: &[&str] = &["out", "dist", "dev"];

pub(crate) fn run(attributes: &Attributes, settings: &Settings) -> Result<(), Error> {
    outputs::refuse_unknown(attributes, OUTPUTS)?;
    let wheels = source::wheels(attributes)?;
    let request = request(attributes, settings, wheels)?;
    let result = wheelfix_install::install(&request, &|_| {});
    let report = result.map_err(explain)?;
    install_report::print(&report, false, &OUTPUT)?;
    finish(attributes, settings, &request, &report)
}

fn request(
    attributes: &Attributes,
    settings: &Settings,
    wheels: Vec<PathBuf>,
) -> Result<InstallRequest, Error> {
    let mut reader = Reader::new(settings);
    let python = reader.python();
    let bytecode = reader.bytecode(python.as_ref());
    let options = reader.options()?;
    let wheel_options = reader.wheel_options(&options, wheels.len());
    let standalone = reader.standalone(python.as_ref())?;
    let mut libraries = reader.libraries(&options)?;
    // What the rules say of bundled libraries holds for wheels without being asked for.
    libraries.unbundle.get_or_insert_default();
    reader.finish()?;
    let (Some(python), Some(out), Some(wheel_options)) =
        (python, attributes.output("out"), wheel_options)
    else {
        return Err(Error::Reported);
    };
    Ok(InstallRequest {
        wheels,
        prefix: out.to_owned(),
        merge: false,
        python,
        bytecode,
        wheel_options: WheelOptions {
            standalone,
            ..wheel_options
        },
        libraries: Some(libraries),
        library_table: settings.flag("libraryTable") == Some(true),
        check_twice: settings.flag("checkTwice") == Some(true),
        jobs: jobs(),
    })
}

/// Writes the files that come after those of the wheels.
fn finish(
    attributes: &Attributes,
    settings: &Settings,
    request: &InstallRequest,
    report: &InstallReport,
) -> Result<(), Error> {
    let propagated = settings.list("propagate").iter().map(String::as_str);
    inputs::write(&request.prefix, propagated)?;
    let layout = Layout::of(&request.python);
    outputs::write_setup_hook(&request.prefix, &layout)?;
    if let Some(dist) = attributes.output("dist") {
        let names = report.wheels.iter().map(|wheel| wheel.filename.as_str());
        let wheels = request.wheels.iter().map(PathBuf::as_path);
        outputs::link_wheels(dist, wheels.zip(names))?;
    }
    if let Some(dev) = attributes.output("dev") {
        outputs::move_headers(&request.prefix, dev).map_err(of_output)?;
        // Who builds against the headers needs the package too.
        inputs::write(dev, request.prefix.to_str())?;
    }
    Ok(())
}

fn of_output(error: OutputError) -> Error {
    match error {
        OutputError::Record(..) => Error::refused(error),
        OutputError::Walk(_) | OutputError::Io(_) => Error::environment(error),
    }
}

/// Prints the faults, and the changes to make in the .nix file.
pub(crate) fn explain(error: PipelineError) -> Error {
    let hint = hint_of(&error);
    let error = install_error::explain(error, &OUTPUT);
    print("hint", hint);
    error
}

fn hint_of(error: &PipelineError) -> Option<String> {
    let PipelineError::Wheels(refused) = error else {
        return None;
    };
    let misfit = refused
        .iter()
        .find(|wheel| matches!(wheel.reason, Refusal::Tag(_)))?;
    let name = misfit.path.file_name().and_then(|name| name.to_str());
    Some(format!(
        "in the .nix file fetch another wheel than `{}` as `src`, choose another `python`, or give \
         the package `meta.platforms`",
        name.map(without_hash).unwrap_or_default()
    ))
}

/// The name of a store path without its hash.
fn without_hash(name: &str) -> &str {
    match name.split_once('-') {
        Some((hash, rest)) if hash.len() == 32 && Path::new(rest).extension().is_some() => rest,
        _ => name,
    }
}
