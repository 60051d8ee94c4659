//! `wheelfix patch` of a virtual environment: of what has changed since the last time alone.

use std::path::PathBuf;

use wheelfix_install::{
    EnvironmentReport, EnvironmentState, Python, Settings, VirtualEnvironment, look_at_environment,
};
use wheelfix_link::count;

use super::{FileArgs, Summary, Task, request, show};
use crate::error::{Error, print_line};
use crate::install_error;
use crate::progress::Progress;

/// The outcome for an environment.
pub(crate) enum Outcome {
    /// It is as it was left: the names of the directories of its distributions.
    Unchanged(Vec<String>),
    /// It was looked at.
    Patched(Box<EnvironmentReport>),
}

/// Links and proves what has changed in an environment.
pub(crate) fn execute(
    environment: VirtualEnvironment,
    args: &FileArgs,
    task: Task,
) -> Result<Outcome, Error> {
    let _lock = environment.lock();
    let settings = settings(args, &task)?;
    let explained = |error| install_error::explain(error, &args.output);
    let environments = vec![environment.clone()];
    let remembers = !args.dry_run;
    let state = look_at_environment(environment, &settings, args.jobs.count(), remembers)
        .map_err(explained)?;
    let outdated = match state {
        EnvironmentState::Unchanged(distributions) => {
            return Ok(Outcome::Unchanged(distributions));
        }
        EnvironmentState::Outdated(outdated) => outdated,
    };
    // To start a Python takes longer than all else for a small wheel.
    let known = known_program(args, &environments).filter(|_| outdated.knows_python());
    let request = request(args, task, environments, known)?;
    let progress = Progress::bytes(args.output.quiet);
    let result = outdated.patch(&request, &|event| progress.show(event));
    progress.finish();
    let report = result.map_err(explained)?;
    Ok(Outcome::Patched(Box::new(report)))
}

/// The program of the Python, as it says itself when it is asked, where that can be told without.
fn known_program(args: &FileArgs, environments: &[VirtualEnvironment]) -> Option<PathBuf> {
    let of_environment = environments.first().map(|it| &it.python);
    let python = args.python.as_ref().or(of_environment)?;
    // A name alone is looked up on the PATH.
    let is_path = 1 < python.components().count();
    (is_path && args.system.target.is_none()).then(|| Python::program_at(python))?
}

/// Everything that decides, the files of the environment left out. No rule is read yet.
fn settings(args: &FileArgs, task: &Task) -> Result<Settings, Error> {
    let words = (
        env!("CARGO_PKG_VERSION"),
        args.libraries.words(),
        &args.relocation,
        task.heal,
        task.library_table,
    );
    let mut files = args.libraries.rules_files().to_vec();
    // Another build of one version may decide otherwise.
    files.extend(std::env::current_exe().ok());
    Ok(Settings {
        words: format!("{words:?}"),
        files,
        lib_paths: args.libraries.lib_paths()?,
        python: args.python.clone(),
    })
}

/// Prints the outcome.
pub(super) fn print(outcome: &Outcome, args: &FileArgs) -> Result<(), Error> {
    match outcome {
        Outcome::Patched(patched) => show(&patched.report, &patched.unchanged, args),
        Outcome::Unchanged(unchanged) if args.output.json => {
            Summary::of_nothing(unchanged).print(args)
        }
        Outcome::Unchanged(unchanged) if !args.output.quiet => {
            let distributions = count(unchanged.len(), "distribution");
            print_line(format_args!(
                "nothing to do: {distributions} as when they were proved"
            ))?;
            Ok(())
        }
        Outcome::Unchanged(_) => Ok(()),
    }
}
