//! Functions of a source, followed where they are called.

use ruff_python_ast::{Arguments, Expr, Stmt, StmtClassDef, StmtFunctionDef};
use ruff_text_size::TextSize;

use super::Scanner;
use crate::python_source::opening_call::{OpeningCall, merged};
use crate::python_source::syntax::{Next, yields};
use crate::python_source::unnamed_call::FunctionName;
use crate::python_source::value::Values;

/// Calls of functions of the source are followed this deep, and no more often than [`MAX_FOLLOWED`] in all.
const MAX_DEPTH: usize = 3;
const MAX_FOLLOWED: usize = 1_000;

/// The name by which a function is followed: that of its class if it makes an object.
pub(super) fn function_name<'a>(
    class: Option<&'a str>,
    function: &'a StmtFunctionDef,
) -> FunctionName<'a> {
    let name = function.name.as_str();
    match class {
        Some(class) if name == "__init__" => FunctionName {
            class: None,
            name: class,
        },
        class => FunctionName { class, name },
    }
}

/// A function that is followed where it is called.
#[derive(Clone, Copy)]
pub(super) struct Function<'a> {
    definition: &'a StmtFunctionDef,
    /// The parameters that no argument of the call is for.
    bound: usize,
}

impl<'a> Scanner<'a> {
    /// Notes a function of the module, and what it may return.
    pub(super) fn add_function(&mut self, definition: &'a StmtFunctionDef) {
        let name = function_name(None, definition);
        self.functions.insert(
            name,
            Function {
                definition,
                bound: 0,
            },
        );
        let values = self.returned(&definition.body);
        self.names.note_returned(name.name, values);
    }

    /// Notes the methods of a class, and of those in it, that open libraries: others are many, and say nothing.
    pub(super) fn add_methods(&mut self, class: &'a StmtClassDef) {
        for statement in &class.body {
            let definition = match statement {
                Stmt::FunctionDef(definition) => definition,
                Stmt::ClassDef(inner) => {
                    self.add_methods(inner);
                    continue;
                }
                _ => continue,
            };
            if &definition.name != "__init__" && !self.openers.are_in(&definition.body) {
                continue;
            }
            let name = function_name(Some(class.name.as_str()), definition);
            let mut decorators = definition.decorator_list.iter();
            let is_static = decorators.any(|it| {
                let name = it.expression.as_name_expr();
                name.is_some_and(|name| name.id == "staticmethod")
            });
            let bound = usize::from(!is_static);
            self.functions.insert(name, Function { definition, bound });
        }
    }

    /// The texts that statements of a function may return on Linux.
    fn returned(&self, statements: &[Stmt]) -> Values {
        let mut all = Values::default();
        for statement in statements {
            match statement {
                Stmt::Return(end) => {
                    let value = end.value.as_deref();
                    let values = value.map(|value| self.names.values(value, &self.openers));
                    all.extend(values.unwrap_or_default());
                }
                Stmt::If(choice) => {
                    for body in self.names.facts.possible(choice) {
                        all.extend(self.returned(body));
                    }
                }
                Stmt::Try(attempt) => {
                    for body in [&attempt.body, &attempt.orelse, &attempt.finalbody] {
                        all.extend(self.returned(body));
                    }
                }
                Stmt::For(repeat) => all.extend(self.returned(&repeat.body)),
                Stmt::With(with) => all.extend(self.returned(&with.body)),
                _ => {}
            }
            if matches!(self.next(statement), Next::Never | Next::Raises) {
                break;
            }
        }
        all
    }

    /// The function of the source that a call is of: one of the module, a class, or a method of the class around.
    pub(super) fn function_of(&self, called: &'a Expr) -> Option<(FunctionName<'a>, Function<'a>)> {
        let name = match called {
            Expr::Name(name) => FunctionName {
                class: None,
                name: name.id.as_str(),
            },
            Expr::Attribute(method) => {
                let whole = method.value.as_name_expr()?.id.as_str();
                FunctionName {
                    class: Some(self.class.filter(|_| matches!(whole, "self" | "cls"))?),
                    name: method.attr.as_str(),
                }
            }
            _ => return None,
        };
        self.functions.get(&name).map(|function| (name, *function))
    }

    /// Follows a call of a function of the source: all that it opens is one way to the same.
    pub(super) fn follow(
        &mut self,
        name: FunctionName<'a>,
        function: Function<'a>,
        arguments: &'a Arguments,
        at: TextSize,
    ) {
        let Function {
            definition: function,
            bound: hidden,
        } = function;
        // A call of these runs nothing yet.
        let waits = function.is_async || yields(&function.body);
        if waits || self.depth == MAX_DEPTH || self.followed == MAX_FOLLOWED {
            return;
        }
        let nesting = std::mem::take(&mut self.nesting);
        (self.depth, self.followed) = (self.depth + 1, self.followed + 1);
        let calls = std::mem::take(&mut self.calls);
        let texts = self.texts.len();
        let values = self.bound(function, hidden, arguments);
        self.unnamed.follow(name);
        self.names.enter();
        for (name, values, value) in values {
            self.names.bind(name, values);
            if let Some(value) = value {
                self.names.facts.assign(name, value);
            }
        }
        let context = self.context;
        self.suite(&function.body);
        let raises = self.end(&function.body) == Next::Raises;
        let found = std::mem::replace(&mut self.calls, calls);
        self.names.leave();
        self.nesting = nesting;
        self.texts.truncate(texts);
        self.depth -= 1;
        let mut found: Vec<OpeningCall> = found
            .into_iter()
            .map(|call| OpeningCall { at, ..call })
            .collect();
        if raises || found.iter().any(OpeningCall::is_needed) {
            found = merged(found, context).into_iter().collect();
        }
        self.calls.extend(found);
    }

