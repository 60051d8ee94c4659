//! What the crate promises to its users.
#![cfg(test)]

mod damage;
mod harness;
mod opinion;
mod read;
mod rules;
