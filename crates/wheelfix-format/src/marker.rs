//! The condition of a dependency: `python_version < "3.15" and extra == "all"`.
//!
//! <https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers>.
//! Our own, because the crates for it compare versions where the specification compares texts; what
//! Python's `packaging` says is the judge in the tests.

use std::fmt;
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifier};

use crate::PackageName;
use crate::package_name::normalize;

/// A condition on the environment. Printing gives the text that was parsed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Marker {
    text: String,
    condition: Condition,
}

/// The values of the variables of markers, without `extra`.
///
/// The names are those of the specification, the values those that Python's `platform`, `os` and `sys`
/// have in the environment.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "named and explained in the specification")]
pub struct MarkerEnvironment {
    pub implementation_name: String,
    pub implementation_version: String,
    pub os_name: String,
    pub platform_machine: String,
    pub platform_python_implementation: String,
    pub platform_release: String,
    pub platform_system: String,
    pub platform_version: String,
    pub python_full_version: String,
    pub python_version: String,
    pub sys_platform: String,
}

/// Why a text is not a [`Marker`]. Offsets are bytes in the text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MarkerError {
    /// Something that may not stand there, or the end of the text.
    #[error("expected {expected} at byte {offset}")]
    Expected {
        /// The tokens that may stand there.
        expected: &'static str,
        /// The offset of that place.
        offset: usize,
    },
    /// A comparison of two texts, or of two variables.
    #[error("expected a variable and a text in quotes at byte {offset}")]
    Operands {
        /// Where the comparison begins.
        offset: usize,
    },
    /// More parentheses inside each other than any real marker has.
    #[error("more than {MAX_DEPTH} parentheses inside each other")]
    TooDeep,
}

/// The parser and the evaluation recurse for each parenthesis, and hostile input must not exhaust the
/// stack.
const MAX_DEPTH: usize = 32;

#[derive(Clone, Debug, Eq, PartialEq)]
enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Compare {
        left: Operand,
        operator: Operator,
        right: Operand,
    },
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Operand {
    Variable(Variable),
    Text(String),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Operator {
    In,
    NotIn,
    /// As in a version specifier.
    Version(&'static str),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Variable {
    Extra,
    ImplementationName,
    ImplementationVersion,
    OsName,
    PlatformMachine,
    PlatformPythonImplementation,
    PlatformRelease,
    PlatformSystem,
    PlatformVersion,
    PythonFullVersion,
    PythonVersion,
    SysPlatform,
}

/// Names of variables; those with dots are from before PEP 508.
const VARIABLES: [(&str, Variable); 18] = [
    ("extra", Variable::Extra),
    ("implementation_name", Variable::ImplementationName),
    ("implementation_version", Variable::ImplementationVersion),
    ("os.name", Variable::OsName),
    ("os_name", Variable::OsName),
    ("platform.machine", Variable::PlatformMachine),
    (
        "platform.python_implementation",
        Variable::PlatformPythonImplementation,
    ),
    ("platform.version", Variable::PlatformVersion),
    ("platform_machine", Variable::PlatformMachine),
    (
        "platform_python_implementation",
        Variable::PlatformPythonImplementation,
    ),
    ("platform_release", Variable::PlatformRelease),
    ("platform_system", Variable::PlatformSystem),
    ("platform_version", Variable::PlatformVersion),
    ("python_full_version", Variable::PythonFullVersion),
    (
        "python_implementation",
        Variable::PlatformPythonImplementation,
    ),
    ("python_version", Variable::PythonVersion),
    ("sys.platform", Variable::SysPlatform),
    ("sys_platform", Variable::SysPlatform),
];

/// Longer ones before their own beginnings.
const OPERATORS: [&str; 8] = ["===", "==", "!=", "~=", "<=", ">=", "<", ">"];

impl Marker {
    /// Whether the condition holds in an environment with some extras: for any one of them, or without
    /// any if the list is empty.
    pub fn applies(&self, environment: &MarkerEnvironment, extras: &[PackageName]) -> bool {
        if extras.is_empty() {
            return self.condition.holds(environment, "");
        }
        extras
            .iter()
            .any(|extra| self.condition.holds(environment, extra.as_str()))
    }
}

impl Condition {
    fn holds(&self, environment: &MarkerEnvironment, extra: &str) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(environment, extra)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(environment, extra)),
            Self::Compare {
                left,
                operator,
                right,
            } => {
                let variable = match (left, right) {
                    (Operand::Variable(variable), _) | (_, Operand::Variable(variable)) => {
                        *variable
                    }
                    (Operand::Text(_), Operand::Text(_)) => return false,
                };
                let value = |operand: &Operand| match operand {
                    Operand::Variable(Variable::Extra) => extra.to_owned(),
                    Operand::Variable(variable) => variable.value(environment).to_owned(),
                    // Names of extras are compared normalised.
                    Operand::Text(text) if variable == Variable::Extra => normalize(text),
                    Operand::Text(text) => text.clone(),
                };
                compare(variable, &value(left), *operator, &value(right))
            }
        }
    }
}

