//! A tree as it will be once a plan is carried out, for a proof before anything is edited.

use std::collections::BTreeSet;
use std::path::PathBuf;

use wheelfix_loader::{FileView, Object};

use crate::plan::{Edit, LinkPlan, RunPathEdit};
use crate::tree::Tree;

/// The tree without what a plan drops or removes and with its edits made; the view shows the same.
pub fn foresee(tree: &Tree, plan: &LinkPlan, view: &FileView) -> Tree {
    let dropped = plan.drops.iter().map(|drop| &drop.path);
    let gone: BTreeSet<PathBuf> = dropped.chain(&plan.removed).cloned().collect();
    let foreseen = tree.revised(&gone, |object| {
        if let Some(planned) = plan.object(&object.path) {
            carry_out(&planned.edit, object);
        }
    });
    for planned in plan.edits() {
        if let Some(object) = foreseen.get(&planned.path) {
            view.assume(object);
        }
    }
    foreseen
}

fn carry_out(edit: &Edit, object: &mut Object) {
    match &edit.run_path {
        Some(RunPathEdit::Set(path)) => object.run_path = Some(path.clone()),
        Some(RunPathEdit::Remove) => object.run_path = None,
        None => {}
    }
    if let Some(interpreter) = &edit.interpreter {
        object.interpreter = Some(interpreter.clone());
    }
    object.rename_needs(&edit.rename_needed);
}
