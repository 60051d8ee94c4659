//! The crate as an editor for the matrix.

use std::path::Path;

use wheelfix_elf::{
    NeededEdit, Request, RunPathEdit, RunPathRequest, Warning, patch_file, plan_file,
};
use wheelfix_testkit::elf::{self, Editor, Violation, layout_violations};

/// Our editor.
pub(crate) struct Ours;

impl Editor for Ours {
    fn edit(&self, file: &Path, wanted: &elf::Request) -> Result<(), String> {
        match patch_file(file, &request(wanted)) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("refused: {error}")),
        }
    }

    fn survives_strip(&self, file: &Path, wanted: &elf::Request) -> bool {
        plan_file(file, &request(wanted)).is_ok_and(|plan| {
            let warned = &plan.warnings;
            !warned.contains(&Warning::ProgramHeadersAtEnd)
        })
    }

    fn promises(&self, before: &[u8], after: &[u8]) -> Vec<Violation> {
        layout_violations(before, after)
    }
}

/// The same edits in our words.
pub(crate) fn request(wanted: &elf::Request) -> Request {
    let replace = wanted
        .replace_needed
        .iter()
        .map(|(from, to)| NeededEdit::Replace {
            from: from.clone(),
            to: to.clone(),
        });
    let add = wanted.add_needed.iter().cloned().map(NeededEdit::Append);
    Request {
        run_path: wanted.rpath.clone().map(|path| RunPathRequest {
            edit: RunPathEdit::Set(path),
            kind: None,
        }),
        needed: replace.chain(add).collect(),
        interpreter: wanted.interpreter.clone(),
        ..Request::default()
    }
}
