//! How a Python source imports a module.

use ruff_python_ast::{ExceptHandler, Expr, Stmt, StmtImportFrom, StmtTry, UnaryOp};

use super::parse;
use super::platform::Facts;
use super::syntax::{branches, is_called, is_caught, last_name, suppressed};

/// How a source imports a module of a name.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum PythonImport {
    /// In a function, under a condition, or where an error of the import is caught.
    Optional,
    /// Whenever it is imported itself, on Linux.
    Always,
}

/// How a source imports a module by a statement; `None` if it does not. `name` is the last part of the module's name:
/// which package a relative import is about is not asked.
///
/// `raises_import_error` says whether the module may turn all that goes wrong into an `ImportError`.
///
/// ```
/// use wheelfix_format::{PythonImport, python_import};
///
/// let source = b"try:\n    from . import egl\nexcept Exception:\n    egl = None\n";
/// assert_eq!(python_import(source, "egl", false), Some(PythonImport::Optional));
/// assert_eq!(python_import(b"import a.egl", "egl", false), Some(PythonImport::Always));
/// assert_eq!(python_import(b"egl = 1", "egl", false), None);
/// ```
pub fn python_import(source: &[u8], name: &str, raises_import_error: bool) -> Option<PythonImport> {
    let text = String::from_utf8_lossy(source);
    let module = parse(&text)?;
    let mut importer = Importer {
        name,
        raises_import_error,
        facts: Facts::default(),
        found: None,
    };
    importer.suite(module.suite(), PythonImport::Always);
    importer.found
}

struct Importer<'n> {
    name: &'n str,
    raises_import_error: bool,
    facts: Facts,
    found: Option<PythonImport>,
}

impl Importer<'_> {
    fn suite(&mut self, statements: &[Stmt], reached: PythonImport) {
        for statement in statements {
            self.statement(statement, reached);
        }
    }

    fn statement(&mut self, statement: &Stmt, reached: PythonImport) {
        let optional = PythonImport::Optional;
        match statement {
            Stmt::Import(import) => {
                let mut names = import.names.iter();
                if names.any(|alias| self.is_in(alias.name.as_str())) {
                    self.found = self.found.max(Some(reached));
                }
            }
            Stmt::ImportFrom(import) if self.is_imported_from(import) => {
                self.found = self.found.max(Some(reached));
            }
            Stmt::FunctionDef(function) => self.suite(&function.body, optional),
            Stmt::ClassDef(class) => self.suite(&class.body, reached),
            Stmt::If(choice) => {
                for (test, body) in branches(choice) {
                    match test.map(|test| self.facts.holds(test)) {
                        Some(Some(false)) => {}
                        Some(Some(true)) => return self.suite(body, reached),
                        Some(None) | None => self.suite(body, optional),
                    }
                }
            }
            Stmt::For(repeat) => self.suite(&repeat.body, optional),
            Stmt::While(repeat) => self.suite(&repeat.body, optional),
            Stmt::Match(choice) => {
                for case in &choice.cases {
                    self.suite(&case.body, optional);
                }
            }
            Stmt::With(with) => {
                let suppresses = suppressed(with).any(|kind| self.catches(kind));
                self.suite(&with.body, if suppresses { optional } else { reached });
            }
            Stmt::Try(attempt) => self.attempt(attempt, reached),
            Stmt::Assign(assign) => {
                for name in assign.targets.iter().filter_map(Expr::as_name_expr) {
                    self.facts.assign(name.id.as_str(), &assign.value);
                }
            }
            _ => {}
        }
    }

    fn attempt(&mut self, attempt: &StmtTry, reached: PythonImport) {
        let mut is_caught = false;
        for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
            let catches = handler.type_.as_ref().is_none_or(|kind| self.catches(kind));
            is_caught |= catches && !handler.body.iter().any(raises);
            self.suite(&handler.body, PythonImport::Optional);
        }
        let body = if is_caught {
            PythonImport::Optional
        } else {
            reached
        };
        self.suite(&attempt.body, body);
        self.suite(&attempt.orelse, body);
        self.suite(&attempt.finalbody, reached);
    }

    /// Whether an `except` of this class catches what importing the module raises.
    fn catches(&self, kind: &Expr) -> bool {
        let is_import_error = |kind: &Expr| is_called(kind, "ImportError");
        let names_it = match kind {
            Expr::Tuple(tuple) => tuple.elts.iter().any(is_import_error),
            _ => is_import_error(kind),
        };
        is_caught(kind) || self.raises_import_error && names_it
    }

    fn is_imported_from(&self, import: &StmtImportFrom) -> bool {
        let module = import.module.as_ref();
        let mut names = import.names.iter();
        module.is_some_and(|module| self.is_in(module.as_str()))
            || names.any(|alias| alias.name.as_str() == self.name)
    }

    fn is_in(&self, dotted: &str) -> bool {
        dotted.split('.').any(|part| part == self.name)
    }
}

