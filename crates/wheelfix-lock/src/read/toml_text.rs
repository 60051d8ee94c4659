//! TOML with a place for what is wrong, and a note for each key that nobody knows.

use std::ops::Range;

use serde::Deserialize;

use crate::fault::{Fault, Faults, Problem};
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

/// More faults than these are not looked for: each costs one more reading of the file.
const MAX_FAULTS: usize = 20;

/// In longer files the first fault is the only one that is looked for; in bytes.
const MAX_LEN: usize = 4 << 20;

/// The faults of a file whose packages are tables, as `[[package]]`: what stops its reading, and what
/// would stop it without the packages that have faults. `check` reads a text.
pub(crate) fn all_faults(
    text: &str,
    first: Fault,
    check: impl Fn(&str) -> Option<Box<Fault>>,
) -> Faults {
    let mut faults = vec![first];
    let mut rest = text.to_owned();
    while faults.len() < MAX_FAULTS && text.len() <= MAX_LEN {
        let Some(Problem::Syntax { line, .. }) = faults.last().map(|fault| &fault.problem) else {
            break;
        };
        let Some(package) = package_around(&rest, *line) else {
            break;
        };
        // The lines stay, so that the next fault is told by its own.
        let lines = rest
            .get(package.clone())
            .unwrap_or_default()
            .matches('\n')
            .count();
        rest.replace_range(package, &"\n".repeat(lines));
        match check(&rest) {
            Some(fault) => faults.push(*fault),
            None => break,
        }
    }
    faults
}

/// The tables of packages; uv called them distributions at first.
const PACKAGES: [&str; 3] = ["[[package]]", "[[packages]]", "[[distribution]]"];

/// The table of the package that a line is in, the line counted from 1; in bytes.
fn package_around(text: &str, line: usize) -> Option<Range<usize>> {
    let (mut at, mut start) = (0, None);
    for (number, content) in (1..).zip(text.split_inclusive('\n')) {
        let is_package = PACKAGES.contains(&content.trim_end());
        let table = content.trim_start_matches('[');
        let is_inner = table.starts_with("package") || table.starts_with("distribution");
        if is_package || content.starts_with('[') && !is_inner {
            if line < number {
                break;
            }
            start = is_package.then_some(at);
        }
        at += content.len();
    }
    start.map(|start| start..at)
}
