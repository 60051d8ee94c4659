//! A library that is nowhere, and an excuse for everything.

use super::Situation;
use super::yard::{CALLS_F, DEFINES_F, Yard};

fn needs_f(yard: &Yard) {
    yard.library("absent/libf.so.1", DEFINES_F, &[]);
    yard.module(CALLS_F, &["absent/libf.so.1"]);
}

pub(super) const ALL: &[Situation] = &[
    Situation::module("all is excused", needs_f).excusing(&["*"]),
    Situation::module("all libraries are excused", needs_f).excusing(&["lib*"]),
    Situation::module("all versions are excused", needs_f).excusing(&["*.so*"]),
    Situation::module("all versions of all libraries are excused", needs_f).excusing(&["lib*.so*"]),
    Situation::module("all that has a name is excused", needs_f).excusing(&["?*"]),
    Situation::module("all is excused twice", needs_f).excusing(&["**"]),
    Situation::module("alternatives are excused that are all", needs_f).excusing(&["{lib,}*"]),
    Situation::module("all is excused letter by letter", needs_f).excusing(&["lib[a-z]*"]),
];
