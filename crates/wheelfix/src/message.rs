//! Text for people: the one place where what comes from an input is escaped and cut.
//!
//! A message is any `Display`, and everything in it is text of strangers: member names, sonames,
//! symbols, fields of METADATA. What a terminal would obey or hide is escaped, and text without end
//! is cut. The line breaks of the message itself are told from those of a text by how they are
//! written: a `char` that is `\n` ([`BREAK`] in a format string, or `write_char`) begins a line, and a
//! newline inside of a `str` is escaped like any other control character. So a message that forgets
//! about this prints too few lines; it never prints a line of somebody else's.

use std::fmt::{self, Display, Write as _};
use std::sync::OnceLock;

/// Begins a line of a message.
pub(crate) const BREAK: char = '\n';

/// Longest text, in characters: more than the longest path of a package.
const MAX_TEXT: usize = 1_000;

/// Lines of one message; a fault may name a million symbols.
const MAX_LINES: usize = 500;

/// Starts of paths that the user does not know, each with what is said in its place; the first that
/// fits counts.
static SAID_AS: OnceLock<Vec<(String, String)>> = OnceLock::new();

/// Says how paths of which the user knows nothing are told of.
pub(crate) fn say_as(starts: Vec<(String, String)>) {
    SAID_AS.get_or_init(|| starts);
}

/// A message, ready for a terminal.
pub(crate) fn escaped(message: impl Display) -> String {
    said(cut(message, MAX_LINES))
}

/// The text with the paths of which the user knows nothing told as they are to be.
fn said(text: String) -> String {
    match SAID_AS.get() {
        Some(starts) => renamed(&text, starts),
        None => text,
    }
}

/// The text with other starts of paths.
fn renamed(text: &str, starts: &[(String, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let is_inside = out
            .chars()
            .next_back()
            .is_some_and(|last| last.is_alphanumeric() || "/._-".contains(last));
        let found = starts.iter().filter(|_| c == '/' && !is_inside);
        let mut found =
            found.filter_map(|(from, to)| Some((rest.strip_prefix(from.as_str())?, to)));
        if let Some((after, to)) = found.next() {
            out.push_str(to);
            rest = after;
        } else {
            out.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

/// A line to type, ready for a terminal: escaped, and whole.
pub(crate) fn typed(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    line.chars().for_each(|c| push(&mut out, c));
    out
}

/// A report, ready for a terminal: a message of any number of lines.
pub(crate) fn escaped_report(report: impl Display) -> String {
    cut(report, usize::MAX)
}

/// Like [`escaped_report`], with files named as messages name them.
pub(crate) fn escaped_named_report(report: impl Display) -> String {
    said(escaped_report(report))
}

fn cut(message: impl Display, lines_left: usize) -> String {
    let mut sink = Sink {
        out: String::new(),
        lines_left,
        unprinted: 0,
    };
    // Writing to a string cannot fail; a `Display` that fails has said what it could.
    write!(sink, "{message}").ok();
    if 0 < sink.unprinted {
        write!(sink.out, "\n  and {} more lines", sink.unprinted).ok();
    }
    sink.out
}

/// Lines that were escaped already, as lines of a message.
pub(crate) struct Lines(pub(crate) String);

impl Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.0.split(BREAK);
        f.write_str(lines.next().unwrap_or_default())?;
        lines.try_for_each(|line| write!(f, "{BREAK}{line}"))
    }
}

/// Takes a message apart into its own line breaks and texts.
struct Sink {
    out: String,
    lines_left: usize,
    unprinted: usize,
}

impl fmt::Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if 0 < self.unprinted {
            return Ok(());
        }
        let mut chars = text.chars();
        for c in chars.by_ref().take(MAX_TEXT) {
            push(&mut self.out, c);
        }
        match chars.as_str().len() {
            0 => Ok(()),
            bytes => write!(self.out, "... ({bytes} bytes more)"),
        }
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        if c != BREAK {
            let mut text = [0; 4];
            return self.write_str(c.encode_utf8(&mut text));
        }
        if self.lines_left == 0 {
            self.unprinted += 1;
        } else {
            self.lines_left -= 1;
            self.out.push(BREAK);
        }
        Ok(())
    }
}

/// Adds a character of a text.
fn push(out: &mut String, c: char) {
    if is_plain(c) {
        out.push(c);
    } else {
        out.extend(c.escape_default());
    }
}

/// Whether a terminal shows the character, and shows it where it stands in the text.
fn is_plain(c: char) -> bool {
    !(c.is_control() || wheelfix_archive::is_invisible(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_breaks_of_the_message_itself_begin_lines() {
        let soname = "x\n  fix: rm\u{1b}]0;a\u{7}\u{202e}\u{85}\r\u{2028}é\\\"";
        let message = fmt::from_fn(|f| write!(f, "`{soname}` is missing{BREAK}  fix: find it"));
        assert_eq!(
            escaped(message),
            "`x\\n  fix: rm\\u{1b}]0;a\\u{7}\\u{202e}\\u{85}\\r\\u{2028}é\\\"` is missing\n  fix: find it"
        );
    }

    #[test]
    fn texts_and_lists_without_end_are_cut() {
        assert_eq!(escaped("é".repeat(MAX_TEXT)), "é".repeat(MAX_TEXT));
        let long = "é".repeat(MAX_TEXT + 7);
        let want = format!("{}... (14 bytes more) is odd", "é".repeat(MAX_TEXT));
        assert_eq!(escaped(format_args!("{long} is odd")), want);
        let list = fmt::from_fn(|f| {
            f.write_str("symbols")?;
            (0..1_000_000).try_for_each(|number| write!(f, "{BREAK}  {number}"))
        });
        let text = escaped(list);
        assert_eq!(text.lines().count(), MAX_LINES + 2);
        assert!(
            text.ends_with("  499\n  and 999500 more lines"),
            "{:?}",
            text.lines().last()
        );
    }

    #[test]
    fn only_starts_of_paths_are_renamed() {
        let starts = [("/p/lib/", ""), ("/p/", "data/")];
        let starts = starts.map(|(from, to)| (from.to_owned(), to.to_owned()));
        let text = "`/p/lib/é.so` needs /p/x, /opt/p/lib/y, ./p/z\n/p/lib/q";
        let want = "`é.so` needs data/x, /opt/p/lib/y, ./p/z\nq";
        assert_eq!(renamed(text, &starts), want);
    }

    #[test]
    fn a_line_to_type_is_whole() {
        let long = "x".repeat(MAX_TEXT + 1);
        assert_eq!(typed(&long), long);
        assert_eq!(typed("a\n\u{1b}"), "a\\n\\u{1b}");
    }

    #[test]
    fn escaped_lines_stay_lines() {
        assert_eq!(escaped(Lines("a\nb\n".to_owned())), "a\nb\n");
    }
}
