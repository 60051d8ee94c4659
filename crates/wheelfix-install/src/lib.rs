//! Install wheels into a prefix and assemble site-packages: one pipeline.

mod atomic;
mod bytecode;
mod digest;
mod env;
mod event;
mod extraction;
mod files;
mod install;
mod launcher;
mod layout;
mod patch;
mod patch_wheel;
mod path_file;
mod pipeline;
mod pool;
mod python;
mod record;
mod shebang;
mod warning;

pub use atomic::left_over::{clean_up, clean_up_above, scan_clean};
pub use atomic::scratch::in_use;
pub use atomic::staging::{Staging, StagingError, Unpublished};
pub use bytecode::{Bytecode, CompileError, CompileFailure, Compiler, Invalidation};
pub use env::{
    Activation, CollisionAction, CollisionRule, CollisionRuleError, Counts, DistributionCopy,
    DuplicateDistribution, EntryAction, EnvCandidate, EnvCollision, EnvCollisionKind, EnvError,
    EnvFault, EnvReport, EnvRequest, LinkMode, PlannedEntry, Prefix, ProofScope, ResolvedCollision,
    RuntimeCopies, TorchMismatch, UnmetRequirement, assemble, is_source_tree, prepare_environment,
    pythons_of,
};
pub use event::{Event, Listener, Phase};
pub use extraction::{ExtractionError, MemberFault};
pub use files::cleanup::Cleanup;
pub use files::dependencies::UnmetDependencies;
pub use files::provenance::Provenance;
pub use files::tree::{Collision, CollisionKind};
pub use files::{FileFault, WheelOptions};
pub use install::check_wheels::{check_wheels, prefix_of_wheels, python_of_wheels};
pub use install::report::{InstallReport, InstalledWheel};
pub use install::{InstallRequest, dry_run, install, prepare_install};
pub use launcher::Interpreter;
pub use layout::Layout;
pub use patch::environment::{
    EnvironmentReport, EnvironmentState, Outdated, Settings, look_at_environment,
};
pub use patch::virtual_environment::VirtualEnvironment;
pub use patch::{PatchReport, PatchRequest, patch};
pub use patch_wheel::{
    PREFIX, PatchWheelReport, PatchWheelRequest, names_in_prefix, names_in_wheel, patch_wheel,
    site_packages,
};
pub use pipeline::context::Libraries;
pub use pipeline::error::{
    EditFailure, LinkError, OutputNameError, PipelineError, Refusal, RefusedWheel,
};
pub use pipeline::plan::Scope;
pub use pipeline::requirements::EditedRequirements;
pub use pipeline::sboms::SbomUpdateError;
pub use python::{BasePython, Python, PythonError};
pub use record::check::{UntrueRecord, untrue_records};
pub use record::update::RecordUpdateError;
pub use shebang::KeptScript;
pub use warning::InstallWarning;
