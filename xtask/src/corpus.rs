//! `cargo xtask corpus`: wheels that nobody here chose, each judged by what happens when it is used.
//!
//! Each wheel is installed in the bed into a prefix of its own with no flag but `--lib-path`, used, and all objects that
//! are said to load are opened; pip's copy in the same bed is the control. What was judged stays
//! judged until wheelfix, the bed or the entry changes, so that a run can be taken up again.

mod chart;
mod copies;
mod judge;
mod list;
mod outcome;
mod package_libs;
mod peer;
mod probe;
mod remedy;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pico_args::Arguments;

use self::copies::Copies;
use self::judge::Judge;
use self::list::{Corpus, Project};
use self::outcome::{Judgement, Outcome};
use self::peer::{Peer, Task};
use crate::failure::Result;
use crate::nixos::{self, Bed};
use crate::{arguments, build, digest, fetch, place};

/// Of so many projects with ELF files, one is given to nixpkgs' auto-patchelf, too.
const COMPARED: usize = 3;

/// Draws the chart of the results that are recorded.
pub(crate) fn draw_chart() -> Result {
    chart::draw()
}

pub(crate) fn task(mut args: Arguments) -> Result {
    let only: Vec<String> = args.values_from_str("--only")?;
    let small = args.contains("--small");
    let package_libs = args.contains("--package-libs");
    let debug = args.contains("--debug");
    let peer = args.opt_value_from_str("--auto-patchelf")?;
    let peer = peer.map(|script| Peer { script });
    arguments::finish(args)?;
    let corpus = Corpus::read()?;
    if let Some(name) = only
        .iter()
        .find(|name| !corpus.projects.iter().any(|project| project.name == **name))
    {
        return Err(format!("`{name}` is not in test-wheels/corpus.toml").into());
    }
    let is_chosen = |project: &Project| only.is_empty() || only.contains(&project.name);
    let bed = nixos::ensure()?;
    if small && only.is_empty() {
        return run_small(&bed);
    }
    let wheelfix = if debug {
        build::debug()?
    } else {
        build::release()?
    };
    if package_libs {
        return package_libs::write(&corpus, &is_chosen, &wheelfix, &bed);
    }
    let outcomes = judge_all(&corpus, &is_chosen, &wheelfix, &bed, peer.as_ref())?;
    if only.is_empty() {
        report::write(&corpus, &outcomes)?;
    }
    conclude(&outcomes)
}

/// Judges the small projects, with the program that the tests run.
pub(crate) fn run_small(bed: &Bed) -> Result {
    let outcomes = judge_all(
        &Corpus::read()?,
        &|project| project.small,
        &build::debug()?,
        bed,
        None,
    )?;
    conclude(&outcomes)
}

/// The outcomes of the chosen projects, by name.
fn judge_all(
    corpus: &Corpus,
    is_chosen: &dyn Fn(&Project) -> bool,
    wheelfix: &Path,
    bed: &Bed,
    peer: Option<&Peer>,
) -> Result<BTreeMap<String, Outcome>> {
    let chosen: Vec<&Project> = corpus
        .projects
        .iter()
        .filter(|project| is_chosen(project))
        .collect();
    let wanted: BTreeSet<&str> = chosen.iter().flat_map(|project| project.files()).collect();
    let wheels = fetch::listed(&corpus.python, &corpus.wheels, &|file| {
        wanted.contains(file)
    })?;
    let work = place::cache()?.join("corpus");
    let results = work.join("results");
    fs_err::create_dir_all(&results)?;
    let _lock = place::lock("corpus")?;
    let judge = Judge {
        libraries: bed.library_dirs()?,
        key: format!("{} {}", digest::of_file(wheelfix)?, nixos::key()?),
        copies: Copies {
            wheelfix,
            bed,
            wheels,
            work,
        },
    };
    let mut outcomes = BTreeMap::new();
    let mut with_elf_files = 0;
    for (index, project) in chosen.iter().enumerate() {
        let left = chosen.get(index..).unwrap_or_default();
        let needed: BTreeSet<&str> = left
            .iter()
            .flat_map(|project| project.files())
            .map(copies::stem)
            .collect();
        judge.copies.keep_only(|name| needed.contains(name))?;
        let file = results.join(format!("{}.json", project.name));
        let mut outcome = if let Some(outcome) = known(&file, &judge.key(project)?) {
            outcome
        } else {
            let judged = judge.judge(project);
            let outcome = judged.map_err(|error| format!("{}: {error}", project.name))?;
            fs_err::write(&file, serde_json::to_vec_pretty(&outcome)?)?;
            outcome
        };
        with_elf_files += usize::from(outcome.elf_files > 0);
        let is_compared = outcome.elf_files > 0 && with_elf_files % COMPARED == 1;
        if let Some(peer) = peer.filter(|_| is_compared) {
            outcome.peer = Some(peer.judge(&Task {
                copies: &judge.copies,
                project,
                libraries: &judge.libraries,
                key: &outcome.key,
            })?);
        }
        say(index + 1, chosen.len(), &project.name, &outcome);
        outcomes.insert(project.name.clone(), outcome);
    }
    judge.copies.keep_only(|_| false)?;
    Ok(outcomes)
}

/// The outcome of an earlier run, if it has this key.
fn known(file: &Path, key: &str) -> Option<Outcome> {
    let outcome: Outcome = serde_json::from_slice(&fs_err::read(file).ok()?).ok()?;
    (outcome.key == key).then_some(outcome)
}

fn say(number: usize, count: usize, name: &str, outcome: &Outcome) {
    let second = report::without_libraries(outcome);
    println!("[{number}/{count}] {name}: {}{second}", outcome.judgement);
    if !outcome.is_right() || outcome.judgement == Judgement::Undecided {
        for reason in outcome.reasons.iter().take(12) {
            println!("    {reason}");
        }
    }
}

/// Fails if a project is judged wrongly, or its line proves nothing.
fn conclude(outcomes: &BTreeMap<String, Outcome>) -> Result {
    if outcomes.is_empty() {
        return Err("no project was judged".into());
    }
    let wrong: Vec<&str> = outcomes
        .iter()
        .filter(|(_, outcome)| {
            !outcome.is_right()
                || outcome
                    .reasons
                    .iter()
                    .any(|reason| reason.starts_with("the list: "))
        })
        .map(|(name, _)| name.as_str())
        .collect();
    let opened: usize = outcomes.values().map(|outcome| outcome.opened).sum();
    println!(
        "{} projects judged, {opened} objects opened, {} not right",
        outcomes.len(),
        wrong.len()
    );
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("not right: {}", wrong.join(", ")).into())
    }
}
