//! `docs/corpus.md`.

use std::collections::BTreeMap;

use crate::corpus::chart;
use crate::corpus::list::{Corpus, Project};
use crate::corpus::outcome::{Judgement, Outcome};
use crate::corpus::peer::PeerOutcome;
use crate::failure::Result;
use crate::place;

const ALL: [Judgement; 7] = [
    Judgement::CorrectPass,
    Judgement::CorrectRefusal,
    Judgement::Told,
    Judgement::FalsePass,
    Judgement::FalseRefusal,
    Judgement::Crash,
    Judgement::Undecided,
];

/// Reasons that are told of a project.
const REASONS: usize = 4;
/// Characters of each.
const LONGEST: usize = 300;

/// Writes the document.
pub(crate) fn write(corpus: &Corpus, outcomes: &BTreeMap<String, Outcome>) -> Result {
    let text = format!(
        "# The corpus\n\
         \n\
         Written by `cargo xtask corpus`; the list, and the rule by which it was drawn, are in `test-wheels/corpus.toml`.\n\
         Each wheel is installed into a prefix of its own, with no flag but `--lib-path`, in a place shaped like NixOS; it is used,\n\
         and every object that is said to load is opened. The control is pip's copy in the same place. \"Told\" is an install that\n\
         cannot be used without a library that Python code opens, and that a warning names.\n\
         \n\
         {}\n\
         ## Not right, undecided, or with a flag\n\
         \n\
         {}\n\
         {}## All\n\
         \n\
         {}",
        totals(outcomes),
        not_right(outcomes)?,
        beside_peer(outcomes),
        rows(corpus, outcomes),
    );
    fs_err::write(place::root().join("docs/corpus.md"), text)?;
    chart::draw()
}

fn totals(outcomes: &BTreeMap<String, Outcome>) -> String {
    let count = |filter: &dyn Fn(&Outcome) -> bool| {
        outcomes.values().filter(|outcome| filter(outcome)).count()
    };
    let row = |judgement: Judgement| {
        format!(
            "| {judgement} | {} | {} | {} |\n",
            count(&|outcome| outcome.judgement == judgement),
            count(&|outcome| outcome.judgement == judgement && outcome.elf_files > 0),
            count(&|outcome| outcome.without_libraries == Some(judgement)),
        )
    };
    let flags = count(&|outcome| !outcome.flags.is_empty());
    let opened: usize = outcomes.values().map(|outcome| outcome.opened).sum();
    format!(
        "| | projects | of these with ELF files | installs without libraries from the bed |\n\
         | --- | --- | --- | --- |\n\
         {}\n\
         {} projects; {opened} objects were said to load and opened one by one. {flags} need a flag beyond `--lib-path`.\n",
        ALL.map(row).concat(),
        outcomes.len()
    )
}

/// The comparison with nixpkgs' auto-patchelf; empty if it was not asked.
fn beside_peer(outcomes: &BTreeMap<String, Outcome>) -> String {
    let compared: Vec<(&String, &Outcome, PeerOutcome)> = outcomes
        .iter()
        .filter_map(|(name, outcome)| Some((name, outcome, outcome.peer?)))
        .collect();
    if compared.is_empty() {
        return String::new();
    }
    let ours = |outcome: &Outcome| outcome.judgement.is_right();
    let count = |wanted: PeerOutcome| {
        let of_one = compared.iter().filter(|(_, _, peer)| *peer == wanted);
        of_one.count()
    };
    let theirs_alone: Vec<&str> = compared
        .iter()
        .filter(|(_, outcome, peer)| *peer == PeerOutcome::Works && !ours(outcome))
        .map(|(name, ..)| name.as_str())
        .collect();
    format!(
        "## Beside nixpkgs' auto-patchelf\n\
         \n\
         One in three of the projects with ELF files is given to nixpkgs' auto-patchelf, too: pip's copy, the same directories and\n\
         no flag; it may use every directory of libraries in wheelfix's copies of the wheels that are required.\n\
         \n\
         | | projects |\n\
         | --- | --- |\n\
         | wheelfix is right | {} of {} |\n\
         | auto-patchelf's copy can be used | {} |\n\
         | auto-patchelf's copy cannot be used, which the build does not tell | {} |\n\
         | auto-patchelf refuses it: it needs a flag, or a library that the bed lacks | {} |\n\
         \n\
         Right by auto-patchelf and not by wheelfix: {}.\n\
         \n",
        compared
            .iter()
            .filter(|(_, outcome, _)| ours(outcome))
            .count(),
        compared.len(),
        count(PeerOutcome::Works),
        count(PeerOutcome::DoesNotWork),
        count(PeerOutcome::Refused),
        if theirs_alone.is_empty() {
            "none".to_owned()
        } else {
            theirs_alone.join(", ")
        },
    )
}

/// A list item for each project of which there is something to say.
fn not_right(outcomes: &BTreeMap<String, Outcome>) -> Result<String> {
    // Where the cache lies is of no use to anyone else.
    let cache = format!("{}/", place::cache()?.display());
    let is_odd = |outcome: &Outcome| {
        let is_undecided = outcome.judgement == Judgement::Undecided;
        !outcome.is_right() || is_undecided || !outcome.flags.is_empty()
    };
    let told = |reason: &String| {
        let reason: String = reason.replace(&cache, "").chars().take(LONGEST).collect();
        format!("  - `{}`\n", reason.replace('`', "'"))
    };
    let item = |(name, outcome): (&String, &Outcome)| {
        let flags = outcome.flags.join(" ");
        let flags = (!flags.is_empty()).then(|| format!("  - with `{flags}`\n"));
        let reasons: Vec<String> = outcome.reasons.iter().take(REASONS).map(told).collect();
        format!(
            "- {name}: {}{}\n{}{}",
            outcome.judgement,
            without_libraries(outcome),
            flags.unwrap_or_default(),
            reasons.concat()
        )
    };
    let items: Vec<String> = outcomes
        .iter()
        .filter(|(_, outcome)| is_odd(outcome))
        .map(item)
        .collect();
    Ok(if items.is_empty() {
        "None.\n".to_owned()
    } else {
        items.concat()
    })
}

/// The second judgement, if there is one.
pub(crate) fn without_libraries(outcome: &Outcome) -> String {
    let second = outcome.without_libraries;
    second.map_or_else(String::new, |judgement| {
        format!("; without its libraries: {judgement}")
    })
}

fn rows(corpus: &Corpus, outcomes: &BTreeMap<String, Outcome>) -> String {
    let row = |project: &Project| {
        let outcome = outcomes.get(&project.name)?;
        let second = outcome
            .without_libraries
            .map_or_else(String::new, |judgement| judgement.to_string());
        Some(format!(
            "| {} | {} | {} | {} | {} | {} | {second} |\n",
            project.name,
            project.kind,
            project.wheel,
            outcome.elf_files,
            outcome.opened,
            outcome.judgement,
        ))
    };
    let rows: Vec<String> = corpus.projects.iter().filter_map(row).collect();
    format!(
        "| project | kind | wheel | ELF files | opened | judgement | without its libraries |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n\
         {}",
        rows.concat()
    )
}
