//! What the crate promises to its users.
#![cfg(test)]

mod loader;
mod proof;
mod workshop;
