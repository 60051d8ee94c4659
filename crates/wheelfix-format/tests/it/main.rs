//! What the crate promises to its users, and what Python's own tools say.
#![cfg(test)]

mod filenames;
mod markers;
mod oracle;
mod properties;
mod sed;
mod tags;
mod texts;
