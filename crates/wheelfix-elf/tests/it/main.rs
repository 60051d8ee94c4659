//! The promises of the crate to its users.
#![cfg(test)]

mod damage;
mod earlier;
mod editor;
mod files;
mod harness;
mod odd;
mod opinion;
mod read;
mod refused;
mod rules;
mod stack;
mod verifier;
