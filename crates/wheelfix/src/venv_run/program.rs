//! Programs that change virtual environments, and which of their commands do.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// A program, as somebody called it.
#[derive(Debug)]
pub(crate) struct Invocation<'a> {
    pub(crate) name: &'a OsStr,
    pub(crate) program: &'a Path,
    pub(crate) args: &'a [OsString],
}

/// How a program is run.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// It changes no environment.
    Nothing,
    /// The environment is patched after it has ended.
    After,
    /// It changes the environment and runs a program in it: once with a program of ours, and once without another change.
    Before {
        /// The arguments, to which the program is to be added.
        preparing: Vec<OsString>,
        /// The arguments of the second time.
        running: Vec<OsString>,
    },
}

/// Options of uv before the name of the command that have a value.
const UV_VALUES: [&str; 7] = [
    "--allow-insecure-host",
    "--cache-dir",
    "--color",
    "--config-file",
    "--directory",
    "--project",
    "--python-preference",
];

/// Options of `uv run` without a value, beside `--no-...` and `--all-...`.
const RUN_FLAGS: [&str; 22] = [
    "--active",
    "--compile-bytecode",
    "--exact",
    "--frozen",
    "--isolated",
    "--locked",
    "--managed-python",
    "--module",
    "--gui-script",
    "--native-tls",
    "--offline",
    "--only-dev",
    "--dev",
    "--quiet",
    "--refresh",
    "--reinstall",
    "--require-build-hashes",
    "--script",
    "--show-resolution",
    "--system-certs",
    "--upgrade",
    "--verbose",
];

/// Options with `--no-` that have a value.
const RUN_NO_VALUES: [&str; 6] = [
    "--no-binary-package",
    "--no-build-isolation-package",
    "--no-build-package",
    "--no-editable-package",
    "--no-extra",
    "--no-group",
];

/// Short options of `uv run` that have a value.
const RUN_SHORT_VALUES: &str = "wifPCp";

impl Invocation<'_> {
    /// How the program is to be run.
    pub(crate) fn action(&self) -> Action {
        match self.name().as_str() {
            "uv" => self.action_of_uv(),
            "poetry" => self.after(&["install", "add", "update", "remove", "sync", "self"]),
            name if is_pip(name) => self.after(&["install", "uninstall"]),
            _ => Action::Nothing,
        }
    }

    /// The last part of its name.
    pub(crate) fn name(&self) -> String {
        let name = Path::new(self.name).file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// The words that are no options, of those before the first one with another meaning.
    pub(crate) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut args = self.args.iter().map(|arg| arg.to_string_lossy());
        while let Some(arg) = args.next() {
            if UV_VALUES.contains(&arg.as_ref()) {
                args.next();
            } else if !arg.starts_with('-') {
                words.push(arg.into_owned());
            }
        }
        words
    }

    /// The value of an option, `--name value` or `--name=value`; the last one counts.
    pub(crate) fn value(&self, names: &[&str]) -> Option<OsString> {
        let mut found = None;
        for (index, arg) in self.args.iter().enumerate() {
            let arg = arg.to_string_lossy();
            for name in names {
                if arg == *name {
                    found = self.args.get(index + 1).cloned();
                } else if let Some(value) =
                    arg.strip_prefix(name).and_then(|it| it.strip_prefix('='))
                {
                    found = Some(OsString::from(value));
                }
            }
        }
        found
    }

    /// Whether one of these options is given.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        let is_named = |arg: &OsString| {
            let arg = arg.to_string_lossy();
            let name = arg.split_once('=').map_or(arg.as_ref(), |(name, _)| name);
            names.contains(&name)
        };
        self.args.iter().any(is_named)
    }

    fn after(&self, commands: &[&str]) -> Action {
        // Of options with values nothing is known: to be wrong costs milliseconds.
        let is_meant = self
            .words()
            .iter()
            .any(|word| commands.contains(&word.as_str()));
        if is_meant {
            Action::After
        } else {
            Action::Nothing
        }
    }

    fn action_of_uv(&self) -> Action {
        let words = self.words();
        let word = |index: usize| words.get(index).map_or("", String::as_str);
        match (word(0), word(1)) {
            ("sync" | "add" | "remove", _) | ("pip", "install" | "sync" | "uninstall") => {
                Action::After
            }
            ("run", _) => self.action_of_run(),
            _ => Action::Nothing,
        }
    }

    /// `uv run OPTION... PROGRAM ARGUMENT...`: nothing that the options do not know already tells where the program begins.
    fn action_of_run(&self) -> Action {
        let Some(run) = self.args.iter().position(|arg| arg == "run") else {
            return Action::Nothing;
        };
        let (before, rest) = self.args.split_at(run + 1);
        let end = end_of_options(rest);
        let (options, program) = rest.split_at(end);
        // uv itself tells what is wrong, or how to use it.
        let Some(first) = program.first() else {
            return Action::Nothing;
        };
        let is_in = |names: &[&str]| {
            options
                .iter()
                .any(|option| names.iter().any(|name| option == name))
        };
        // These have no environment of a project, or one that is there already.
        if is_in(&[
            "--no-sync",
            "--no-project",
            "--script",
            "-s",
            "--help",
            "-h",
        ]) || has_metadata(first)
        {
            return Action::Nothing;
        }
        let preparing = before
            .iter()
            .cloned()
            .chain(without_others(options))
            .chain(["--".into()]);
        let running = before
            .iter()
            .cloned()
            .chain(["--no-sync".into()])
            .chain(rest.iter().cloned());
        Action::Before {
            preparing: preparing.collect(),
            running: running.collect(),
        }
    }
}

