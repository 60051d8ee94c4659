//! Findings about a wheel that its maker should know: none is a reason to refuse it.

use std::fmt;

use serde::Serialize;

/// A finding about a wheel that its maker should know.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// The rule that it breaks.
    pub code: Code,
    /// The fault of this wheel, in one line.
    pub message: String,
    /// The files it is about, in the order of the archive; empty if it is about the wheel.
    pub paths: Vec<String>,
}

/// The rules. `W` codes are those of check-wheel-contents, `T` codes ask whether the tags are true.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Code {
    /// A glibc is needed that is newer than the platform tag says.
    T001,
    /// A libstdc++ is needed that is newer than the systems have which the platform tag names.
    T002,
    /// A file is for another machine than the platform tag says.
    T003,
    /// The tag says that any platform will do, but there are compiled files.
    T004,
    /// The tag says stable ABI, but symbols are needed that are not in it.
    T005,
    /// An extension module is for another Python than the tags say.
    T006,
    /// `Root-Is-Purelib` is true, but there are compiled files.
    T007,
    /// A file needs another C library than the platform tag says.
    T008,
    /// Byte code.
    W001,
    /// Files with the same content.
    W002,
    /// A file at the top of `site-packages` that is not a module.
    W003,
    /// A module whose path cannot be imported.
    W004,
    /// A name at the top of `site-packages` that other projects may use as well.
    W005,
    /// `__init__.py` at the top of `site-packages`.
    W006,
    /// Nothing for `site-packages`.
    W007,
    /// Nothing outside of `.dist-info`.
    W008,
    /// Several names at the top of `site-packages`.
    W009,
    /// A directory at the top of `site-packages` without any module.
    W010,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}
