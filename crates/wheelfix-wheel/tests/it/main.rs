//! The promises of the crate to its users.
#![cfg(test)]

mod elf;
mod foreign;
mod installed;
mod odd;
mod refused;
mod sdist;
mod wheel;
