//! `wheelfix venv-hook`

use std::fmt::{self, Display};

use crate::error::{Error, print_report};
use crate::message::BREAK;
use crate::quoting::shell_word;

/// Print functions for a shell that patch the virtual environments which uv, pip and Poetry change
#[derive(Debug, clap::Args)]
pub(crate) struct VenvHookArgs {
    /// Shell that evaluates them
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// The programs that change virtual environments.
const PROGRAMS: [&str; 4] = ["uv", "pip", "pip3", "poetry"];

pub(crate) fn run(args: &VenvHookArgs) -> Result<(), Error> {
    let program = std::env::current_exe()?;
    let program = shell_word(&program.to_string_lossy());
    for name in PROGRAMS {
        print_report(function(args.shell, name, &program))?;
    }
    Ok(())
}

/// A function that is called as a program.
fn function(shell: Shell, name: &str, wheelfix: &str) -> impl Display {
    fmt::from_fn(move |f| match shell {
        // With the word `function` an alias of the name is neither taken for it nor lost: it calls the function.
        Shell::Bash | Shell::Zsh => write!(
            f,
            "function {name} {{ {wheelfix} venv-run {name} \"$@\"; }}{BREAK}"
        ),
        Shell::Fish => {
            write!(f, "function {name} --wraps {name}{BREAK}")?;
            write!(f, "    {wheelfix} venv-run {name} $argv{BREAK}end{BREAK}")
        }
    })
}
