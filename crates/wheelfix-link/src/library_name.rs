//! File names of shared libraries and their parts: the name, the version, and the text that a
//! packager added.

/// A file name cut into its parts, as `libgfortran-040039e1.so.5.0.0`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LibraryName<'a> {
    /// The name without version and without what a packager added: `libgfortran`.
    pub stem: &'a str,
    /// The text between the stem and `.so` that keeps two copies apart: `-040039e1`.
    pub mangling: &'a str,
    /// The text after `.so.`: `5.0.0`; empty without a version.
    pub version: &'a str,
}

impl<'a> LibraryName<'a> {
    /// Cuts a file name. `None` if `.so` is not part of it.
    pub fn parse(name: &'a str) -> Option<Self> {
        let (full, version) = match name.split_once(".so.") {
            Some(cut) => cut,
            None => (name.strip_suffix(".so")?, ""),
        };
        let mut stem = full;
        while let Some(shorter) = without_hash(stem) {
            stem = shorter;
        }
        Some(Self {
            stem,
            mangling: full.get(stem.len()..).unwrap_or_default(),
            version,
        })
    }

    /// Whether both name the same library, in whatever version or copy.
    pub fn is_kin_of(self, other: LibraryName<'_>) -> bool {
        self.stem == other.stem
    }
}

/// Whether a file of this name can be a shared library: `.so` is one of its extensions.
pub fn is_library_name(name: &str) -> bool {
    name.strip_suffix(".so").is_some() || name.contains(".so.")
}

/// Cuts off a hash: `-` or `.` and eight hexadecimal digits, as auditwheel and the build of
/// torchvision write it.
fn without_hash(stem: &str) -> Option<&str> {
    let at = stem.len().checked_sub(9)?;
    let (head, tail) = stem.split_at_checked(at)?;
    let digits = tail.strip_prefix(['-', '.'])?;
    let is_hash = digits
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (is_hash && !head.is_empty()).then_some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, want: &str) {
        let got = match LibraryName::parse(name) {
            Some(name) => format!("{}|{}|{}", name.stem, name.mangling, name.version),
            None => "none".to_owned(),
        };
        assert_eq!(got, want, "for {name:?}");
    }

    #[test]
    fn hashes_of_packagers_are_seen() {
        check(
            "libgfortran-040039e1-0352e75f.so.5.0.0",
            "libgfortran|-040039e1-0352e75f|5.0.0",
        );
        check("libcudart.3eda8113.so.13", "libcudart|.3eda8113|13");
        check(
            "libscipy_openblas64_-32a4b2a6.so",
            "libscipy_openblas64_|-32a4b2a6|",
        );
    }

    #[test]
    fn plain_names_have_none() {
        check("libstdc++.so.6", "libstdc++||6");
        check("libglib-2.0.so.0", "libglib-2.0||0");
        check("libnvrtc-builtins.so.13.2", "libnvrtc-builtins||13.2");
        check("libcublas-deadline.so", "libcublas-deadline||");
        check("-deadbeef.so", "-deadbeef||");
        check("README", "none");
        check("libé-1234567.so", "libé-1234567||");
    }
}
