//! `cargo xtask wheels fetch`: bring the real wheels.

use pico_args::Arguments;

use crate::failure::Result;
use crate::manifest::Set;
use crate::{arguments, fetch};

pub(crate) fn task(mut args: Arguments) -> Result {
    match args.subcommand()?.as_deref() {
        Some("fetch") => {
            let set = args.opt_value_from_str("--set")?.unwrap_or(Set::Cuda);
            arguments::finish(args)?;
            fetch::fetch(set)?;
            Ok(())
        }
        other => Err(format!("expected `fetch`, got `{}`", other.unwrap_or_default()).into()),
    }
}
