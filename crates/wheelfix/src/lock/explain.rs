//! `--explain`: why each file of a package is taken or not.

use std::collections::{BTreeMap, BTreeSet};

use wheelfix_format::{PackageName, RankedTags};
use wheelfix_lock::{
    DocumentOptions, Lock, Preference, Selection, absences, choose, ranked, resolve,
};

use super::{LockArgs, likeliest, refuse};
use crate::error::{Error, print, print_line, printed};

/// Says of each wheel of a package why it is taken or not.
pub(super) fn explain(
    args: &LockArgs,
    lock: &Lock<'_>,
    selections: &[Selection],
    options: &DocumentOptions,
    name: &PackageName,
) -> Result<(), Error> {
    if lock.named(name).next().is_none() {
        let known: BTreeSet<String> = lock.packages.iter().map(|it| it.name.to_string()).collect();
        let file = args.file();
        let text = format!("no package of `{}` is `{name}`", file.display());
        print("error", [text]);
        let near = likeliest(name.as_str(), &known);
        print("hint", near.map(|near| format!("is `{near}` meant?")));
        return Err(Error::Reported);
    }
    let mut lines = Vec::new();
    for target in &args.targets {
        let tags = RankedTags::new(target);
        // Which version is meant may depend on the selection.
        let mut of_version: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for selection in selections {
            let resolution =
                resolve(lock, selection, target).map_err(|faults| refuse(args, &faults))?;
            if let Some(resolved) = resolution.packages.get(name) {
                of_version
                    .entry(resolved.number)
                    .or_default()
                    .push(&selection.name);
            }
        }
        for number in lock.named(name) {
            let Some(package) = lock.packages.get(number) else {
                continue;
            };
            let selected = match of_version.get(&number) {
                Some(names) => format!("selected by {}", names.join(", ")),
                None => "not selected".to_owned(),
            };
            lines.push(format!("{} on {target}, {selected}", package.label()));
            for selection in selections {
                let absences = absences(lock, selection, target, number);
                let absences = absences.map_err(|faults| refuse(args, &faults))?;
                let of_selection = match selections {
                    [_] => String::new(),
                    _ => format!("not in {}: ", selection.name),
                };
                lines.extend(absences.iter().map(|why| format!("  {of_selection}{why}")));
            }
            let mut of_files = reasons(package, &tags, options.preference_of(name));
            if let Some(attribute) = options.attribute_of(package) {
                let taken = |line: &String| line.contains(": taken");
                of_files.retain(|line| !taken(line));
                lines.push(format!("  taken from nixpkgs, as `{attribute}`"));
            }
            if !of_version.contains_key(&number) {
                let would = |line: String| line.replace(": taken", ": would be taken");
                of_files = of_files.into_iter().map(would).collect();
            }
            lines.extend(of_files);
        }
    }
    printed(lines.iter().try_for_each(|line| Ok(print_line(line)?)))
}

/// A line for each file of a package.
fn reasons(
    package: &wheelfix_lock::Package<'_>,
    tags: &RankedTags,
    preference: Preference,
) -> Vec<String> {
    use wheelfix_lock::Provider;

    let (fitting, rejected) = ranked(package, tags);
    let taken = choose(package, tags, preference).ok();
    let is_wheel = taken
        .as_ref()
        .is_some_and(|it| matches!(it.provider, Provider::Wheel(_)));
    let mut lines = Vec::new();
    for (at, file) in fitting.iter().enumerate() {
        lines.push(match (at, is_wheel) {
            (0, true) => format!("  {}: taken", file.name),
            (0, false) => format!("  {}: fits, and the sdist is preferred", file.name),
            _ => format!("  {}: fits, and the first one is better", file.name),
        });
    }
    for rejected in rejected {
        lines.push(format!("  {}: {}", rejected.file.name, rejected.reason));
    }
    if let Some(sdist) = &package.sdist {
        let name = &sdist.name;
        lines.push(match &taken {
            Some(choice) if matches!(choice.provider, Provider::Sdist(_)) => {
                let why = choice.why.as_deref().unwrap_or_default();
                format!("  {name}: taken, {why}")
            }
            _ => format!("  {name}: a wheel is preferred"),
        });
    }
    if taken.is_some_and(|choice| matches!(choice.provider, Provider::Source)) {
        lines.push(format!("  it comes from {}", package.origin));
    }
    lines
}
