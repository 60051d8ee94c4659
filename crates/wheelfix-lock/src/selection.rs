//! Which part of a lock is wanted.

use std::collections::BTreeSet;

use wheelfix_format::{PackageName, PackageNameError};

use crate::Lock;

/// A part of a lock, by the words of its user.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Selection {
    /// Its name in the document.
    pub name: String,
    /// The member of the workspace; `None` for the project of the lock's directory, or for all members
    /// where there is none.
    pub package: Option<PackageName>,
    /// The extras.
    pub extras: BTreeSet<PackageName>,
    /// The dependency groups, beside the default ones.
    pub groups: BTreeSet<PackageName>,
    /// Whether the default groups are left out.
    pub no_default_groups: bool,
}

/// Why a text is not a selection.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// No name.
    #[error("expected `NAME=EXTRAS,GROUPS`, got `{0}`")]
    Parts(String),
    /// A name of an extra, a group or a package that is none.
    #[error("invalid name `{0}`: {1}")]
    Name(String, #[source] PackageNameError),
    /// A name that both an extra and a group has.
    #[error("`{0}` is an extra and a group: write `extra:{0}` or `group:{0}`")]
    Ambiguous(String),
}

impl Selection {
    /// Reads `NAME=EXTRAS,GROUPS`, whose words are names of extras and groups, `extra:NAME`,
    /// `group:NAME`, `package:NAME` and `no-default-groups`.
    pub fn parse(text: &str, lock: &Lock<'_>) -> Result<Self, SelectionError> {
        let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
        let (name, words) = parts.ok_or_else(|| SelectionError::Parts(text.to_owned()))?;
        let mut selection = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        let parsed = |text: &str| {
            let name = text.parse::<PackageName>();
            name.map_err(|error| SelectionError::Name(text.to_owned(), error))
        };
        for word in words
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            match word.split_once(':') {
                Some(("extra", extra)) => {
                    selection.extras.insert(parsed(extra)?);
                }
                Some(("group", group)) => {
                    selection.groups.insert(parsed(group)?);
                }
                Some(("package", package)) => selection.package = Some(parsed(package)?),
                _ if word == "no-default-groups" => selection.no_default_groups = true,
                _ => {
                    let name = parsed(word)?;
                    let is_group = lock
                        .roots
                        .iter()
                        .any(|root| root.groups.contains_key(&name));
                    match (lock.has_extra(&name), is_group) {
                        (true, true) => return Err(SelectionError::Ambiguous(word.to_owned())),
                        (false, true) => selection.groups.insert(name),
                        // One that is neither is told as an extra that is not there.
                        (_, false) => selection.extras.insert(name),
                    };
                }
            }
        }
        Ok(selection)
    }
}

impl Lock<'_> {
    fn has_extra(&self, name: &PackageName) -> bool {
        self.roots.iter().any(|root| {
            let package = root.package.and_then(|number| self.packages.get(number));
            root.extras.contains_key(name)
                || package.is_some_and(|package| package.extras.contains_key(name))
        })
    }
}
