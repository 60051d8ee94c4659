//! Functions that open or look for the library that one of their arguments names.

use std::collections::BTreeMap;

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Arguments, ExceptHandler, Expr, Stmt, StmtFunctionDef};

use super::syntax::{branches, last_name};
use super::{AskedLibrary, platform};
use crate::library_name::library_in;

/// A function that opens a library or looks for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Opener {
    /// `ctypes.CDLL`, `PyDLL` and `LoadLibrary`: what the dynamic loader takes.
    Ctypes,
    /// cffi's `dlopen`, which looks for a name without `.` and `/` with `find_library`.
    Cffi,
    /// `ctypes.util.find_library`: a name without `lib` and `.so`; `None` where there is none.
    Find,
    /// `cuda.pathfinder` looks for any version in the nvidia wheels, and has its own error where there is none:
    /// cupy and numba-cuda catch it.
    FindNvidia,
    /// A function of a package by the usual name for what looks for a library and opens it.
    Package,
}

/// The names of openers.
const OPENERS: [(&str, Opener); 8] = [
    ("CDLL", Opener::Ctypes),
    ("PyDLL", Opener::Ctypes),
    ("LoadLibrary", Opener::Ctypes),
    ("dlopen", Opener::Cffi),
    ("find_library", Opener::Find),
    ("load_nvidia_dynamic_lib", Opener::FindNvidia),
    ("load_library", Opener::Package),
    ("loadLibrary", Opener::Package),
];

impl Opener {
    /// The names by which calls are known.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        OPENERS.into_iter().map(|(name, _)| name)
    }

    fn by_name(name: &str) -> Option<Self> {
        let mut openers = OPENERS.into_iter();
        openers
            .find(|(known, _)| *known == name)
            .map(|(_, opener)| opener)
    }

    /// A function that is no method: `dlopen` is none of cffi's then.
    fn by_function(name: &str) -> Option<Self> {
        Self::by_name(name).map(|opener| match opener {
            Self::Cffi => Self::Package,
            opener => opener,
        })
    }

    /// Whether it gives the path, and does not open the library.
    pub(super) fn finds(self) -> bool {
        self == Self::Find
    }

    /// Whether it goes on where the library is missing, or has an error of its own that is caught.
    pub(super) fn only_looks(self) -> bool {
        matches!(self, Self::Find | Self::FindNvidia | Self::Package)
    }

    /// The arguments that name the library; a package's own function may have others before them.
    pub(super) fn arguments(self, arguments: &Arguments) -> impl Iterator<Item = &Expr> {
        let count = if self == Self::Package { 3 } else { 1 };
        let named = arguments.find_keyword("name").map(|keyword| &keyword.value);
        let positional = arguments.args.iter().take(count);
        let all = positional.chain(named.filter(|_| arguments.args.is_empty()));
        all.filter(|argument| !is_mode(argument))
    }
}

/// Whether a function that a source defines is called as an opener is, and opens what it is given.
pub(super) fn is_opener(function: &StmtFunctionDef) -> bool {
    let parameters = function.parameters.posonlyargs.iter();
    let mut parameters = parameters.chain(&function.parameters.args);
    let is_given = |name: &str| !matches!(name, "self" | "cls");
    Opener::by_name(function.name.as_str()).is_some()
        && parameters.any(|parameter| is_given(parameter.name().as_str()))
}

/// The library that an opener looks for by a text; `None` for those of other systems.
pub(super) fn asked(text: &str, opener: Opener) -> Option<AskedLibrary> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-+.".contains(c);
    let is_stem = !text.is_empty() && text.chars().all(is_plain);
    let is_found = match opener {
        Opener::Find | Opener::FindNvidia => true,
        Opener::Ctypes => false,
        // cffi looks for what cannot be a file name; a package's own function may add more to a name.
        Opener::Cffi | Opener::Package => !text.contains('.'),
    };
    let has_other_ending = [".dll", ".dylib", ".DLL", ".pyd"]
        .iter()
        .any(|ending| text.ends_with(ending));
    if is_found {
        let has_lib = text.starts_with("lib");
        let is_whole = opener == Opener::Package && has_lib;
        let prefix = if is_whole { "" } else { "lib" };
        // Python puts `lib` before it, so that only other systems have what is called so.
        let is_other =
            has_other_ending || (opener == Opener::Find && has_lib) || platform::is_framework(text);
        return (is_stem && !is_other).then(|| AskedLibrary {
            name: format!("{prefix}{text}.so"),
            path: None,
            any_version: opener == Opener::FindNvidia,
        });
    }
    let name = library_in(text)?;
    Some(AskedLibrary {
        name: name.to_owned(),
        path: text.contains('/').then(|| text.to_owned()),
        any_version: false,
    })
}