    /// The parameters of a function with the values of the arguments, and with the argument itself.
    fn bound(
        &self,
        function: &'a StmtFunctionDef,
        hidden: usize,
        arguments: &'a Arguments,
    ) -> Vec<(&'a str, Values, Option<&'a Expr>)> {
        let parameters = &function.parameters;
        let one = |name: &'a str, given: Option<&'a Expr>| {
            let values = given.map(|value| self.names.values(value, &self.openers));
            (name, values.unwrap_or_else(Values::unknown), given)
        };
        let positional = parameters.posonlyargs.iter().chain(&parameters.args);
        let positional = positional.skip(hidden);
        let mut bound = Vec::new();
        for (index, parameter) in positional.enumerate() {
            let name = parameter.name().as_str();
            let given = arguments.find_argument_value(name, index);
            bound.push(one(name, given.or(parameter.default.as_deref())));
        }
        let count = bound.len();
        for parameter in &parameters.kwonlyargs {
            let name = parameter.name().as_str();
            let given = arguments.find_keyword(name).map(|keyword| &keyword.value);
            bound.push(one(name, given.or(parameter.default.as_deref())));
        }
        if let Some(rest) = &parameters.vararg {
            let mut values = Values::default();
            for value in arguments.args.iter().skip(count) {
                values.extend(self.names.values(value, &self.openers));
            }
            bound.push((rest.name().as_str(), values, None));
        }
        bound
    }
}

#[cfg(test)]
mod tests {
    use crate::python_source::python_loads;

    #[track_caller]
    fn check(text: &str, want: &[&str]) {
        let loads = python_loads(text.as_bytes()).into_iter().map(|load| {
            let names = load.names.into_iter().map(|library| library.name);
            let needed = if load.is_needed { " needed" } else { "" };
            format!(
                "{}:{}{needed}",
                load.line,
                names.collect::<Vec<_>>().join("|")
            )
        });
        assert_eq!(loads.collect::<Vec<_>>(), want, "for {text}");
    }

    #[test]
    fn a_method_opens_what_another_one_gives_it() {
        // As streamdeck has it.
        let method = "class A:\n  def f(self, names):\n    for n in names:\n      try: return CDLL(n)\n      \
            except OSError: pass\n";
        check(
            &format!("{method}  def __init__(self): self.f(['liba.so', 'libb.so.1'])\n"),
            &["6:liba.so|libb.so.1"],
        );
        let method = "class A:\n  @staticmethod\n  def f(n): return CDLL(n)\n";
        check(
            &format!("{method}  x = property(lambda self: self.f('liba.so'))\n"),
            &["4:liba.so"],
        );
    }

    #[test]
    fn what_is_raised_instead_may_be_caught() {
        // As LabJackPython has it.
        let load = "def load():\n  try: return CDLL('liba.so')\n  except OSError: raise E('x')\n";
        let caught = "try: x = load()\nexcept E: x = None\n";
        check(&format!("{load}{caught}"), &["2:liba.so", "4:liba.so"]);
        check(
            &format!("{load}x = load()\n"),
            &["2:liba.so", "4:liba.so needed"],
        );
        let other = caught.replace('E', "F");
        check(
            &format!("{load}{other}"),
            &["2:liba.so", "4:liba.so needed"],
        );
        let caught = caught.replace("E:", "(F, m.E):");
        check(&format!("{load}{caught}"), &["2:liba.so", "4:liba.so"]);
    }

    #[test]
    fn a_function_may_choose_its_opener() {
        // As gpib_ctypes has it.
        let text = "def load():\n  if windows:\n    f = windll.LoadLibrary\n  else:\n    \
            f = cdll.LoadLibrary\n  return f('liba.so')\n";
        check(text, &["6:liba.so"]);
    }

    #[test]
    fn a_function_returns_names() {
        // As chromaprint has it.
        let names = "def names():\n  if sys.platform == 'win32':\n    return ('a.dll', 'liba.so.9')\n  \
            return ('liba.so.1', 'liba.so.0')\n";
        check(
            &format!("{names}for n in names():\n  CDLL(n)\n"),
            &["6:liba.so.1|liba.so.0"],
        );
        check("def name(): return x\nCDLL(name())\n", &[]);
        check(
            "def name():\n  try:\n    return 'liba.so'\n  except E:\n    pass\nCDLL(name())\n",
            &["6:liba.so"],
        );
    }
}
