//! The `wheelfix` command-line tool.
//!
//! One file per command: its arguments, whose documentation comments are the help texts, and its
//! `run`. `error` decides what is printed and how the process exits.

mod builder;
mod check;
mod common;
mod completions;
mod diff;
mod document;
mod env;
mod env_error;
mod env_lock;
mod env_report;
mod error;
mod graph;
mod inputs;
mod inspect;
mod install;
mod install_error;
mod install_report;
mod limits;
mod lock;
mod lock_uv;
mod memory;
mod message;
mod mismatch;
mod next_step;
mod nixpkgs;
mod patch;
mod patchelf;
mod pip;
mod progress;
mod proof_report;
mod quoting;
mod remedy;
mod settings;
mod signals;
mod surplus;
mod table;
mod target;
mod unbundle;
mod unbundle_table;
mod unpack;
mod venv_hook;
mod venv_run;
mod warnings;
mod wheel_options;
mod why;

use std::process::ExitCode;

use anstream::ColorChoice;
use clap::{CommandFactory as _, FromArgMatches as _};

use crate::error::Error;

/// Make binary Python wheels work on Nix: fast, provably, without overrides
#[derive(Debug, clap::Parser)]
#[command(version = env!("WHEELFIX_VERSION"), max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// When to print in colours; `NO_COLOR` and `CLICOLOR` count for `auto`
    #[arg(
        long,
        value_name = "WHEN",
        global = true,
        default_value = "auto",
        hide_possible_values = true,
        help_heading = "Output"
    )]
    color: ColorArg,
}

/// The values of `--color`.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ColorArg {
    Auto,
    Always,
    Never,
}

impl ColorArg {
    fn choice(self) -> ColorChoice {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
    }
}

// One variant and one arm of `run` per command, in the order of the help.
#[derive(Debug, clap::Subcommand)]
enum Command {
    Inspect(inspect::InspectArgs),
    Unpack(unpack::UnpackArgs),
    Install(Box<install::InstallArgs>),
    Patch(patch::PatchArgs),
    Unbundle(unbundle::UnbundleArgs),
    Check(check::CheckArgs),
    Why(why::WhyArgs),
    Diff(diff::DiffArgs),
    Env(Box<env::EnvArgs>),
    Lock(lock::LockArgs),
    Patchelf(patchelf::PatchelfArgs),
    Builder(builder::BuilderArgs),
    VenvHook(venv_hook::VenvHookArgs),
    VenvRun(venv_run::VenvRunArgs),
    Completions(completions::CompletionsArgs),
    Man(completions::ManArgs),
}

fn main() -> ExitCode {
    if let Some(code) = signals::after_signal(std::env::args_os()) {
        return code;
    }
    let result = match patchelf::called_as_patchelf(std::env::args_os()) {
        Some(args) => signals::handle()
            .and_then(|()| patchelf::run_as_patchelf(args))
            .map(|()| ExitCode::SUCCESS),
        None => run(parse()),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            error::report(&error);
            next_step::print_line();
            if is_for_json() {
                document::print_failure();
            }
            error.exit_code().into()
        }
    }
}

/// The command line; notes which subcommand it is.
fn parse() -> Args {
    let matches = Args::command().try_get_matches();
    let matches = matches.unwrap_or_else(|mut error| {
        surplus::advise(&mut error, Args::command());
        refuse(&error)
    });
    if let Some(name) = matches.subcommand_name().filter(|name| *name != "builder") {
        remedy::in_shell(name);
    }
    Args::from_arg_matches(&matches)
        .unwrap_or_else(|error| refuse(&error.format(&mut Args::command())))
}

/// Ends as clap does, with a document of what is wrong if one is asked for.
fn refuse(error: &clap::Error) -> ! {
    if error.use_stderr() && is_for_json() {
        document::print_usage(&error.to_string());
    }
    error.exit()
}

/// Whether one JSON document is asked for.
fn is_for_json() -> bool {
    std::env::args_os().any(|argument| argument == "--json")
}

fn run(args: Args) -> Result<ExitCode, Error> {
    args.color.choice().write_global();
    if let Command::VenvRun(args) = &args.command {
        // Signals are for the program that it runs.
        return venv_run::run(args);
    }
    signals::handle()?;
    if !matches!(args.command, Command::Patchelf(_)) {
        memory::expect_some()?;
    }
    match args.command {
        Command::Inspect(args) => inspect::run(&args),
        Command::Unpack(args) => unpack::run(&args),
        Command::Install(args) => install::run(&args),
        Command::Patch(args) => patch::run(&args),
        Command::Unbundle(args) => unbundle::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Why(args) => why::run(&args),
        Command::Diff(args) => return diff::run(&args),
        Command::Env(args) => env::run(&args),
        Command::Lock(args) => lock::run(&args),
        Command::Patchelf(args) => patchelf::run(args),
        Command::Builder(args) => builder::run(&args),
        Command::VenvHook(args) => venv_hook::run(&args),
        Command::VenvRun(args) => return venv_run::run(&args),
        Command::Completions(args) => completions::run(&args, Args::command()),
        Command::Man(args) => completions::write_manual(&args, Args::command()),
    }?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use clap::CommandFactory as _;

    use crate::Args;

    /// A heading holds for all that follows it, also for what another group is flattened into.
    #[test]
    fn options_stand_under_their_own_headings() {
        let headings = BTreeMap::from([
            ("check-twice", None),
            ("dry-run", None),
            ("exclude", Some("Wheels")),
            ("heal", None),
            ("jobs", None),
            ("library-table", Some("Libraries")),
            ("no-library-table", Some("Libraries")),
            ("on-collision", Some("Assembly")),
            ("prefix", None),
            ("relax", Some("Requirements")),
            ("warnings", Some("Output")),
        ]);
        let mut seen = BTreeSet::new();
        for command in Args::command().get_subcommands() {
            for argument in command.get_arguments() {
                let name = argument.get_long().unwrap_or_default();
                let heading = argument.get_help_heading();
                let place = format!("{} {}", command.get_name(), argument.get_id());
                if argument.is_positional() {
                    assert_eq!(heading, None, "{place}");
                }
                if let Some(wanted) = headings.get(name) {
                    seen.insert(name.to_owned());
                    assert_eq!(heading, *wanted, "{place}");
                }
            }
        }
        assert_eq!(seen.len(), headings.len(), "{seen:?}");
    }
}
