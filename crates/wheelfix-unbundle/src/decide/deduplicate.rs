//! One copy where several of one library are in a tree and nothing outside stands in.

use std::collections::BTreeMap;

use wheelfix_link::BundledAction;

use crate::bundled::{Decision, KeepReason};
use crate::decide::{Decider, keep};
use crate::identify::Candidate;
use crate::prove::Substitute;

/// Has the users of copies of one library take one of them, where that is proved to do for all.
pub(crate) fn unify(decider: &mut Decider<'_>) {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, (copy, decision)) in decider
        .candidates
        .iter()
        .zip(&decider.decisions)
        .enumerate()
    {
        let has_rule = copy
            .rule
            .is_some_and(|rule| rule.body.action == BundledAction::Replace);
        let is_free = matches!(
            decision,
            Decision::Keep {
                reason: KeepReason::NoProvider | KeepReason::Unproved { .. }
            }
        );
        if has_rule && is_free {
            groups.entry(&copy.soname).or_default().push(at);
        }
    }
    for members in groups.into_values().filter(|members| 1 < members.len()) {
        let best = members.iter().find_map(|chosen| {
            all_replaced(decider, &members, *chosen).map(|decisions| (*chosen, decisions))
        });
        let Some((chosen, decisions)) = best else {
            continue;
        };
        for (at, decision) in members.iter().zip(decisions) {
            if let Some(slot) = decider.decisions.get_mut(*at) {
                *slot = if *at == chosen {
                    keep(KeepReason::Chosen)
                } else {
                    decision
                };
            }
        }
    }
}

/// The decisions about all members if the chosen one stands in for the others; `None` if it will
/// not do for one of them.
fn all_replaced(decider: &Decider<'_>, members: &[usize], chosen: usize) -> Option<Vec<Decision>> {
    let chosen_copy = decider.candidates.get(chosen)?;
    let substitute = substitute(chosen_copy)?;
    let mut decisions = Vec::new();
    for at in members {
        if *at == chosen {
            decisions.push(keep(KeepReason::Chosen));
            continue;
        }
        let decision = decider.proved(decider.candidates.get(*at)?, &substitute);
        if !matches!(decision, Decision::Replace { .. }) {
            return None;
        }
        decisions.push(decision);
    }
    Some(decisions)
}

fn substitute<'a>(copy: &Candidate<'a>) -> Option<Substitute<'a>> {
    Some(Substitute {
        object: copy.object,
        file: &copy.object.file,
        path: copy.object.path.clone(),
        name: copy.object.path.file_name()?.to_str()?.to_owned(),
        lib_path: None,
    })
}
