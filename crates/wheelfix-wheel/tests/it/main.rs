//! The promises of the crate to its users.
#![cfg(test)]

mod elf;
mod installed;
mod odd;
mod refused;
mod sdist;
mod wheel;
