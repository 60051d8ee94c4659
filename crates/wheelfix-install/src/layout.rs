//! Where the files of a wheel belong below a prefix.
//!
//! The directories are those of CPython's `posix_prefix` scheme:
//! <https://docs.python.org/3/library/sysconfig.html#installation-paths>. `headers` has no entry
//! there and follows pip and pypa/installer: a directory of the distribution's own.

use wheelfix_format::{PythonVersion, WheelFilename};
use wheelfix_wheel::{Scheme, Wheel};

use crate::python::Python;

/// The directories of one Python version below a prefix.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Layout {
    /// `python3.11`, `python3.13t`.
    python: String,
    site_packages: String,
}

impl Layout {
    /// The layout of a Python of this version.
    pub fn new(python: PythonVersion) -> Self {
        Self::named(format!("python{python}"))
    }

    /// The layout of the given Python.
    pub fn of(python: &Python) -> Self {
        Self::named(python.name())
    }

    fn named(python: String) -> Self {
        Self {
            site_packages: format!("lib/{python}/site-packages"),
            python,
        }
    }

    /// `site-packages`, relative to the prefix, with `/` as separator.
    pub fn site_packages(&self) -> String {
        self.site_packages.clone()
    }

    /// The directory of a scheme, relative to the prefix; empty for the prefix itself.
    ///
    /// `distribution` is the name as the wheel's file name spells it.
    pub fn directory(&self, scheme: Scheme, distribution: &str) -> String {
        match scheme {
            Scheme::Purelib | Scheme::Platlib => self.site_packages(),
            Scheme::Headers => format!("include/{}/{distribution}", self.python),
            Scheme::Scripts => "bin".to_owned(),
            Scheme::Data => String::new(),
        }
    }

    /// Where a file of a wheel goes that is at a path below the directory of a scheme, relative to the prefix.
    pub fn place(&self, wheel: &Wheel, scheme: Scheme, path: &str) -> String {
        join(&self.directory(scheme, distribution(wheel)), path)
    }

    /// A path relative to the prefix, as a path relative to `site-packages`: what RECORD holds.
    pub fn from_site_packages(&self, path: &str) -> String {
        match path
            .strip_prefix(&self.site_packages)
            .and_then(|rest| rest.strip_prefix('/'))
        {
            Some(rest) => rest.to_owned(),
            None => format!("../../../{path}"),
        }
    }
}

/// The name as the file name of the wheel spells it.
pub(crate) fn distribution(wheel: &Wheel) -> &str {
    let stem = wheel.filename().stem();
    stem.split('-').next().unwrap_or(stem)
}

/// Joins two relative paths, either of which may be empty.
pub(crate) fn join(directory: &str, path: &str) -> String {
    if directory.is_empty() {
        path.to_owned()
    } else {
        format!("{directory}/{path}")
    }
}

/// The newest Python in the tags: `cp311` and `py3` are 3.11.
pub(crate) fn python_version(name: &WheelFilename) -> PythonVersion {
    let versions = name.tags().pythons().iter().filter_map(|tag| {
        let digits = tag.trim_start_matches(|c: char| !c.is_ascii_digit());
        let (major, minor) = digits.split_at_checked(1)?;
        Some(PythonVersion {
            major: major.parse().ok()?,
            minor: minor.parse().unwrap_or(0),
        })
    });
    let default = PythonVersion { major: 3, minor: 0 };
    versions.max().unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::new("3.11".parse().unwrap())
    }

    #[test]
    fn each_scheme_has_its_directory() {
        for (scheme, want) in [
            (Scheme::Purelib, "lib/python3.11/site-packages"),
            (Scheme::Platlib, "lib/python3.11/site-packages"),
            (Scheme::Headers, "include/python3.11/demo"),
            (Scheme::Scripts, "bin"),
            (Scheme::Data, ""),
        ] {
            assert_eq!(layout().directory(scheme, "demo"), want);
        }
    }

    #[test]
    fn record_paths_are_relative_to_site_packages() {
        for (path, want) in [
            ("lib/python3.11/site-packages/a/b.py", "a/b.py"),
            ("bin/tool", "../../../bin/tool"),
            (
                "lib/python3.11/site-packages-x",
                "../../../lib/python3.11/site-packages-x",
            ),
        ] {
            assert_eq!(layout().from_site_packages(path), want);
        }
    }
}
