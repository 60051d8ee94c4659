//! `wheelfix venv-run`
//!
//! The program that is named runs as if it had been started itself: in the same place, with the same input and output,
//! with the signals that come. Where nothing is to be done behind it, this process becomes it.

mod program;
mod target;

use std::ffi::OsString;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::thread;

use clap::Parser as _;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;
use wheelfix_install::{PatchReport, VirtualEnvironment};
use wheelfix_link::count;

use self::program::{Action, Invocation};
use crate::error::{self, Error};
use crate::patch::environment::{self, Outcome};
use crate::patch::{PatchArgs, whole};
use crate::{remedy, signals};

/// Run uv, pip or Poetry, and patch the virtual environment that it has changed
#[derive(Debug, clap::Args)]
pub(crate) struct VenvRunArgs {
    /// Program, looked up on PATH outside of the directories that `WHEELFIX_VENV_SKIP` names, and its
    /// arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROGRAM"
    )]
    command: Vec<OsString>,
}

/// The arguments by which this program is called inside of `uv run`.
const WITHIN: &str = "--within-uv-run";

/// The variable with options for `wheelfix patch`, separated by blanks.
const OPTIONS: &str = "WHEELFIX_VENV_OPTIONS";

pub(crate) fn run(args: &VenvRunArgs) -> Result<ExitCode, Error> {
    remedy::in_shell("patch");
    let (name, rest) = match &args.command[..] {
        [name, ..] if name == WITHIN => {
            signals::handle()?;
            patch(std::env::var_os("VIRTUAL_ENV").map(PathBuf::from));
            return Ok(ExitCode::SUCCESS);
        }
        [name, rest @ ..] => (name, rest),
        [] => return Ok(ExitCode::SUCCESS),
    };
    let Some(program) = target::lookup(name) else {
        let text = format!("`{}` is not on PATH", name.to_string_lossy());
        error::print("error", [text]);
        return Ok(ExitCode::from(127));
    };
    let invocation = Invocation {
        name,
        program: &program,
        args: rest,
    };
    match invocation.action() {
        Action::Nothing => become_it(&program, name, rest),
        Action::Before { preparing, running } => {
            let within = [
                std::env::current_exe()?.into(),
                "venv-run".into(),
                WITHIN.into(),
            ];
            let preparing: Vec<OsString> = preparing.into_iter().chain(within).collect();
            let status = wait_for(&program, name, &preparing)?;
            if status.success() {
                become_it(&program, name, &running)
            } else {
                Ok(ended(status))
            }
        }
        Action::After => {
            let status = wait_for(&program, name, rest)?;
            // After a signal somebody wants the end of it; the next run notices what has changed.
            if status.signal().is_none() {
                signals::handle()?;
                patch(target::environment(&invocation));
            }
            Ok(ended(status))
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the program is the input")]
fn command(program: &Path, name: &OsString, args: &[OsString]) -> Command {
    let mut command = Command::new(program);
    command.arg0(name).args(args);
    command
}

/// Becomes the program.
fn become_it(program: &Path, name: &OsString, args: &[OsString]) -> Result<ExitCode, Error> {
    Err(command(program, name, args).exec().into())
}

/// Runs the program to its end. A signal that the terminal gives to all who use it is for the program to
/// answer; others are handed on.
fn wait_for(program: &Path, name: &OsString, args: &[OsString]) -> Result<ExitStatus, Error> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let handle: Handle = signals.handle();
    let mut child = command(program, name, args).spawn()?;
    let hand_on = sender(&child);
    let thread = thread::Builder::new().name("signals".to_owned());
    let thread = thread.spawn(move || signals.forever().for_each(hand_on))?;
    let status = child.wait()?;
    handle.close();
    thread.join().ok();
    Ok(status)
}

fn sender(child: &Child) -> impl Fn(i32) + Send + 'static {
    use std::io::IsTerminal as _;
    let has_terminal = std::io::stdin().is_terminal();
    let child = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    move |signal| {
        let signal = match signal {
            SIGINT if has_terminal => return,
            SIGINT => Signal::INT,
            SIGHUP => Signal::HUP,
            _ => Signal::TERM,
        };
        if let Some(child) = child {
            // It may have ended meanwhile.
            kill_process(child, signal).ok();
        }
    }
}

/// Ends as the program has ended.
fn ended(status: ExitStatus) -> ExitCode {
    if let Some(signal) = status.signal() {
        // A shell that waits for us is to see it, too.
        emulate_default_handler(signal).ok();
        return ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX));
    }
    ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    )
}

/// Patches an environment; says so only if something was done, or cannot be done. How the program has
/// ended does not depend on it.
fn patch(root: Option<PathBuf>) {
    let Some(root) = root else { return };
    match patched(&root) {
        Ok(Some(line)) => error::print("wheelfix", [line]),
        Ok(None) => {}
        Err(error) => {
            error::report(&error);
            let text = format!("`{}` is not patched", root.display());
            error::print("wheelfix", [text]);
        }
    }
}

/// Patches an environment; gives the line to say.
fn patched(root: &Path) -> Result<Option<String>, Error> {
    let Some(environment) = VirtualEnvironment::at(root)? else {
        return Ok(None);
    };
    let options = std::env::var_os(OPTIONS).unwrap_or_default();
    let options = options.to_string_lossy().into_owned();
    let words = ["patch", "--quiet"].into_iter().map(OsString::from);
    let words = words.chain(options.split_whitespace().map(OsString::from));
    let words = words.chain([OsString::from("--"), root.as_os_str().to_owned()]);
    let args = Patch::try_parse_from(words)
        .map_err(|error| Error::Usage(format!("{OPTIONS} cannot be used: {}", error.kind())))?;
    let task = whole(&args.patch)?;
    match environment::execute(environment, args.patch.files(), task)? {
        Outcome::Unchanged(_) => Ok(None),
        Outcome::Patched(patched) => Ok(line(root, &patched.report)),
    }
}

/// The arguments of `wheelfix patch`.
#[derive(Debug, clap::Parser)]
struct Patch {
    #[command(flatten)]
    patch: PatchArgs,
}

fn line(root: &Path, report: &PatchReport) -> Option<String> {
    let (sources, drops) = (report.link_plan.sources.len(), report.link_plan.drops.len());
    let removed = drops + report.unbundling.removed.len();
    if report.elf_edited + sources + removed == 0 && !report.table_changed {
        return None;
    }
    let mut done = vec![format!("{} edited", count(report.elf_edited, "ELF file"))];
    if sources > 0 {
        done.push(format!("{} edited", count(sources, "source")));
    }
    if report.table_changed {
        let names = report.table_names.unwrap_or_default();
        done.push(format!("{} in the library table", count(names, "name")));
    }
    if removed > 0 {
        done.push(format!("{} removed", count(removed, "file")));
    }
    let loadable = report
        .proof
        .as_ref()
        .map_or(0, |proof| proof.loadable.len());
    let proved = count(loadable, "object");
    Some(format!(
        "{} in `{}`, {proved} proved to load",
        done.join(", "),
        root.display()
    ))
}
