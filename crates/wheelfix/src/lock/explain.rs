//! `--explain`: why each file of a package is taken or not.

use std::collections::BTreeMap;

use wheelfix_format::{PackageName, RankedTags};
use wheelfix_lock::{DocumentOptions, Lock, Preference, Selection, choose, ranked, resolve};

use super::{LockArgs, refuse};
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
        let text = format!("no package of `{}` is `{name}`", args.file().display());
        print("error", [text]);
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
            let mut of_files = reasons(package, &tags, options.preference_of(name));
            if let Some(attribute) = options.attribute_of(package) {
                let taken = |line: &String| line.contains(": taken");
                of_files.retain(|line| !taken(line));
                lines.push(format!("  taken from nixpkgs, as `{attribute}`"));
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
