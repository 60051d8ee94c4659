//! The indexes that uv and pip are told by the environment, and who they shall take us for.

use std::collections::BTreeMap;

use wheelfix_lock::{public_url, user_of};

use super::curl::Secret;

/// Indexes, and passwords by the part of a URL that says which host.
#[derive(Debug, Default)]
pub(crate) struct Indexes {
    /// The URLs, in the order in which they are asked.
    pub(crate) urls: Vec<String>,
    users: BTreeMap<String, Secret>,
}

impl Indexes {
    /// Those of the environment; then those of a lock, if there are none.
    pub(crate) fn new(of_lock: &[String]) -> Self {
        let variable = |name: &str| {
            let value = std::env::var_os(name)?.into_string().ok()?;
            Some(value).filter(|value| !value.trim().is_empty())
        };
        let mut indexes = Self::default();
        for index in variable("UV_INDEX")
            .iter()
            .flat_map(|it| it.split_whitespace())
        {
            // A name may stand before it, by which variables have its user.
            let named = index
                .split_once('=')
                .filter(|(name, _)| !name.contains(['/', ':']));
            let (name, url) = named.map_or((None, index), |(name, url)| (Some(name), url));
            let user = name.and_then(|name| {
                let name = name
                    .to_uppercase()
                    .replace(|c: char| !c.is_ascii_alphanumeric(), "_");
                let part = |part: &str| variable(&format!("UV_INDEX_{name}_{part}"));
                let (user, password) = (part("USERNAME"), part("PASSWORD"));
                let is_there = user.is_some() || password.is_some();
                let of = |text: Option<String>| text.unwrap_or_default();
                is_there.then(|| format!("{}:{}", of(user), of(password)))
            });
            indexes.add(url, user);
        }
        for names in [
            ["UV_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"],
            ["", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"],
        ] {
            // Those of pip are for pip where uv has its own.
            if indexes.urls.is_empty() || names.contains(&"UV_INDEX_URL") {
                let values = names.iter().filter_map(|name| variable(name));
                for value in values {
                    for url in value.split_whitespace() {
                        indexes.add(url, None);
                    }
                }
            }
        }
        for url in of_lock {
            indexes.add(url, None);
        }
        indexes
    }

    fn add(&mut self, url: &str, user: Option<String>) {
        if let (Some(host), Some(user)) = (host_of(url), user.or_else(|| user_of(url))) {
            self.users.entry(host).or_insert(Secret(user));
        }
        let url = public_url(url).trim_end_matches('/').to_owned();
        if !self.urls.contains(&url) {
            self.urls.push(url);
        }
    }

    /// A URL without its user, and the user for its host.
    pub(crate) fn request(&self, url: &str) -> (String, Option<Secret>) {
        let known = || self.users.get(&host_of(url)?).cloned();
        let user = user_of(url).map(Secret).or_else(known);
        (public_url(url).into_owned(), user)
    }
}

/// Scheme, host and port.
fn host_of(url: &str) -> Option<String> {
    let url = public_url(url);
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    Some(format!("{scheme}://{host}").to_lowercase())
}
