//! `wheelfix venv-hook`

use crate::error::{Error, print_report};
use crate::message::Lines;
use crate::quoting::shell_word;

/// Print functions for a shell, or lines for direnv, that patch the virtual environments which uv, pip and Poetry change
#[derive(Debug, clap::Args)]
pub(crate) struct VenvHookArgs {
    /// Shell that evaluates them, or `direnv` for a file `.envrc`
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Direnv,
}

/// The programs that change virtual environments.
const PROGRAMS: [&str; 4] = ["uv", "pip", "pip3", "poetry"];

pub(crate) fn run(args: &VenvHookArgs) -> Result<(), Error> {
    let program = std::env::current_exe()?;
    let program = shell_word(&program.to_string_lossy());
    let text: String = match args.shell {
        // With the word `function` an alias of the name is neither taken for it nor lost: it calls the function.
        Shell::Bash | Shell::Zsh => PROGRAMS
            .map(|name| format!("function {name} {{ {program} venv-run {name} \"$@\"; }}\n"))
            .concat(),
        Shell::Fish => PROGRAMS
            .map(|name| {
                let body = format!("    {program} venv-run {name} $argv");
                format!("function {name} --wraps {name}\n{body}\nend\n")
            })
            .concat(),
        Shell::Direnv => wrappers(&program),
    };
    print_report(Lines(text))?;
    Ok(())
}

/// Programs in front of those on PATH, in the directory that direnv keeps for a project: functions do not get
/// through it.
fn wrappers(wheelfix: &str) -> String {
    let names = PROGRAMS.join(" ");
    format!(
        r#"wheelfix_bin=$(direnv_layout_dir)/wheelfix/bin
mkdir -p "$wheelfix_bin"
for wheelfix_name in {names}; do
    cat >"$wheelfix_bin/.$wheelfix_name.$$" <<'END'
#!/bin/sh
exec {wheelfix} venv-run "${{0##*/}}" "$@"
END
    chmod +x "$wheelfix_bin/.$wheelfix_name.$$"
    mv -f "$wheelfix_bin/.$wheelfix_name.$$" "$wheelfix_bin/$wheelfix_name"
done
export WHEELFIX_VENV_SKIP="$wheelfix_bin"
PATH_add "$wheelfix_bin"
unset wheelfix_bin wheelfix_name
"#
    )
}
