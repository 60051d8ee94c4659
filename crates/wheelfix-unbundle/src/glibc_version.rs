//! The newest version of glibc that a library may need.

use std::path::Path;

use wheelfix_link::{Found, Object, ReadOutcome, existing_path, read_object};

use crate::request::Request;

/// The newest version of glibc that may be needed.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct GlibcVersion(Vec<u32>);

impl GlibcVersion {
    /// The number in `GLIBC_2.34`; `None` for `GLIBC_PRIVATE` and versions of other libraries.
    fn parse(version: &str) -> Option<Self> {
        let numbers = version.strip_prefix("GLIBC_")?.split('.');
        let numbers: Result<Vec<u32>, _> = numbers.map(str::parse).collect();
        numbers.ok().map(Self)
    }

    /// The newest that an object needs.
    pub(crate) fn needed_by(object: &Object) -> Option<Self> {
        let strong = object.version_needs.iter().filter(|need| !need.weak);
        strong.filter_map(|need| Self::parse(&need.version)).max()
    }

    /// The newest that is there: in the target's libc, in that on the `--lib-path`, or else what the
    /// tree asks for already.
    pub(crate) fn available(request: &Request<'_>) -> Option<Self> {
        let interpreter = request
            .target
            .and_then(|target| target.interpreter.as_deref());
        if let Some(newest) = interpreter.and_then(of_interpreter) {
            return Some(newest);
        }
        let mut objects = request.tree.objects();
        let on_lib_path = objects.next().and_then(|object| {
            match request
                .index
                .by_file_name("libc.so.6", object, request.rules)
            {
                Found::Library(libc) => newest_defined(&libc.object),
                _ => None,
            }
        });
        on_lib_path.or_else(|| request.tree.objects().filter_map(Self::needed_by).max())
    }
}

impl std::fmt::Display for GlibcVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

/// The libc beside a loader.
fn of_interpreter(interpreter: &Path) -> Option<GlibcVersion> {
    let libc = existing_path(interpreter).ok()?.with_file_name("libc.so.6");
    match read_object(libc.clone(), &libc).ok()? {
        ReadOutcome::Object(object) => newest_defined(&object),
        _ => None,
    }
}

fn newest_defined(libc: &Object) -> Option<GlibcVersion> {
    let versions = libc.version_definitions.iter();
    versions
        .filter_map(|version| GlibcVersion::parse(version))
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        let version = |text| GlibcVersion::parse(text);
        assert!(version("GLIBC_2.4") < version("GLIBC_2.17"));
        assert!(version("GLIBC_2.2") < version("GLIBC_2.2.5"));
        assert_eq!(version("GLIBC_PRIVATE"), None);
        assert_eq!(version("GLIBCXX_3.4"), None);
        assert_eq!(version("GLIBC_2.34").unwrap().to_string(), "2.34");
    }
}
