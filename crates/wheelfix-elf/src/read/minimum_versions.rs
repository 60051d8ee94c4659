//! Minimum versions: of each kind of symbol version the newest one that is needed and not weak.

use std::collections::BTreeMap;

/// The newest version of each kind among those that are needed: the number by the kind, with the first that needs it.
///
/// Each need is the name of the version, whether it is weak, and who needs it. A loader goes on without a version that is
/// needed weakly.
pub fn minimum_versions<'a, T>(
    needs: impl IntoIterator<Item = (&'a str, bool, T)>,
) -> BTreeMap<&'a str, (&'a str, T)> {
    let mut newest: BTreeMap<&str, (&str, T)> = BTreeMap::new();
    for (name, weak, by) in needs {
        let Some((kind, number)) = split_version(name).filter(|_| !weak) else {
            continue;
        };
        let known = newest.get(kind);
        if known.is_none_or(|(known, _)| is_newer_version(number, known)) {
            newest.insert(kind, (number, by));
        }
    }
    newest
}

/// The kind and the number of a version: `GLIBC` and `2.17` of `GLIBC_2.17`. `None` for versions without a number, such as
/// `GLIBC_PRIVATE`.
fn split_version(name: &str) -> Option<(&str, &str)> {
    let (kind, number) = name.rsplit_once('_')?;
    let is_number = number
        .split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    is_number.then_some((kind, number))
}

/// Whether the first of two dotted numbers is the newer one.
pub fn is_newer_version(number: &str, other: &str) -> bool {
    let parts = |text: &str| -> Vec<u64> {
        text.split('.')
            .map(|part| part.parse().unwrap_or(u64::MAX))
            .collect()
    };
    parts(number) > parts(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_split_and_compared_by_number() {
        assert_eq!(split_version("GLIBCXX_3.4.29"), Some(("GLIBCXX", "3.4.29")));
        assert_eq!(split_version("GFORTRAN_8"), Some(("GFORTRAN", "8")));
        assert_eq!(split_version("GLIBC_PRIVATE"), None);
        assert_eq!(split_version("libcudart.so.12"), None);
        assert!(is_newer_version("2.17", "2.5"));
        assert!(is_newer_version("3.4.9", "3.4"));
        assert!(!is_newer_version("2.5", "2.17"));
    }

    #[test]
    fn the_first_that_needs_the_newest_is_told_and_weak_needs_are_not() {
        let needs = [
            ("GLIBC_2.4", false, 'a'),
            ("GLIBC_2.17", false, 'b'),
            ("GLIBC_2.17", false, 'c'),
            ("GLIBC_2.36", true, 'd'),
            ("GLIBC_PRIVATE", false, 'e'),
            ("GOMP_1.0", true, 'f'),
        ];
        let newest = Vec::from_iter(minimum_versions(needs));
        assert_eq!(newest, [("GLIBC", ("2.17", 'b'))]);
    }
}
