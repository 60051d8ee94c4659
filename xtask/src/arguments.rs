//! The flags of a chore.

use pico_args::Arguments;

use crate::failure::Result;

/// Fails if anything was typed that the chore did not ask for.
pub(crate) fn finish(args: Arguments) -> Result {
    let rest = args.finish();
    match rest.first() {
        None => Ok(()),
        Some(word) => Err(format!("unexpected argument: `{}`", word.to_string_lossy()).into()),
    }
}
