//! The steps that all callers share: plan, apply, verify.

pub(crate) mod applied;
pub(crate) mod context;
pub(crate) mod elf_edits;
pub(crate) mod error;
pub(crate) mod plan;
pub(crate) mod requirements;
pub(crate) mod sboms;
pub(crate) mod sources;
pub(crate) mod verify;
