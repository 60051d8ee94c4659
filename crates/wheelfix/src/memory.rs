//! Whether there is memory to work with.

use std::hint::black_box;

use crate::error::Error;

/// What a run may need besides the files that it maps, in bytes: the proof of many libraries, above all.
const NEEDED: usize = 192 << 20;

/// There is too little memory.
#[derive(Debug, thiserror::Error)]
#[error("out of memory: there must be {} MB, by `ulimit -v` too", NEEDED >> 20)]
struct OutOfMemory;

/// Refuses to begin where a limit leaves too little memory: where it ends in the middle of a run, the program ends as it stands.
///
/// What is not written to takes no memory.
pub(crate) fn expect_some() -> Result<(), Error> {
    let mut memory: Vec<u8> = Vec::new();
    let reserved = memory.try_reserve_exact(NEEDED);
    drop(black_box(memory));
    reserved.map_err(|_| Error::environment(OutOfMemory))
}
