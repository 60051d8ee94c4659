//! `cargo xtask recording`: the picture of a terminal in the README, drawn from a transcript.
//!
//! A test runs the commands of the transcript, and compares what they print.

use std::path::PathBuf;

use pico_args::Arguments;

use crate::chart::escaped;
use crate::failure::Result;
use crate::{arguments, place};

/// Columns of the terminal; longer lines go on in the next one.
const COLUMNS: usize = 100;

/// Width of a character and height of a line, in pixels.
const CELL: (usize, usize) = (8, 20);

pub(crate) fn task(args: Arguments) -> Result {
    arguments::finish(args)?;
    let (transcript, picture) = paths();
    let text = fs_err::read_to_string(transcript)?;
    fs_err::write(&picture, draw(&text))?;
    println!("drawn: {}", picture.display());
    Ok(())
}

/// The transcript and its picture.
fn paths() -> (PathBuf, PathBuf) {
    let images = place::root().join("docs/images");
    (images.join("first-run.txt"), images.join("first-run.svg"))
}

/// A terminal with these lines, as SVG.
fn draw(transcript: &str) -> String {
    let mut rows: Vec<(&str, String)> = Vec::new();
    for line in transcript.lines() {
        let color = color(line);
        let chars: Vec<char> = line.chars().collect();
        let parts = chars.chunks(COLUMNS);
        rows.extend(parts.map(|part| (color, part.iter().collect())));
    }
    let (cell, height) = CELL;
    let (width, total) = ((COLUMNS + 4) * cell, (rows.len() + 2) * height);
    let mut lines = vec![
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{total}\" \
             viewBox=\"0 0 {width} {total}\" role=\"img\">"
        ),
        "<title>A wheel that does not import, wheelfix patch, and the import that works</title>"
            .to_owned(),
        "<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1b1f27\"/>".to_owned(),
        "<g font-family=\"ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace\" \
         font-size=\"13\" xml:space=\"preserve\">"
            .to_owned(),
    ];
    for (number, (color, text)) in rows.iter().enumerate() {
        let (x, y) = (2 * cell, (number + 2) * height - height / 4);
        let text = escaped(text);
        lines.push(format!(
            "<text x=\"{x}\" y=\"{y}\" fill=\"{color}\">{text}</text>"
        ));
    }
    lines.push("</g>\n</svg>\n".to_owned());
    lines.join("\n")
}

/// Commands are bright, errors red, all else grey.
fn color(line: &str) -> &'static str {
    if line.starts_with("$ ") {
        "#ffffff"
    } else if line.contains("Error: ") || line.starts_with("error: ") {
        "#ff7b72"
    } else {
        "#b6bec9"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_that_of_the_transcript() {
        let (transcript, picture) = paths();
        let text = fs_err::read_to_string(transcript).unwrap();
        let drawn = fs_err::read_to_string(picture).unwrap();
        assert_eq!(drawn, draw(&text), "run `cargo xtask recording`");
        assert!(text.contains("\n$ wheelfix "), "{text}");
    }

    #[test]
    fn long_lines_go_on_and_marks_of_xml_are_written_out() {
        let drawn = draw(&format!("$ a <b> & c\n{}", "x".repeat(COLUMNS + 1)));
        assert!(drawn.contains(">$ a &lt;b&gt; &amp; c</text>"), "{drawn}");
        assert_eq!(drawn.matches("<text ").count(), 3, "{drawn}");
    }
}