/// Whether a statement of a handler raises, unless somebody has set a variable of the environment.
fn raises(statement: &Stmt) -> bool {
    match statement {
        Stmt::Raise(_) => true,
        Stmt::If(choice) => {
            let unset = choice.test.as_unary_op_expr();
            let unset = unset.filter(|test| test.op == UnaryOp::Not);
            let call = unset.and_then(|test| test.operand.as_call_expr());
            let is_unset = call.is_some_and(|call| {
                let whole = call.func.as_attribute_expr().map(|it| &*it.value);
                match last_name(&call.func) {
                    Some("getenv") => true,
                    Some("get") => whole.is_some_and(|whole| is_called(whole, "environ")),
                    _ => false,
                }
            });
            is_unset && choice.body.iter().any(raises)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(source: &str, want: Option<PythonImport>) {
        assert_eq!(
            python_import(source.as_bytes(), "m", false),
            want,
            "for {source}"
        );
    }

    #[test]
    fn what_runs_with_the_module_is_always_imported() {
        for source in [
            "from . import m",
            "from .m import a",
            "import a.m as b",
            "class A:\n    from . import m\n",
            "if sys.platform.startswith('linux'):\n    from .m import a\nelse:\n    from .n import a\n",
            "try:\n    from . import m\nexcept KeyError:\n    pass\n",
            "try:\n    from . import m\nexcept Exception:\n    raise\n",
            // As pyenchant has it.
            "try:\n    from . import m\nexcept Exception:\n    if not os.environ.get('A', False):\n        raise\n    m = None\n",
            "try:\n    from . import m\nexcept ImportError:\n    m = None\n",
            "with open(a):\n    import m\n",
            "def f():\n    import m\nimport m\n",
        ] {
            check(source, Some(PythonImport::Always));
        }
    }

    #[test]
    fn what_may_not_run_or_may_fail_is_optional() {
        for source in [
            "def f():\n    from . import m\n",
            "if a:\n    import m\n",
            "try:\n    from . import m\nexcept Exception as e:\n    a = str(e)\nelse:\n    a = None\n",
            "try:\n    pass\nexcept OSError:\n    import m\n",
            "try:\n    import m\nexcept Exception:\n    if DEBUG:\n        raise\n",
            "try:\n    import m\nexcept Exception:\n    if not os.environ.get('A'):\n        m = None\n",
            "with suppress(OSError):\n    import m\n",
        ] {
            check(source, Some(PythonImport::Optional));
        }
        let source = b"try:\n    from . import m\nexcept (ImportError, A):\n    m = None\n";
        let import = python_import(source, "m", true);
        assert_eq!(import, Some(PythonImport::Optional));
    }

    #[test]
    fn what_is_for_another_system_is_not_imported() {
        check("if sys.platform == 'win32':\n    import m\n", None);
        check("if TYPE_CHECKING:\n    import m\n", None);
        check("m = 'm'; import n\n", None);
    }
}