impl Variable {
    fn value(self, environment: &MarkerEnvironment) -> &str {
        match self {
            Self::Extra => "",
            Self::ImplementationName => &environment.implementation_name,
            Self::ImplementationVersion => &environment.implementation_version,
            Self::OsName => &environment.os_name,
            Self::PlatformMachine => &environment.platform_machine,
            Self::PlatformPythonImplementation => &environment.platform_python_implementation,
            Self::PlatformRelease => &environment.platform_release,
            Self::PlatformSystem => &environment.platform_system,
            Self::PlatformVersion => &environment.platform_version,
            Self::PythonFullVersion => &environment.python_full_version,
            Self::PythonVersion => &environment.python_version,
            Self::SysPlatform => &environment.sys_platform,
        }
    }

    fn is_version(self) -> bool {
        matches!(
            self,
            Self::ImplementationVersion
                | Self::PlatformRelease
                | Self::PythonFullVersion
                | Self::PythonVersion
        )
    }
}

/// Compares as versions if the variable is one and the right side is, else as texts.
fn compare(variable: Variable, left: &str, operator: Operator, right: &str) -> bool {
    let operator = match operator {
        Operator::In => return right.contains(left),
        Operator::NotIn => return !right.contains(left),
        Operator::Version(operator) => operator,
    };
    if variable.is_version() {
        let specifier = format!("{operator}{right}").parse::<VersionSpecifier>();
        if let (Ok(specifier), Ok(version)) = (specifier, left.parse::<Version>()) {
            return specifier.contains(&version);
        }
    }
    match operator {
        "==" | "===" | "<=" | ">=" => left == right,
        "!=" => left != right,
        // Texts have no order, and nothing is compatible with them.
        _ => false,
    }
}

impl FromStr for Marker {
    type Err = MarkerError;

