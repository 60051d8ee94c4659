//! The promises of the crate to its users, and comparisons with Python's own tools.
#![cfg(test)]

mod filenames;
mod markers;
mod oracle;
mod properties;
mod sed;
mod tags;
mod texts;
