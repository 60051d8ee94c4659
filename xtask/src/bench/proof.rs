//! The whole proof of torch with its CUDA libraries, of the whole set, and of ten copies of it.
//!
//! Nobody else proves anything, so there is nothing to stand beside; what counts is that the cost
//! grows as the number of objects does.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::bench::Options;
use crate::bench::pair::{middle, sorted};
use crate::demo::install::Job;
use crate::demo::prefixes::Prefixes;
use crate::failure::Result;
use crate::manifest::{Manifest, Set};
use crate::usage::{self, Usage, megabytes};
use crate::{build, fetch, program, python};

/// How many copies of the set are proved at once.
const COPIES: usize = 10;

/// The counts of `wheelfix check --json`.
#[derive(Debug, Deserialize)]
struct Counts {
    loadable: Vec<PathBuf>,
    symbols: usize,
}

pub(crate) fn run(options: &Options) -> Result {
    let bench = Bench {
        wheelfix: build::release()?,
        python: python::tools()?.join("python3"),
        rounds: options.rounds,
    };
    let prefixes = bench.install()?;
    let all = installed(prefixes.dir())?;
    let of_torch = |path: &&PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        ["nvidia_", "torch-", "triton-"]
            .iter()
            .any(|start| name.starts_with(start))
    };
    let torch: Vec<PathBuf> = all.iter().filter(of_torch).cloned().collect();
    let copies = bench.copies(&prefixes)?;
    println!(
        "\n{:<32}{:>9}{:>9}{:>24}{:>8}{:>9}{:>13}{:>13}",
        "proof of",
        "objects",
        "symbols",
        "wall s (min to max)",
        "CPU s",
        "RSS MB",
        "us / object",
        "us / symbol"
    );
    bench.measure("torch and its CUDA wheels", &torch)?;
    bench.measure("the whole cuda set", &all)?;
    bench.measure(&format!("{COPIES} copies of it"), &copies)?;
    prefixes.finish(false)
}

/// The programs and the number of rounds that all measurements use.
struct Bench {
    wheelfix: PathBuf,
    python: PathBuf,
    rounds: usize,
}

impl Bench {
    /// Installs the set, each wheel into a prefix of its own.
    fn install(&self) -> Result<Prefixes> {
        let wheels = fetch::fetch(Set::Cuda)?;
        let mut prefixes = Prefixes::new()?;
        for wheel in Manifest::read()?.of_set(Set::Cuda) {
            let job = Job {
                wheelfix: &self.wheelfix,
                python: &self.python,
                file: &wheels.join(&wheel.file),
            };
            job.install(wheel, &mut prefixes)?;
        }
        Ok(prefixes)
    }

    /// The prefixes of all copies. Their directories are beside that of the originals.
    fn copies(&self, prefixes: &Prefixes) -> Result<Vec<PathBuf>> {
        let parent = prefixes.dir().parent().ok_or("no directory for copies")?;
        let name = prefixes.dir().file_name().unwrap_or_default();
        let mut copies = Vec::new();
        for letter in ('a'..).take(COPIES) {
            let dir = parent.join(letter.to_string().repeat(name.len()));
            let mut command = Command::new(&self.python);
            command
                .arg("-I")
                .arg("-c")
                .arg(include_str!("proof/copy.py"));
            program::output(command.arg(prefixes.dir()).arg(&dir))?;
            copies.extend(installed(&dir)?);
        }
        Ok(copies)
    }

    fn check(&self, prefixes: &[PathBuf]) -> Command {
        let mut command = Command::new(&self.wheelfix);
        command.args(["check", "--python"]).arg(&self.python);
        command.args(prefixes);
        command
    }

    /// Proves the prefixes and prints what it took. The first proof warms the page cache.
    fn measure(&self, title: &str, prefixes: &[PathBuf]) -> Result {
        let text = program::output(self.check(prefixes).arg("--json"))?;
        let counts: Counts = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let log = prefixes.first().ok_or("nothing to prove")?;
        let log = log.with_extension("log");
        let mut usages = Vec::new();
        for _ in 0..self.rounds {
            usages.push(usage::measure(self.check(prefixes).arg("--quiet"), &log)?);
        }
        let of_all = |value: fn(&Usage) -> f64| sorted(usages.iter().map(value).collect());
        let wall = of_all(|usage| usage.wall.as_secs_f64());
        let (Some(least), Some(most)) = (wall.first(), wall.last()) else {
            return Ok(());
        };
        let cpu = middle(&of_all(|usage| usage.cpu.as_secs_f64()));
        println!(
            "{title:<32}{:>9}{:>9}{:>24}{cpu:>8.2}{:>9.0}{:>13.0}{:>13.2}",
            counts.loadable.len(),
            counts.symbols,
            format!("{:.2} ({least:.2} to {most:.2})", middle(&wall)),
            middle(&of_all(|usage| megabytes(usage.peak_rss))),
            per(cpu, counts.loadable.len()),
            per(cpu, counts.symbols),
        );
        Ok(())
    }
}

/// Microseconds for each of so many.
#[expect(clippy::cast_precision_loss, reason = "a few digits are printed")]
fn per(seconds: f64, count: usize) -> f64 {
    seconds * 1e6 / count as f64
}

/// The prefixes of wheels in a directory, sorted.
fn installed(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("runtimes") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_for_a_thousand_is_a_millisecond_each() {
        assert!((per(1.0, 1000) - 1000.0).abs() < 1e-9);
    }
}
