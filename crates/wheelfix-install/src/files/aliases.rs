//! Distributions that serve for others: psycopg2-binary for psycopg2.

use std::collections::BTreeMap;

use wheelfix_format::PackageName;
use wheelfix_link::{Alias, Rules};

/// Which distribution serves for which: what the user says, then rules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aliases<'a> {
    /// The user's.
    pub(crate) given: &'a [Alias],
    pub(crate) rules: Option<&'a Rules>,
}

impl<'a> Aliases<'a> {
    /// By the name of each distribution that is not there: the one that is, and serves for it.
    pub(crate) fn serving(
        self,
        is_there: impl Fn(&PackageName) -> bool,
    ) -> BTreeMap<&'a PackageName, &'a PackageName> {
        let rules = self.rules.iter().flat_map(|rules| &rules.alias);
        let all = self.given.iter().chain(rules.map(|rule| &rule.body));
        let mut serving = BTreeMap::new();
        for alias in all {
            let Some(server) = alias.distribution.iter().find(|name| is_there(name)) else {
                continue;
            };
            for name in alias.provides.iter().filter(|name| !is_there(name)) {
                serving.entry(name).or_insert(server);
            }
        }
        serving
    }

    /// Those of the user that serve for nothing: what they name is not there, or what they are to serve
    /// for is. As they were given.
    pub(crate) fn unused(
        self,
        serving: &BTreeMap<&PackageName, &PackageName>,
    ) -> impl Iterator<Item = String> {
        let serves = |alias: &&Alias| {
            let mut provides = alias.provides.iter();
            provides.any(|name| {
                let server = serving.get(name);
                server.is_some_and(|server| alias.distribution.contains(server))
            })
        };
        let unused = self.given.iter().filter(move |alias| !serves(alias));
        unused.flat_map(|alias| {
            let pairs = alias.distribution.iter().zip(&alias.provides);
            pairs.map(|(server, name)| format!("{server}={name}"))
        })
    }
}
