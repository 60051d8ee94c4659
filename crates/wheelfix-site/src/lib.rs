//! Install wheels into a prefix and assemble site-packages: one pipeline.

mod bytecode;
mod digest;
mod launcher;
mod layout;
mod python;
mod record_update;
mod staging;
mod tree;

pub use bytecode::{Bytecode, CompileError, CompileFailure, Compiler, Invalidation};
pub use launcher::Interpreter;
pub use layout::{Layout, Scheme};
pub use python::{Python, PythonError};
pub use record_update::RecordUpdateError;
pub use staging::{Staging, StagingError};
pub use tree::{Collision, CollisionKind};
