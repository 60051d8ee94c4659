//! What the crate promises to its users.
#![cfg(test)]

mod elf;
mod refused;
mod sdist;
mod wheel;
