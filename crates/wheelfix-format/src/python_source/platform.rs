//! Conditions on the system that Python runs on, answered for Linux.

use ruff_python_ast::{BoolOp, CmpOp, Expr, Stmt, StmtIf, UnaryOp};

use super::scopes::Scopes;
use super::syntax::branches;

/// `sys.platform`.
const PLATFORM: &str = "linux";
/// `os.name`.
const OS_NAME: &str = "posix";
/// `platform.system()`.
const SYSTEM: &str = "Linux";

/// Frameworks of Apple's systems, which sources look for as they look for libraries.
const FRAMEWORKS: [&str; 32] = [
    "AVFoundation",
    "Accelerate",
    "AppKit",
    "ApplicationServices",
    "AudioToolbox",
    "AudioUnit",
    "Carbon",
    "Cocoa",
    "CoreAudio",
    "CoreBluetooth",
    "CoreFoundation",
    "CoreGraphics",
    "CoreMIDI",
    "CoreMedia",
    "CoreServices",
    "CoreText",
    "CoreVideo",
    "CoreWLAN",
    "DiskArbitration",
    "Foundation",
    "GameController",
    "IOKit",
    "IOSurface",
    "ImageIO",
    "Metal",
    "MetalKit",
    "QTKit",
    "Quartz",
    "QuartzCore",
    "Security",
    "SystemConfiguration",
    "VideoToolbox",
];

/// Whether a name is that of what only Apple's systems have.
pub(super) fn is_framework(name: &str) -> bool {
    FRAMEWORKS.contains(&name)
}

/// Variables that hold a fact about the system.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// `None` for a variable that holds no such fact.
    scopes: Scopes<Option<Fact>>,
}

#[derive(Clone, Debug)]
enum Fact {
    Text(String),
    Truth(bool),
}

impl Facts {
    /// Begins the scope of a function.
    pub(super) fn enter(&mut self) {
        self.scopes.enter();
    }

    /// Ends it.
    pub(super) fn leave(&mut self) {
        self.scopes.leave();
    }

    /// Notes that a variable may hold anything.
    pub(super) fn forget(&mut self, name: &str) {
        self.scopes.innermost().insert(name.to_owned(), None);
    }

    /// Notes what an assignment says about the system. A name that is given another value is none.
    pub(super) fn assign(&mut self, name: &str, value: &Expr) {
        let text = self.text(value).filter(|_| !value.is_string_literal_expr());
        let truth = self.holds(value);
        let fact = text.map(Fact::Text).or(truth.map(Fact::Truth));
        self.scopes.innermost().insert(name.to_owned(), fact);
    }

    fn fact(&self, name: &str) -> Option<&Fact> {
        self.scopes.get(name)?.as_ref()
    }

