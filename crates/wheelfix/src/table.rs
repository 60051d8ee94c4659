//! Tables and quantities for people.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use indicatif::BinaryBytes;

use crate::error;
use crate::message::{Lines, escaped};

/// A table without lines: the first column left-aligned, all others right-aligned.
pub(crate) fn render<const N: usize>(
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Lines {
    let right: Vec<usize> = (1..N).collect();
    render_text(header, rows, &right)
}

/// A table without lines: the columns with these numbers right-aligned, all others left-aligned.
pub(crate) fn render_text<const N: usize>(
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    right: &[usize],
) -> Lines {
    render_in(error::width(), header, rows, right)
}

/// Where a line may end; stands in no text that is escaped.
const LINE_END: char = '\u{200b}';

/// A table for a terminal of so many columns, or whole.
fn render_in<const N: usize>(
    width: Option<u16>,
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
    right: &[usize],
) -> Lines {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let header = header.map(str::to_owned);
    let rows = rows.map(|row| row.map(escaped));
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width).set_delimiter(LINE_END);
        let rows = std::iter::once(header).chain(rows);
        let rows: Vec<[String; N]> = rows.map(|row| with_line_ends(row, right)).collect();
        let least = least_widths(&rows, width);
        let mut rows = rows.into_iter();
        table
            .set_header(rows.next().into_iter().flatten())
            .add_rows(rows);
        for (column, least) in table.column_iter_mut().zip(least) {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        }
    } else {
        table.set_header(header).add_rows(rows);
    }
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    Lines(table.trim_fmt().replace(LINE_END, ""))
}

/// With ends of lines behind words, and behind the directories of paths; numbers stay with their units.
fn with_line_ends<const N: usize>(mut row: [String; N], right: &[usize]) -> [String; N] {
    for (column, text) in row.iter_mut().enumerate() {
        if !right.contains(&column) {
            let ends = text.match_indices([' ', '/']).map(|(at, _)| at + 1);
            for at in ends.rev().collect::<Vec<_>>() {
                text.insert(at, LINE_END);
            }
        }
    }
    row
}

/// The blanks on both sides of a column.
const PADDING: usize = 2;

/// The width of each column in which no word is broken, or, where all of them are too wide together, the
/// longest words only.
fn least_widths<const N: usize>(rows: &[[String; N]], width: u16) -> [u16; N] {
    let mut longest = [0; N];
    for row in rows {
        for (longest, text) in longest.iter_mut().zip(row) {
            let words = text
                .split(LINE_END)
                .map(|word| word.trim_end().chars().count());
            *longest = words.fold(*longest, usize::max);
        }
    }
    let total = |most: usize| -> usize { longest.iter().map(|it| it.min(&most) + PADDING).sum() };
    let most = (1..=usize::from(width))
        .rev()
        .find(|most| total(*most) <= usize::from(width));
    let of = |len: usize| len.min(most.unwrap_or(1)) + PADDING;
    longest.map(|len| u16::try_from(of(len)).unwrap_or(width))
}

/// A number of bytes with a unit: `1.09 GiB`.
pub(crate) fn bytes(count: u64) -> String {
    BinaryBytes(count).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(width: Option<u16>) -> String {
        let rows = [
            [
                "numpy.libs/libscipy_openblas64_-56d6093b.so".to_owned(),
                "kept: two copies of it may differ in results".to_owned(),
                "25.1 MiB".to_owned(),
            ],
            [
                "numpy.libs/libgfortran-040039e1.so.5".to_owned(),
                "replaced".to_owned(),
                "2.65 MiB".to_owned(),
            ],
        ];
        let table = render_in(
            width,
            ["library", "what becomes of it", "size"],
            rows.into_iter(),
            &[2],
        );
        escaped(table)
    }

    #[test]
    fn no_word_is_broken_where_all_fit() {
        let text = rendered(Some(60));
        insta::assert_snapshot!(text, @"
        library                           what becomes        size
                                          of it
        numpy.libs/                       kept: two       25.1 MiB
        libscipy_openblas64_-56d6093b.so  copies of it
                                          may differ
                                          in results
        numpy.libs/                       replaced        2.65 MiB
        libgfortran-040039e1.so.5
        ");
        let narrow = rendered(Some(40));
        assert!(narrow.lines().all(|line| line.len() <= 40), "{narrow}");
        assert!(!rendered(None).contains(LINE_END));
    }
}
