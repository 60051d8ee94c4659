//! Whether there is memory to work with.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::thread;

use rustix::process::{Resource, getrlimit};

use crate::error::Error;

/// The memory that a run may need besides the files that it maps, in bytes: above all for the proof of many libraries.
const NEEDED: usize = 192 << 20;

/// The addresses that glibc's `malloc` takes for each thread that allocates, in bytes: its
/// [arenas](https://sourceware.org/glibc/wiki/MallocInternals) begin as reservations of this size.
const ARENA: usize = 64 << 20;

/// There is too little memory.
#[derive(Debug, thiserror::Error)]
#[error("out of memory: there must be {} MB, by `ulimit -v` too", .0 >> 20)]
struct OutOfMemory(usize);

/// Refuses to begin where a limit leaves too little memory: where it ends in the middle of a run, the program ends as it stands.
///
/// Pages that are not written to take no memory.
pub(crate) fn expect_some() -> Result<(), Error> {
    let needed = NEEDED + arenas();
    let mut memory: Vec<u8> = Vec::new();
    let reserved = memory.try_reserve_exact(needed);
    drop(black_box(memory));
    reserved.map_err(|_| Error::environment(OutOfMemory(needed)))
}

/// The addresses that the arenas of all threads take, in bytes; zero where no limit counts them, or no arena is made.
///
/// At most two threads for each processor work at a time, beside the first one and that of the signals.
fn arenas() -> usize {
    if cfg!(not(target_env = "gnu")) || getrlimit(Resource::As).current.is_none() {
        return 0;
    }
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    ARENA * (2 * processors + 1)
}
