//! One dependency of a distribution: `name[extras]constraint; marker`.
//!
//! <https://packaging.python.org/en/latest/specifications/dependency-specifiers/>

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use pep440_rs::{VersionSpecifiers, VersionSpecifiersParseError};

use crate::package_name::is_name_char;
use crate::{Marker, MarkerEnvironment, MarkerError, PackageName, PackageNameError};

/// A dependency. Printing gives the text that was parsed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Requirement {
    parts: RequirementParts,
    name: PackageName,
    extras: Vec<PackageName>,
    constraint: Constraint,
    marker: Option<Marker>,
}

/// Which versions of a dependency will do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Constraint {
    /// Versions in these ranges; an empty list accepts every version.
    Versions(VersionSpecifiers),
    /// A direct reference to this URL, as written.
    Url(String),
}

/// Where the parts of a dependency lie in its text. Their contents may still be wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RequirementParts {
    pub(crate) text: String,
    pub(crate) name: Range<usize>,
    /// Between the brackets; empty if there are none.
    pub(crate) extras: Range<usize>,
    /// End of the name, or of the bracket behind the extras.
    pub(crate) head_end: usize,
    pub(crate) constraint: PartsConstraint,
    /// Of the marker's semicolon; the end of the text if there is none.
    pub(crate) semicolon: usize,
}

/// The constraint of [`RequirementParts`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum PartsConstraint {
    /// Clauses with commas between, without parentheses and the white space around; may be empty.
    Versions(Range<usize>),
    /// A URL, without the `@`.
    Url(Range<usize>),
}

/// Why a text is not a [`Requirement`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequirementError {
    /// The name of the project.
    #[error("invalid project name in requirement `{text}`")]
    Name {
        /// The whole text.
        text: String,
        /// The fault of the name.
        source: PackageNameError,
    },
    /// One of the extras.
    #[error("invalid extra in requirement `{text}`")]
    Extra {
        /// The whole text.
        text: String,
        /// The fault of the extra.
        source: PackageNameError,
    },
    /// `[` or `(` without its counterpart.
    #[error("unclosed `{bracket}` in requirement `{text}`")]
    Unclosed {
        /// The whole text.
        text: String,
        /// The bracket that opens.
        bracket: char,
    },
    /// Nothing stands behind `@`.
    #[error("invalid requirement `{0}`: expected a URL after `@`")]
    NoUrl(String),
    /// Something behind a URL that is not a marker.
    #[error("expected white space and `;` behind the URL in requirement `{0}`")]
    AfterUrl(String),
    /// The version clauses.
    #[error("invalid version specifier in requirement `{text}`")]
    Versions {
        /// The whole text.
        text: String,
        /// The fault of the clauses.
        source: Box<VersionSpecifiersParseError>,
    },
    /// The marker.
    #[error("invalid marker in requirement `{text}`")]
    Marker {
        /// The whole text.
        text: String,
        /// The fault of the marker.
        source: MarkerError,
    },
}

impl Requirement {
    /// The normalised name of the project.
    pub fn name(&self) -> &PackageName {
        &self.name
    }

    /// The extras of the project that are needed, normalised, in the order of the text.
    pub fn extras(&self) -> &[PackageName] {
        &self.extras
    }

    /// Which versions will do.
    pub fn constraint(&self) -> &Constraint {
        &self.constraint
    }

    /// The clauses as Python's `packaging` prints them: sorted, without spaces. Empty for a URL.
    pub fn specifier_text(&self) -> String {
        let PartsConstraint::Versions(span) = &self.parts.constraint else {
            return String::new();
        };
        let clauses = self
            .parts
            .slice(span)
            .split(',')
            .map(|clause| clause.replace([' ', '\t'], ""));
        let mut clauses: Vec<String> = clauses.filter(|clause| !clause.is_empty()).collect();
        clauses.sort();
        clauses.dedup();
        clauses.join(",")
    }

    /// When the dependency counts; `None` for always.
    pub fn marker(&self) -> Option<&Marker> {
        self.marker.as_ref()
    }

    /// Whether the dependency counts in an environment for which some extras were asked.
    pub fn applies(&self, environment: &MarkerEnvironment, extras: &[PackageName]) -> bool {
        self.marker
            .as_ref()
            .is_none_or(|marker| marker.applies(environment, extras))
    }
}

