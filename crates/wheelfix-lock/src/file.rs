//! The files of a lock: where they are, and what vouches for them.

use std::borrow::Cow;

use wheelfix_format::{PackageName, SdistFilename, Version, WheelFilename};

use crate::Sri;
use crate::fault::Problem;

/// A wheel or an sdist.
#[derive(Clone, Debug)]
pub struct File<'a> {
    /// The name of the file, not encoded.
    pub name: Cow<'a, str>,
    /// Where it is.
    pub location: Location<'a>,
    /// Its hash, if the lock has one.
    pub hash: Option<Sri>,
    /// How long it is, if the lock says so.
    pub size: Option<u64>,
    /// The name, read, of a wheel.
    pub wheel: Option<WheelFilename>,
}

/// Where a file is.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Location<'a> {
    /// A URL, as written.
    Url(Cow<'a, str>),
    /// A path from the directory of the lock, or an absolute one.
    Path(String),
    /// The lock does not say: only its name and perhaps its hash are known.
    Unknown,
}

impl<'a> Location<'a> {
    /// A URL, or a path where there is no scheme.
    pub(crate) fn of(text: Cow<'a, str>) -> Self {
        if let Some(path) = text.strip_prefix("file://") {
            return Self::Path(decoded(path).into_owned());
        }
        if text.contains("://") {
            Self::Url(text)
        } else {
            Self::Path(text.into_owned())
        }
    }

    /// The last part, decoded: the name of the file.
    pub fn file_name(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Url(url) => {
                let last = |url: &str| {
                    let end = url.find(['?', '#']).unwrap_or(url.len());
                    let start = url.get(..end)?.rfind('/')? + 1;
                    Some(start..end)
                };
                let range = last(url)?;
                match url {
                    Cow::Borrowed(url) => url.get(range).map(decoded),
                    Cow::Owned(url) => {
                        let name = url.get(range).map(decoded);
                        name.map(|name| Cow::Owned(name.into_owned()))
                    }
                }
            }
            Self::Path(path) => {
                let name = path.rsplit('/').next().filter(|name| !name.is_empty());
                name.map(|name| Cow::Owned(name.to_owned()))
            }
            Self::Unknown => None,
        }
        .filter(|name| !name.is_empty())
    }

    /// Whether a URL carries something in its query that looks like a secret.
    pub fn has_secret(&self) -> bool {
        let Self::Url(url) = self else { return false };
        let query = url.split('#').next().unwrap_or_default();
        let Some((_, query)) = query.split_once('?') else {
            return false;
        };
        let is_secret = |key: &str| {
            let key = key.to_ascii_lowercase();
            [
                "token",
                "signature",
                "secret",
                "password",
                "credential",
                "auth",
                "sig",
                "key",
            ]
            .iter()
            .any(|word| key.split(['-', '_', '.']).any(|part| part == *word))
        };
        query
            .split('&')
            .any(|pair| is_secret(pair.split('=').next().unwrap_or_default()))
    }
}

/// A URL without user and password.
pub fn public_url(url: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Cow::Borrowed(url);
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest.get(..end).unwrap_or_default();
    // In `ssh://git@host` the user is no secret and a part of the address.
    match host.rsplit_once('@') {
        Some((user, host)) if !scheme.ends_with("ssh") || user.contains(':') => {
            let user = if scheme.ends_with("ssh") {
                format!("{}@", user.split(':').next().unwrap_or_default())
            } else {
                String::new()
            };
            let path = rest.get(end..).unwrap_or_default();
            Cow::Owned(format!("{scheme}://{user}{host}{path}"))
        }
        _ => Cow::Borrowed(url),
    }
}

/// The user and the password of a URL, decoded, as `user:password`.
pub fn user_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    let (user, _) = host.rsplit_once('@')?;
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    Some(format!("{}:{}", decoded(user), decoded(password)))
}

