//! A process that grows as its loader opens objects: the search, the admission, and what is told of both.

pub(crate) mod admission;
mod glibc;
mod musl;
pub(crate) mod process;
pub(crate) mod provided;
pub(crate) mod trace;
