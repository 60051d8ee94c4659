//! Whether there is memory to work with.

use std::hint::black_box;

use crate::error::Error;

/// The memory that a run may need besides the files that it maps, in bytes: above all for the proof of many libraries.
const NEEDED: usize = 192 << 20;

/// There is too little memory.
#[derive(Debug, thiserror::Error)]
#[error("out of memory: there must be {} MB, by `ulimit -v` too", NEEDED >> 20)]
struct OutOfMemory;

/// Refuses to begin where a limit leaves too little memory: where it ends in the middle of a run, the program ends as it stands.
///
/// Pages that are not written to take no memory.
pub(crate) fn expect_some() -> Result<(), Error> {
    let mut memory: Vec<u8> = Vec::new();
    let reserved = memory.try_reserve_exact(NEEDED);
    drop(black_box(memory));
    reserved.map_err(|_| Error::environment(OutOfMemory))
}
