//! The choices of the user for bundled libraries: `--bundled GLOB=ACTION`.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use wheelfix_format::LibraryName;
use wheelfix_link::{BundledAction, Pattern};

/// The choices of the user for bundled libraries.
#[derive(Clone, Debug, Default)]
pub struct UnbundleOptions {
    /// In the order of the command line; of several that match, the last one counts.
    pub overrides: Vec<BundledOverride>,
    /// Whether copies of one library in one tree become one where nothing outside stands in.
    pub unify: bool,
}

/// One `--bundled`.
#[derive(Clone, Debug)]
pub struct BundledOverride {
    /// A glob over the real soname, the file name, or either without `.so` and what follows; one
    /// with a `/` is over the end of the path.
    pub glob: Pattern,
    /// The action for libraries that match.
    pub action: BundledAction,
}

/// Why a text is not a `--bundled`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OverrideError {
    /// There is no `=`.
    #[error("expected GLOB=keep, GLOB=replace or GLOB=drop")]
    NoAction,
    /// The text after the last `=` is not an action.
    #[error("expected one of keep, replace, drop, got: `{0}`")]
    Action(String),
    /// The text before it is not a glob.
    #[error(transparent)]
    Glob(#[from] globset::Error),
}

impl FromStr for BundledOverride {
    type Err = OverrideError;

    fn from_str(text: &str) -> Result<Self, OverrideError> {
        let (glob, action) = text.rsplit_once('=').ok_or(OverrideError::NoAction)?;
        let action = match action {
            "keep" => BundledAction::Keep,
            "replace" => BundledAction::Replace,
            "drop" => BundledAction::Drop,
            other => return Err(OverrideError::Action(other.to_owned())),
        };
        Ok(Self {
            glob: Pattern::new(glob)?,
            action,
        })
    }
}

impl fmt::Display for BundledOverride {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            BundledAction::Keep => "keep",
            BundledAction::Replace => "replace",
            BundledAction::Drop => "drop",
        };
        write!(f, "{}={action}", self.glob)
    }
}

impl Serialize for BundledOverride {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl BundledOverride {
    /// Whether it may match nothing: it leaves things as they are, or is about whatever there is.
    pub(crate) fn is_content(&self) -> bool {
        self.action == BundledAction::Keep || self.glob.text() == "*"
    }

    /// Whether the option is about a library with this final path and real soname.
    pub(crate) fn is_about(&self, path: &Path, soname: &str) -> bool {
        if self.glob.text().contains('/') {
            return self.glob.matches_end(path);
        }
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let names = [soname, &file];
        names.into_iter().any(|name| {
            let stem = LibraryName::parse(name).map(|name| name.stem().to_owned());
            self.glob.matches(name) || stem.is_some_and(|stem| self.glob.matches(&stem))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &str, path: &str, soname: &str, want: bool) {
        let given: BundledOverride = given.parse().unwrap();
        assert_eq!(
            given.is_about(Path::new(path), soname),
            want,
            "{given} for {path}"
        );
    }

    #[test]
    fn a_library_is_known_by_each_of_its_names() {
        let (path, soname) = ("/p/a.libs/libz-01234567.so.1.2.3", "libz.so.1");
        for glob in [
            "libz",
            "libz.so.1",
            "libz-01234567.so.1.2.3",
            "lib*",
            "a.libs/*",
            "*",
        ] {
            check(&format!("{glob}=keep"), path, soname, true);
        }
        for glob in ["libx", "libz.so.2", "b.libs/*", "z"] {
            check(&format!("{glob}=keep"), path, soname, false);
        }
    }

    #[test]
    fn faults_are_named() {
        let error = |text: &str| text.parse::<BundledOverride>().unwrap_err().to_string();
        assert_eq!(
            error("libz"),
            "expected GLOB=keep, GLOB=replace or GLOB=drop"
        );
        assert_eq!(
            error("libz=go"),
            "expected one of keep, replace, drop, got: `go`"
        );
        assert!(error("[=keep").contains("unclosed"), "{}", error("[=keep"));
    }
}