    /// The branches of a choice that may run on Linux.
    pub(super) fn possible<'s>(&self, choice: &'s StmtIf) -> Vec<&'s [Stmt]> {
        let mut bodies = Vec::new();
        for (test, body) in branches(choice) {
            let holds = test.map_or(Some(true), |test| self.holds(test));
            if holds != Some(false) {
                bodies.push(body);
            }
            if holds == Some(true) {
                break;
            }
        }
        bodies
    }

    /// Whether a condition holds on Linux; `None` if it does not depend on the system alone.
    pub(super) fn holds(&self, test: &Expr) -> Option<bool> {
        match test {
            Expr::BooleanLiteral(literal) => Some(literal.value),
            Expr::Name(name) if name.id == "TYPE_CHECKING" => Some(false),
            Expr::Name(name) => match self.fact(name.id.as_str())? {
                Fact::Truth(truth) => Some(*truth),
                Fact::Text(_) => None,
            },
            Expr::Attribute(attribute) if attribute.attr.as_str() == "TYPE_CHECKING" => Some(false),
            Expr::UnaryOp(unary) if unary.op == UnaryOp::Not => {
                self.holds(&unary.operand).map(|holds| !holds)
            }
            Expr::BoolOp(bool_op) => {
                let values: Vec<Option<bool>> = bool_op
                    .values
                    .iter()
                    .map(|value| self.holds(value))
                    .collect();
                let decides = bool_op.op == BoolOp::Or;
                if values.contains(&Some(decides)) {
                    Some(decides)
                } else {
                    values.iter().all(Option::is_some).then_some(!decides)
                }
            }
            Expr::Compare(compare) => match (&*compare.ops, &*compare.comparators) {
                ([op], [right]) => self.compares(&compare.left, *op, right),
                _ => None,
            },
            Expr::Call(call) => {
                let Expr::Attribute(method) = &*call.func else {
                    return None;
                };
                let whole = self.text(&method.value)?;
                let parts = texts(call.arguments.args.first()?)?;
                match method.attr.as_str() {
                    "startswith" => Some(parts.iter().any(|part| whole.starts_with(part.as_str()))),
                    "endswith" => Some(parts.iter().any(|part| whole.ends_with(part.as_str()))),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn compares(&self, left: &Expr, op: CmpOp, right: &Expr) -> Option<bool> {
        let (text, other) = match (self.text(left), self.text(right)) {
            // Of two texts that the source has, neither is the system's.
            _ if left.is_string_literal_expr() && right.is_string_literal_expr() => return None,
            (Some(text), other) if !left.is_string_literal_expr() => (text, other),
            (Some(part), Some(text)) if op == CmpOp::In => return Some(text.contains(&part)),
            (Some(part), Some(text)) if op == CmpOp::NotIn => return Some(!text.contains(&part)),
            (other, Some(text)) => (text, other),
            _ => return None,
        };
        let is_part = |whole: &Expr| {
            let whole = whole.as_string_literal_expr();
            whole.map(|whole| whole.value.to_str().contains(&text))
        };
        match op {
            CmpOp::In if right.is_string_literal_expr() => is_part(right),
            CmpOp::NotIn if right.is_string_literal_expr() => is_part(right).map(|part| !part),
            CmpOp::Eq => other.map(|other| other == text),
            CmpOp::NotEq => other.map(|other| other != text),
            CmpOp::In => texts(right).map(|texts| texts.contains(&text)),
            CmpOp::NotIn => texts(right).map(|texts| !texts.contains(&text)),
            _ => None,
        }
    }

    /// The text that an expression has on Linux, if it is one about the system or stands there.
    pub(super) fn text(&self, value: &Expr) -> Option<String> {
        match value {
            Expr::StringLiteral(literal) => Some(literal.value.to_str().to_owned()),
            Expr::Name(name) => match self.fact(name.id.as_str())? {
                Fact::Text(text) => Some(text.clone()),
                Fact::Truth(_) => None,
            },
            Expr::Attribute(attribute) => {
                let Expr::Name(module) = &*attribute.value else {
                    return None;
                };
                match (module.id.trim_start_matches('_'), attribute.attr.as_str()) {
                    ("sys", "platform") => Some(PLATFORM.to_owned()),
                    ("os", "name") => Some(OS_NAME.to_owned()),
                    _ => None,
                }
            }
            Expr::Call(call) => {
                let (name, receiver) = match &*call.func {
                    Expr::Attribute(attribute) => (attribute.attr.as_str(), Some(&attribute.value)),
                    Expr::Name(name) => (name.id.as_str(), None),
                    _ => return None,
                };
                match (name, receiver) {
                    ("lower", Some(receiver)) => {
                        self.text(receiver).map(|text| text.to_lowercase())
                    }
                    ("upper", Some(receiver)) => {
                        self.text(receiver).map(|text| text.to_uppercase())
                    }
                    ("system", Some(receiver)) if is_module(receiver, "platform") => {
                        Some(SYSTEM.to_owned())
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// Whether an expression is a module's name; leading underscores are those of private aliases.
fn is_module(value: &Expr, module: &str) -> bool {
    matches!(value, Expr::Name(name) if name.id.trim_start_matches('_') == module)
}

/// The texts of a literal, or of a tuple, list or set of literals.
fn texts(value: &Expr) -> Option<Vec<String>> {
    let elements = match value {
        Expr::StringLiteral(literal) => return Some(vec![literal.value.to_str().to_owned()]),
        Expr::Tuple(tuple) => &tuple.elts,
        Expr::List(list) => &list.elts,
        Expr::Set(set) => &set.elts,
        _ => return None,
    };
    let texts = elements.iter().map(|element| match element {
        Expr::StringLiteral(literal) => Some(literal.value.to_str().to_owned()),
        _ => None,
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Option<bool>) {
        let parsed = ruff_python_parser::parse_expression(text).unwrap();
        assert_eq!(Facts::default().holds(parsed.expr()), want, "for {text}");
    }

    #[test]
    fn conditions_on_the_system_are_answered() {
        check("sys.platform == 'win32'", Some(false));
        check("'linux' == sys.platform", Some(true));
        check("sys.platform.startswith(('linux', 'freebsd'))", Some(true));
        check("sys.platform in ('win32', 'cygwin')", Some(false));
        check("'linux' in _sys.platform", Some(true));
        check("sys.platform in 'linux linux2'", Some(true));
        check("os.name != 'nt'", Some(true));
        check("platform.system().lower().endswith('bsd')", Some(false));
        check(
            "not platform.system() == 'Darwin' and os.name == 'posix'",
            Some(true),
        );
        check("sys.platform == 'win32' and x", Some(false));
        check("sys.platform == 'linux' or x", Some(true));
        check("sys.platform == 'linux' and x", None);
        check("x", None);
        check("'a' == 'b'", None);
        check("x == 'win32'", None);
        check("sys.version == '3'", None);
        check("name.startswith('lib')", None);
    }
}