impl FromStr for Requirement {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Self, RequirementError> {
        let parts = RequirementParts::split(text)?;
        let name = parse_name(&parts)?;
        let constraint = match &parts.constraint {
            PartsConstraint::Url(url) => Constraint::Url(parts.slice(url).to_owned()),
            PartsConstraint::Versions(span) => {
                let versions = without_trailing_comma(parts.slice(span)).parse();
                Constraint::Versions(versions.map_err(|source| RequirementError::Versions {
                    text: text.to_owned(),
                    source: Box::new(source),
                })?)
            }
        };
        let extras = parts.slice(&parts.extras).trim();
        let extras = (!extras.is_empty()).then(|| extras.split(','));
        let extras = extras.into_iter().flatten();
        let extras = extras
            .map(|extra| extra.trim().parse())
            .collect::<Result<_, _>>()
            .map_err(|source| RequirementError::Extra {
                text: text.to_owned(),
                source,
            })?;
        let marker = parse_marker(&parts)?;
        Ok(Self {
            parts,
            name,
            extras,
            constraint,
            marker,
        })
    }
}

/// The clauses without one comma at the end, which `packaging` passes over, too.
fn without_trailing_comma(clauses: &str) -> &str {
    match clauses.strip_suffix(',').map(str::trim_end) {
        Some(rest) if !rest.is_empty() => rest,
        _ => clauses,
    }
}

fn parse_name(parts: &RequirementParts) -> Result<PackageName, RequirementError> {
    let name = parts.slice(&parts.name).parse();
    name.map_err(|source| RequirementError::Name {
        text: parts.text.clone(),
        source,
    })
}

fn parse_marker(parts: &RequirementParts) -> Result<Option<Marker>, RequirementError> {
    let Some(marker) = parts.text.get(parts.semicolon + 1..) else {
        return Ok(None);
    };
    let marker = marker
        .trim()
        .parse()
        .map_err(|source| RequirementError::Marker {
            text: parts.text.clone(),
            source,
        });
    marker.map(Some)
}

impl RequirementParts {
    /// Finds the parts of a text.
    pub(crate) fn split(text: &str) -> Result<Self, RequirementError> {
        let name = skip_space(text, 0)..skip(text, skip_space(text, 0), is_name_char);
        let mut head_end = name.end;
        let mut extras = head_end..head_end;
        let bracket = skip_space(text, head_end);
        if byte_at(text, bracket) == Some(b'[') {
            let close = find(text, bracket, ']').ok_or_else(|| unclosed(text, '['))?;
            extras = bracket + 1..close;
            head_end = close + 1;
        }
        let start = skip_space(text, head_end);
        let (constraint, semicolon) = if byte_at(text, start) == Some(b'@') {
            let start = skip_space(text, start + 1);
            let end = skip(text, start, |c| !c.is_whitespace());
            if start == end {
                return Err(RequirementError::NoUrl(text.to_owned()));
            }
            let semicolon = skip_space(text, end);
            if semicolon < text.len()
                && (semicolon == end || byte_at(text, semicolon) != Some(b';'))
            {
                return Err(RequirementError::AfterUrl(text.to_owned()));
            }
            (PartsConstraint::Url(start..end), semicolon)
        } else {
            let semicolon = find(text, start, ';').unwrap_or(text.len());
            (
                PartsConstraint::Versions(clauses(text, start..semicolon)?),
                semicolon,
            )
        };
        let text = text.to_owned();
        Ok(Self {
            text,
            name,
            extras,
            head_end,
            constraint,
            semicolon,
        })
    }

