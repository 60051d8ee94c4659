//! Edits of the dependencies in core metadata: relax, relax upwards only, remove.
//!
//! An edit is pure: it takes metadata and gives a text in which every untouched line has the same
//! bytes as before.

use std::fmt;
use std::str::FromStr;

use crate::headers::FieldEdit;
use crate::package_name::normalize;
use crate::requirement::{PartsConstraint, RequirementParts};
use crate::{Metadata, PackageName, PackageNameError};

/// An edit of dependencies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MetadataEdit {
    /// The action on those that are selected.
    pub action: EditAction,
    /// The selection of dependencies.
    pub selector: Selector,
}

/// The action on a dependency. If several edits select it, the last in this order wins.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum EditAction {
    /// Drop the upper bounds: `<`, `<=` go, `==` and `~=` become `>=`, all others stay.
    RelaxUpper,
    /// Drop all version clauses. A URL stays.
    Relax,
    /// Drop the whole dependency.
    Remove,
}

/// The selection of the dependencies of an edit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Selector {
    /// All.
    All,
    /// Those of this project.
    Name(PackageName),
    /// Those whose normalised name matches a pattern in which `*` stands for any text.
    Pattern(NamePattern),
    /// Those whose name as written begins with a text, as in nixpkgs' `pythonRelaxDeps` and
    /// `pythonRemoveDeps`: not normalised, `.` stands for any character. Kept for recipes that count
    /// on it; a match that is more than the name is reported in [`Change::by_prefix`].
    NixpkgsPrefix {
        /// The beginning of the names.
        prefix: String,
        /// True for relaxing, false for removing.
        ignore_case: bool,
    },
}

/// A normalised name with at least one `*`, which stands for any text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamePattern(String);

/// The result of edits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EditedMetadata {
    /// The new text.
    pub text: String,
    /// The dependencies that changed, in the order of the file.
    pub changes: Vec<Change>,
    /// The edits that selected no dependency.
    pub unmatched: Vec<MetadataEdit>,
}

/// A dependency that changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The line in the old text, counted from 1.
    pub line: usize,
    /// The dependency as it was.
    pub before: String,
    /// The dependency as it is; `None` if it was removed.
    pub after: Option<String>,
    /// Whether only the beginning of the name was asked for.
    pub by_prefix: bool,
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl MetadataEdit {
    /// An edit of the dependencies on one project, or on all that match a pattern with `*`.
    pub fn named(action: EditAction, name: &str) -> Result<Self, PackageNameError> {
        let selector = name.parse()?;
        Ok(Self { action, selector })
    }

    /// An edit of all dependencies.
    pub fn all(action: EditAction) -> Self {
        let selector = Selector::All;
        Self { action, selector }
    }

    /// An edit as one word of nixpkgs' variables says it.
    pub fn nixpkgs(action: EditAction, word: &str) -> Self {
        let (prefix, ignore_case) = (word.to_owned(), action != EditAction::Remove);
        let selector = Selector::NixpkgsPrefix {
            prefix,
            ignore_case,
        };
        Self { action, selector }
    }
}

impl FromStr for Selector {
    type Err = PackageNameError;

    fn from_str(text: &str) -> Result<Self, PackageNameError> {
        if !text.contains('*') {
            return text.parse().map(Self::Name);
        }
        // With its stars replaced by a letter the pattern must be a name.
        text.replace('*', "x").parse::<PackageName>()?;
        Ok(Self::Pattern(NamePattern(normalize(text))))
    }
}

