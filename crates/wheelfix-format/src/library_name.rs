//! File names of shared libraries, and the names that wheel repair tools make of them.
//!
//! auditwheel copies a library into the wheel under its name with eight digits of its hash inserted,
//! `libgomp-a34b3233.so.1.0.0`, so that copies of two wheels cannot be taken for each other:
//! <https://github.com/pypa/auditwheel/blob/6.1.0/src/auditwheel/repair.py#L155>. A library that was
//! copied twice has two hashes; other tools put a dot where auditwheel has a hyphen.

use std::fmt;

/// The file name or soname of a shared library, taken apart.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LibraryName {
    stem: String,
    hashes: Vec<String>,
    version: String,
    text: String,
}

/// The longest text that is taken for a name, in bytes.
const MAX_LEN: usize = 256;

/// Number of digits of each inserted hash.
const HASH_LEN: usize = 8;

impl LibraryName {
    /// Takes a file name apart; `None` if it is not that of a shared library.
    pub fn parse(name: &str) -> Option<Self> {
        let (mut stem, version) = match name.split_once(".so.") {
            Some((stem, version)) => (stem, version),
            None => (name.strip_suffix(".so")?, ""),
        };
        if stem.is_empty() || name.contains('/') {
            return None;
        }
        let mut hashes = Vec::new();
        while let Some((rest, hash)) = split_hash(stem) {
            hashes.insert(0, hash.to_owned());
            stem = rest;
        }
        // The hash stands before the first dot, which may be one of the name.
        let mut stem = stem.to_owned();
        if hashes.is_empty()
            && let Some((mut start, end)) = stem.split_once('.')
        {
            while let Some((rest, hash)) = split_hash(start) {
                hashes.insert(0, hash.to_owned());
                start = rest;
            }
            stem = format!("{start}.{end}");
        }
        let (version, text) = (version.to_owned(), name.to_owned());
        Some(Self {
            stem,
            hashes,
            version,
            text,
        })
    }

    /// Whether both name the same library, in whatever version or copy.
    pub fn is_kin_of(&self, other: &Self) -> bool {
        self.stem == other.stem
    }

    /// The part before `.so`, without hashes: `libgomp`.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// The inserted hashes, the oldest first; empty for a name that no tool has changed.
    pub fn hashes(&self) -> &[String] {
        &self.hashes
    }

    /// The part behind `.so.`: `1.0.0`. Empty if there is none.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The name without hashes: `libgomp.so.1.0.0`.
    pub fn canonical(&self) -> String {
        self.with_version(&self.version)
    }

    /// The sonames that the library may have had before it was renamed, the most likely one first:
    /// `libgomp.so.1`, then the longer ones, then the one without a version.
    pub fn sonames(&self) -> Vec<String> {
        if self.version.is_empty() {
            return vec![self.canonical()];
        }
        let ends = self
            .version
            .match_indices('.')
            .map(|(at, _)| at)
            .chain([self.version.len()]);
        let versions = ends.filter_map(|end| self.version.get(..end));
        versions
            .chain([""])
            .map(|version| self.with_version(version))
            .collect()
    }

    fn with_version(&self, version: &str) -> String {
        let dot = if version.is_empty() { "" } else { "." };
        format!("{}.so{dot}{version}", self.stem)
    }
}

/// The file name of the library that a text names, alone or as a path. `None` for other texts, also
/// for those that only mention one.
///
/// A name begins with `lib`, or has a version and several words, as `nvshmem_bootstrap_uid.so.3`.
pub fn library_in(text: &str) -> Option<&str> {
    if MAX_LEN < text.len() || text.contains(' ') {
        return None;
    }
    let name = text.rsplit_once('/').map_or(text, |(_, name)| name);
    let library = LibraryName::parse(name)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '.');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_version = library.version().is_empty() || library.version().split('.').all(is_number);
    let is_soname = library.stem().starts_with("lib") && 3 < library.stem().len()
        || !library.version().is_empty() && library.stem().contains('_');
    (is_version && !name.ends_with('.') && is_soname && name.chars().all(is_plain)).then_some(name)
}

