//! Install wheels into a prefix and assemble site-packages: one pipeline.

mod bytecode;
mod digest;
mod event;
mod extraction;
mod files;
mod finish;
mod install;
mod launcher;
mod layout;
mod patch;
mod python;
mod record_update;
mod relocation;
mod report;
mod staging;
mod tree;

pub use bytecode::{Bytecode, CompileError, CompileFailure, Compiler, Invalidation};
pub use event::{Event, Listener, Phase};
pub use extraction::ExtractionError;
pub use files::{FileFault, Wishes};
pub use install::{InstallError, InstallRequest, Refusal, RefusedWheel, dry_run, install};
pub use launcher::Interpreter;
pub use layout::Layout;
pub use patch::{PatchReport, PatchRequest, PatchTreeError, patch};
pub use python::{Python, PythonError};
pub use record_update::RecordUpdateError;
pub use relocation::{EditFailure, Libraries, RelocationError};
pub use report::{InstallReport, InstalledWheel};
pub use staging::{Staging, StagingError};
pub use tree::{Collision, CollisionKind};
