//! Tests that take hours with all files there are.
#![cfg(test)]

#[path = "../it/chain.rs"]
mod chain;
#[path = "../it/editor.rs"]
mod editor;

mod loaders;

use crate::chain::check_chains;

#[test]
fn files_survive_all_chains_of_edits() {
    check_chains(100..2200);
}
