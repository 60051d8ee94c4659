//! The threads of a run.

use std::num::NonZeroUsize;

/// Bytes of stack for each thread: directories nest up to a limit, and a thread that waits for those
/// below takes up others. Memory that is not used is not there.
const STACK_LEN: usize = 16 << 20;

/// Runs work on as many threads as asked for.
pub(crate) fn in_pool<T: Send, E: Send + From<rayon::ThreadPoolBuildError>>(
    jobs: NonZeroUsize,
    work: impl FnOnce() -> Result<T, E> + Send,
) -> Result<T, E> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs.get())
        .stack_size(STACK_LEN)
        .build()?;
    pool.install(work)
}
