//! The line to type next: one that mends all faults of a run that are known to be mended without a choice.
//!
//! A choice that only somebody who knows the wheel can make, such as leaving a file out, is no part of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use clap::CommandFactory as _;
use wheelfix_format::is_wheel_name;
use wheelfix_link::{Candidate, Remedy};
use wheelfix_loader::{absolute_path, real_path};

use crate::error::{print, print_typed};
use crate::nixpkgs::{self, Refusal, refusal};
use crate::pip::pip;
use crate::quoting::{nix_string, shell_word};
use crate::remedy::{self, Mendable, advised};

/// Where wheels are put that have to be downloaded or built: a directory that does not exist.
pub(crate) fn wheels_directory() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| free_name("wheels", ""))
}

/// A name that begins and ends so, at which nothing is yet.
pub(crate) fn free_name(start: &str, end: &str) -> String {
    let others = (1..).map(|number| format!("{start}-{number}{end}"));
    let mut names = std::iter::once(format!("{start}{end}")).chain(others);
    let is_free = |name: &String| fs_err::symlink_metadata(name).is_err();
    names.find(is_free).unwrap_or_default()
}

/// Notes a place to write to at which something is already: the line has another one.
pub(crate) fn note_taken(path: &Path) {
    let here = real_path(Path::new(".")).unwrap_or_default();
    let name = path.strip_prefix(here).unwrap_or(path).to_string_lossy();
    let free = free_name(&name, "");
    note_input(&path.to_string_lossy(), &shell_word(&free), None);
}

/// All that is to be done, and how much of what was told it mends.
#[derive(Debug, Default)]
struct NextStep {
    faults: usize,
    mended: usize,
    /// Attributes of nixpkgs whose libraries are to be offered.
    attributes: BTreeSet<String>,
    /// Directories of libraries, as they are written.
    directories: BTreeSet<String>,
    /// Requirements whose wheels are to be downloaded.
    requirements: BTreeSet<String>,
    /// Commands to run before, as they are written.
    before: Vec<String>,
    /// Words of the command line, each with what is written instead.
    instead: Vec<(String, String)>,
    /// Options without value, or with it in the same word.
    flags: BTreeSet<String>,
    /// Options with values that are taken away.
    removed: BTreeSet<(&'static str, String)>,
    /// Values of `--lib-path` that bring nothing.
    barren: BTreeSet<String>,
}

static NEXT: Mutex<Option<NextStep>> = Mutex::new(None);

/// The facts known so far, to be added to.
fn change(change: impl FnOnce(&mut NextStep)) {
    let mut next: MutexGuard<'_, _> = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    change(next.get_or_insert_default());
}

/// Prints faults with their remedies, and notes what mends them.
pub(crate) fn print_faults<T: Mendable>(faults: impl IntoIterator<Item = T>) {
    let noted = faults.into_iter().inspect(|fault| note(&fault.remedies()));
    print("error", noted.map(advised));
}

/// Notes a fault, and what mends it.
pub(crate) fn note(remedies: &[Remedy]) {
    change(|next| {
        next.faults += 1;
        if remedies.iter().any(|remedy| next.take(remedy)) {
            next.mended += 1;
        }
    });
}

/// Notes a word of the command line that is not an input, with what is written instead, and the command
/// to run before.
pub(crate) fn note_input(word: &str, instead: &str, before: Option<String>) {
    if remedy::is_in_build() {
        return note_other();
    }
    change(|next| {
        next.faults += 1;
        next.mended += 1;
        next.instead.push((word.to_owned(), instead.to_owned()));
        next.before.extend(before);
    });
}

/// Notes that another command does what is meant, and a word that it does not take.
pub(crate) fn note_command(instead: &str, without: Option<&str>) {
    note_input(remedy::command(), instead, None);
    let without = without.map(|word| (word.to_owned(), String::new()));
    change(|next| next.instead.extend(without));
}

/// Notes a requirement that a wheel would meet which has to be downloaded.
pub(crate) fn note_requirement(word: Option<&str>, requirement: &str) {
    if remedy::is_in_build() {
        return note_other();
    }
    change(|next| {
        next.faults += 1;
        next.mended += 1;
        next.requirements.insert(requirement.to_owned());
        next.instead
            .extend(word.map(|word| (word.to_owned(), String::new())));
    });
}

/// Notes that an option is missing, which is one word with its value.
pub(crate) fn note_option(option: &str) {
    note_before(Some(option), None);
}

/// Notes a fault that a command mends that is run before, perhaps with an option that is missing.
pub(crate) fn note_before(option: Option<&str>, before: Option<String>) {
    change(|next| {
        next.faults += 1;
        next.mended += 1;
        next.flags.extend(option.map(str::to_owned));
        next.before.extend(before);
    });
}

/// Notes a library path that is not there, which is mended if the line is without it.
pub(crate) fn note_lib_path(path: &Path) {
    let path = path.to_string_lossy();
    change(|next| {
        let mut left_out = next.barren.iter().flat_map(|value| value.split(':'));
        next.mended += usize::from(left_out.any(|it| is_same(it, &path)));
        next.faults += 1;
    });
}

/// Leaves a `--lib-path` out that brings nothing.
pub(crate) fn leave_out_lib_path(value: &str) {
    change(|next| {
        next.barren.insert(value.to_owned());
    });
}

/// Notes a path in whose place another word is to be given; it may be only a part of one.
pub(crate) fn note_instead(path: &Path, instead: &str) {
    if is_given(path) {
        note_input(&path.to_string_lossy(), instead, None);
    } else {
        note_other();
    }
}

/// Notes a fault that only somebody who knows more can mend.
pub(crate) fn note_other() {
    change(|next| next.faults += 1);
}

/// Prints the line, if anything was noted that it mends.
pub(crate) fn print_line() {
    if let Some(line) = line() {
        print_typed("next", &line);
    }
}

/// The line; `None` if nothing was noted that it could mend.
pub(crate) fn line() -> Option<String> {
    let next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    let next = next.as_ref().filter(|next| 0 < next.mended)?;
    let line = if remedy::is_in_build() {
        next.in_nix()?
    } else {
        let words = std::env::args_os().map(|word| word.into_string().ok());
        let words = words.collect::<Option<Vec<String>>>()?;
        // A terminal would show something else than has to be typed.
        if words.iter().any(|word| word.contains(char::is_control)) {
            return None;
        }
        next.in_shell(&words)?
    };
    let missed = next.faults - next.mended;
    Some(if missed == 0 {
        line
    } else {
        format!("{line}  # mends {} of {}", next.mended, next.faults)
    })
}

/// A word of the line.
struct Word<'g> {
    /// As it was given; `None` for one that was not.
    given: Option<&'g str>,
    /// As it is typed.
    text: String,
}

