//! Decide with proof which bundled libraries go, and re-point their users.
//!
//! A wheel carries copies of libraries of others: compilers' runtimes, zlib, BLAS. [`plan()`] finds
//! them by what they define and not by their names alone, decides for each whether it stays, and
//! proves for each that is to go that the library which stands in for it will do: every symbol with
//! its version that anything in the tree takes from the copy, of the same kind and size. Nothing is
//! written here: [`UnbundlePlan::revise`] gives the tree as it will be, for the relocation to plan
//! with.

mod bundled;
mod decide;
mod facts;
mod fault;
mod glibc_version;
mod graph;
mod lack;
mod mention;
mod plan;
mod prove;
mod recognise;
mod request;
mod sbom;
mod twice;
mod unify;
mod upstream;
mod wish;

pub use bundled::{Bundled, DropReason, KeepReason, Provider, Verdict};
pub use decide::{UnbundleError, plan};
pub use fault::UnbundleFault;
pub use lack::Lack;
pub use plan::{Removed, UnbundlePlan};
pub use request::Request;
pub use sbom::{Component, Sbom, SbomError};
pub use twice::{Copy, Twice};
pub use wish::{BundledWish, UnbundleOptions, WishError};
