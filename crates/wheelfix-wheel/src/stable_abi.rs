//! The stable ABI of `CPython`: which symbols an `abi3` wheel may use, and since when.
//!
//! `stable_abi.txt` holds the functions and data of `Misc/stable_abi.toml` in the sources of `CPython`
//! 3.16, sorted, each with the version that added it:
//! <https://github.com/python/cpython/blob/main/Misc/stable_abi.toml>.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use wheelfix_format::PythonVersion;

static ADDED: LazyLock<BTreeMap<&str, PythonVersion>> = LazyLock::new(|| {
    let rows = include_str!("stable_abi.txt")
        .lines()
        .filter_map(|line| line.split_once(' '));
    rows.filter_map(|(name, version)| Some((name, version.parse().ok()?)))
        .collect()
});

/// The version that added a symbol to the stable ABI; `None` if it is not in it.
pub(crate) fn added(symbol: &str) -> Option<PythonVersion> {
    ADDED.get(symbol).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_have_the_version_that_added_them() {
        let version = |minor| Some(PythonVersion { major: 3, minor });
        assert_eq!(added("PyType_FromSpec"), version(2));
        assert_eq!(added("_Py_NoneStruct"), version(2));
        assert_eq!(added("PyType_GetModuleState"), version(10));
        assert_eq!(added("_PyDict_Pop"), None);
    }

    #[test]
    fn every_line_of_the_list_is_read() {
        assert_eq!(ADDED.len(), include_str!("stable_abi.txt").lines().count());
    }
}