impl Word<'_> {
    fn new(text: String) -> Self {
        Self { given: None, text }
    }
}

impl NextStep {
    /// Whether the remedy is one that can be part of the line.
    fn take(&mut self, remedy: &Remedy) -> bool {
        match remedy {
            Remedy::AddLibPath { candidates, .. } => self.offer(candidates),
            Remedy::LibraryTable { candidates, .. } if remedy::has("--library-table") => {
                self.flags.insert("--library-table".to_owned());
                candidates.is_empty() || self.offer(candidates)
            }
            Remedy::Remove { choice, value } if !remedy::is_in_build() => {
                self.removed
                    .insert((remedy::option(*choice), value.clone()));
                true
            }
            Remedy::LeaveOut { inputs } if !remedy::is_in_build() => self.leave_out(inputs),
            _ => false,
        }
    }

    /// Leaves inputs out, if all are words of the command line.
    fn leave_out(&mut self, inputs: &[PathBuf]) -> bool {
        let are_words = inputs.iter().all(|path| is_given(path));
        if are_words {
            let left_out = inputs.iter().map(|path| path.to_string_lossy());
            let left_out = left_out.map(|word| (word.into_owned(), String::new()));
            self.instead.extend(left_out);
        }
        are_words
    }

    /// Offers the first of the candidates; what is on this machine is nearer than what has to be fetched.
    fn offer(&mut self, candidates: &[Candidate]) -> bool {
        let directory = candidates.iter().find_map(|candidate| match candidate {
            Candidate::Directory(path) => Some(written(path)),
            _ => None,
        });
        if let Some(directory) = directory {
            self.directories.insert(directory);
            return true;
        }
        match candidates.first() {
            Some(Candidate::Nixpkgs(attribute)) if is_evaluated(attribute) => {
                self.attributes.insert(attribute.clone())
            }
            Some(Candidate::Wheel(name)) if remedy::is_in_build() => {
                self.directories.insert(name.clone())
            }
            Some(Candidate::Wheel(name)) if !nixpkgs::is_for_target() => {
                self.requirements.insert(name.clone())
            }
            _ => return false,
        };
        true
    }

