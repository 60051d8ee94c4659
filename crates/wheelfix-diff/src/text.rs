//! Texts, by their lines.

use std::io;
use std::path::Path;

use fs_err as fs;
use similar::{ChangeTag, TextDiff};

use crate::comparison::Difference;

/// The longest text that is compared line by line, in bytes.
const MAX_LEN: u64 = 1 << 20;

/// The most lines of a text that is compared line by line: the time that two texts without a common line
/// take grows with the square.
const MAX_LINES: usize = 5_000;

/// Reads a file as a text; `None` if it is not one, or too long.
pub(crate) fn read(path: &Path) -> io::Result<Option<String>> {
    if MAX_LEN < fs::metadata(path)?.len() {
        return Ok(None);
    }
    let text = String::from_utf8(fs::read(path)?).ok();
    Ok(text.filter(|text| !text.contains('\0')))
}

/// The lines that only one of two texts has; none where they have too many.
pub(crate) fn differences(a: &str, b: &str) -> Vec<Difference> {
    if MAX_LINES < a.lines().count().max(b.lines().count()) {
        return Vec::new();
    }
    let diff = TextDiff::from_lines(a, b);
    let lines = |tag: ChangeTag| {
        let changes = diff.iter_all_changes().filter(|change| change.tag() == tag);
        let lines = changes.map(|change| change.value().trim_end_matches('\n').to_owned());
        lines.collect::<Vec<_>>()
    };
    let (a, b) = (lines(ChangeTag::Delete), lines(ChangeTag::Insert));
    vec![Difference {
        what: "lines",
        a,
        b,
    }]
}
