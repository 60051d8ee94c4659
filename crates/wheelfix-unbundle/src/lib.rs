//! Decide with proof which bundled libraries go, and re-point their users.
//!
//! A wheel carries copies of libraries of others: compilers' runtimes, zlib, BLAS. [`plan()`] finds
//! them by what they define and not by their names alone, decides for each whether it stays, and
//! proves for each that is to go that the library which stands in for it will do: every symbol with
//! its version that anything in the tree takes from the copy, of the same kind and size. Nothing is
//! written here: [`UnbundlePlan::substitutions`] is an input of the linking's plan.

mod bundled;
mod decide;
mod duplicate;
mod facts;
mod fault;
mod glibc_version;
mod graph;
mod identify;
mod incompatibility;
mod overrides;
mod plan;
mod prove;
mod references;
mod request;
mod sbom;
mod upstream;

pub use bundled::{Bundled, Decision, DropReason, KeepReason, Provider};
pub use decide::{UnbundleError, plan};
pub use duplicate::{Copy, Duplicate};
pub use fault::UnbundleFault;
pub use incompatibility::Incompatibility;
pub use overrides::{BundledOverride, OverrideError, UnbundleOptions};
pub use plan::{Removed, UnbundlePlan};
pub use request::Request;
pub use sbom::{Component, Sbom, SbomError};
