//! Events of the pipeline, for a progress display.

/// A step of the pipeline, or progress within one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A phase begins. The phase before it has ended.
    Phase {
        /// The phase.
        phase: Phase,
        /// How many bytes it is about; 0 if it is not counted in bytes.
        bytes: u64,
    },
    /// So many more bytes of the phase are done.
    Bytes(u64),
}

/// The phases, in their order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Phase {
    /// Open wheels, index libraries.
    Read,
    /// Inflate, check and write.
    Extract,
    /// Decide every edit.
    Plan,
    /// Edit libraries, write scripts and RECORD.
    Apply,
    /// Wait for bytecode.
    Compile,
    /// Prove that everything is found.
    Verify,
    /// Rename into place.
    Publish,
}

/// Hears of [`Event`]s, on any thread.
pub type Listener<'a> = dyn Fn(Event) + Sync + 'a;
