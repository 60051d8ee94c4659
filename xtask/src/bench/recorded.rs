//! `docs/benchmarks.toml`: figures of `bench --record`, of which `bench --charts` draws the chart in README.

use std::path::PathBuf;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::chart::{Chart, Panel, Row};
use crate::failure::Result;
use crate::{place, program};

const HEADING: &str = "# Figures of `cargo xtask bench NAME --record MACHINE`, medians in seconds; docs/BENCHMARKS.md says more of them.\n\
# `cargo xtask bench --charts` draws docs/images/speed.svg from them.\n\n";

/// The panels of the chart: the benchmark, its heading, and a remark.
const PANELS: &[(&str, &str, &str)] = &[
    (
        "install",
        "Installing a wheel, beside uv pip install",
        "wheelfix also compares each file with RECORD, links libraries, and proves that all load.",
    ),
    (
        "elf",
        "Giving libraries a run path, beside patchelf",
        "Each pair of bars is as wide as its slower side.",
    ),
];

/// All figures, in the order of the chart.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recorded {
    #[serde(rename = "figure")]
    figures: Vec<Figure>,
}

/// Two sides that did the same.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figure {
    /// The benchmark.
    pub(crate) bench: String,
    /// The thing that is worked on.
    pub(crate) subject: String,
    /// The name of the other side.
    pub(crate) beside: String,
    /// Seconds that wheelfix took.
    pub(crate) ours: f64,
    /// Seconds that the other side took.
    pub(crate) theirs: f64,
    /// The day.
    pub(crate) date: String,
    /// The machine, in a few words.
    pub(crate) machine: String,
}

impl Figure {
    /// A figure of today. Seconds are rounded to thousandths.
    pub(crate) fn new(
        bench: &str,
        subject: &str,
        beside: &str,
        walls: [f64; 2],
        machine: &str,
    ) -> Result<Self> {
        let date = program::output(Command::new("date").args(["-u", "+%F"]))?;
        let [ours, theirs] = walls.map(|seconds| (seconds * 1e3).round() / 1e3);
        Ok(Self {
            bench: bench.to_owned(),
            subject: subject.to_owned(),
            beside: beside.to_owned(),
            ours,
            theirs,
            date: date.trim().to_owned(),
            machine: machine.to_owned(),
        })
    }
}

/// Records a figure in the place of the one before.
pub(super) fn add(figure: Figure) -> Result {
    let mut recorded = Recorded::read()?;
    recorded.put(figure);
    let text = toml::to_string(&recorded).map_err(|error| error.to_string())?;
    fs_err::write(path(), format!("{HEADING}{text}"))?;
    Ok(())
}

/// Draws the chart.
pub(super) fn draw() -> Result {
    let picture = picture();
    fs_err::write(&picture, Recorded::read()?.chart().draw())?;
    println!("drawn: {}", picture.display());
    Ok(())
}

fn path() -> PathBuf {
    place::root().join("docs/benchmarks.toml")
}

fn picture() -> PathBuf {
    place::root().join("docs/images/speed.svg")
}

impl Recorded {
    fn read() -> Result<Self> {
        let text = fs_err::read_to_string(path())?;
        toml::from_str(&text).map_err(|error| format!("docs/benchmarks.toml: {error}").into())
    }

    fn put(&mut self, figure: Figure) {
        let is_same =
            |old: &&mut Figure| old.bench == figure.bench && old.subject == figure.subject;
        match self.figures.iter_mut().find(is_same) {
            Some(old) => *old = figure,
            None => self.figures.push(figure),
        }
    }

    fn chart(&self) -> Chart {
        let panels = PANELS.iter().map(|(bench, heading, remark)| {
            let figures = self.figures.iter().filter(|figure| figure.bench == *bench);
            Panel {
                heading: (*heading).to_owned(),
                remark: (*remark).to_owned(),
                rows: figures.flat_map(rows).collect(),
            }
        });
        Chart {
            title: "Seconds that wheelfix takes, beside uv and patchelf".to_owned(),
            panels: panels.collect(),
        }
    }
}

/// Two bars: ours and theirs, as wide as the slower one.
fn rows(figure: &Figure) -> [Row; 2] {
    let slower = figure.ours.max(figure.theirs);
    let row = |name: &str, class: char, seconds: f64, who: &str| Row {
        name: name.to_owned(),
        parts: vec![(class, seconds / slower)],
        text: format!("{seconds} s  {who}"),
    };
    [
        row(&figure.subject, 'a', figure.ours, "wheelfix"),
        row("", 'b', figure.theirs, &figure.beside),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chart_is_that_of_the_figures() {
        let drawn = fs_err::read_to_string(picture()).unwrap();
        let recorded = Recorded::read().unwrap();
        assert_eq!(
            drawn,
            recorded.chart().draw(),
            "run `cargo xtask bench --charts`"
        );
        let known = |figure: &Figure| PANELS.iter().any(|(bench, ..)| *bench == figure.bench);
        assert!(recorded.figures.iter().all(known), "{recorded:?}");
    }

    /// All numbers of a row that are seconds.
    fn seconds(row: &str) -> Vec<f64> {
        let words: Vec<&str> = row.split([' ', ',', ';']).collect();
        let pairs = words.windows(2).filter(|pair| pair.get(1) == Some(&"s"));
        pairs
            .filter_map(|pair| pair.first()?.parse().ok())
            .collect()
    }

    #[test]
    fn the_page_of_benchmarks_has_the_figures() {
        let page = fs_err::read_to_string(place::root().join("docs/BENCHMARKS.md")).unwrap();
        for figure in Recorded::read().unwrap().figures {
            let has = |row: &str| {
                let seconds = seconds(row);
                [figure.ours, figure.theirs]
                    .iter()
                    .all(|it| seconds.contains(it))
            };
            assert!(
                page.lines().any(has),
                "docs/BENCHMARKS.md has no row with {figure:?}"
            );
            assert!(page.contains(&figure.date), "{figure:?}");
        }
    }

    #[test]
    fn a_new_figure_takes_the_place_of_the_old_one() {
        let figure = |subject: &str, ours| Figure {
            bench: "install".to_owned(),
            subject: subject.to_owned(),
            beside: "uv".to_owned(),
            ours,
            theirs: 2.0,
            date: String::new(),
            machine: String::new(),
        };
        let mut recorded = Recorded::default();
        for (subject, ours) in [("a", 1.0), ("b", 1.0), ("a", 3.0)] {
            recorded.put(figure(subject, ours));
        }
        let all: Vec<(&str, f64)> = recorded
            .figures
            .iter()
            .map(|it| (it.subject.as_str(), it.ours))
            .collect();
        assert_eq!(all, [("a", 3.0), ("b", 1.0)]);
    }
}
