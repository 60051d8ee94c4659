//! TOML with a place for what is wrong, and a note for each key that nobody knows.

use serde::Deserialize;

use crate::fault::{Fault, Problem};
use crate::read::unknown_keys::UnknownKeys;

/// A value and the notes on its unknown keys.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<(T, Vec<String>), Box<Fault>> {
    let deserializer = toml::Deserializer::parse(text).map_err(|error| syntax(text, &error))?;
    let mut unknown = UnknownKeys::default();
    let value = serde_ignored::deserialize(deserializer, |path| unknown.add("", &path));
    let value = value.map_err(|error| syntax(text, &error))?;
    Ok((value, unknown.notes()))
}

fn syntax(text: &str, error: &toml::de::Error) -> Box<Fault> {
    let message = error.message().replace('\n', "; ");
    Box::new(Fault::of_file(match error.span() {
        Some(span) => {
            let before = text.get(..span.start).unwrap_or_default();
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let column = before.get(line_start..).unwrap_or_default();
            Problem::Syntax {
                line: before.matches('\n').count() + 1,
                column: column.chars().count() + 1,
                message,
            }
        }
        None => Problem::Structure(message),
    }))
}
