//! Pieces of reports for people: headings, rows, lists that are cut.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::error;
use crate::message::escaped;

/// Words are wrapped at this width, in characters, or where a terminal ends before.
const WIDTH: usize = 100;

/// A terminal of fewer columns is taken for one that has so many.
const LEAST_WIDTH: usize = 40;

/// The first column of rows of a name and a value, in characters.
const NAME_WIDTH: usize = 12;

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// A report for people in the making.
#[derive(Debug)]
pub(crate) struct Text {
    text: String,
    /// The columns of the terminal, at which rows are cut; `None` where all of them is to be read.
    columns: Option<usize>,
}

impl Text {
    /// An empty report for standard output.
    pub(crate) fn new() -> Self {
        Self::for_columns(error::width().map(usize::from))
    }

    fn for_columns(columns: Option<usize>) -> Self {
        Self {
            text: String::new(),
            columns: columns.map(|columns| columns.max(LEAST_WIDTH)),
        }
    }

    /// A line as it is.
    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// The width at which words are wrapped.
    fn width(&self) -> usize {
        self.columns.map_or(WIDTH, |columns| columns.min(WIDTH))
    }

    /// A line in a style.
    pub(crate) fn styled(&mut self, style: Style, line: &str) {
        self.line(&paint(style, line));
    }

    /// The heading of a section, with an empty line before it.
    pub(crate) fn heading(&mut self, heading: &str, remark: &str) {
        let remark = if remark.is_empty() {
            String::new()
        } else {
            format!("  {}", paint(DIM, remark))
        };
        self.line("");
        self.line(&format!("{}{remark}", paint(BOLD, heading)));
    }

    /// A row of a name and a value, which may be several words that are wrapped.
    pub(crate) fn row(&mut self, name: &str, value: &str) {
        let mut name = name;
        for line in wrap(value, self.width() - NAME_WIDTH - 2) {
            self.line(&format!(
                "  {}{line}",
                paint(DIM, &format!("{name:NAME_WIDTH$}"))
            ));
            name = "";
        }
    }

    /// A row that is left out if there is no value.
    pub(crate) fn row_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.row(name, value);
        }
    }

    /// Words in lines of the report's width, indented.
    pub(crate) fn words(&mut self, words: &str) {
        self.hanging("", words);
    }

    /// Words in lines of the report's width, all but the first one below its first word.
    pub(crate) fn hanging(&mut self, prefix: &str, words: &str) {
        let indent = 2 + prefix.chars().count();
        let mut prefix = format!("  {prefix}");
        for line in wrap(words, self.width().saturating_sub(indent)) {
            self.line(&format!("{prefix}{line}"));
            prefix = " ".repeat(indent);
        }
    }

    /// A line that is cut where the terminal ends.
    pub(crate) fn cut(&mut self, line: &str) {
        match self.columns {
            Some(columns) => self.line(&cut(line, columns)),
            None => self.line(line),
        }
    }

    /// Rows in columns that are as wide as their longest cells; the last one is cut where the terminal ends.
    pub(crate) fn table<const N: usize>(&mut self, rows: &[[String; N]], right: [bool; N]) {
        let mut widths = [0; N];
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in rows {
            let mut line = String::from("  ");
            for ((cell, width), right) in row.iter().zip(widths).zip(right) {
                // Writing to a string cannot fail.
                if right {
                    write!(line, "{cell:>width$}  ").ok()
                } else {
                    write!(line, "{cell:width$}  ").ok()
                };
            }
            self.cut(line.trim_end());
        }
    }

    /// How many more there are, and how to see them.
    pub(crate) fn more(&mut self, count: usize) {
        if 0 < count {
            self.styled(
                DIM,
                &format!("  and {} more (--all)", thousands(count as u64)),
            );
        }
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

/// How many of a list are printed.
pub(crate) fn shown(len: usize, limit: usize, all: bool) -> usize {
    // A single one that is left out takes no less space than the remark.
    if all || len <= limit + 1 { len } else { limit }
}

/// A text in a style.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// The text of a file, with everything escaped that a terminal would obey.
pub(crate) fn clean(text: &str) -> String {
    escaped(text)
}

/// A number with commas.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if 0 < index && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and what it counts: `1 file`, `2 files`.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{} {noun}", thousands(number as u64))
}

fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let mut line: String = line.chars().take(width - 1).collect();
    line.push('…');
    line
}

/// Lines of words, each as long as fits.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        for (number, want) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (12_415, "12,415"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(number), want);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(clean("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\\n");
    }

    #[test]
    fn rows_end_where_the_terminal_does_and_are_whole_in_pipes() {
        let row = ["25.1 MiB".to_owned(), "numpy.libs/".repeat(8)];
        let printed = |columns| {
            let mut text = Text::for_columns(columns);
            text.table(std::slice::from_ref(&row), [true, false]);
            text.words(&"word ".repeat(30));
            text.finish()
        };
        let longest = |text: &str| text.lines().map(|line| line.chars().count()).max();
        assert_eq!(longest(&printed(Some(60))), Some(60));
        assert_eq!(longest(&printed(Some(1))), Some(LEAST_WIDTH));
        let whole = printed(None);
        assert!(whole.contains(&row.join("  ")), "{whole}");
        assert_eq!(longest(&printed(Some(200))), longest(&whole));
    }

    #[test]
    fn words_are_wrapped() {
        assert_eq!(wrap("a bb ccc  dddd", 5), ["a bb", "ccc", "dddd"]);
        assert_eq!(wrap("toolongforit a", 5), ["toolongforit", "a"]);
        assert_eq!(wrap("", 5), [""]);
    }
}