fn is_pip(name: &str) -> bool {
    let version = name.strip_prefix("pip");
    version.is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// How many of the arguments of `uv run` are options and their values.
fn end_of_options(args: &[OsString]) -> usize {
    let mut index = 0;
    while let Some(arg) = args.get(index) {
        let arg = arg.to_string_lossy();
        if arg == "--" || arg == "-" || !arg.starts_with('-') {
            break;
        }
        index += if has_value(&arg) { 2 } else { 1 };
    }
    index.min(args.len())
}

/// Whether the value of an option is the argument behind it.
fn has_value(option: &str) -> bool {
    if let Some(letters) = option
        .strip_prefix('-')
        .filter(|rest| !rest.starts_with('-'))
    {
        // The value may stand behind the letter.
        let at = letters.find(|letter| RUN_SHORT_VALUES.contains(letter));
        return at.is_some_and(|at| at + 1 == letters.len());
    }
    let is_flag = RUN_FLAGS.contains(&option)
        || option.starts_with("--all-")
        || option.starts_with("--no-") && !RUN_NO_VALUES.contains(&option);
    !is_flag && !option.contains('=')
}

/// The options without those that make another environment of the project's, and those that say how the program is
/// called.
fn without_others(options: &[OsString]) -> Vec<OsString> {
    const FLAGS: [&str; 4] = ["-m", "--module", "--gui-script", "--isolated"];
    const VALUES: [&str; 5] = [
        "-w",
        "--with",
        "--with-editable",
        "--with-requirements",
        "--env-file",
    ];
    let mut kept = Vec::new();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let text = option.to_string_lossy();
        let is_value = VALUES.iter().any(|name| {
            text == *name
                || text
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('='))
        });
        if is_value {
            if has_value(&text) {
                options.next();
            }
        } else if !FLAGS.contains(&text.as_ref()) {
            kept.push(option.clone());
        }
    }
    kept
}

/// Whether a program is a script that names its requirements itself: uv gives it an environment of its own.
fn has_metadata(program: &OsStr) -> bool {
    const BEGIN: &str = "# /// script";
    let path = Path::new(program);
    let is_script = path.extension().is_some_and(|ending| ending == "py");
    is_script
        && fs_err::read(path).is_ok_and(|text| {
            String::from_utf8_lossy(&text)
                .lines()
                .any(|line| line.trim_end() == BEGIN)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn action(line: &str) -> Action {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let (name, args) = words.split_first().unwrap();
        Invocation {
            name,
            program: Path::new("/bin/x"),
            args,
        }
        .action()
    }

    #[test]
    fn commands_that_change_an_environment_are_known() {
        for line in [
            "uv sync",
            "uv --directory run add numpy",
            "uv -q pip install -p x numpy",
            "pip3.11 install numpy",
            "pip --python v uninstall numpy",
            "poetry -n add numpy",
        ] {
            assert_eq!(action(line), Action::After, "{line}");
        }
        for line in [
            "uv",
            "uv --version",
            "uv lock",
            "uv pip list",
            "pip list",
            "poetry run x",
            "pipx install x",
            "uv run",
            "uv run --help",
            "uv run --no-sync x",
            "uv run --no-project x",
        ] {
            assert_eq!(action(line), Action::Nothing, "{line}");
        }
    }

    #[test]
    fn a_program_is_started_in_a_patched_environment() {
        for (line, preparing, running) in [
            ("uv run x -y", "run --", "run --no-sync x -y"),
            (
                "uv -q --project p run --with a -w=b --extra e -pq --no-group g --no-dev --frozen -m x.y --extra f",
                "-q --project p run --extra e -pq --no-group g --no-dev --frozen --",
                "-q --project p run --no-sync --with a -w=b --extra e -pq --no-group g --no-dev --frozen -m x.y --extra f",
            ),
            (
                "uv run --with=a -- x",
                "run --",
                "run --no-sync --with=a -- x",
            ),
            ("uv run -", "run --", "run --no-sync -"),
        ] {
            let words = |text: &str| text.split(' ').map(OsString::from).collect();
            let want = Action::Before {
                preparing: words(preparing),
                running: words(running),
            };
            assert_eq!(action(line), want, "{line}");
        }
    }
}
