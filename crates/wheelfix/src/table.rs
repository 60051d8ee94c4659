//! Tables and quantities for people.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
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
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    if let Some(width) = error::width() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width);
    }
    table.add_rows(rows.map(|row| row.map(escaped)));
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    Lines(table.trim_fmt())
}

/// A number of bytes with a unit: `1.09 GiB`.
pub(crate) fn bytes(count: u64) -> String {
    BinaryBytes(count).to_string()
}
