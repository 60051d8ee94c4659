//! `DT_RPATH` and `DT_RUNPATH`: the search path that an object brings along, and its tokens.
//!
//! <https://man7.org/linux/man-pages/man8/ld.so.8.html>

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use crate::abi::Abi;

/// Which of the two tags holds the search path.
///
/// The difference is more than the name: `DT_RPATH` is searched before `LD_LIBRARY_PATH` and serves
/// the needs of the object's own needs too; `DT_RUNPATH` comes after it and serves only the object.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PathKind {
    /// `DT_RPATH`, inherited.
    Rpath,
    /// `DT_RUNPATH`, not inherited.
    Runpath,
}

impl fmt::Display for PathKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rpath => "RPATH",
            Self::Runpath => "RUNPATH",
        })
    }
}

/// A search path as it stands in the file: its kind and its elements, tokens unexpanded.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RunPath {
    /// The tag.
    pub kind: PathKind,
    /// The text between the colons. An element may be empty: the current directory, to the loader.
    pub elements: Vec<String>,
}

impl RunPath {
    /// Splits the text of a tag. The empty text has no elements.
    pub fn parse(kind: PathKind, text: &str) -> Self {
        let elements = if text.is_empty() {
            Vec::new()
        } else {
            text.split(':').map(ToOwned::to_owned).collect()
        };
        Self { kind, elements }
    }

    /// The text of the tag.
    pub fn text(&self) -> String {
        self.elements.join(":")
    }
}

impl fmt::Display for RunPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.text())
    }
}

/// The values of the dynamic string tokens for one object.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    /// The directory of the path by which the object was opened, symbolic links not resolved.
    pub origin: &'a str,
    /// The value of `$LIB`.
    pub lib: &'a str,
    /// The value of `$PLATFORM`.
    pub platform: &'a str,
}

impl<'a> Tokens<'a> {
    /// The tokens of an object in `origin`.
    pub fn new(origin: &'a str, abi: Abi, nix: bool) -> Self {
        Self {
            origin,
            lib: abi.lib(nix),
            platform: abi.platform(),
        }
    }

    /// Puts the values in the places of the tokens.
    ///
    /// A `$` that begins no token stays, as in glibc.
    pub fn expand(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + self.origin.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let found = self
                .named()
                .into_iter()
                .find_map(|(name, value)| token_length(after, name).map(|length| (value, length)));
            if let Some((value, length)) = found {
                out.push_str(value);
                rest = after.get(length..).unwrap_or_default();
            } else {
                out.push('$');
                rest = after;
            }
        }
        out.push_str(rest);
        out
    }

    fn named(self) -> [(&'static str, &'a str); 3] {
        [
            ("ORIGIN", self.origin),
            ("LIB", self.lib),
            ("PLATFORM", self.platform),
        ]
    }
}

/// The bytes that `name` or `{name}` takes at the start of `after`, the text behind a `$`.
///
/// Without braces the name may not go on: `$ORIGINAL` is not a token.
fn token_length(after: &str, name: &str) -> Option<usize> {
    if let Some(inner) = after.strip_prefix('{') {
        return inner
            .strip_prefix(name)
            .is_some_and(|tail| tail.starts_with('}'))
            .then_some(name.len() + 2);
    }
    let tail = after.strip_prefix(name)?;
    let goes_on = |next: char| next.is_ascii_alphanumeric() || next == '_';
    (!tail.starts_with(goes_on)).then_some(name.len())
}

/// Whether the loader would expand something in this text.
pub fn has_token(text: &str) -> bool {
    let tokens = ["ORIGIN", "LIB", "PLATFORM"];
    text.match_indices('$').any(|(at, _)| {
        let after = text.get(at + 1..).unwrap_or_default();
        tokens
            .iter()
            .any(|name| token_length(after, name).is_some())
    })
}

/// The absolute path without `.` and `..`, by its text alone: right where no directory on the way
/// is a symbolic link.
pub fn normalize(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            // The parent of `/` is `/`.
            Component::ParentDir if out.parent().is_some() => {
                out.pop();
            }
            Component::CurDir | Component::ParentDir => {}
            other => out.push(other),
        }
    }
    out
}

/// The way from one absolute directory to another as a run path element: `$ORIGIN`,
/// `$ORIGIN/lib`, `$ORIGIN/../numpy.libs`. `None` if the way is not Unicode.
pub fn origin_relative(from: &Path, to: &Path) -> Option<String> {
    let shared = from
        .components()
        .zip(to.components())
        .take_while(|(from, to)| from == to)
        .count();
    let mut text = String::from("$ORIGIN");
    for _ in from.components().skip(shared) {
        text.push_str("/..");
    }
    for component in to.components().skip(shared) {
        text.push('/');
        text.push_str(component.as_os_str().to_str()?);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &str) {
        let tokens = Tokens {
            origin: "/o",
            lib: "lib64",
            platform: "x86_64",
        };
        assert_eq!(tokens.expand(text), want, "for {text:?}");
    }

    #[test]
    fn tokens_are_expanded_as_glibc_does() {
        check("$ORIGIN", "/o");
        check("${ORIGIN}/../lib", "/o/../lib");
        check("/x/$LIB/$PLATFORM", "/x/lib64/x86_64");
        check("$ORIGIN/$ORIGIN", "/o//o");
    }

    #[test]
    fn what_only_looks_like_a_token_stays() {
        check("$ORIGINAL", "$ORIGINAL");
        check("$LIB_X", "$LIB_X");
        check("${ORIGIN", "${ORIGIN");
        check("$", "$");
        check("a$$LIB", "a$lib64");
        assert!(!has_token("/a/$HOME/$ORIGINAL"));
        assert!(has_token("/a/${PLATFORM}/x"));
    }

    #[test]
    fn an_empty_element_is_kept_and_an_empty_text_has_none() {
        let path = RunPath::parse(PathKind::Rpath, "$ORIGIN:");
        assert_eq!(path.elements, ["$ORIGIN", ""]);
        assert_eq!(path.to_string(), "RPATH $ORIGIN:");
        assert!(RunPath::parse(PathKind::Runpath, "").elements.is_empty());
    }

    #[test]
    fn the_way_between_directories() {
        let way = |from: &str, to: &str| origin_relative(Path::new(from), Path::new(to)).unwrap();
        assert_eq!(way("/p/a", "/p/a"), "$ORIGIN");
        assert_eq!(way("/p/a", "/p/a/lib"), "$ORIGIN/lib");
        assert_eq!(way("/p/a/b", "/p/a.libs"), "$ORIGIN/../../a.libs");
    }

    #[test]
    fn dots_leave_by_text() {
        assert_eq!(normalize(Path::new("/a/./b/../c")), Path::new("/a/c"));
        assert_eq!(normalize(Path::new("/../a")), Path::new("/a"));
    }
}
