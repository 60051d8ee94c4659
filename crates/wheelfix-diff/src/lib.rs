//! Two trees of files compared: which files are in one of them only, and how the others differ.
//!
//! Looked at are kinds, permissions, the targets of symbolic links, and the bytes of files; where bytes
//! differ, they are read as far as their format is known: ELF files by their facts and sections, RECORD by
//! its rows, texts by their lines. Owners, times and the permissions of directories are not looked at, as a
//! Nix store keeps none of them.
//!
//! ```
//! use wheelfix_diff::{Listing, compare};
//!
//! let (a, b) = (tempfile::tempdir()?, tempfile::tempdir()?);
//! std::fs::write(a.path().join("x"), "one\ntwo\n")?;
//! std::fs::write(b.path().join("x"), "one\n2\n")?;
//! let comparison = compare(&Listing::of_directory(a.path())?, &Listing::of_directory(b.path())?)?;
//! let lines = comparison.changed[0].difference("lines").unwrap();
//! assert_eq!((&lines.a[..], &lines.b[..]), (&["two".to_owned()][..], &["2".to_owned()][..]));
//! # Ok::<(), std::io::Error>(())
//! ```

mod bytes;
mod compare;
mod comparison;
mod elf;
mod listing;
mod record;
mod text;

pub use bytes::same_bytes;
pub use compare::compare;
pub use comparison::{Changed, Comparison, Difference};
pub use listing::{Entry, EntryKind, Listing};
