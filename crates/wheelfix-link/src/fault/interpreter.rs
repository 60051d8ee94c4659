//! Programs, and the interpreters that start them.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::fault::{BREAK, some_of};

/// The program that is to open the objects cannot be started.
#[derive(Clone, Debug, Serialize)]
pub struct UnstartedProgram {
    /// The program.
    pub path: PathBuf,
    /// The reason why it cannot be started.
    pub reason: String,
}

impl fmt::Display for UnstartedProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, reason } = self;
        write!(f, "`{}` cannot be started: {reason}", path.display())
    }
}

/// A program asks for an interpreter that does not start it on the target.
#[derive(Clone, Debug, Serialize)]
pub struct NoInterpreter {
    /// Final path of the program.
    pub path: PathBuf,
    /// The interpreter that it asks for.
    pub interpreter: String,
    /// The reason why that one does not do, as the end of a sentence.
    pub reason: String,
}

impl fmt::Display for NoInterpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            interpreter,
            reason,
        } = self;
        write!(
            f,
            "program `{}` asks for the interpreter `{interpreter}`, which {reason}",
            path.display()
        )
    }
}

/// The interpreter that the user names is not one of these programs.
#[derive(Clone, Debug, Serialize)]
pub struct WrongInterpreter {
    /// The interpreter.
    pub interpreter: PathBuf,
    /// The machine that it is for.
    pub machine: String,
    /// Final paths of the programs.
    pub programs: BTreeSet<PathBuf>,
}

impl fmt::Display for WrongInterpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            interpreter,
            machine,
            programs,
        } = self;
        let interpreter = interpreter.display();
        write!(f, "`{interpreter}` is a loader for {machine}")?;
        write!(f, "{BREAK}  asked for: {}", some_of(programs))
    }
}