/// Whether a file of this name can be a shared library: `.so` is one of its extensions.
pub fn is_library_name(name: &str) -> bool {
    name.strip_suffix(".so").is_some() || name.contains(".so.")
}

/// Splits a hash with its separator off the end.
fn split_hash(stem: &str) -> Option<(&str, &str)> {
    let (rest, hash) = stem.split_at_checked(stem.len().checked_sub(HASH_LEN)?)?;
    let rest = rest.strip_suffix(['-', '.'])?;
    let is_hash = hash
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_hash && !is_date(hash) && !rest.is_empty()).then_some((rest, hash))
}

/// Releases are named by date as well: `libre2-20240102.so`.
fn is_date(digits: &str) -> bool {
    let number: u32 = digits.parse().unwrap_or_default();
    matches!(
        (number / 10_000, number / 100 % 100, number % 100),
        (1990..=2099, 1..=12, 1..=31)
    )
}

impl fmt::Display for LibraryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, want: &str) {
        let got = LibraryName::parse(name)
            .map(|name| format!("{} {}", name.canonical(), name.hashes().join(" ")));
        assert_eq!(
            got.as_deref().unwrap_or("no library").trim_end(),
            want,
            "for {name:?}"
        );
    }

    #[test]
    fn only_whole_texts_are_names() {
        let rows = [
            ("libnvrtc.so.13", Some("libnvrtc.so.13")),
            ("/usr/lib/libibverbs.so.1", Some("libibverbs.so.1")),
            (
                "nvshmem_bootstrap_uid.so.3",
                Some("nvshmem_bootstrap_uid.so.3"),
            ),
            ("libstdc++.so.6", Some("libstdc++.so.6")),
            ("cannot load libnvrtc.so.13", None),
            ("libx.so.%d", None),
            ("lib%s.so", None),
            ("lib.so", None),
            ("plugin.so", None),
            ("libx.so.1.txt", None),
            ("libx.so.", None),
            (".so.1", None),
        ];
        for (text, want) in rows {
            assert_eq!(library_in(text), want, "{text}");
        }
    }

    #[test]
    fn hashes_are_taken_out() {
        check("libgomp-a34b3233.so.1.0.0", "libgomp.so.1.0.0 a34b3233");
        check(
            "libgfortran-040039e1-0352e75f.so.5.0.0",
            "libgfortran.so.5.0.0 040039e1 0352e75f",
        );
        check(
            "libscipy_openblas64_-32a4b2a6.so",
            "libscipy_openblas64_.so 32a4b2a6",
        );
        check("libcudart.3eda8113.so.13", "libcudart.so.13 3eda8113");
        check(
            "libopenblasp-r0-23e5df77.3.21.dev.so",
            "libopenblasp-r0.3.21.dev.so 23e5df77",
        );
        check("libbar-1a2b3c4d.3.so.2", "libbar.3.so.2 1a2b3c4d");
    }

    #[test]
    fn other_names_are_left_alone() {
        check("libgomp.so.1", "libgomp.so.1");
        check("libfoo-20240102.so", "libfoo-20240102.so");
        check("libstdc++.so.6.0.33", "libstdc++.so.6.0.33");
        check("deadbeef.so", "deadbeef.so");
        check(
            "_C.cpython-311-x86_64-linux-gnu.so",
            "_C.cpython-311-x86_64-linux-gnu.so",
        );
        check("libfoo.a", "no library");
        check(".so", "no library");
        check("a/b.so", "no library");
    }

    #[test]
    fn the_soname_is_likely_the_one_with_the_major_version() {
        let name = LibraryName::parse("libgomp-a34b3233.so.1.0.0").unwrap();
        assert_eq!(
            name.sonames(),
            [
                "libgomp.so.1",
                "libgomp.so.1.0",
                "libgomp.so.1.0.0",
                "libgomp.so"
            ]
        );
    }
}
