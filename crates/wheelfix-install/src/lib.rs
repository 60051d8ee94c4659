//! Install wheels into a prefix and assemble site-packages: one pipeline.

mod aliases;
mod applied;
mod bytecode;
mod check_wheels;
mod cleanup;
mod context;
mod dependencies;
mod detach;
mod digest;
mod elf_edits;
mod env;
mod environment_patch;
mod event;
mod extraction;
mod files;
mod install;
mod journal;
mod launcher;
mod layout;
mod left_over;
mod library_table;
mod linking;
mod merging;
mod patch;
mod patch_table;
mod patch_wheel;
mod pipeline_error;
mod pool;
mod prepared;
mod provenance;
mod python;
mod record_check;
mod record_update;
mod report;
mod requirements;
mod sboms;
mod scratch;
mod shared_packages;
mod shebang;
mod sources;
mod staging;
mod standalone;
mod transaction;
mod tree;
mod twice;
mod unbundling;
mod virtual_environment;
mod write_record;
mod writer;

pub use bytecode::{Bytecode, CompileError, CompileFailure, Compiler, Invalidation};
pub use check_wheels::{check_wheels, prefix_of_wheels, python_of_wheels};
pub use cleanup::Cleanup;
pub use context::Libraries;
pub use dependencies::UnmetDependencies;
pub use env::{
    Activation, CollisionAction, CollisionRule, CollisionRuleError, Counts, DistributionCopy,
    DuplicateDistribution, EntryAction, EnvCandidate, EnvCollision, EnvCollisionKind, EnvError,
    EnvFault, EnvReport, EnvRequest, LinkMode, PlannedEntry, Prefix, ProofScope, ResolvedCollision,
    RuntimeCopies, TorchMismatch, UnmetRequirement, assemble, prepare_environment, pythons_of,
};
pub use environment_patch::{
    EnvironmentReport, EnvironmentState, Outdated, Settings, look_at_environment,
};
pub use event::{Event, Listener, Phase};
pub use extraction::{ExtractionError, MemberFault};
pub use files::{FileFault, WheelOptions};
pub use install::{InstallRequest, dry_run, install, prepare_install};
pub use launcher::Interpreter;
pub use layout::Layout;
pub use left_over::{clean_up, clean_up_above, scan_clean};
pub use linking::{EditFailure, LinkError};
pub use patch::{PatchReport, PatchRequest, Scope, patch};
pub use patch_wheel::{
    OutputNameError, PREFIX, PatchWheelReport, PatchWheelRequest, names_in_prefix, names_in_wheel,
    patch_wheel, site_packages,
};
pub use pipeline_error::{PipelineError, Refusal, RefusedWheel};
pub use provenance::Provenance;
pub use python::{BasePython, Python, PythonError};
pub use record_check::{UntrueRecord, untrue_records};
pub use record_update::RecordUpdateError;
pub use report::{InstallReport, InstallWarning, InstalledWheel, KeptScript};
pub use requirements::EditedRequirements;
pub use sboms::SbomUpdateError;
pub use scratch::in_use;
pub use staging::{Staging, StagingError, Unpublished};
pub use tree::{Collision, CollisionKind};
pub use virtual_environment::VirtualEnvironment;
