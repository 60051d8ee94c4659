//! The begin of a Python source that has to stay its begin.

use ruff_python_ast::Stmt;
use ruff_python_parser::Parsed;
use ruff_text_size::Ranged as _;

use crate::python_source::parse;

/// Where the line begins, in bytes, of the first statement that is neither the documentation string nor an import from
/// `__future__`; the length of a source without one. What stands in front of it has to stay there.
///
/// Of a source that Python cannot read it is the first line that is neither empty nor a comment.
///
/// <https://docs.python.org/3/reference/simple_stmts.html#future-statements>
pub fn first_statement(text: &str) -> usize {
    let first = first_line(text);
    let Some(module) = parse(text).filter(Parsed::has_valid_syntax) else {
        return first;
    };
    let mut at = first;
    let mut has_string = false;
    let mut statements = module.suite().iter().peekable();
    while let Some(statement) = statements.next() {
        let end = line_end(text, statement.end().to_usize());
        let next = statements.peek();
        let has_more = next.is_some_and(|next| next.start().to_usize() < end);
        match statement {
            Stmt::ImportFrom(import) if import.module.as_deref() == Some("__future__") => {
                // More of its line may come first, but not what has to stay behind.
                at = end;
                if has_more {
                    return at;
                }
            }
            Stmt::Expr(expr) if expr.value.is_string_literal_expr() && !has_string && !has_more => {
                has_string = true;
                at = end;
            }
            _ => return line_start(text, statement.start().to_usize()),
        }
    }
    if module.suite().is_empty() {
        text.len()
    } else {
        at
    }
}

/// Where the first line begins that is neither empty nor a comment.
fn first_line(text: &str) -> usize {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let word = line.trim_start();
        if !word.is_empty() && !word.starts_with('#') {
            break;
        }
        at += line.len();
    }
    at
}

fn line_start(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before.rfind('\n').map_or(0, |newline| newline + 1)
}

/// Where the line ends that has a byte, its `\n` included.
fn line_end(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.find('\n')
        .map_or(text.len(), |newline| at + newline + 1)
}