    fn from_str(text: &str) -> Result<Self, MarkerError> {
        let mut parser = Parser { text, offset: 0 };
        let condition = parser.any(0)?;
        if parser.rest().is_empty() {
            let text = text.to_owned();
            Ok(Self { text, condition })
        } else {
            Err(parser.expected("`and`, `or` or the end"))
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Parser<'a> {
    /// The rest of the text, without white space before it.
    fn rest(&mut self) -> &'a str {
        let rest = self.text.get(self.offset..).unwrap_or_default();
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.offset += rest.len() - trimmed.len();
        trimmed
    }

    fn expected(&mut self, expected: &'static str) -> MarkerError {
        self.rest();
        let offset = self.offset;
        MarkerError::Expected { expected, offset }
    }

    /// Takes a text if it is next.
    fn take(&mut self, text: &str) -> bool {
        let is_next = self.rest().starts_with(text);
        if is_next {
            self.offset += text.len();
        }
        is_next
    }

    /// Takes a word if it is next and ends there.
    fn take_word(&mut self, word: &str) -> bool {
        let rest = self.rest().strip_prefix(word);
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        rest.is_some_and(ends) && self.take(word)
    }

    fn any(&mut self, depth: usize) -> Result<Condition, MarkerError> {
        let mut parts = vec![self.all(depth)?];
        while self.take_word("or") {
            parts.push(self.all(depth)?);
        }
        Ok(Condition::Any(parts))
    }

    fn all(&mut self, depth: usize) -> Result<Condition, MarkerError> {
        let mut parts = vec![self.atom(depth)?];
        while self.take_word("and") {
            parts.push(self.atom(depth)?);
        }
        Ok(Condition::All(parts))
    }

    fn atom(&mut self, depth: usize) -> Result<Condition, MarkerError> {
        if !self.take("(") {
            return self.comparison();
        }
        if depth == MAX_DEPTH {
            return Err(MarkerError::TooDeep);
        }
        let condition = self.any(depth + 1)?;
        if self.take(")") {
            Ok(condition)
        } else {
            Err(self.expected("`)`"))
        }
    }

    fn comparison(&mut self) -> Result<Condition, MarkerError> {
        self.rest();
        let offset = self.offset;
        let left = self.operand()?;
        let operator = self.operator()?;
        let right = self.operand()?;
        match (&left, &right) {
            (Operand::Variable(_), Operand::Text(_)) | (Operand::Text(_), Operand::Variable(_)) => {
                Ok(Condition::Compare {
                    left,
                    operator,
                    right,
                })
            }
            _ => Err(MarkerError::Operands { offset }),
        }
    }

    fn operand(&mut self) -> Result<Operand, MarkerError> {
        for (name, variable) in VARIABLES {
            if self.take_word(name) {
                return Ok(Operand::Variable(variable));
            }
        }
        for quote in ["'", "\""] {
            if !self.take(quote) {
                continue;
            }
            // White space after the quote is part of the text.
            let rest = self.text.get(self.offset..).unwrap_or_default();
            let Some((text, _)) = rest.split_once(quote) else {
                return Err(self.expected("a closing quote behind this"));
            };
            self.offset += text.len() + quote.len();
            return Ok(Operand::Text(text.to_owned()));
        }
        Err(self.expected("a variable or a text in quotes"))
    }

    fn operator(&mut self) -> Result<Operator, MarkerError> {
        if self.take_word("in") {
            return Ok(Operator::In);
        }
        if self.take_word("not") {
            return if self.take_word("in") {
                Ok(Operator::NotIn)
            } else {
                Err(self.expected("`in`"))
            };
        }
        let operator = OPERATORS.into_iter().find(|operator| self.take(operator));
        operator
            .map(Operator::Version)
            .ok_or_else(|| self.expected("an operator"))
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = text
            .parse::<Marker>()
            .map_or_else(|error| error.to_string(), |marker| marker.to_string());
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn other_texts_are_refused() {
        check("", "expected a variable or a text in quotes at byte 0");
        check("python_version", "expected an operator at byte 14");
        check(
            "python_version ==",
            "expected a variable or a text in quotes at byte 17",
        );
        check(
            "python_versions == '3'",
            "expected a variable or a text in quotes at byte 0",
        );
        check(
            "os_name == 'nt",
            "expected a closing quote behind this at byte 12",
        );
        check("os_name not 'nt'", "expected `in` at byte 12");
        check("(os_name == 'nt'", "expected `)` at byte 16");
        check(
            "os_name == 'nt' extra == 'x'",
            "expected `and`, `or` or the end at byte 16",
        );
        check(
            "os_name == 'nt' and 'a' == 'b'",
            "expected a variable and a text in quotes at byte 20",
        );
        check(
            "os_name == sys_platform",
            "expected a variable and a text in quotes at byte 0",
        );
        check(
            &"(".repeat(100_000),
            "more than 32 parentheses inside each other",
        );
    }

    #[test]
    fn what_is_no_version_is_compared_as_text() {
        let environment = MarkerEnvironment {
            platform_release: "6.1.0-18-amd64".to_owned(),
            ..crate::Target::linux(
                crate::PythonVersion {
                    major: 3,
                    minor: 11,
                },
                "x86_64",
                crate::Libc::Glibc {
                    major: 2,
                    minor: 36,
                },
            )
            .marker_environment()
        };
        let holds = |text: &str| text.parse::<Marker>().unwrap().applies(&environment, &[]);
        assert!(holds("platform_release >= '6.1.0-18-amd64'"));
        assert!(!holds("platform_release >= '6'"));
        assert!(holds("'amd64' in platform_release"));
        assert!(!holds("platform_release ~= '6.1'"));
        assert!(holds(
            "os.name == 'posix' and python_implementation == 'CPython'"
        ));
    }
}
