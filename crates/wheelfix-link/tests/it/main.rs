//! The promises of the crate to its users.
#![cfg(test)]

mod damaged;
mod musl;
mod opened;
mod proof;
mod toolchain;