impl Metadata {
    /// This metadata with its dependencies edited.
    pub fn edit(&self, edits: &[MetadataEdit]) -> EditedMetadata {
        let mut changes = Vec::new();
        let mut matched = vec![false; edits.len()];
        let text = self.headers().edited(|field| {
            if !field.name.eq_ignore_ascii_case("Requires-Dist") {
                return FieldEdit::Keep;
            }
            // Without a name it can be reached only by an edit of all.
            let parts = RequirementParts::split(field.value).ok();
            let parts = parts.filter(|parts| !parts.name.is_empty());
            let mut selected: Option<(EditAction, bool)> = None;
            for (edit, matched) in edits.iter().zip(&mut matched) {
                let Some(by_prefix) = edit.selector.selects(parts.as_ref()) else {
                    continue;
                };
                *matched = true;
                selected = selected.max(Some((edit.action, by_prefix)));
            }
            let Some((action, by_prefix)) = selected else {
                return FieldEdit::Keep;
            };
            let after = apply(action, field.value, parts.as_ref());
            if after.as_deref() == Some(field.value) {
                return FieldEdit::Keep;
            }
            changes.push(Change {
                line: field.line,
                before: field.value.to_owned(),
                after: after.clone(),
                by_prefix,
            });
            after.map_or(FieldEdit::Remove, FieldEdit::Value)
        });
        let unmatched = edits.iter().zip(matched).filter(|(_, matched)| !matched);
        let unmatched = unmatched.map(|(edit, _)| edit.clone()).collect();
        EditedMetadata {
            text,
            changes,
            unmatched,
        }
    }
}

impl Selector {
    /// Whether only the beginning of the name was asked for; `None` if the dependency is not
    /// selected.
    fn selects(&self, parts: Option<&RequirementParts>) -> Option<bool> {
        if *self == Self::All {
            return Some(false);
        }
        let parts = parts?;
        let written = parts.slice(&parts.name);
        let is_selected = match self {
            Self::All => true,
            Self::Name(name) => normalize(written) == name.as_str(),
            Self::Pattern(pattern) => pattern.matches(&normalize(written)),
            Self::NixpkgsPrefix {
                prefix,
                ignore_case,
            } => {
                let is_prefix = has_nixpkgs_prefix(&parts.text, prefix, *ignore_case);
                return is_prefix.then(|| normalize(written) != normalize(prefix));
            }
        };
        is_selected.then_some(false)
    }
}

impl NamePattern {
    fn matches(&self, name: &str) -> bool {
        let mut pieces = self.0.split('*');
        let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else {
            return false;
        };
        let Some(last) = pieces.next_back() else {
            return rest.is_empty();
        };
        for piece in pieces {
            let Some(at) = rest.find(piece) else {
                return false;
            };
            rest = rest.get(at + piece.len()..).unwrap_or_default();
        }
        rest.ends_with(last)
    }
}

/// Whether the regular expression `^prefix` would match, for prefixes whose only special character is
/// the dot.
fn has_nixpkgs_prefix(text: &str, prefix: &str, ignore_case: bool) -> bool {
    let mut chars = text.chars();
    prefix.chars().all(|wanted| match chars.next() {
        Some(got) => {
            wanted == '.' || wanted == got || (ignore_case && wanted.eq_ignore_ascii_case(&got))
        }
        None => false,
    })
}

fn apply(action: EditAction, value: &str, parts: Option<&RequirementParts>) -> Option<String> {
    let unchanged = || Some(value.to_owned());
    if action == EditAction::Remove {
        return None;
    }
    let Some(parts) = parts else {
        return unchanged();
    };
    let PartsConstraint::Versions(span) = &parts.constraint else {
        return unchanged();
    };
    let kept = match action {
        EditAction::RelaxUpper => without_upper_bounds(parts.slice(span)),
        EditAction::Relax | EditAction::Remove => String::new(),
    };
    if kept == parts.slice(span) && !kept.is_empty() {
        return unchanged();
    }
    // Without clauses, their parentheses and the white space around go as well.
    let cut = if kept.is_empty() {
        parts.head_end..parts.semicolon
    } else {
        span.clone()
    };
    if kept.is_empty() && span.is_empty() {
        return unchanged();
    }
    let (before, after) = (
        parts.slice(&(0..cut.start)),
        parts.slice(&(cut.end..parts.text.len())),
    );
    Some(format!("{before}{kept}{after}"))
}

/// The clauses without upper bounds; as they are if there was none.
fn without_upper_bounds(clauses: &str) -> String {
    let relaxed = clauses
        .split(',')
        .map(|clause| (clause, relax_clause(clause.trim())));
    let relaxed: Vec<_> = relaxed.collect();
    if relaxed
        .iter()
        .all(|(clause, relaxed)| relaxed.as_deref() == Some(clause.trim()))
    {
        return clauses.to_owned();
    }
    let kept: Vec<String> = relaxed
        .into_iter()
        .filter_map(|(_, relaxed)| relaxed)
        .collect();
    kept.join(",")
}

