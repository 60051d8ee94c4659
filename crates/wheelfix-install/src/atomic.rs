//! Nothing half done: changes that are made whole or not at all, however a run ends.

pub(crate) mod detach;
pub(crate) mod journal;
pub(crate) mod left_over;
pub(crate) mod prepared;
pub(crate) mod scratch;
pub(crate) mod staging;
pub(crate) mod transaction;
pub(crate) mod writer;
