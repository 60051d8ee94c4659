//! A wheel or sdist as a validated value: open, inspect, unpack.
//!
//! A wheel that [`Wheel::open`] returns agrees with itself: its file name has been compared with
//! its metadata, `RECORD` with the archive's directory, and each member has a place to go. Contents
//! are compared with their hashes when they are inflated, not here.
//!
//! ```no_run
//! use std::path::Path;
//! use wheelfix_wheel::Wheel;
//!
//! let wheel = Wheel::open(Path::new("demo-1.0-py3-none-any.whl"))?;
//! for member in wheel.members() {
//!     println!("{} {:?}", member.file.path, member.placement);
//! }
//! # Ok::<(), wheelfix_wheel::WheelError>(())
//! ```

mod contents;
mod contents_lint;
mod digest;
mod elf_members;
mod elf_set;
mod finding;
mod foreign;
#[doc(hidden)]
pub mod fuzzing;
mod gpu_code;
mod installed;
mod loads;
mod sdist;
mod source_archive;
mod stable_abi;
mod tag_check;
mod unpack;
mod wheel;

pub use contents::{ContentFault, ContentProblem};
pub use digest::differs;
pub use elf_members::{ElfMember, ElfMemberError, ElfOptions};
pub use elf_set::{BundledLibrary, ElfSet, MinimumVersion, is_system_library};
pub use finding::{Code, Finding};
pub use foreign::ForeignWheel;
pub use gpu_code::GpuCode;
pub use installed::{InstalledDistribution, InstalledError, installed_distributions};
pub use loads::RuntimeLoad;
pub use sdist::{Sdist, SdistError, SdistFile};
pub use source_archive::{SourceArchive, SourceArchiveError};
pub use unpack::{UnpackError, Unpacked, UnpackedKind};
pub use wheel::fault::{WheelError, WheelFault, WheelFaults, WheelWarning};
pub use wheel::oddity::Oddity;
pub use wheel::placement::{Placement, Scheme};
pub use wheel::{OpenOptions, Wheel, WheelMember, without_store_hash};
