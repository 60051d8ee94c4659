//! Read zip and tar safely and in parallel; the only place where a member name becomes a path.
//!
//! This crate knows nothing of wheels. It reads hostile bytes, so its promise is about refusal: an
//! archive that two readers could understand differently is not opened, and every reason is listed.
//!
//! ```no_run
//! use std::path::Path;
//! use wheelfix_archive::{Limits, ZipArchive};
//!
//! let archive = ZipArchive::open(Path::new("demo-1.0-py3-none-any.whl"), &Limits::default())?;
//! for member in archive.members() {
//!     println!("{} {}", member.path, member.len);
//! }
//! # Ok::<(), wheelfix_archive::OpenError>(())
//! ```

mod bytes;
mod content;
mod extract;
mod fault;
#[doc(hidden)]
pub mod fuzzing;
mod libdeflate;
mod map;
mod member_path;
mod output;
mod tar;
mod times;
mod zip;
mod zip_writer;

pub use crate::content::{Content, ContentError, MemberReader};
pub use crate::extract::{
    Digest, ExtractError, ExtractItem, Extracted, ItemFault, Observer, Silent, Written,
    create_directories, extract, write_files,
};
pub use crate::fault::{Fault, FaultList};
pub use crate::member_path::{MemberPath, MemberPathError, is_invisible};
pub use crate::tar::fault::{TarFault, TarFaults, TarProblem};
pub use crate::tar::{Compression, TarArchive, TarError, TarKind, TarMember};
pub use crate::times::normalise_times;
pub use crate::zip::fault::{Faults, ZipFault, ZipProblem};
pub use crate::zip::limits::Limits;
pub use crate::zip::{Member, Method, OpenError, ZipArchive};
pub use crate::zip_writer::{Packed, ZipWriter};
