//! The promises of the crate to its users, in every layout and on every machine.
#![cfg(test)]

#[path = "../it/chain.rs"]
mod chain;
#[path = "../it/damage.rs"]
mod damage;
#[path = "../it/editor.rs"]
mod editor;
#[path = "../it/opinion.rs"]
mod opinion;

mod chains;
mod edits;
mod freestanding;
mod machines;
mod matrix;
