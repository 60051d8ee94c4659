//! Install wheels into a prefix and assemble site-packages: one pipeline.

mod bytecode;
mod launcher;
mod layout;
mod python;
mod staging;

pub use bytecode::{Bytecode, CompileError, CompileFailure, Compiler, Invalidation};
pub use launcher::Interpreter;
pub use layout::{Layout, Scheme};
pub use python::{Python, PythonError};
pub use staging::{Staging, StagingError};
