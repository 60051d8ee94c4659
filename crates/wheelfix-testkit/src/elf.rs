//! Small ELF files from real compilers and linkers, and opinions on them that are not ours.
//!
//! A [`Toolchain`] compiles a probe that examines itself when it runs; an [`Edit`] is what some
//! editor does to it; [`violations`] and `compare` look at the result without running it.

mod bad;
mod chain;
mod check;
mod compare;
mod edit;
mod golang;
mod image;
mod layout;
mod library_dir;
mod linking;
mod matrix;
mod member;
mod mutate;
mod patchelf;
mod platform;
mod strip;
mod tool;
mod toolchain;

pub use self::bad::Bad;
pub use self::chain::{Chains, run as run_chains};
pub use self::check::{Violation, describe, violations};
pub use self::compare::{layout_violations, violations as differences};
pub use self::edit::{Edit, Request};
pub use self::image::{Image, SHF_ALLOC, SHT_NOBITS, Section, Segment, segment_type};
pub use self::layout::{Kind, Layout};
pub use self::library_dir::LibraryDir;
pub use self::linking::{GnuHash, Linking, VersionNeed, tag};
pub use self::matrix::{Editor, run as run_matrix};
pub use self::member::{Member, for_each_member, unpack_members};
pub use self::mutate::{
    Mutant, damaged_fields, drop_section_headers, mixed_up, scribbled, truncated,
};
pub use self::patchelf::{PATCHELF_RELEASES, Patchelf, patchelf, patchelf_release};
pub use self::platform::{Cross, Platform};
pub use self::strip::Stripper;
pub use self::tool::{Outcome, Tool, list_needed};
pub use self::toolchain::{DEPENDENCY, Toolchain};
