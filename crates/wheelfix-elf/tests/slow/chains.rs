//! A hundred of the chains of edits; the tests `full` run all of them.

use crate::chain::check_chains;

#[test]
fn files_survive_chains_of_edits() {
    check_chains(0..100);
}
