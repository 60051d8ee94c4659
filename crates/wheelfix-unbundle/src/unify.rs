//! One copy where several of one library are in a tree and nothing outside stands in.

use std::collections::BTreeMap;

use wheelfix_relocate::BundledAction;

use crate::bundled::{KeepReason, Verdict};
use crate::decide::{Decider, keep};
use crate::prove::Stand;
use crate::recognise::Candidate;

/// Has the users of copies of one library take one of them, where that is proved to do for all.
pub(crate) fn unify(decider: &mut Decider<'_>) {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, (copy, verdict)) in decider.candidates.iter().zip(&decider.verdicts).enumerate() {
        let has_rule = copy
            .rule
            .is_some_and(|rule| rule.body.action == BundledAction::Replace);
        let is_free = matches!(
            verdict,
            Verdict::Keep {
                reason: KeepReason::NoProvider | KeepReason::Unproved { .. }
            }
        );
        if has_rule && is_free {
            groups.entry(&copy.soname).or_default().push(at);
        }
    }
    for members in groups.into_values().filter(|members| 1 < members.len()) {
        let best = members.iter().find_map(|chosen| {
            all_replaced(decider, &members, *chosen).map(|verdicts| (*chosen, verdicts))
        });
        let Some((chosen, verdicts)) = best else {
            continue;
        };
        for (at, verdict) in members.iter().zip(verdicts) {
            if let Some(slot) = decider.verdicts.get_mut(*at) {
                *slot = if *at == chosen {
                    keep(KeepReason::Chosen)
                } else {
                    verdict
                };
            }
        }
    }
}

/// The decisions about all members if the chosen one stands in for the others; `None` if it will
/// not do for one of them.
fn all_replaced(decider: &Decider<'_>, members: &[usize], chosen: usize) -> Option<Vec<Verdict>> {
    let chosen_copy = decider.candidates.get(chosen)?;
    let stand = stand(chosen_copy)?;
    let mut verdicts = Vec::new();
    for at in members {
        if *at == chosen {
            verdicts.push(keep(KeepReason::Chosen));
            continue;
        }
        let verdict = decider.proved(decider.candidates.get(*at)?, &stand);
        if !matches!(verdict, Verdict::Replace { .. }) {
            return None;
        }
        verdicts.push(verdict);
    }
    Some(verdicts)
}

fn stand<'a>(copy: &Candidate<'a>) -> Option<Stand<'a>> {
    Some(Stand {
        object: copy.object,
        file: &copy.object.file,
        path: copy.object.path.clone(),
        name: copy.object.path.file_name()?.to_str()?.to_owned(),
        lib_path: None,
    })
}