/// Whether an argument says how to open a library.
fn is_mode(argument: &Expr) -> bool {
    matches!(last_name(argument), Some("flags" | "mode"))
}

/// Whether a call asks only for what is open already.
pub(super) fn opens_nothing(arguments: &Arguments) -> bool {
    let keywords = arguments.keywords.iter().map(|keyword| &keyword.value);
    let mut all = arguments.args.iter().chain(keywords);
    all.any(has_no_load)
}

/// Whether a flag is `RTLD_NOLOAD`, by whatever name, alone or with others.
fn has_no_load(flag: &Expr) -> bool {
    match flag {
        Expr::Name(name) => name.id.ends_with("RTLD_NOLOAD"),
        Expr::Attribute(attribute) => attribute.attr.ends_with("RTLD_NOLOAD"),
        Expr::BinOp(flags) => has_no_load(&flags.left) || has_no_load(&flags.right),
        _ => false,
    }
}

/// The openers of a source, by the names under which it imports them.
#[derive(Debug, Default)]
pub(super) struct Openers<'a> {
    aliases: BTreeMap<&'a str, Opener>,
}

impl<'a> Openers<'a> {
    /// Reads `from ctypes.util import find_library as f`, and `load = ctypes.CDLL`.
    pub(super) fn note(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    if let Some(opener) = Opener::by_function(alias.name.as_str()) {
                        self.aliases.insert(name.as_str(), opener);
                    }
                }
            }
            Stmt::Assign(assign) => {
                if let ([Expr::Name(name)], Expr::Attribute(attribute)) =
                    (assign.targets.as_slice(), &*assign.value)
                    && let Some(opener) = Opener::by_name(attribute.attr.as_str())
                {
                    self.aliases.insert(name.id.as_str(), opener);
                }
            }
            _ => {}
        }
    }

    /// Reads all statements of a function, also those below conditions.
    pub(super) fn note_all(&mut self, statements: &'a [Stmt]) {
        for statement in statements {
            self.note(statement);
            match statement {
                Stmt::If(choice) => {
                    for (_, body) in branches(choice) {
                        self.note_all(body);
                    }
                }
                Stmt::Try(attempt) => {
                    self.note_all(&attempt.body);
                    for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                        self.note_all(&handler.body);
                    }
                    self.note_all(&attempt.orelse);
                }
                Stmt::With(with) => self.note_all(&with.body),
                _ => {}
            }
        }
    }

    /// The opener that an expression stands for.
    pub(super) fn of(&self, function: &Expr) -> Option<Opener> {
        match function {
            Expr::Name(name) => {
                let name = name.id.as_str();
                let opener = self.aliases.get(name).copied();
                opener.or_else(|| Opener::by_function(name))
            }
            Expr::Attribute(attribute) => Opener::by_name(attribute.attr.as_str()),
            _ => None,
        }
    }

    /// Whether statements call an opener.
    pub(super) fn are_in(&self, statements: &[Stmt]) -> bool {
        let mut called = Called {
            openers: self,
            found: false,
        };
        called.visit_body(statements);
        called.found
    }
}

/// Looks for calls of openers.
struct Called<'o> {
    openers: &'o Openers<'o>,
    found: bool,
}

impl Visitor<'_> for Called<'_> {
    fn visit_expr(&mut self, expr: &Expr) {
        let call = expr.as_call_expr();
        self.found |= call.is_some_and(|call| self.openers.of(&call.func).is_some());
        if !self.found {
            walk_expr(self, expr);
        }
    }
}
