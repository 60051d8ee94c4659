//! Lock files of Python's installers: what is in them, what of it a selection installs on a target, and
//! which file serves each package. No I/O.
//!
//! [`Lock::read`] reads a file of any format that is known, [`resolve()`] decides what is installed,
//! [`choose()`] takes a wheel or the sdist, and [`Document`] is all of that for other programs.

mod choose;
mod component;
mod document;
mod fault;
mod fetched;
mod file;
mod format;
#[doc(hidden)]
pub mod fuzzing;
mod hash;
mod index;
mod lock;
mod locked;
mod marker_pool;
mod profile;
mod read;
mod resolve;
mod selection;
mod text;

pub use choose::{Choice, Preference, Provider, RejectedWheel, WheelReason, choose, ranked};
pub use document::{Document, DocumentOptions, NixpkgsPackage};
pub use fault::{Fault, Faults, Problem};
pub use fetched::Wanted;
pub use file::{File, Location, public_url, user_of};
pub use format::Format;
pub use hash::{Sri, SriError};
pub use index::IndexAnswers;
pub use lock::{Conflict, DefaultGroups, Edge, Lock, Only, Package, Root, Source};
pub use locked::{Locked, LockedError, LockedFile, LockedPackage, LockedSource};
pub use profile::{Profile, ProfileError};
pub use read::is_open;
pub use resolve::{Absence, Resolution, Resolved, absences, resolve};
pub use selection::{Selection, SelectionError};
