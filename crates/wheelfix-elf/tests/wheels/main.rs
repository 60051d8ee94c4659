//! Every library of real wheels: `cargo xtask wheels fetch` brings them.
#![cfg(test)]

mod heal;
mod libraries;
mod slack;
