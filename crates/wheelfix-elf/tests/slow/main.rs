//! What the crate promises to its users, in every layout and on every machine.
#![cfg(test)]

#[path = "../it/editor.rs"]
mod editor;
#[path = "../it/opinion.rs"]
mod opinion;

mod machines;
mod matrix;
