//! Build wheels, sdists, hostile archives and small ELF files for tests, with other tools than ours.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "used by tests only, where a panic is a failure"
)]

pub mod cache;
pub mod elf;
pub mod host;
pub mod hostile;
pub mod nixos;
pub mod prefix;
pub mod python;
pub mod random;
pub mod raw_zip;
pub mod sdist;
pub mod server;
pub mod wheel;