    pub(crate) fn slice(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

/// The span of the version clauses without white space and parentheses around.
fn clauses(text: &str, span: Range<usize>) -> Result<Range<usize>, RequirementError> {
    let span = trim(text, span);
    if byte_at(text, span.start) != Some(b'(') || span.is_empty() {
        return Ok(span);
    }
    let inner = text.get(span.start + 1..span.end).unwrap_or_default();
    if !inner.ends_with(')') {
        return Err(unclosed(text, '('));
    }
    Ok(trim(text, span.start + 1..span.end - 1))
}

fn trim(text: &str, span: Range<usize>) -> Range<usize> {
    let slice = text.get(span.clone()).unwrap_or_default();
    let start = span.end - slice.trim_start().len();
    start..(span.start + slice.trim_end().len()).max(start)
}

fn unclosed(text: &str, bracket: char) -> RequirementError {
    let text = text.to_owned();
    RequirementError::Unclosed { text, bracket }
}

fn byte_at(text: &str, offset: usize) -> Option<u8> {
    text.as_bytes().get(offset).copied()
}

fn find(text: &str, from: usize, c: char) -> Option<usize> {
    Some(from + text.get(from..)?.find(c)?)
}

fn skip(text: &str, from: usize, accept: impl Fn(char) -> bool) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest.find(|c| !accept(c)).unwrap_or(rest.len())
}

fn skip_space(text: &str, from: usize) -> usize {
    skip(text, from, char::is_whitespace)
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts.text)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match text.parse::<Requirement>() {
            Ok(it) => {
                assert_eq!(it.to_string(), text);
                let extras: Vec<&str> = it.extras().iter().map(PackageName::as_str).collect();
                let constraint = match it.constraint() {
                    Constraint::Url(url) => format!("@ {url}"),
                    Constraint::Versions(_) => it.specifier_text(),
                };
                format!(
                    "{}|{}|{constraint}|{}",
                    it.name(),
                    extras.join(","),
                    it.marker().map_or("-".to_owned(), ToString::to_string)
                )
            }
            Err(error) => {
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                format!(
                    "error: {error}\n{}",
                    cause.lines().next().unwrap_or_default()
                )
            }
        };
        assert_eq!(got, want, "for {text:?}");
    }

    #[test]
    fn the_parts_are_read() {
        check("torch", "torch|||-");
        check("torch<3,>=2.4", "torch||<3,>=2.4|-");
        check(
            "Foo.Bar [A_b, c] ( >= 1.0 , != 1.1 )",
            "foo-bar|a-b,c|!=1.1,>=1.0|-",
        );
        check("a>=1;extra=='x'", "a||>=1|extra=='x'");
        check("a () ; python_version < '3'", "a|||python_version < '3'");
        check("a[]", "a|||-");
        check("baz>=1.0,", "baz||>=1.0|-");
        check(
            "baz (>=1.0, <2 , ) ; extra == 'x'",
            "baz||<2,>=1.0|extra == 'x'",
        );
        check(
            "cuda-toolkit[cublas,cudart]==13.2.2; platform_system == \"Linux\"",
            "cuda-toolkit|cublas,cudart|==13.2.2|platform_system == \"Linux\"",
        );
    }

    #[test]
    fn urls_are_kept() {
        check("a @ https://x/y.whl", "a||@ https://x/y.whl|-");
        check(
            "a[b]@https://x/y;z ; extra == 'c'",
            "a|b|@ https://x/y;z|extra == 'c'",
        );
    }

    #[test]
    fn one_comma_at_the_end_is_passed_over_and_no_other() {
        for text in ["a>=1,,", "a ,", "a>=1,,<2", "a ,>=1", "a (,)"] {
            assert!(text.parse::<Requirement>().is_err(), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        check(
            "",
            "error: invalid project name in requirement ``\na name must not be empty",
        );
        check(
            ">=1",
            "error: invalid project name in requirement `>=1`\na name must not be empty",
        );
        check(
            "a_>1",
            "error: invalid project name in requirement `a_>1`\n\
             a name must begin and end with an ASCII letter or digit: `a_`",
        );
        check("a[b", "error: unclosed `[` in requirement `a[b`\n");
        check("a (>=1", "error: unclosed `(` in requirement `a (>=1`\n");
        check("a (", "error: unclosed `(` in requirement `a (`\n");
        check(
            "a[b c]",
            "error: invalid extra in requirement `a[b c]`\n\
             a name may have only ASCII letters, digits, `-`, `_` and `.`, got ' ': `b c`",
        );
        check(
            "a; extra = 'x'",
            "error: invalid marker in requirement `a; extra = 'x'`\nexpected an operator at byte 6",
        );
        check(
            "a @ https://x/y z",
            "error: expected white space and `;` behind the URL in requirement `a @ https://x/y z`\n",
        );
        check(
            "a >= 1 2",
            "error: invalid version specifier in requirement `a >= 1 2`\nFailed to parse version: Trailing `2` is not allowed:",
        );
    }

    #[test]
    fn markers_are_evaluated_without_extras_unless_asked() {
        let env = crate::Target::linux(
            crate::PythonVersion {
                major: 3,
                minor: 11,
            },
            "x86_64",
            crate::Libc::Glibc {
                major: 2,
                minor: 36,
            },
        );
        let env = env.marker_environment();
        let requirement: Requirement = "a; extra == 'Big_One' and python_version >= '3.8'"
            .parse()
            .unwrap();
        assert!(!requirement.applies(&env, &[]));
        assert!(requirement.applies(&env, &["big-one".parse().unwrap()]));
    }
}