    /// The settings of a build.
    fn in_nix(&self) -> Option<String> {
        let libraries = self.directories.iter().cloned();
        let libraries: Vec<String> = libraries.chain(elements(&self.attributes)).collect();
        // A fault alone has its fix already.
        if libraries.len() + self.flags.len() < 2 {
            return None;
        }
        let libraries =
            (!libraries.is_empty()).then(|| remedy::libraries_in_nix(&libraries.join(" ")));
        let flags = self
            .flags
            .iter()
            .filter_map(|option| remedy::ask(option, &[]));
        let parts: Vec<String> = libraries.into_iter().chain(flags).collect();
        Some(parts.join(" "))
    }

    /// The command line as it was, with what mends the faults.
    fn in_shell(&self, given: &[String]) -> Option<String> {
        let mut words = self.words(given);
        let is_command = |word: &Word<'_>| word.given == Some(remedy::command());
        let command = words.iter().position(is_command);
        let mut before = self.before.clone();
        // One wheel is made into another: those beside it have to be installed somewhere first.
        if !self.requirements.is_empty() && words.iter().any(|word| is_output(&word.text)) {
            return None;
        }
        if !self.requirements.is_empty() {
            // Those that are there are brought along; a glob of them stays.
            let is_there = |word: &Word<'_>| word.given.is_some_and(is_wheel);
            let wheels = words.iter().filter(|word| is_there(word));
            before.push(self.download(wheels.map(|word| word.text.clone())));
            let all = format!("{}/*.whl", wheels_directory());
            words.retain(|word| !is_there(word) && word.text != all);
            words.insert(command? + 1, Word::new(all));
        }
        // What only looks is told to `patch`, which makes run paths lead there.
        let offers = !(self.attributes.is_empty() && self.directories.is_empty());
        if offers && !remedy::edits() {
            let command = words
                .get_mut(command?)
                .filter(|word| word.text == "check")?;
            "patch".clone_into(&mut command.text);
            words.retain(|word| word.text != "--warnings");
        }
        // Behind `--` there are paths alone.
        let end = words.iter().position(|word| word.text == "--");
        let end = end.unwrap_or(words.len());
        words.splice(end..end, self.options().into_iter().map(Word::new));
        let words: Vec<String> = words.into_iter().map(|word| word.text).collect();
        is_understood(&words).then(|| {
            before.push(words.join(" "));
            before.join(" && ")
        })
    }

    /// The options to add.
    fn options(&self) -> Vec<String> {
        let built = (!self.attributes.is_empty()).then(|| of_nixpkgs(&self.attributes));
        let directories = self.directories.iter().cloned().chain(built);
        let options = directories.flat_map(|directory| ["--lib-path".to_owned(), directory]);
        let flags = self.flags.iter().cloned();
        options.chain(flags).collect()
    }

    /// The words of the command line, as they are written, with what is put in the place of some.
    fn words<'g>(&self, given: &'g [String]) -> Vec<Word<'g>> {
        let mut words: Vec<Word<'g>> = Vec::new();
        let mut rest = given.iter();
        while let Some(word) = rest.next() {
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value)),
                _ => (word.as_str(), None),
            };
            let next = rest.as_slice().first().map_or("", String::as_str);
            let left_out = self.left_out(name, inline, next);
            if 0 < left_out {
                rest = rest
                    .as_slice()
                    .get(left_out - 1..)
                    .unwrap_or_default()
                    .iter();
                continue;
            }
            let Some(instead) = self.instead_of(word, name, inline) else {
                words.push(Word {
                    given: Some(word),
                    text: shell_word(word),
                });
                continue;
            };
            let is_said = words.iter().any(|other| other.text == instead);
            if !instead.is_empty() && !is_said {
                words.push(Word::new(instead));
            }
        }
        words
    }

    /// How many words are left out from an option on: none, the option, or also its value.
    fn left_out(&self, name: &str, inline: Option<&str>, next: &str) -> usize {
        let is_removed = |value: &str| {
            let mut removed = self.removed.iter();
            removed.any(|(option, of)| *option == name && of == value)
        };
        let is_barren = |value: &str| name == "--lib-path" && self.barren.contains(value);
        match inline {
            Some(value) => usize::from(is_removed(value) || is_barren(value)),
            None if is_removed("") => 1,
            None if is_barren(next) || (!next.is_empty() && is_removed(next)) => 2,
            None => 0,
        }
    }

    /// The text in the place of a word, or of the value that it gives to an option.
    fn instead_of(&self, word: &str, name: &str, inline: Option<&str>) -> Option<String> {
        let of = |word: &str| {
            let mut all = self.instead.iter();
            Some(&all.find(|(from, _)| is_same(word, from))?.1)
        };
        let value = inline.and_then(of).filter(|value| !value.is_empty());
        let value = value.map(|value| format!("{name}={value}"));
        value.or_else(|| of(word).cloned())
    }

    /// The command that downloads wheels, and all that these and those require.
    fn download(&self, wheels: impl Iterator<Item = String>) -> String {
        let pip = pip();
        let requirements = self.requirements.iter().map(|text| shell_word(text));
        let words: Vec<String> = wheels.chain(requirements).collect();
        let words = words.join(" ");
        format!(
            "{pip} download --only-binary=:all: -d {} {words}",
            wheels_directory()
        )
    }
}

