//! What the crate promises to its users.
#![cfg(test)]

mod loader;
mod opened;
mod proof;
mod workshop;
