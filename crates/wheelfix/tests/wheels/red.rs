//! Must not be green: situations in which something does not load, each confirmed by the loader in
//! the bed, run through every command that proves.
//!
//! A command may end with 0 only where it has fixed the fault: then what it made loads, in the bed
//! too.

mod excuses;
mod needs;
mod objects;
mod programs;
mod run;
mod shapes;
mod symbols;
mod yard;

use self::run::Verb;
use self::yard::Yard;

/// Something below the tree that does not load.
#[derive(Clone, Copy, Debug)]
enum Broken {
    /// An extension module or a library that is opened at its path, with all symbols bound at once.
    Object(&'static str),
    /// A program that is started.
    Program(&'static str),
    /// A Python module of this name that is imported.
    Import(&'static str),
    /// A library that is opened by its name alone.
    Named(&'static str),
}

/// Something that does not load.
#[derive(Clone, Copy)]
struct Situation {
    name: &'static str,
    make: fn(&Yard),
    broken: Broken,
    /// Whether commands that edit may fix it; `check` may not pass it.
    is_mended: bool,
    /// The libraries that are excused.
    excused: &'static [&'static str],
    /// `--interpreter`; a relative path is one below the directory of libraries.
    interpreter: Option<&'static str>,
}

impl Situation {
    /// Nothing can fix it, nothing is excused.
    const fn new(name: &'static str, broken: Broken, make: fn(&Yard)) -> Self {
        Self {
            name,
            make,
            broken,
            is_mended: false,
            excused: &[],
            interpreter: None,
        }
    }

    /// A fault of the module `m`.
    const fn module(name: &'static str, make: fn(&Yard)) -> Self {
        Self::new(name, Broken::Object(yard::MODULE), make)
    }

    const fn mended(mut self) -> Self {
        self.is_mended = true;
        self
    }

    const fn excusing(mut self, globs: &'static [&'static str]) -> Self {
        self.excused = globs;
        self
    }

    const fn interpreter(mut self, path: &'static str) -> Self {
        self.interpreter = Some(path);
        self
    }
}

/// Runs all of them through all commands, and fails with one line for each green or odd end.
#[track_caller]
fn none_is_green(situations: &[Situation]) {
    let mut faults = Vec::new();
    for situation in situations {
        let yard = Yard::new();
        (situation.make)(&yard);
        if run::loads(&yard, situation.broken, &yard.site(), &yard.lib()) {
            faults.push(format!("{}: the loader loads it", situation.name));
            continue;
        }
        for verb in Verb::ALL {
            if let Some(fault) = run::fault(&yard, situation, verb) {
                faults.push(format!("{}: {}: {fault}", situation.name, verb.name()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn symbols_and_versions() {
    none_is_green(symbols::ALL);
}

#[test]
fn needed_libraries() {
    none_is_green(needs::ALL);
}

#[test]
fn objects_that_no_loader_takes() {
    none_is_green(objects::ALL);
}

#[test]
fn programs_that_do_not_start() {
    none_is_green(programs::ALL);
}

#[test]
fn excuses_for_everything() {
    none_is_green(excuses::ALL);
}

#[test]
fn there_are_as_many_as_promised() {
    let tables = [
        symbols::ALL,
        needs::ALL,
        objects::ALL,
        programs::ALL,
        excuses::ALL,
    ];
    let count: usize = tables.iter().map(|table| table.len()).sum();
    assert!(60 <= count, "{count}");
}
