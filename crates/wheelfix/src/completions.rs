//! `wheelfix completions` and `wheelfix man`: what a package installs beside the program.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap_complete::{Generator, Shell};
use clap_complete_nushell::Nushell;

use crate::error::Error;

/// Print the completions of a shell
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// Shell that reads them
    #[arg(value_name = "SHELL")]
    shell: CompletedShell,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum CompletedShell {
    Bash,
    Elvish,
    Fish,
    Nushell,
    Powershell,
    Zsh,
}

/// Write the manual pages, one for each command
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// Directory that gets them, as `share/man/man1`
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(crate) fn run(args: &CompletionsArgs, program: clap::Command) -> Result<(), Error> {
    let script = match args.shell {
        CompletedShell::Bash => script(Shell::Bash, program),
        CompletedShell::Elvish => script(Shell::Elvish, program),
        CompletedShell::Fish => script(Shell::Fish, program),
        CompletedShell::Nushell => script(Nushell, program),
        CompletedShell::Powershell => script(Shell::PowerShell, program),
        CompletedShell::Zsh => script(Shell::Zsh, program),
    };
    let mut stdout = io::stdout().lock();
    stdout.write_all(&script)?;
    stdout.flush()?;
    Ok(())
}

fn script(shell: impl Generator, mut program: clap::Command) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program, "wheelfix", &mut script);
    script
}

pub(crate) fn write_manual(args: &ManArgs, program: clap::Command) -> Result<(), Error> {
    fs_err::create_dir_all(&args.directory)?;
    clap_mangen::generate_to(program, &args.directory)?;
    Ok(())
}
