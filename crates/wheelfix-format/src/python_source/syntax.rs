//! Questions about single statements and expressions.

use std::collections::BTreeSet;

use ruff_python_ast::visitor::{Visitor, walk_except_handler, walk_expr, walk_stmt};
use ruff_python_ast::{CmpOp, ExceptHandler, Expr, Stmt, StmtIf, StmtWith, UnaryOp};

/// The way on from a statement.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    Always,
    Sometimes,
    /// Never: it returns, or leaves the loop.
    Never,
    /// Never: it raises.
    Raises,
}

/// Exceptions that a missing library raises, with those above them.
const CAUGHT: [&str; 5] = [
    "OSError",
    "Exception",
    "BaseException",
    "IOError",
    "EnvironmentError",
];

/// The branches of a choice with their conditions; `None` for `else`.
pub(super) fn branches(choice: &StmtIf) -> impl Iterator<Item = (Option<&Expr>, &[Stmt])> {
    let clauses = choice.elif_else_clauses.iter();
    let first = (Some(&*choice.test), choice.body.as_slice());
    std::iter::once(first)
        .chain(clauses.map(|clause| (clause.test.as_ref(), clause.body.as_slice())))
}

/// The variable that a condition finds empty: `not x`, `x is None`.
pub(super) fn emptiness_of(test: &Expr) -> Option<&str> {
    let name = match test {
        Expr::UnaryOp(unary) if unary.op == UnaryOp::Not => &*unary.operand,
        Expr::Compare(compare) => match (&*compare.ops, &*compare.comparators) {
            ([CmpOp::Is | CmpOp::Eq], [Expr::NoneLiteral(_)]) => &*compare.left,
            _ => return None,
        },
        _ => return None,
    };
    name.as_name_expr().map(|name| name.id.as_str())
}

/// Whether an `except` of this class, or of one of these, catches what a missing library raises.
pub(super) fn is_caught(kind: &Expr) -> bool {
    match kind {
        Expr::Tuple(tuple) => tuple.elts.iter().any(is_caught),
        _ => CAUGHT.iter().any(|name| is_called(kind, name)),
    }
}

/// The exceptions that statements raise in the place of what a missing library raises.
pub(super) fn raised_instead(statements: &[Stmt]) -> BTreeSet<&str> {
    let mut raised = RaisedInstead::default();
    raised.visit_body(statements);
    raised.names
}

#[derive(Default)]
struct RaisedInstead<'a> {
    names: BTreeSet<&'a str>,
    is_in_handler: bool,
}

impl<'a> Visitor<'a> for RaisedInstead<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Raise(raise) = statement
            && self.is_in_handler
        {
            let raised = raise.exc.as_deref();
            let class = raised.map(|it| it.as_call_expr().map_or(it, |call| &call.func));
            self.names.extend(class.and_then(last_name));
        }
        walk_stmt(self, statement);
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(inner) = handler;
        let around = self.is_in_handler;
        self.is_in_handler |= inner.type_.as_deref().is_none_or(is_caught);
        walk_except_handler(self, handler);
        self.is_in_handler = around;
    }

    fn visit_expr(&mut self, _: &'a Expr) {}
}

/// Whether an `except` of this class, or of one of these, is of one of some exceptions.
pub(super) fn is_one_of(kind: &Expr, names: &BTreeSet<&str>) -> bool {
    match kind {
        Expr::Tuple(tuple) => tuple.elts.iter().any(|kind| is_one_of(kind, names)),
        _ => last_name(kind).is_some_and(|name| names.contains(name)),
    }
}

/// The name that an expression is, or its last attribute.
pub(super) fn last_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        _ => None,
    }
}

/// The classes whose exceptions a `with` suppresses.
pub(super) fn suppressed(with: &StmtWith) -> impl Iterator<Item = &Expr> {
    let calls = with
        .items
        .iter()
        .filter_map(|item| item.context_expr.as_call_expr());
    let calls = calls.filter(|call| is_called(&call.func, "suppress"));
    calls.flat_map(|call| &call.arguments.args)
}

/// Whether an expression is a name, or an attribute of that name.
pub(super) fn is_called(expr: &Expr, name: &str) -> bool {
    last_name(expr) == Some(name)
}

/// Whether a statement has no others in it.
pub(super) fn is_plain(statement: &Stmt) -> bool {
    matches!(
        statement,
        Stmt::Expr(_) | Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::AugAssign(_) | Stmt::Pass(_)
    )
}

/// Whether a function is a generator.
pub(super) fn yields(body: &[Stmt]) -> bool {
    struct Yields(bool);
    impl Visitor<'_> for Yields {
        fn visit_stmt(&mut self, statement: &Stmt) {
            if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
                walk_stmt(self, statement);
            }
        }
        fn visit_expr(&mut self, expr: &Expr) {
            self.0 |= expr.is_yield_expr() || expr.is_yield_from_expr();
            if !expr.is_lambda_expr() {
                walk_expr(self, expr);
            }
        }
    }
    let mut found = Yields(false);
    found.visit_body(body);
    found.0
}

/// Whether a statement ends the program: `sys.exit()`.
pub(super) fn is_exit(expr: &Expr) -> bool {
    let Expr::Call(call) = expr else {
        return false;
    };
    match &*call.func {
        Expr::Name(name) => name.id == "exit" || name.id == "quit",
        Expr::Attribute(method) => {
            is_called(&method.value, "sys") && method.attr.as_str() == "exit"
                || is_called(&method.value, "os") && method.attr.as_str() == "_exit"
        }
        _ => false,
    }
}
