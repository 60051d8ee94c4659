//! Two commands that do the same, measured in turns.
//!
//! The machine's speed drifts, so each round runs both, in alternating order, and the ratio is the
//! median over the rounds of the quotient within a round.
//! Every run gets a directory of its own, and nothing is removed before the end: some file systems
//! are slow for minutes where many files have just been deleted.

use std::path::Path;
use std::process::Command;

use crate::bench::scratch::Scratch;
use crate::failure::Result;
use crate::usage::{self, Usage};

/// Files of this many bytes are large.
const LARGE: u64 = 64 << 10;

/// One side of a comparison.
#[derive(Clone, Copy)]
pub(crate) struct Side<'side> {
    /// A few words for the table.
    pub(crate) name: &'side str,
    /// Makes the command; it may prepare files in the empty directory it is given, which does not
    /// count, and has to write its output below it.
    pub(crate) command: &'side dyn Fn(&Path) -> Result<Command>,
}

/// All measurements of two sides.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// A heading.
    title: String,
    names: [String; 2],
    /// One entry for each round.
    usages: Vec<[Usage; 2]>,
}

/// Measures two sides, the one whose share is in question first.
pub(crate) fn compare(title: &str, rounds: usize, sides: [Side<'_>; 2]) -> Result<Comparison> {
    measure(title, rounds, sides, |_| Ok(()))
}

/// Like [`compare`], for outputs that are too large to keep until the end: their large files are
/// emptied at once. They stay where they are, for the same reason.
pub(crate) fn compare_large(
    title: &str,
    rounds: usize,
    sides: [Side<'_>; 2],
) -> Result<Comparison> {
    measure(title, rounds, sides, empty_files)
}

/// Gives back the blocks of all large files below a directory.
fn empty_files(dir: &Path) -> Result {
    for entry in walkdir::WalkDir::new(dir) {
        let entry = entry.map_err(|error| error.to_string())?;
        let metadata = entry.metadata().map_err(|error| error.to_string())?;
        if metadata.is_file() && LARGE <= metadata.len() {
            let mut file = fs_err::OpenOptions::new();
            file.write(true).truncate(true).open(entry.path())?;
        }
    }
    Ok(())
}

fn measure(
    title: &str,
    rounds: usize,
    sides: [Side<'_>; 2],
    tidy: impl Fn(&Path) -> Result,
) -> Result<Comparison> {
    let dir = Scratch::new()?;
    let mut usages = Vec::new();
    for round in 0..rounds {
        let run = |index: usize, side: &Side<'_>| {
            let own = dir.0.join(format!("{round}-{index}"));
            fs_err::create_dir(&own)?;
            let log = dir.0.join(format!("{round}-{index}.log"));
            let usage = usage::measure(&mut (side.command)(&own)?, &log)?;
            tidy(&own)?;
            Result::Ok(usage)
        };
        let [left, right] = &sides;
        usages.push(if round % 2 == 0 {
            let first = run(0, left)?;
            [first, run(1, right)?]
        } else {
            let first = run(1, right)?;
            [run(0, left)?, first]
        });
        eprintln!("{title}: round {} of {rounds}", round + 1);
    }
    Ok(Comparison {
        title: title.to_owned(),
        names: sides.map(|side| side.name.to_owned()),
        usages,
    })
}

impl Comparison {
    /// The median of the first side's share of the second side's wall time.
    pub(crate) fn wall_ratio(&self) -> f64 {
        self.ratio(|usage| usage.wall.as_secs_f64())
    }

    /// The medians of the wall times of both sides, in seconds.
    pub(crate) fn walls(&self) -> [f64; 2] {
        [0, 1].map(|side| {
            let of_side = self.usages.iter().filter_map(|round| round.get(side));
            middle(&sorted(
                of_side.map(|usage| usage.wall.as_secs_f64()).collect(),
            ))
        })
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        println!("\n{}", self.title);
        println!(
            "  {:<34}{:>22}{:>9}{:>10}{:>12}{:>14}",
            "", "wall s (min to max)", "CPU s", "RSS MB", "anon. MB", "written MB"
        );
        for (index, name) in self.names.iter().enumerate() {
            let of_side = |value: fn(&Usage) -> f64| -> Vec<f64> {
                let side = self.usages.iter().filter_map(|round| round.get(index));
                sorted(side.map(value).collect())
            };
            let wall = of_side(|usage| usage.wall.as_secs_f64());
            let (Some(least), Some(most)) = (wall.first(), wall.last()) else {
                continue;
            };
            println!(
                "  {name:<34}{:>22}{:>9.2}{:>10.0}{:>12.0}{:>14.3}",
                format!("{:.3} ({least:.3} to {most:.3})", middle(&wall)),
                middle(&of_side(|usage| usage.cpu.as_secs_f64())),
                middle(&of_side(|usage| usage::megabytes(usage.peak_rss))),
                middle(&of_side(|usage| usage::megabytes(usage.peak_anonymous))),
                middle(&of_side(|usage| usage::megabytes(usage.written))),
            );
        }
        println!(
            "  {:<34}{:>22.3}{:>9.2}",
            "first / second",
            self.wall_ratio(),
            self.ratio(|usage| usage.cpu.as_secs_f64())
        );
    }

    fn ratio(&self, value: fn(&Usage) -> f64) -> f64 {
        let quotients = self
            .usages
            .iter()
            .map(|[left, right]| value(left) / value(right));
        middle(&sorted(quotients.collect()))
    }
}

pub(super) fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// The median of sorted values; of an even number, the lower of the two in the middle.
pub(super) fn middle(sorted: &[f64]) -> f64 {
    let index = sorted.len().saturating_sub(1) / 2;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_ratio_is_the_median_of_the_rounds() {
        let usage = |wall| Usage {
            wall: Duration::from_millis(wall),
            cpu: Duration::from_millis(1),
            peak_rss: 0,
            peak_anonymous: 0,
            written: 0,
        };
        let comparison = Comparison {
            title: String::new(),
            names: ["a", "b"].map(str::to_owned),
            usages: vec![
                [usage(10), usage(20)],
                [usage(40), usage(40)],
                [usage(1), usage(10)],
            ],
        };
        assert!((comparison.wall_ratio() - 0.5).abs() < 1e-9);
        let [first, second] = comparison.walls();
        assert!((first - 0.010).abs() < 1e-9 && (second - 0.020).abs() < 1e-9);
    }

    #[test]
    fn files_that_are_emptied_stay() {
        let dir = Scratch::new().unwrap();
        for (name, len) in [("large", LARGE), ("small", LARGE - 1)] {
            fs_err::write(dir.0.join(name), vec![1; usize::try_from(len).unwrap()]).unwrap();
        }
        empty_files(&dir.0).unwrap();
        let len = |name| fs_err::metadata(dir.0.join(name)).unwrap().len();
        assert_eq!([len("large"), len("small")], [0, LARGE - 1]);
    }

    #[test]
    fn both_sides_run_in_directories_of_their_own() {
        let side = |name, word: &'static str| Side {
            name,
            command: Box::leak(Box::new(move |dir: &Path| {
                let mut command = Command::new("sh");
                command.args(["-c", "test ! -e out && echo $0 > out", word]);
                command.current_dir(dir);
                Ok(command)
            })),
        };
        let comparison = compare("test", 3, [side("one", "1"), side("two", "2")]).unwrap();
        assert_eq!(comparison.usages.len(), 3);
        assert!(comparison.wall_ratio().is_finite());
    }
}
