//! Two candidates for one place of an environment, and the rules that decide which counts.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use wheelfix_link::Pattern;

/// Two or more candidates for one place.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct EnvCollision {
    /// The place, relative to the prefix, with `/` as separator.
    pub path: String,
    /// How the candidates differ.
    pub kind: EnvCollisionKind,
    /// Where it comes from, in the order of the inputs.
    #[serde(rename = "claims")]
    pub candidates: Vec<EnvCandidate>,
}

/// How candidates for one place differ.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EnvCollisionKind {
    /// Files with different content.
    Content,
    /// A file where another candidate has a directory.
    FileAndDirectory,
    /// Names that differ in case only.
    Case,
}

/// One candidate for a place.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct EnvCandidate {
    /// The distribution whose RECORD lists it, as `name version`; `None` if none does.
    pub owner: Option<String>,
    /// The file or directory, in the input; for a wheel the wheel itself.
    pub from: PathBuf,
}

impl fmt::Display for EnvCollision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            EnvCollisionKind::Content => "with different content",
            EnvCollisionKind::FileAndDirectory => "as a file and as a directory",
            EnvCollisionKind::Case => "in names that differ in case only",
        };
        write!(f, "`{}` comes {kind} from", self.path)?;
        for (index, candidate) in self.candidates.iter().enumerate() {
            let and = if index == 0 { "" } else { " and" };
            match &candidate.owner {
                Some(owner) => write!(f, "{and} {owner} (`{}`)", candidate.from.display())?,
                None => write!(f, "{and} `{}`", candidate.from.display())?,
            }
        }
        Ok(())
    }
}

/// The candidate that counts, of several.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CollisionAction {
    /// The one of the first input.
    First,
    /// The one of the last input.
    Last,
    /// None: that is an error.
    Error,
}

/// A rule for collisions at certain places.
#[derive(Clone, Debug)]
pub struct CollisionRule {
    /// Matched with the path relative to the prefix, and with that relative to `site-packages`.
    pub glob: Pattern,
    /// The candidate that counts there.
    pub action: CollisionAction,
}

/// Why a text is not a [`CollisionRule`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollisionRuleError {
    /// Without `=`, or with something else behind it.
    #[error("expected `GLOB=first`, `GLOB=last` or `GLOB=error`, got `{0}`")]
    Action(String),
    /// The glob is not valid.
    #[error("invalid glob in `{text}`: {reason}")]
    Glob {
        /// The whole text.
        text: String,
        /// The reason why it is not valid.
        reason: String,
    },
}

impl FromStr for CollisionRule {
    type Err = CollisionRuleError;

    fn from_str(text: &str) -> Result<Self, CollisionRuleError> {
        let wrong = || CollisionRuleError::Action(text.to_owned());
        let (glob, action) = text.rsplit_once('=').ok_or_else(wrong)?;
        let action = match action {
            "first" => CollisionAction::First,
            "last" => CollisionAction::Last,
            "error" => CollisionAction::Error,
            _ => return Err(wrong()),
        };
        let glob = Pattern::new(glob).map_err(|error| CollisionRuleError::Glob {
            text: text.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self { glob, action })
    }
}

impl fmt::Display for CollisionRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            CollisionAction::First => "first",
            CollisionAction::Last => "last",
            CollisionAction::Error => "error",
        };
        write!(f, "{}={action}", self.glob)
    }
}

/// A collision that a rule decided.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ResolvedCollision {
    /// The collision.
    #[serde(flatten)]
    pub collision: EnvCollision,
    /// The rule, as it is written.
    pub rule: String,
    /// Whether the rule is one of ours, not the user's.
    pub shipped: bool,
    /// Index in `candidates` of the candidate that counts.
    pub kept: usize,
}

/// Places at the top of `site-packages` where packages put what nobody imports: many wheels ship
/// their tests, examples and licence there by mistake, and those of two are never the same.
/// `about-time` and `alive-progress` collide in `LICENSE`.
const SHIPPED: &[&str] = &[
    "{AUTHORS,CHANGELOG,CHANGES,CONTRIBUTING,COPYING,HISTORY,LICENCE,LICENSE,NOTICE,README}",
    "{AUTHORS,CHANGELOG,CHANGES,CONTRIBUTING,COPYING,HISTORY,LICENCE,LICENSE,NOTICE,README}{.,-}*",
    "{bench,benchmark,benchmarks,doc,docs,example,examples,test,tests,testing}/**",
    "{bench,benchmark,benchmarks,doc,docs,example,examples,test,tests,testing}",
];

/// All rules, the user's before ours.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<(CollisionRule, AtomicBool)>,
    /// How many of them are the user's.
    given: usize,
}

/// The decision of a rule about a place.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) action: CollisionAction,
    pub(crate) rule: String,
    pub(crate) shipped: bool,
}

impl Rules {
    /// The user's rules and ours.
    pub(crate) fn new(given: &[CollisionRule]) -> Self {
        let shipped = SHIPPED.iter().filter_map(|glob| {
            Some(CollisionRule {
                glob: Pattern::new(glob).ok()?,
                action: CollisionAction::First,
            })
        });
        let all = given.iter().cloned().chain(shipped);
        Self {
            rules: all.map(|rule| (rule, AtomicBool::new(false))).collect(),
            given: given.len(),
        }
    }

    /// The decision of the first rule that matches; `in_site` is the path relative to
    /// `site-packages`. `None` if none matches.
    pub(crate) fn decide(&self, path: &str, in_site: &str) -> Option<Decision> {
        for (index, (rule, used)) in self.rules.iter().enumerate() {
            let shipped = self.given <= index;
            // Ours are for `site-packages` alone.
            let matches = rule.glob.matches(in_site) || !shipped && rule.glob.matches(path);
            if matches {
                used.store(true, Ordering::Relaxed);
                return Some(Decision {
                    action: rule.action,
                    rule: rule.to_string(),
                    shipped,
                });
            }
        }
        None
    }

    /// The user's rules that matched nothing.
    pub(crate) fn unused(&self) -> Vec<String> {
        let given = self.rules.iter().take(self.given);
        given
            .filter(|(_, used)| !used.load(Ordering::Relaxed))
            .map(|(rule, _)| rule.to_string())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let got = match text.parse::<CollisionRule>() {
            Ok(rule) => rule.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, want);
    }

    #[test]
    fn a_rule_prints_as_it_is_written() {
        check("a/*.py=first", "a/*.py=first");
        check("a=b=last", "a=b=last");
        check(
            "a",
            "error: expected `GLOB=first`, `GLOB=last` or `GLOB=error`, got `a`",
        );
        check(
            "a=all",
            "error: expected `GLOB=first`, `GLOB=last` or `GLOB=error`, got `a=all`",
        );
        check(
            "[=first",
            "error: invalid glob in `[=first`: error parsing glob '[': unclosed character class; missing ']'",
        );
    }

    #[test]
    fn the_user_comes_before_us() {
        let rules = Rules::new(&["tests/a=error".parse().unwrap(), "z=last".parse().unwrap()]);
        let decide = |path: &str| {
            let decision = rules.decide(path, path)?;
            Some((decision.action, decision.shipped))
        };
        assert_eq!(decide("tests/a"), Some((CollisionAction::Error, false)));
        assert_eq!(decide("tests/b/c"), Some((CollisionAction::First, true)));
        assert_eq!(decide("LICENSE.txt"), Some((CollisionAction::First, true)));
        assert_eq!(decide("LICENSE"), Some((CollisionAction::First, true)));
        assert_eq!(decide("mine/tests/a"), None);
        assert_eq!(rules.unused(), ["z=last"]);
    }
}
