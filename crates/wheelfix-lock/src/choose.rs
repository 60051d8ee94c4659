//! Which file of a package is installed on a target, and why each of the others is not.
//!
//! The order is pip's: by the best tag, then by the highest build number, then by name. Python's
//! `packaging` takes the first of several that differ by their build number alone; uv puts bare `linux_`
//! tags last, `packaging` and pip put them first.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

use wheelfix_format::{RankedTags, TagMismatch};

use crate::{File, Only, Package, Source};

/// The choice of the user where there is one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Preference {
    /// The best wheel, else the sdist.
    #[default]
    Wheel,
    /// The sdist, else the best wheel.
    Sdist,
    /// The package of nixpkgs that has its name; of the files the same as [`Wheel`](Self::Wheel).
    Nixpkgs,
}

/// The thing that a package is made from.
#[derive(Clone, Copy, Debug)]
pub enum Provider<'l> {
    /// A wheel.
    Wheel(&'l File<'l>),
    /// The sdist, which has to be built.
    Sdist(&'l File<'l>),
    /// The source of the package: a repository, a directory, or nothing.
    Source,
}

/// The provider of a package, and why it is that.
#[derive(Debug)]
pub struct Choice<'l> {
    /// The provider.
    pub provider: Provider<'l>,
    /// Why it is no wheel, where there might have been one.
    pub why: Option<String>,
}

/// A wheel that is not taken.
#[derive(Debug)]
pub struct RejectedWheel<'l> {
    /// The wheel.
    pub file: &'l File<'l>,
    /// The reason.
    pub reason: WheelReason,
}

/// Why a wheel is not taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WheelReason {
    /// A part of its tags is not for the target.
    Tags(TagMismatch),
    /// It is for hardware that has to be declared.
    Variant(String),
    /// The lock allows the sdist only.
    NoBinary,
}

impl fmt::Display for WheelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tags(mismatch) => mismatch.fmt(f),
            Self::Variant(label) => write!(
                f,
                "it is the variant `{label}`, and the lock does not say what for"
            ),
            Self::NoBinary => f.write_str("the lock allows no wheel of it"),
        }
    }
}

/// The wheels that fit, the best first, and those that do not, in the order of the lock.
pub fn ranked<'l>(
    package: &'l Package<'l>,
    tags: &RankedTags,
) -> (Vec<&'l File<'l>>, Vec<RejectedWheel<'l>>) {
    let (mut fitting, mut rejected) = (Vec::new(), Vec::new());
    for file in &package.wheels {
        let Some(wheel) = &file.wheel else { continue };
        let reason = match (wheel.variant(), tags.rank(wheel.tags())) {
            _ if package.only == Some(Only::Source) => WheelReason::NoBinary,
            (None, Ok(rank)) => {
                fitting.push((rank, Reverse(wheel.build()), &*file.name, file));
                continue;
            }
            (_, Err(mismatch)) => WheelReason::Tags(mismatch),
            (Some(label), Ok(_)) => WheelReason::Variant(label.to_owned()),
        };
        rejected.push(RejectedWheel { file, reason });
    }
    fitting.sort_by(|one, other| (one.0, &one.1, one.2).cmp(&(other.0, &other.1, other.2)));
    let fitting = fitting.into_iter().map(|(_, _, _, file)| file);
    (fitting.collect(), rejected)
}

/// Takes a wheel or the sdist; or says in words why there is neither.
pub fn choose<'l>(
    package: &'l Package<'l>,
    tags: &RankedTags,
    preference: Preference,
) -> Result<Choice<'l>, Vec<String>> {
    if package.source != Source::Files {
        return Ok(Choice {
            provider: Provider::Source,
            why: None,
        });
    }
    let is_binary = package.only == Some(Only::Binary);
    let sdist = package.sdist.as_ref().filter(|_| !is_binary);
    if let (Preference::Sdist, Some(file)) = (preference, sdist) {
        return Ok(Choice {
            provider: Provider::Sdist(file),
            why: Some("the sdist is preferred".to_owned()),
        });
    }
    let (fitting, rejected) = ranked(package, tags);
    if let Some(file) = fitting.first() {
        return Ok(Choice {
            provider: Provider::Wheel(file),
            why: None,
        });
    }
    let mut reasons = summary(&rejected);
    if is_binary && package.sdist.is_some() {
        reasons.push("the lock allows wheels of it only, not its sdist".to_owned());
    }
    match sdist {
        Some(file) => {
            let why = if reasons.is_empty() {
                "the lock has no wheel".to_owned()
            } else {
                format!("no wheel fits: {}", reasons.join("; "))
            };
            Ok(Choice {
                provider: Provider::Sdist(file),
                why: Some(why),
            })
        }
        None => Err(reasons),
    }
}

/// Most platforms that are told in one line.
const MAX_PLATFORMS: usize = 6;

/// The reasons of all wheels: those of other platforms in one, and those of other Pythons.
fn summary(rejected: &[RejectedWheel<'_>]) -> Vec<String> {
    let mut pythons: BTreeSet<(usize, &str)> = BTreeSet::new();
    let mut platforms: BTreeSet<&str> = BTreeSet::new();
    let (mut own_python, mut own_platform) = ("", "");
    let mut reasons: BTreeSet<String> = BTreeSet::new();
    for RejectedWheel { reason, .. } in rejected {
        match reason {
            WheelReason::Tags(TagMismatch::Python { wheel, target }) => {
                // `cp39` before `cp310`.
                pythons.insert((wheel.len(), wheel));
                own_python = target;
            }
            WheelReason::Tags(TagMismatch::Platform { wheel, target }) => {
                platforms.insert(wheel);
                own_platform = target;
            }
            reason => {
                reasons.insert(reason.to_string());
            }
        }
    }
    let mut reasons: Vec<String> = reasons.into_iter().collect();
    if !platforms.is_empty() {
        let more = platforms.len().saturating_sub(MAX_PLATFORMS);
        let mut texts: Vec<String> = platforms
            .into_iter()
            .take(MAX_PLATFORMS)
            .map(str::to_owned)
            .collect();
        if more != 0 {
            texts.push(format!("{more} more"));
        }
        reasons.push(format!(
            "there are wheels for {}, this is {own_platform}",
            texts.join(", ")
        ));
    }
    if !pythons.is_empty() {
        let start = if reasons.is_empty() {
            "there are wheels"
        } else {
            "others are"
        };
        let pythons: Vec<&str> = pythons.into_iter().map(|(_, python)| python).collect();
        reasons.push(format!(
            "{start} for {}, this is {own_python}",
            pythons.join(", ")
        ));
    }
    reasons
}
