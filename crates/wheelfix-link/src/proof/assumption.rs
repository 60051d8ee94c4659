//! The assumptions of a proof: things that are not on the machine that proves.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use wheelfix_loader::{LoaderKind, Process, Target, Undefined};

use crate::proof::ProofOptions;
use crate::rules::{Rules, any_matches};
use crate::tree::python_module::imported_name;
use crate::tree::site::SITE_PACKAGES;

/// The assumptions of a proof.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Assumed {
    /// Libraries of the C library, which is not known.
    pub libc: BTreeSet<String>,
    /// Libraries of the driver, which is only on the machine that runs the output.
    pub driver: BTreeSet<String>,
    /// Whether the names of Python's C API and of the libraries that every CPython needs are taken to be
    /// there, for the Python is not known.
    pub python: bool,
}

/// Decides which symbols are taken to be there.
pub(crate) struct Assumptions<'a> {
    rules: &'a Rules,
    knows_libc: bool,
    /// Whether the target has a C library whose symbols have no versions.
    is_musl: bool,
    knows_python: bool,
}

impl<'a> Assumptions<'a> {
    pub(crate) fn new(rules: &'a Rules, target: &Target, options: &ProofOptions) -> Self {
        Self {
            rules,
            knows_libc: target.interpreter.is_some(),
            is_musl: target.loader == LoaderKind::Musl,
            knows_python: options.program.is_some(),
        }
    }

    /// Whether a symbol without a version may come from the C library of which nothing is known.
    fn may_be_plain(&self, process: &Process<'_>) -> bool {
        process.needs_plain_libc() || self.is_musl && process.needs_libc()
    }

    /// Whether a symbol that nothing defines will be there on the target.
    pub(crate) fn has(&self, symbol: &Undefined, process: &Process<'_>) -> bool {
        let name = String::from_utf8_lossy(&symbol.name);
        let of_libc = |file: &String| {
            self.rules
                .libc
                .iter()
                .any(|rule| any_matches(&rule.body.soname, file))
        };
        // Without versions nothing says where a symbol should come from.
        if !self.knows_libc
            && symbol
                .file
                .as_ref()
                .map_or_else(|| self.may_be_plain(process), of_libc)
        {
            return true;
        }
        // A library may use such names without asking for the library or its version, as
        // libcufile.so.0 does with `dlopen`: another object of every process brings them along.
        if !self.knows_libc && process.needs_libc() && is_libc_name(&name) {
            return true;
        }
        if !self.knows_python
            && (is_python_name(&name) || is_brought(symbol, &name) && is_of_python(process))
        {
            return true;
        }
        let exports = |name: &str| {
            self.rules
                .driver
                .iter()
                .any(|rule| any_matches(&rule.body.exports, name))
        };
        process.needs_driver() && exports(&name)
    }
}

/// Names that the C library defines, sorted, behind a few lines of comment.
const LIBC_SYMBOLS: &str = include_str!("../../rules/libc-symbols.txt");

/// Whether the C library defines a symbol of this name.
fn is_libc_name(name: &str) -> bool {
    let mut symbols = LIBC_SYMBOLS.lines().filter(|line| !line.starts_with('#'));
    symbols.any(|symbol| symbol == name)
}

/// Whether it is a symbol of a library that every CPython needs beside libc: libm, and before glibc
/// 2.34 libdl, libpthread and libutil. Libraries of Python rely on it without naming these, as all that
/// mypyc makes.
fn is_brought(symbol: &Undefined, name: &str) -> bool {
    symbol.version.is_none() && is_libc_name(name)
}

/// Whether Python loads the process: one of its objects is an extension module, or lies in `site-packages`.
fn is_of_python(process: &Process<'_>) -> bool {
    process.loaded.iter().any(|loaded| {
        let path = Path::new(&loaded.path);
        let is_installed = path
            .components()
            .any(|part| part.as_os_str() == SITE_PACKAGES);
        is_installed || imported_name(path, &loaded.object.file, Some(loaded.object.abi)).is_some()
    })
}

/// Whether a name belongs to Python's C API: `PyList_New`, `_Py_Dealloc`, `_PyObject_New`.
fn is_python_name(name: &str) -> bool {
    let rest = name.strip_prefix('_').unwrap_or(name).strip_prefix("Py");
    rest.is_some_and(|rest| rest.starts_with(|next: char| next == '_' || next.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_c_library_are_known_one_by_one() {
        for name in ["ceil", "dlopen", "pthread_create", "__errno_location"] {
            assert!(is_libc_name(name), "{name}");
        }
        for name in ["", "#", "ceiling", "deflate"] {
            assert!(!is_libc_name(name), "{name}");
        }
    }

    #[test]
    fn names_of_the_c_api_are_known_by_their_prefix() {
        for name in [
            "PyList_New",
            "_Py_NoneStruct",
            "_PyObject_New",
            "Py_Initialize",
        ] {
            assert!(is_python_name(name), "{name}");
        }
        for name in ["Pyramid", "_ZN2Py4ListE", "PyramidNew", "py_x", "Py"] {
            assert!(!is_python_name(name), "{name}");
        }
    }
}
