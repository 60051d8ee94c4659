//! Explanations for people who ask: the search for one need, and the picture of all.

pub(crate) mod graph;
pub(crate) mod why;