/// A text with its `%20` replaced, where that is UTF-8.
pub(crate) fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = (digit(bytes.get(at + 1)), digit(bytes.get(at + 2)));
        match (byte, pair) {
            (b'%', (Some(high), Some(low))) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
            }
            (byte, _) => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The package that files are of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner<'p> {
    pub(crate) name: &'p PackageName,
    /// `None` if it is not known.
    pub(crate) version: Option<&'p Version>,
}

impl<'a> File<'a> {
    /// A file of a package; its name has to be one of the package's.
    pub(crate) fn new(
        package: Owner<'_>,
        name: Option<Cow<'a, str>>,
        location: Location<'a>,
        hash: Option<Sri>,
        size: Option<u64>,
    ) -> Result<Self, Problem> {
        let name = name.or_else(|| location.file_name());
        let name = name.ok_or(Problem::NoLocation)?;
        let is_wheel = name.len() > 4
            && name
                .get(name.len() - 4..)
                .is_some_and(|end| end.eq_ignore_ascii_case(".whl"));
        let other = |of_name: &str, version: &Version| Problem::OtherPackage {
            file: name.clone().into_owned(),
            of: format!("{of_name} {version}"),
        };
        let is_other = |of: &PackageName, version: &Version| {
            of != package.name || package.version.is_some_and(|it| it != version)
        };
        let wheel = if is_wheel {
            let wheel: WheelFilename = name
                .parse()
                .map_err(|error| Problem::WheelName(Box::new(error)))?;
            if is_other(wheel.name(), wheel.version()) {
                return Err(other(wheel.name().as_str(), wheel.version()));
            }
            Some(wheel)
        } else {
            if let Ok(sdist) = name.parse::<SdistFilename>()
                && sdist.name() != package.name
            {
                return Err(other(sdist.name().as_str(), sdist.version()));
            }
            None
        };
        Ok(Self {
            name,
            location,
            hash,
            size,
            wheel,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, name: Option<&str>, public: &str, has_secret: bool) {
        let location = Location::of(Cow::Borrowed(url));
        assert_eq!(location.file_name().as_deref(), name, "for {url:?}");
        let text = match &location {
            Location::Url(url) => public_url(url).into_owned(),
            Location::Path(path) => format!("path {path}"),
            Location::Unknown => "unknown".to_owned(),
        };
        assert_eq!(text, public, "for {url:?}");
        assert_eq!(location.has_secret(), has_secret, "for {url:?}");
    }

    #[test]
    fn names_are_decoded_and_secrets_left_out() {
        check(
            "https://x/torch-2.8.0%2Bcpu-py3-none-any.whl#sha256=1",
            Some("torch-2.8.0+cpu-py3-none-any.whl"),
            "https://x/torch-2.8.0%2Bcpu-py3-none-any.whl#sha256=1",
            false,
        );
        check(
            "https://me:pw@x/a.whl?v=1",
            Some("a.whl"),
            "https://x/a.whl?v=1",
            false,
        );
        check(
            "https://me@x/a.whl",
            Some("a.whl"),
            "https://x/a.whl",
            false,
        );
        check(
            "https://x/a.whl?X-Amz-Signature=1",
            Some("a.whl"),
            "https://x/a.whl?X-Amz-Signature=1",
            true,
        );
        check(
            "https://x/a%.whl",
            Some("a%.whl"),
            "https://x/a%.whl",
            false,
        );
        check("https://x/", None, "https://x/", false);
        check("vendor/a.whl", Some("a.whl"), "path vendor/a.whl", false);
        check(
            "file:///v/a%20b.whl",
            Some("a b.whl"),
            "path /v/a b.whl",
            false,
        );
        check("", None, "path ", false);
        assert_eq!(public_url("git+ssh://git@x/a"), "git+ssh://git@x/a");
        assert_eq!(public_url("ssh://git:pw@x/a"), "ssh://git@x/a");
    }
}
