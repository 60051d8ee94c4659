//! Files that other tools have edited before, and edit after us.

use wheelfix_testkit::elf::run_chains;

use crate::editor::Ours;

/// Runs chains of edits and fails with all that went wrong.
#[track_caller]
pub(crate) fn check_chains(seeds: std::ops::Range<u64>) {
    let chains = run_chains(seeds, &Ours);
    println!(
        "{} chains, {} edits of ours, {} refused",
        chains.chains, chains.edits, chains.refused
    );
    assert!(
        chains.faults.is_empty(),
        "{} faults:\n{}",
        chains.faults.len(),
        chains.faults.join("\n")
    );
}
