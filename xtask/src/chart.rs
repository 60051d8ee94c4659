//! Charts of bars, as SVG that is light or dark as its reader is.

use std::fmt::Write as _;

/// The width of a chart in pixels, and where its bars begin and end.
const WIDTH: usize = 760;
const BARS: (usize, usize) = (200, 575);

/// The height of a bar, and of a line of text.
const BAR: usize = 15;
const LINE: usize = 21;

const STYLE: &str = "text{font:13px system-ui,'Segoe UI','Helvetica Neue','DejaVu Sans',sans-serif;fill:#1c2330}\
text.title{font-weight:600;font-size:15px}text.dim{fill:#5b6576}\
.paper{fill:#fff}.a{fill:#2b6cc4}.b{fill:#aab4c3}.c{fill:#3f9142}.d{fill:#7fb3e6}.e{fill:#d9a32b}.f{fill:#c62828}\
@media(prefers-color-scheme:dark){text{fill:#e4e8ef}text.dim{fill:#9aa5b6}.paper{fill:#14181f}\
.a{fill:#5d9cec}.b{fill:#4a5568}.c{fill:#5fb865}.d{fill:#3f6ea8}}";

/// A chart: panels, one below the other.
#[derive(Debug)]
pub(crate) struct Chart {
    /// The picture in words.
    pub(crate) title: String,
    pub(crate) panels: Vec<Panel>,
}

/// Rows below a heading.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) heading: String,
    /// A line below the rows.
    pub(crate) remark: String,
    pub(crate) rows: Vec<Row>,
}

/// A bar with a name before it and a text behind it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// The parts of the bar: the class of each, and its share of the longest bar.
    pub(crate) parts: Vec<(char, f64)>,
    pub(crate) text: String,
}

impl Chart {
    /// The picture.
    pub(crate) fn draw(&self) -> String {
        let mut body = String::new();
        let mut y = 0;
        for panel in &self.panels {
            y += LINE / 2;
            text(&mut body, "title", 16, y + LINE, &panel.heading);
            y += LINE + 4;
            for row in &panel.rows {
                // Rows without a name belong to the one above.
                y += if row.name.is_empty() { 0 } else { 7 };
                y += row.draw(&mut body, y);
            }
            text(&mut body, "dim", 16, y + LINE + 2, &panel.remark);
            y += if panel.remark.is_empty() {
                LINE / 2
            } else {
                LINE + LINE / 2
            };
        }
        let height = y + LINE / 2;
        let title = escaped(&self.title);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
             <rect class=\"paper\" width=\"100%\" height=\"100%\" rx=\"8\"/>\n{body}</svg>\n"
        )
    }
}

impl Row {
    /// Draws the row at a height, and gives its own.
    fn draw(&self, body: &mut String, y: usize) -> usize {
        let (start, end) = BARS;
        text(body, "name", 16, y + BAR, &self.name);
        let mut x = 0.0;
        for (class, share) in &self.parts {
            #[expect(clippy::cast_precision_loss, reason = "widths are small")]
            let (left, width) = (start as f64 + x, (end - start) as f64 * share);
            writeln!(
                body,
                "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\"/>",
                y + 3,
                width.max(1.0)
            )
            .ok();
            x += width.max(1.0);
        }
        let place = start
            + (0..end)
                .take_while(|pixel| f64::from(u32::try_from(*pixel).unwrap_or(0)) < x)
                .count();
        text(body, "value", place + 8, y + BAR, &self.text);
        BAR + 2
    }
}

fn text(body: &mut String, class: &str, x: usize, y: usize, text: &str) {
    if !text.is_empty() {
        let text = escaped(text);
        writeln!(
            body,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"
        )
        .ok();
    }
}

/// A text within XML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_bar_lie_side_by_side() {
        let row = Row {
            name: "a & b".to_owned(),
            parts: vec![('a', 0.5), ('b', 0.25)],
            text: "3 s".to_owned(),
        };
        let panel = Panel {
            heading: "heading".to_owned(),
            remark: String::new(),
            rows: vec![row],
        };
        let drawn = Chart {
            title: "title".to_owned(),
            panels: vec![panel],
        }
        .draw();
        for part in [
            ">a &amp; b</text>",
            "<rect class=\"a\" x=\"200.0\" y=\"45\" width=\"187.5\"",
            "<rect class=\"b\" x=\"387.5\" y=\"45\" width=\"93.8\"",
            "x=\"490\" y=\"57\">3 s</text>",
        ] {
            assert!(drawn.contains(part), "no {part} in {drawn}");
        }
    }
}
