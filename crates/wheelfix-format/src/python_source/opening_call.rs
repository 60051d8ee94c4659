//! A call that opens a library.

use ruff_python_ast::{ExceptHandler, Stmt};
use ruff_text_size::{Ranged as _, TextSize};

use super::opener::Opener;
use super::syntax::{Next, branches};
use super::value::MAX as MAX_NAMES;

/// A call that opens a library, or looks for it.
#[derive(Clone, Debug)]
pub(super) struct OpeningCall {
    /// The texts that name the library, with the function that each is given to. Any of them will do.
    pub(super) names: Vec<(String, Opener)>,
    /// Whether it may have another name.
    pub(super) has_others: bool,
    /// Where the call begins.
    pub(super) at: TextSize,
    /// How it is reached.
    pub(super) context: Context,
    /// The variable that holds its result.
    pub(super) target: Option<String>,
}

impl OpeningCall {
    /// Whether the module cannot be imported without the library.
    pub(super) fn is_needed(&self) -> bool {
        self.context.at_import && !self.context.is_guarded
    }

    /// Whether it raises where the library is missing.
    fn opens(&self) -> bool {
        self.names.iter().any(|(_, opener)| !opener.only_looks())
    }
}

/// How a statement is reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// It runs whenever the module is imported.
    pub(super) at_import: bool,
    /// A library that is missing is caught, or not an error.
    pub(super) is_guarded: bool,
}

/// One call in the place of several: any of their names will do.
pub(super) fn merged(calls: Vec<OpeningCall>, context: Context) -> Option<OpeningCall> {
    let mut calls = calls.into_iter();
    let mut all = calls.next()?;
    for call in calls {
        let new = call
            .names
            .into_iter()
            .filter(|name| !all.names.contains(name));
        let new: Vec<_> = new
            .take(MAX_NAMES.saturating_sub(all.names.len()))
            .collect();
        all.names.extend(new);
        all.has_others |= call.has_others;
    }
    all.target = None;
    all.context = context;
    all.context.is_guarded |= all.has_others;
    Some(all)
}

/// Whether statements end by an exception unless they open a library: on each way through them is one of `calls`, or a
/// `raise`. `next` says where a statement leads.
pub(super) fn opens_or_raises(
    statements: &[Stmt],
    calls: &[OpeningCall],
    next: &dyn Fn(&Stmt) -> Next,
) -> bool {
    for statement in statements {
        let ends = match statement {
            Stmt::If(choice) => {
                let has_else = branches(choice).any(|(test, _)| test.is_none());
                let mut bodies = branches(choice).map(|(_, body)| body);
                has_else && bodies.all(|body| opens_or_raises(body, calls, next))
            }
            Stmt::Try(attempt) => {
                let handlers = attempt.handlers.iter();
                let mut bodies =
                    handlers.map(|ExceptHandler::ExceptHandler(handler)| &handler.body);
                opens_or_raises(&attempt.body, calls, next)
                    && bodies.all(|body| opens_or_raises(body, calls, next))
            }
            Stmt::Expr(_) | Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::Return(_) => {
                let mut calls = calls.iter();
                calls.any(|call| call.opens() && statement.range().contains(call.at))
            }
            _ => false,
        };
        match next(statement) {
            _ if ends => return true,
            Next::Raises => return true,
            Next::Sometimes | Next::Never => return false,
            Next::Always => {}
        }
    }
    false
}
