//! Settings read as the options of the command line that say the same.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser as _};

use crate::builder::request::Reader;
use crate::common::{LibraryArgs, RelocationArgs};
use crate::env::AssemblyArgs;
use crate::error::Error;
use crate::limits::LimitArgs;
use crate::settings::SETTINGS;
use crate::wheel_options::WheelArgs;

/// The options that derivations set, but for those of the Python and its bytecode, whose defaults are others
#[derive(Debug, clap::Parser)]
#[command(no_binary_name = true)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) wheels: WheelArgs,
    #[command(flatten)]
    pub(crate) libraries: LibraryArgs,
    #[command(flatten)]
    pub(crate) relocation: RelocationArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) assembly: AssemblyArgs,
}

impl Reader<'_> {
    /// The settings as options. Values that make no sense are faults, and left out.
    pub(crate) fn options(&mut self) -> Result<Options, Error> {
        let command = Options::command();
        let longs = command.get_arguments().filter_map(clap::Arg::get_long);
        let longs: Vec<String> = longs.map(|long| format!("--{long}")).collect();
        let mut words = Vec::new();
        // Directories of libraries are looked for in what inputs propagate, too.
        for setting in SETTINGS.iter().filter(|setting| setting.name != "libs") {
            for (option, value) in self.settings.options(setting) {
                if !longs.iter().any(|long| long == option) {
                    continue;
                }
                let word = match value {
                    Some(value) => format!("{option}={value}"),
                    None => option.to_owned(),
                };
                match fault_of(&command, &word) {
                    Some(reason) => self.fault(setting.name, value.unwrap_or_default(), reason),
                    None => words.push(word),
                }
            }
        }
        Options::try_parse_from(words).map_err(|error| Error::Usage(error.to_string()))
    }
}

/// The reason why the value of an option is refused; `None` if it is not.
fn fault_of(command: &clap::Command, word: &str) -> Option<String> {
    let error = command.clone().try_get_matches_from([word]).err()?;
    match (error.kind(), error.get(ContextKind::ValidValue)) {
        (ErrorKind::ValueValidation, _) => error.source().map(ToString::to_string),
        (ErrorKind::InvalidValue, Some(ContextValue::Strings(known))) => {
            Some(format!("expected one of: {}", known.join(", ")))
        }
        _ => None,
    }
}
