//! Libraries that the target has, though no file of the machine at hand is one.

use std::fmt;

/// Which libraries come with the C library and the graphics driver of a target.
///
/// They count where they are not found: the C library's if the target names no interpreter beside which they would lie, the
/// driver's where its directory is searched.
pub trait Provided: fmt::Debug + Sync {
    /// The C library's name if a library is part of it; `None` if not.
    fn libc(&self, soname: &str) -> Option<&str>;

    /// The driver's name if a library is part of it; `None` if not.
    fn driver(&self, soname: &str) -> Option<&str>;
}

/// Nothing but the files: of a target all of whose libraries are at hand.
#[derive(Clone, Copy, Debug)]
pub struct FilesAlone;

impl Provided for FilesAlone {
    fn libc(&self, _: &str) -> Option<&str> {
        None
    }

    fn driver(&self, _: &str) -> Option<&str> {
        None
    }
}
