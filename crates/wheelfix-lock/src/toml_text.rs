//! TOML with a place for what is wrong, and a note for each key that nobody knows.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::fault::{Fault, Problem};

/// A value and the notes on its unknown keys.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<(T, Vec<String>), Box<Fault>> {
    let deserializer = toml::Deserializer::parse(text).map_err(|error| syntax(text, &error))?;
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    let note = |path: serde_ignored::Path<'_>| {
        *unknown
            .entry(without_numbers(&path.to_string()))
            .or_default() += 1;
    };
    let value =
        serde_ignored::deserialize(deserializer, note).map_err(|error| syntax(text, &error))?;
    let notes = unknown.into_iter().map(|(key, count)| match count {
        1 => format!("the key `{key}` is unknown and passed over"),
        count => format!("the key `{key}` is unknown and passed over, {count} times"),
    });
    Ok((value, notes.collect()))
}

/// `package.3.wheels.0.zstd` as `package.wheels.zstd`.
fn without_numbers(path: &str) -> String {
    let is_name = |part: &&str| *part != "?" && !part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = path.split('.').filter(is_name).collect();
    parts.join(".")
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
