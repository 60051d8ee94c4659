//! A call that opens a library.

use ruff_text_size::TextSize;

use super::opener::Opener;
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
