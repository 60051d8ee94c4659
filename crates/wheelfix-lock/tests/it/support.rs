//! Fixtures, and what is installed from them in short.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use wheelfix_format::{RankedTags, Target};
use wheelfix_lock::{Fault, Lock, Preference, Provider, Selection, choose, resolve};

pub(crate) fn fixture_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

pub(crate) fn fixture(name: &str) -> String {
    fs_err::read_to_string(fixture_path(name)).unwrap()
}

#[track_caller]
pub(crate) fn read<'a>(name: &str, text: &'a str) -> Lock<'a> {
    let name = name.rsplit('/').next().unwrap();
    Lock::read(name, text).unwrap_or_else(|faults| panic!("{}", joined(&faults)))
}

/// The selection with these words.
#[track_caller]
pub(crate) fn selection(lock: &Lock<'_>, words: &str) -> Selection {
    Selection::parse(&format!("default={words}"), lock).unwrap()
}

pub(crate) fn joined(faults: &[Fault]) -> String {
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    texts.join("\n")
}

/// A line for each package of a selection: name, version, file, and what it requires.
pub(crate) fn installed(lock: &Lock<'_>, words: &str, target: &str) -> String {
    let target: Target = target.parse().unwrap();
    let tags = RankedTags::new(&target);
    let resolution = match resolve(lock, &selection(lock, words), &target) {
        Ok(resolution) => resolution,
        Err(faults) => return joined(&faults),
    };
    let mut text = String::new();
    for (name, resolved) in &resolution.packages {
        let package = &lock.packages[resolved.number];
        let provider = match choose(package, &tags, Preference::Wheel) {
            Ok(choice) => match choice.provider {
                Provider::Wheel(file) | Provider::Sdist(file) => file.name.clone().into_owned(),
                Provider::Source => format!("{:?}", package.source),
            },
            Err(reasons) => reasons.join("; "),
        };
        let dependencies = resolved.dependencies.as_ref().map(|names| {
            let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
            names.join(" ")
        });
        let root = if resolution.roots.contains(name) {
            "*"
        } else {
            ""
        };
        let dependencies = dependencies.as_deref().unwrap_or("?");
        writeln!(text, "{root}{name} {provider} -> {dependencies}").unwrap();
    }
    text
}
