//! The chart of right results, drawn from docs/corpus.md.

use std::path::PathBuf;

use crate::chart::{Chart, Panel, Row};
use crate::failure::Result;
use crate::place;

/// The judgements that `wheelfix` gets, each with the class of its bar and its word; the others are wrong.
const RIGHT: &[(&str, char, &str)] = &[
    ("correct pass", 'c', "work"),
    ("correct refusal", 'd', "refused rightly"),
    ("told", 'e', "told of"),
];

/// The rows about auto-patchelf, likewise.
const PEER: &[(&str, char, &str)] = &[
    ("auto-patchelf's copy can be used", 'c', "work"),
    ("auto-patchelf refuses it", 'e', "refused"),
    (
        "auto-patchelf's copy cannot be used",
        'f',
        "fails when used",
    ),
];

/// The judgements that are wrong.
const WRONG: &[&str] = &["false pass", "false refusal", "crash"];

/// Draws the chart.
pub(super) fn draw() -> Result {
    let document = fs_err::read_to_string(place::root().join("docs/corpus.md"))?;
    fs_err::write(picture(), chart(&document)?.draw())?;
    Ok(())
}

fn picture() -> PathBuf {
    place::root().join("docs/images/corpus.svg")
}

fn chart(document: &str) -> Result<Chart> {
    let mut own = bars(document, RIGHT)?;
    let wrong = WRONG.iter().map(|name| cell(document, name));
    let wrong: usize = wrong.sum::<Result<usize>>()?;
    own.push((wrong, 'f', "wrong"));
    let all: usize = own.iter().map(|(count, ..)| count).sum();
    let remark = "Installed with no flag but directories of libraries, on a machine shaped like NixOS, and used.";
    let mut panels = vec![Panel {
        heading: format!("{all} projects that nobody here chose"),
        remark: remark.to_owned(),
        rows: vec![row("wheelfix", &own)],
    }];
    // A run without auto-patchelf has no such section.
    if document.contains("\n## Beside nixpkgs' auto-patchelf\n") {
        panels.push(beside(document)?);
    }
    let title = "Projects that work, by wheelfix and by auto-patchelf".to_owned();
    Ok(Chart { title, panels })
}

fn beside(document: &str) -> Result<Panel> {
    let peer = bars(document, PEER)?;
    let compared: usize = peer.iter().map(|(count, ..)| count).sum();
    let right = cell(document, "wheelfix is right")?;
    let ours = [
        (right, 'c', "right"),
        (compared.saturating_sub(right), 'f', "wrong"),
    ];
    Ok(Panel {
        heading: format!(
            "{compared} of them, beside nixpkgs' auto-patchelf with the same directories"
        ),
        remark: String::new(),
        rows: vec![row("wheelfix", &ours), row("auto-patchelf", &peer)],
    })
}

/// The counts of rows, with their classes and words.
fn bars(
    document: &str,
    rows: &[(&str, char, &'static str)],
) -> Result<Vec<(usize, char, &'static str)>> {
    let bars = rows.iter();
    let bars = bars.map(|(name, class, word)| Ok((cell(document, name)?, *class, *word)));
    bars.collect()
}

/// The number in the first cell behind a name that begins so.
fn cell(document: &str, name: &str) -> Result<usize> {
    let mut lines = document.lines();
    let rest = lines.find_map(|line| line.strip_prefix("| ")?.strip_prefix(name));
    let number = rest.and_then(|rest| rest.split('|').nth(1));
    let number = number.and_then(|cell| cell.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| format!("docs/corpus.md has no row `{name}` with a number").into())
}

fn row(name: &str, bars: &[(usize, char, &str)]) -> Row {
    let bars: Vec<_> = bars.iter().filter(|(count, ..)| 0 < *count).collect();
    let all: usize = bars.iter().map(|(count, ..)| count).sum();
    let words: Vec<String> = bars
        .iter()
        .map(|(count, _, word)| format!("{count} {word}"))
        .collect();
    #[expect(clippy::cast_precision_loss, reason = "shares of a few hundred")]
    let share = |count: usize| count as f64 / all.max(1) as f64;
    Row {
        name: name.to_owned(),
        // Names and words take the room of a third of the bars.
        parts: bars
            .iter()
            .map(|(count, class, _)| (*class, share(*count) * 0.6))
            .collect(),
        text: words.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(path: &str) -> String {
        fs_err::read_to_string(place::root().join(path)).unwrap()
    }

    #[test]
    fn the_chart_is_that_of_the_corpus() {
        let drawn = fs_err::read_to_string(picture()).unwrap();
        let chart = chart(&document("docs/corpus.md")).unwrap();
        assert_eq!(drawn, chart.draw(), "run `cargo xtask bench --charts`");
    }

    #[test]
    fn the_readme_says_what_the_corpus_showed() {
        let corpus = document("docs/corpus.md");
        let number = |name: &str| cell(&corpus, name).unwrap();
        let (works, refused) = (number("correct pass"), number("correct refusal"));
        let compared = number("wheelfix is right");
        let readme = document("README.md");
        for want in [
            format!("{} projects that nobody here chose", works + refused),
            format!("{works} work, {refused} are refused rightly"),
            format!(
                "of {compared} of them with nixpkgs' auto-patchelf and the same directories {} work, {} are refused, {} fails",
                number("auto-patchelf's copy can be used"),
                number("auto-patchelf refuses it"),
                number("auto-patchelf's copy cannot be used"),
            ),
        ] {
            assert!(readme.contains(&want), "README.md does not say: {want}");
        }
    }

    #[test]
    fn a_document_without_a_row_is_an_error() {
        let error = chart("| correct pass | 1 |\n").unwrap_err().to_string();
        assert!(error.contains("`correct refusal`"), "{error}");
    }
}
