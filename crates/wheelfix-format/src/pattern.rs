//! Globs of the command line and of rules.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::OnceLock;

pub use globset::Error as PatternError;
use globset::{Glob, GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

/// The characters by which a glob is more than a text.
const SPECIAL: [char; 5] = ['*', '?', '[', '{', '\\'];

/// A glob, compiled. `*` does not cross `/`, `**` does.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    /// Whether it matches only itself.
    is_literal: bool,
    /// Length of what every match begins with.
    prefix_len: usize,
    /// Number of its components.
    depth: usize,
    glob: Glob,
    /// Made when it is needed: of all the rules few are, and this takes most of the time to read them.
    matcher: OnceLock<GlobMatcher>,
}

impl Pattern {
    /// Parses a glob.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        Ok(Self {
            text: text.to_owned(),
            is_literal: !text.contains(SPECIAL),
            prefix_len: text.find(SPECIAL).unwrap_or(text.len()),
            depth: text.split('/').count(),
            glob: GlobBuilder::new(text).literal_separator(true).build()?,
            matcher: OnceLock::new(),
        })
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.text == text || self.is_match(Path::new(text))
    }

    fn is_match(&self, path: &Path) -> bool {
        if self.is_literal() {
            return path.as_os_str() == self.text.as_str();
        }
        // Nearly always nothing matches, and this is cheaper than to ask the glob.
        let prefix = self.text.as_bytes().get(..self.prefix_len);
        if !prefix.is_some_and(|prefix| path.as_os_str().as_encoded_bytes().starts_with(prefix)) {
            return false;
        }
        let matcher = self.matcher.get_or_init(|| self.glob.compile_matcher());
        matcher.is_match(path)
    }

    /// Whether the path ends in components that match, as `bitsandbytes/lib*.so` does anywhere.
    pub fn matches_end(&self, path: &Path) -> bool {
        self.is_match(last_components(path, self.depth)) || self.is_match(path)
    }

    /// Whether a name matches, or it is one without a version and matches apart from the glob's
    /// version: programs put the two together.
    pub fn covers(&self, name: &str) -> bool {
        if self.matches(name) {
            return true;
        }
        let unversioned = self.text.split_once(".so.").map(|(stem, _)| stem);
        let stem = unversioned.zip(name.strip_suffix(".so"));
        stem.is_some_and(|(glob, stem)| Self::new(glob).is_ok_and(|glob| glob.matches(stem)))
    }

    /// The glob as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is a plain text that matches only itself.
    pub fn is_literal(&self) -> bool {
        self.is_literal
    }
}

/// The end of a path, this number of components long; no component is looked at, since there may be a
/// hundred thousand paths and a hundred globs.
fn last_components(path: &Path, depth: usize) -> &Path {
    let bytes = path.as_os_str().as_bytes();
    let slashes = bytes
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, byte)| **byte == b'/');
    let end = match slashes.map(|(at, _)| at).nth(depth.saturating_sub(1)) {
        Some(at) => bytes.get(at + 1..).unwrap_or_default(),
        None => bytes,
    };
    Path::new(OsStr::from_bytes(end))
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_path_matches_by_whole_components() {
        let check = |glob: &str, path: &str| {
            let glob = Pattern::new(glob).unwrap();
            glob.matches_end(Path::new(path))
        };
        for (glob, path) in [
            ("x.py", "/p/a/x.py"),
            ("x.py", "x.py"),
            ("a/x*.py", "/p/a/x1.py"),
            ("/p/a/x.py", "/p/a/x.py"),
            ("p/a/x.py", "/p/a/x.py"),
            ("/p/**/x.py", "/p/q/r/x.py"),
        ] {
            assert!(check(glob, path), "{glob} {path}");
        }
        for (glob, path) in [
            ("x.py", "/p/ax.py"),
            ("a/x.py", "/p/ba/x.py"),
            ("a/x.py", "x.py"),
        ] {
            assert!(!check(glob, path), "{glob} {path}");
        }
    }
}
