//! The end of a run: the messages on standard error, and the exit code.
//!
//! A command turns the error of a library into [`Error`] in its own file, with an exhaustive match,
//! so that a new library error does not compile until its exit code is decided.

use std::error::Error as StdError;
use std::fmt::{self, Display};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Effects, Style};

use crate::document;
use crate::message::{BREAK, escaped, escaped_named_report, escaped_report, typed};

/// Messages of one kind that are printed; `--json` has all of them.
const MAX_MESSAGES: usize = 1_000;

/// Everything that ends a run early. Documented in `docs/exit-codes.md`.
#[derive(Debug)]
pub(crate) enum Error {
    /// The input is not acceptable, or the proof fails: exit code 1.
    Refused {
        /// The error; its sources are printed as causes.
        error: Box<dyn StdError + Send + Sync>,
        /// Advice on what to do about it, printed last.
        hint: Option<String>,
    },
    /// Faults were found and are printed already: exit code 1.
    Reported,
    /// wheelfix itself is at fault, which is printed already: exit code 101.
    ReportedFault,
    /// The environment failed, which is printed already: exit code 3.
    ReportedEnvironment,
    /// The command line makes no sense in a way that clap cannot see: exit code 2.
    Usage(String),
    /// The environment failed: exit code 3.
    Environment(Box<dyn StdError + Send + Sync>),
}

impl Error {
    /// An unacceptable input, without a hint.
    pub(crate) fn refused(error: impl StdError + Send + Sync + 'static) -> Self {
        Self::Refused {
            error: Box::new(error),
            hint: None,
        }
    }

    /// A failure of the environment.
    pub(crate) fn environment(error: impl StdError + Send + Sync + 'static) -> Self {
        Self::Environment(Box::new(error))
    }

    /// The code to exit with; 2 is also clap's code for a wrong command line.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Environment(error) if is_broken_pipe(error.as_ref()) => 0,
            Self::Refused { .. } | Self::Reported => 1,
            Self::Usage(_) => 2,
            Self::Environment(_) | Self::ReportedEnvironment => 3,
            Self::ReportedFault => 101,
        }
    }

    /// The error with the largest code, after the others are printed; `None` if there is none.
    pub(crate) fn last_of(errors: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut errors: Vec<Self> = errors.into_iter().collect();
        errors.sort_by_key(Self::exit_code);
        let last = errors.pop();
        errors.iter().for_each(report);
        last
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Environment(Box::new(error))
    }
}

/// The advice that follows a fault of our own.
pub(crate) const REPORT: &str = "this is a fault in wheelfix, the file is as it was: please report it with the file, see \
    docs/reporting-faults.md";

/// Prints the error, its causes outermost first, and the hint.
pub(crate) fn report(error: &Error) {
    match error {
        Error::Reported | Error::ReportedEnvironment | Error::ReportedFault => {}
        Error::Environment(error) if is_broken_pipe(error.as_ref()) => {}
        Error::Usage(text) => print("error", [text]),
        Error::Environment(error) => print("error", [chain(error.as_ref())]),
        Error::Refused { error, hint } => {
            print("error", [chain(error.as_ref())]);
            print("hint", hint);
        }
    }
}

/// Whether messages go to a log, on whatever they are printed.
static IS_LOGGED: AtomicBool = AtomicBool::new(false);

/// Says that messages go to a log: Nix gives builders a terminal, whose text it keeps.
pub(crate) fn to_log() {
    IS_LOGGED.store(true, Ordering::Relaxed);
}

/// The columns of the terminal that standard output is; `None` if it is none, or is kept in a log.
pub(crate) fn width() -> Option<u16> {
    if IS_LOGGED.load(Ordering::Relaxed) {
        return None;
    }
    terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0)
}

/// The style of a label, as clap has it for its own messages.
fn style(label: &str) -> Style {
    let color = match label {
        "error" => AnsiColor::Red,
        "warning" => AnsiColor::Yellow,
        _ => AnsiColor::Green,
    };
    color.on_default().effects(Effects::BOLD)
}

/// Standard error: there is colour on a terminal that is not kept in a log, unless `NO_COLOR` or
/// `CLICOLOR` decide otherwise.
fn stderr() -> AutoStream<io::StderrLock<'static>> {
    let stderr = io::stderr();
    let choice = if IS_LOGGED.load(Ordering::Relaxed) {
        ColorChoice::Never
    } else {
        AutoStream::choice(&stderr)
    };
    AutoStream::new(stderr.lock(), choice)
}

/// Prints messages on standard error, each after its label, and escaped: they hold texts of inputs.
pub(crate) fn print(label: &str, messages: impl IntoIterator<Item = impl Display>) {
    let mut stderr = stderr();
    let of_fix = style("fix");
    let fix = format!("\n  {of_fix}fix:{of_fix:#} ");
    let mut messages = messages.into_iter();
    for message in messages.by_ref().take(MAX_MESSAGES) {
        let message = escaped(message);
        document::note(label, &message);
        write_labelled(&mut stderr, label, &message.replace("\n  fix: ", &fix));
    }
    match messages.count() {
        0 => {}
        more => {
            let message = format!("and {more} more, which `--json` lists");
            write_labelled(&mut stderr, label, &message);
        }
    }
}

/// Prints a line to type on standard error, whole, with files as the machine has them.
pub(crate) fn print_typed(label: &str, line: &str) {
    let line = typed(line);
    document::note(label, &line);
    write_labelled(&mut stderr(), label, &line);
}

/// If standard error is gone there is nobody left to tell.
fn write_labelled(stderr: &mut impl io::Write, label: &str, message: &str) {
    let style = style(label);
    writeln!(stderr, "{style}{label}:{style:#} {message}").ok();
}

/// Prints a line on standard output, escaped: it may hold texts of inputs.
pub(crate) fn print_line(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "{}", escaped(line))
}

/// Prints a report on standard output, escaped; it ends its lines itself.
pub(crate) fn print_report(report: impl Display) -> io::Result<()> {
    write!(io::stdout(), "{}", escaped_report(report))
}

/// Prints a report on files that lie nowhere yet, named as messages name them.
pub(crate) fn print_named_report(report: impl Display) -> io::Result<()> {
    write!(io::stdout(), "{}", escaped_named_report(report))
}

/// The outcome of printing a report. That nobody reads it any more is not a failure.
pub(crate) fn printed(result: Result<(), Error>) -> Result<(), Error> {
    match result.and_then(|()| Ok(io::stdout().flush()?)) {
        Err(Error::Environment(error)) if is_broken_pipe(error.as_ref()) => Ok(()),
        result => result,
    }
}

/// An error and its causes, outermost first, a line each.
pub(crate) fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Display + 'a {
    fmt::from_fn(move |f| {
        write!(f, "{error}")?;
        let mut source = error.source();
        while let Some(cause) = source {
            write!(f, "{BREAK}  cause: {cause}")?;
            source = cause.source();
        }
        Ok(())
    })
}

/// The reader of standard output went away, which is its right.
fn is_broken_pipe(error: &(dyn StdError + 'static)) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
