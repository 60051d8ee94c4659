//! The condition of a dependency: `python_version < "3.15" and extra == "all"`.
//!
//! <https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers>.
//! Our own, because the crates for it compare versions where the specification compares texts; what
//! Python's `packaging` says is the judge in the tests.

mod values;

use std::collections::BTreeSet;
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

/// The extras and dependency groups of a selection, for markers that are about all of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct MarkerSets {
    /// For `extra == "x"`, `extra != "x"` and `"x" in extras`.
    pub extras: BTreeSet<PackageName>,
    /// For `"x" in dependency_groups`.
    pub groups: BTreeSet<PackageName>,
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
    /// A set that is asked for something else than whether it has a member.
    #[error(
        "`extras` and `dependency_groups` are sets: expected `\"name\" in {variable}` at byte {offset}"
    )]
    NotMembership {
        /// The name of the variable.
        variable: &'static str,
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
    DependencyGroups,
    Extra,
    Extras,
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
const VARIABLES: [(&str, Variable); 20] = [
    ("dependency_groups", Variable::DependencyGroups),
    ("extra", Variable::Extra),
    ("extras", Variable::Extras),
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

/// Everything that a marker may ask for.
struct Context<'a> {
    environment: &'a MarkerEnvironment,
    selected: Selected<'a>,
}

/// The extras and groups that count.
#[derive(Clone, Copy)]
enum Selected<'a> {
    /// One extra, or none if the text is empty.
    Extra(&'a str),
    Sets(&'a MarkerSets),
}

impl Marker {
    /// Whether the condition holds in an environment with some extras: for any one of them, or without
    /// any if the list is empty. So METADATA means it, where each extra adds to what is required.
    pub fn applies(&self, environment: &MarkerEnvironment, extras: &[PackageName]) -> bool {
        let holds = |extra| {
            let selected = Selected::Extra(extra);
            self.condition.holds(&Context {
                environment,
                selected,
            })
        };
        if extras.is_empty() {
            return holds("");
        }
        extras.iter().any(|extra| holds(extra.as_str()))
    }

    /// Whether the condition holds with any of the extras that it names, or without.
    pub fn may_apply(&self, environment: &MarkerEnvironment) -> bool {
        let mut extras = Vec::new();
        self.condition.extras(&mut extras);
        self.applies(environment, &[]) || self.applies(environment, &extras)
    }

    /// Whether the condition holds in an environment for a selection as a whole. So lock files mean it:
    /// `extra != "x"` says that the selection is without it, whatever else it has.
    ///
    /// Names can be equal, unequal and members; other comparisons of them, which have no meaning, are
    /// false.
    pub fn holds(&self, environment: &MarkerEnvironment, sets: &MarkerSets) -> bool {
        let selected = Selected::Sets(sets);
        self.condition.holds(&Context {
            environment,
            selected,
        })
    }
}

impl Condition {
    /// Adds the names that `extra` is compared with.
    fn extras(&self, found: &mut Vec<PackageName>) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|it| it.extras(found)),
            Self::Compare { left, right, .. } => {
                if let (Operand::Variable(Variable::Extra), Operand::Text(text))
                | (Operand::Text(text), Operand::Variable(Variable::Extra)) = (left, right)
                {
                    found.extend(text.parse());
                }
            }
        }
    }

    fn holds(&self, context: &Context<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(context)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(context)),
            Self::Compare {
                left,
                operator,
                right,
            } => match (left, right) {
                (Operand::Variable(variable), Operand::Text(text)) => match variable.set(context) {
                    Some(set) => is_member(set, text, *operator),
                    None => compare(*variable, variable.value(context), *operator, text),
                },
                (Operand::Text(text), Operand::Variable(variable)) => match variable.set(context) {
                    Some(set) => is_member(set, text, *operator),
                    None => compare(*variable, text, *operator, variable.value(context)),
                },
                _ => false,
            },
        }
    }
}

/// Compares a name with those of a set, which is equal to each of its members.
fn is_member(set: &BTreeSet<PackageName>, name: &str, operator: Operator) -> bool {
    let has = || set.iter().any(|member| member.as_str() == name);
    match operator {
        Operator::In | Operator::Version("==" | "===") => has(),
        Operator::NotIn | Operator::Version("!=") => !has(),
        Operator::Version(_) => false,
    }
}

impl Variable {
    /// The set that the variable stands for; `None` if it has one value.
    fn set<'a>(self, context: &Context<'a>) -> Option<&'a BTreeSet<PackageName>> {
        static NONE: BTreeSet<PackageName> = BTreeSet::new();
        match (self, context.selected) {
            (Self::Extra | Self::Extras, Selected::Sets(sets)) => Some(&sets.extras),
            (Self::DependencyGroups, Selected::Sets(sets)) => Some(&sets.groups),
            // METADATA knows neither, and there nothing is selected.
            (Self::Extras | Self::DependencyGroups, Selected::Extra(_)) => Some(&NONE),
            _ => None,
        }
    }

    /// Whether the texts that it is compared with are names.
    fn is_name(self) -> bool {
        matches!(self, Self::Extra | Self::Extras | Self::DependencyGroups)
    }

    /// The name of a variable that is always a set.
    fn set_name(self) -> Option<&'static str> {
        match self {
            Self::Extras => Some("extras"),
            Self::DependencyGroups => Some("dependency_groups"),
            _ => None,
        }
    }

    fn value<'a>(self, context: &Context<'a>) -> &'a str {
        let environment = context.environment;
        match self {
            Self::Extra | Self::Extras | Self::DependencyGroups => match context.selected {
                Selected::Extra(extra) => extra,
                Selected::Sets(_) => "",
            },
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
        if let Ok(specifier) = specifier {
            // No version is in no range, not even in that of all others.
            return left
                .parse::<Version>()
                .is_ok_and(|version| specifier.contains(&version));
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
        let (variable, is_first) = match (&left, &right) {
            (Operand::Variable(variable), Operand::Text(_)) => (*variable, true),
            (Operand::Text(_), Operand::Variable(variable)) => (*variable, false),
            _ => return Err(MarkerError::Operands { offset }),
        };
        let is_membership = !is_first && matches!(operator, Operator::In | Operator::NotIn);
        if let Some(variable) = variable.set_name().filter(|_| !is_membership) {
            return Err(MarkerError::NotMembership { variable, offset });
        }
        // Names are compared normalised.
        let normalized = |operand| match operand {
            Operand::Text(text) if variable.is_name() => Operand::Text(normalize(&text)),
            operand => operand,
        };
        Ok(Condition::Compare {
            left: normalized(left),
            operator,
            right: normalized(right),
        })
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
    fn a_marker_may_apply_with_an_extra() {
        let environment = crate::Target::linux(
            crate::PythonVersion {
                major: 3,
                minor: 11,
            },
            "x86_64",
            crate::Libc::ASSUMED_GLIBC,
        )
        .marker_environment();
        let may = |text: &str| text.parse::<Marker>().unwrap().may_apply(&environment);
        assert!(may("extra == 'x'") && may("extra != 'x'") && may("os_name == 'posix'"));
        assert!(!may("extra == 'x' and os_name == 'nt'"));
        assert!(may("(extra == 'x' or os_name == 'nt') and 'x' == extra"));
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
        assert!(!holds("platform_release != '5'"));
        assert!(!holds("platform_release >= '6'"));
        assert!(holds("'amd64' in platform_release"));
        assert!(!holds("platform_release ~= '6.1'"));
        assert!(holds(
            "os.name == 'posix' and python_implementation == 'CPython'"
        ));
    }
}