/// The line of a fix that brings libraries of nixpkgs.
pub(crate) fn add_packages(attributes: &BTreeSet<String>) -> String {
    if remedy::is_in_build() {
        let elements: Vec<String> = elements(attributes).collect();
        return remedy::libraries_in_nix(&elements.join(" "));
    }
    format!("add --lib-path {}", of_nixpkgs(attributes))
}

/// Whether nixpkgs evaluates an attribute without a choice that somebody has to make for it.
pub(crate) fn is_evaluated(attribute: &str) -> bool {
    matches!(refusal(attribute), None | Some(Refusal::Unfree))
}

/// The libraries of nixpkgs as elements of a list of Nix.
fn elements(attributes: &BTreeSet<String>) -> impl Iterator<Item = String> {
    let attributes = attributes.iter();
    attributes.map(|attribute| format!("(lib.getLib pkgs.{attribute})"))
}

/// The command that brings libraries of nixpkgs, in quotes; prints their directories with colons.
fn of_nixpkgs(attributes: &BTreeSet<String>) -> String {
    let packages = nixpkgs::packages(attributes.iter().map(String::as_str));
    let attributes: Vec<&str> = attributes.iter().map(String::as_str).collect();
    match attributes.as_slice() {
        [one] => remedy::nix_build(&format!("with {packages}; lib.getLib {one}"), ""),
        all => {
            let all = all.join(" ");
            let expression = format!("with {packages}; map lib.getLib [ {all} ]");
            remedy::nix_build(&expression, " | paste -sd:")
        }
    }
}

fn written(path: &Path) -> String {
    let text = path.to_string_lossy();
    if remedy::is_in_build() {
        return nix_string(&text);
    }
    shell_word(&text)
}

/// Whether a word is the option that makes one wheel of another.
fn is_output(word: &str) -> bool {
    let is_short = word.starts_with("-o") && !word.starts_with("--");
    is_short || word.split('=').next() == Some("--output")
}

/// Whether a word names a wheel that is there.
fn is_wheel(word: &str) -> bool {
    is_wheel_name(word) && fs_err::metadata(word).is_ok() && !is_foreign(word)
}

/// Whether the name of a wheel says that it is for other systems, so that pip refuses it.
fn is_foreign(word: &str) -> bool {
    let name = word.rsplit('/').next().unwrap_or(word);
    let platforms = name.trim_end_matches(".whl").rsplit('-').next();
    platforms.is_some_and(|it| it != "any" && !it.contains("linux"))
}

/// Whether a word of the command line is the one that is told of, perhaps as the absolute path.
fn is_same(word: &str, told: &str) -> bool {
    let absolute = || absolute_path(Path::new(word)).is_ok_and(|path| path == Path::new(told));
    word == told || (told.starts_with('/') && absolute())
}

/// Whether a path is a word of the command line, or the value of an option there.
fn is_given(path: &Path) -> bool {
    let told = path.to_string_lossy();
    let mut words = std::env::args_os().filter_map(|word| word.into_string().ok());
    words.any(|word| {
        let value = word.split_once('=').map_or("", |(_, value)| value);
        is_same(&word, &told) || is_same(value, &told)
    })
}

/// Whether the command line is one of ours; words that a shell would expand count as they are.
fn is_understood(words: &[String]) -> bool {
    crate::Args::command().try_get_matches_from(words).is_ok()
}
