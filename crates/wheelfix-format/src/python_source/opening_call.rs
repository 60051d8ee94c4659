//! A call that opens a library.

use ruff_python_ast::{ExceptHandler, ExprCall, Stmt};
use ruff_text_size::{Ranged as _, TextSize};

use super::opener::Opener;
use super::syntax::{Next, branches, last_name};
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
        let mut names = self.names.iter();
        !self.names.is_empty() && names.all(|(_, opener)| !opener.only_looks())
    }

    /// Whether a statement is this call, or assigns or returns its result: it is not made under a condition.
    pub(super) fn is_all_of(&self, statement: &Stmt) -> bool {
        call_of(statement).is_some_and(|call| call.range().start() == self.at)
    }
}

/// The call that a statement is, or of which it assigns or returns the result.
fn call_of(statement: &Stmt) -> Option<&ExprCall> {
    let value = match statement {
        Stmt::Expr(it) => Some(&it.value),
        Stmt::Assign(it) => Some(&it.value),
        Stmt::AnnAssign(it) => it.value.as_ref(),
        Stmt::Return(it) => it.value.as_ref(),
        _ => None,
    };
    value?.as_call_expr()
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
    ends(statements, false, calls, next)
}

/// The same, where `is_checked` says that a condition comes before, as that what was looked for is there.
fn ends(
    statements: &[Stmt],
    is_checked: bool,
    calls: &[OpeningCall],
    next: &dyn Fn(&Stmt) -> Next,
) -> bool {
    for statement in statements {
        let is_end = match statement {
            Stmt::If(choice) => {
                let has_else = branches(choice).any(|(test, _)| test.is_none());
                let mut bodies = branches(choice).map(|(_, body)| body);
                has_else && bodies.all(|body| ends(body, true, calls, next))
            }
            Stmt::Try(attempt) => {
                let handlers = attempt.handlers.iter();
                let mut bodies =
                    handlers.map(|ExceptHandler::ExceptHandler(handler)| &handler.body);
                ends(&attempt.body, is_checked, calls, next)
                    && bodies.all(|body| ends(body, is_checked, calls, next))
            }
            statement => {
                let called = call_of(statement).and_then(|call| last_name(&call.func));
                let is_search = called.is_some_and(|name| name.contains("find"));
                let opens = |call: &OpeningCall| call.opens() || (is_checked && !is_search);
                let mut calls = calls.iter();
                calls.any(|call| call.is_all_of(statement) && opens(call))
            }
        };
        match next(statement) {
            _ if is_end => return true,
            Next::Raises => return true,
            Next::Sometimes | Next::Never => return false,
            Next::Always => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::python_source::python_loads;
    use crate::python_source::tests::check;

    #[test]
    fn a_handler_that_opens_or_raises_catches_nothing() {
        // As foundationdb has it.
        let text = "
try:
    c = CDLL('liba.so')
except Exception:
    p = find_library('b')
    if p is not None:
        try:
            c = CDLL(p)
        except Exception:
            raise Exception('none')
    else:
        raise Exception('none')
";
        check(text, &["3:liba.so|libb.so needed"]);
        let raised = "try:\n    CDLL('liba.so')\nexcept OSError:\n    try:\n        CDLL('libb.so')\n    except OSError:\n        raise ImportError\n";
        check(raised, &["2:liba.so", "5:liba.so|libb.so needed"]);
        let passed = raised.replace("raise ImportError", "pass");
        check(&passed, &["2:liba.so", "5:liba.so|libb.so"]);
        let left = "try:\n    CDLL('liba.so')\nexcept OSError:\n    if x:\n        stop()\n    CDLL('libb.so')\n";
        check(left, &["2:liba.so", "6:liba.so|libb.so needed"]);
        let maybe =
            "try:\n    CDLL('liba.so')\nexcept OSError:\n    if x:\n        CDLL('libb.so')\n";
        check(maybe, &["2:liba.so", "5:liba.so|libb.so"]);
        // What is opened under a condition, or not where nothing is found, raises nothing.
        for (body, handler) in [
            ("x and CDLL('liba.so')", "CDLL('libb.so') if x else None"),
            ("CDLL('liba.so')", "x and CDLL('libb.so')"),
            ("CDLL('liba.so')", "CDLL(find_library('b'))"),
            ("CDLL('liba.so')", "get = lambda: CDLL('libb.so')"),
            (
                "if x: CDLL('liba.so')",
                "if x: raise\n    else: CDLL('libb.so')",
            ),
            (
                "CDLL('liba.so')",
                "if x: raise\n    else: p = find_library('b')",
            ),
            (
                "import m; CDLL('liba.so')\nexcept ImportError:\n    pass",
                "if x: raise\n    else: CDLL('libb.so')",
            ),
        ] {
            let text = format!("try:\n    {body}\nexcept OSError:\n    {handler}\n");
            let loads = python_loads(text.as_bytes());
            assert!(
                !loads.iter().any(|load| load.is_needed),
                "{text}: {loads:?}"
            );
        }
    }
}
