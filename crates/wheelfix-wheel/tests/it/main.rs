//! The promises of the crate to its users.
#![cfg(test)]

mod elf;
mod installed;
mod refused;
mod sdist;
mod wheel;