/// One clause without its upper bound; `None` if nothing is left.
fn relax_clause(clause: &str) -> Option<String> {
    let version = clause
        .trim_start_matches(['<', '>', '=', '~', '!'])
        .trim_start();
    let operator = clause.strip_suffix(version).unwrap_or_default().trim_end();
    match operator {
        "<" | "<=" => None,
        "==" | "~=" | "===" => {
            // A lower bound has neither a wildcard nor a local version.
            let version = version
                .split_once('+')
                .map_or(version, |(public, _)| public);
            let version = version.strip_suffix(".*").unwrap_or(version);
            Some(format!(">={version}"))
        }
        _ => Some(clause.to_owned()),
    }
}

impl fmt::Display for MetadataEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            EditAction::RelaxUpper => "relax upper bounds of",
            EditAction::Relax => "relax",
            EditAction::Remove => "remove",
        };
        match &self.selector {
            Selector::All => write!(f, "{action} all dependencies"),
            Selector::Name(name) => write!(f, "{action} `{name}`"),
            Selector::Pattern(NamePattern(pattern)) => write!(f, "{action} `{pattern}`"),
            Selector::NixpkgsPrefix { prefix, .. } => {
                write!(f, "{action} dependencies beginning with `{prefix}`")
            }
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.after {
            Some(after) => write!(f, "`{}` is now `{after}`", self.before),
            None => write!(f, "`{}` removed", self.before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Metadata-Version: 2.1\nName: x\nVersion: 1\n";

    /// The result of edits of one dependency; `-` if it is removed.
    #[track_caller]
    fn edited(requirement: &str, edits: &[MetadataEdit]) -> String {
        let text = format!("{HEAD}Requires-Dist: {requirement}\n\nRequires-Dist: {requirement}\n");
        let metadata: Metadata = text.parse().unwrap();
        let edited = metadata.edit(edits);
        let line = edited.text.strip_prefix(HEAD).unwrap();
        // The body is not metadata and stays.
        let line = line
            .strip_suffix(&format!("\nRequires-Dist: {requirement}\n"))
            .unwrap();
        match line.strip_suffix('\n') {
            Some(line) => line.strip_prefix("Requires-Dist: ").unwrap().to_owned(),
            None => "-".to_owned(),
        }
    }

    #[track_caller]
    fn check(action: EditAction, rows: &[(&str, &str)]) {
        for (requirement, want) in rows {
            assert_eq!(
                edited(requirement, &[MetadataEdit::all(action)]),
                *want,
                "for {requirement:?}"
            );
        }
    }

    #[test]
    fn relaxing_drops_all_clauses_and_nothing_else() {
        check(
            EditAction::Relax,
            &[
                ("torch<3,>=2.4", "torch"),
                ("torch", "torch"),
                ("torch ", "torch "),
                ("ruamel.yaml (>=0.15)", "ruamel.yaml"),
                ("a (>=1) ; extra == 'x'", "a; extra == 'x'"),
                ("a; extra == 'x'", "a; extra == 'x'"),
                ("a ; extra == 'x'", "a ; extra == 'x'"),
                ("a[b, c]==1.*; extra=='x'", "a[b, c]; extra=='x'"),
                ("a [b] ~=1", "a [b]"),
                ("a @ https://x/y.whl", "a @ https://x/y.whl"),
                (
                    "a[b] @ https://x/y.whl ; extra == 'x'",
                    "a[b] @ https://x/y.whl ; extra == 'x'",
                ),
                ("a >=2.7.*", "a"),
                (">=1", ">=1"),
            ],
        );
    }

    #[test]
    fn relaxing_upper_bounds_keeps_lower_ones() {
        check(
            EditAction::RelaxUpper,
            &[
                ("torch<3,>=2.4", "torch>=2.4"),
                ("torch>=2.4,<3", "torch>=2.4"),
                ("a (>=1, <2); extra == 'x'", "a (>=1); extra == 'x'"),
                ("a (<2); extra == 'x'", "a; extra == 'x'"),
                ("a<=2", "a"),
                ("a==1.2", "a>=1.2"),
                ("a == 1.2.*", "a >=1.2"),
                ("a===1.2+cu118", "a>=1.2"),
                ("a~=1.4.2", "a>=1.4.2"),
                ("a>1,!=1.5", "a>1,!=1.5"),
                ("a >= 1 , != 1.5", "a >= 1 , != 1.5"),
                ("a", "a"),
                (
                    "cuda-toolkit[cublas]==13.2.2; platform_system == 'Linux'",
                    "cuda-toolkit[cublas]>=13.2.2; platform_system == 'Linux'",
                ),
            ],
        );
    }

    #[test]
    fn removing_takes_the_line() {
        check(
            EditAction::Remove,
            &[("a>=1; extra == 'x'", "-"), (">=1", "-")],
        );
    }

    #[test]
    fn names_are_compared_normalised_and_whole() {
        let edit = |name| MetadataEdit::named(EditAction::Relax, name).unwrap();
        assert_eq!(
            edited("Ruamel_Yaml>1", &[edit("ruamel.yaml")]),
            "Ruamel_Yaml"
        );
        assert_eq!(
            edited("python-dateutil>1", &[edit("python")]),
            "python-dateutil>1"
        );
        assert_eq!(
            edited("nvidia-nccl-cu13>1", &[edit("nvidia-*")]),
            "nvidia-nccl-cu13"
        );
        assert_eq!(
            edited("nvidia-nccl-cu13>1", &[edit("*-cu13")]),
            "nvidia-nccl-cu13"
        );
        assert_eq!(
            edited("nvidia-nccl-cu13>1", &[edit("nvidia-*-cu12")]),
            "nvidia-nccl-cu13>1"
        );
        assert_eq!(edited("a-b-c>1", &[edit("a*b*c")]), "a-b-c");
        assert_eq!(edited("a-b>1", &[edit("a-b*b")]), "a-b>1");
    }

    #[test]
    fn the_strongest_edit_wins() {
        let name = |action| MetadataEdit::named(action, "a").unwrap();
        let all = MetadataEdit::all(EditAction::Relax);
        assert_eq!(edited("a<2", &[name(EditAction::Remove), all.clone()]), "-");
        assert_eq!(edited("a<2", &[name(EditAction::RelaxUpper), all]), "a");
    }

    #[test]
    fn nixpkgs_prefixes_match_more_than_the_name_and_say_so() {
        let text = format!("{HEAD}Requires-Dist: Python_dateutil>1\nRequires-Dist: python\n");
        let metadata: Metadata = text.parse().unwrap();
        let edits = [
            MetadataEdit::nixpkgs(EditAction::Relax, "python"),
            MetadataEdit::nixpkgs(EditAction::Remove, "Python"),
            MetadataEdit::nixpkgs(EditAction::Remove, "p.thon$"),
        ];
        let edited = metadata.edit(&edits);
        let changes: Vec<_> = edited
            .changes
            .iter()
            .map(|it| format!("{} {it} {}", it.line, it.by_prefix))
            .collect();
        assert_eq!(changes, ["4 `Python_dateutil>1` removed true"]);
        assert_eq!(edited.unmatched, edits[2..]);
        assert_eq!(edited.text, format!("{HEAD}Requires-Dist: python\n"));
    }

    #[test]
    fn every_edit_is_logged_and_one_without_effect_is_named() {
        let text = format!("{HEAD}Requires-Dist: a<2\r\nRequires-Dist: b\n");
        let metadata: Metadata = text.parse().unwrap();
        let edits =
            ["a", "b", "c", "d*"].map(|name| MetadataEdit::named(EditAction::Relax, name).unwrap());
        let edited = metadata.edit(&edits);
        assert_eq!(
            edited.text,
            format!("{HEAD}Requires-Dist: a\r\nRequires-Dist: b\n")
        );
        let changes: Vec<_> = edited.changes.iter().map(ToString::to_string).collect();
        assert_eq!(changes, ["`a<2` is now `a`"]);
        let unmatched: Vec<_> = edited.unmatched.iter().map(ToString::to_string).collect();
        assert_eq!(unmatched, ["relax `c`", "relax `d*`"]);
    }

    #[test]
    fn a_selector_is_a_name_with_stars() {
        let error = MetadataEdit::named(EditAction::Remove, "a b").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a name may have only ASCII letters, digits, `-`, `_` and `.`, got ' ': `a b`"
        );
        assert!(MetadataEdit::named(EditAction::Remove, "-*").is_err());
    }
}
