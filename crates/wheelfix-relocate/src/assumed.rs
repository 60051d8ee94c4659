//! What a proof takes for granted, because it is not on the machine that proves.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::process::Process;
use crate::proof::ProofOptions;
use crate::rules::{Rules, any_matches};
use crate::symbols::Undefined;
use crate::target::Target;

/// What a proof took for granted.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Assumed {
    /// Libraries of the C library, which is not known.
    pub libc: BTreeSet<String>,
    /// Libraries of the driver, which is only on the machine that runs the output.
    pub driver: BTreeSet<String>,
    /// Whether the names of Python's C API are taken to be there, for the interpreter is not known.
    pub python: bool,
}

/// Decides which symbols are taken to be there.
pub(crate) struct Assumer<'a> {
    rules: &'a Rules,
    knows_libc: bool,
    knows_python: bool,
}

impl<'a> Assumer<'a> {
    pub(crate) fn new(rules: &'a Rules, target: &Target, options: &ProofOptions) -> Self {
        Self {
            rules,
            knows_libc: target.interpreter.is_some(),
            knows_python: options.program.is_some(),
        }
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
                .map_or_else(|| process.needs_plain_libc(), of_libc)
        {
            return true;
        }
        if !self.knows_libc && is_name_of_merged_library(&name) && process.needs_libc() {
            return true;
        }
        // Every Python has loaded libm for itself, so that modules of black do without asking for it.
        if !self.knows_python && !self.knows_libc && is_math_name(&name) && process.needs_libc() {
            return true;
        }
        if !self.knows_python && is_python_name(&name) {
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

/// Names of libdl.
const LIBDL: &[&str] = &[
    "dl_iterate_phdr",
    "dladdr",
    "dladdr1",
    "dlclose",
    "dlerror",
    "dlinfo",
    "dlmopen",
    "dlopen",
    "dlsym",
    "dlvsym",
];

/// Whether a name belongs to libdl or libpthread, which are parts of libc since glibc 2.34 and always
/// of musl: libraries that use them without asking for the library or a version, as `libcufile.so.0`
/// and scipy's `_fmm_core` do, work there.
fn is_name_of_merged_library(name: &str) -> bool {
    name.starts_with("pthread_") || name.starts_with("sem_") || LIBDL.contains(&name)
}

/// The functions of C's `<math.h>` without the endings for `float` and `long double`:
/// ISO/IEC 9899:2011, 7.12.
const LIBM: &[&str] = &[
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "copysign",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "fdim",
    "floor",
    "fma",
    "fmax",
    "fmin",
    "fmod",
    "frexp",
    "hypot",
    "ilogb",
    "ldexp",
    "lgamma",
    "llrint",
    "llround",
    "log",
    "log10",
    "log1p",
    "log2",
    "logb",
    "lrint",
    "lround",
    "modf",
    "nan",
    "nearbyint",
    "nextafter",
    "nexttoward",
    "pow",
    "remainder",
    "remquo",
    "rint",
    "round",
    "scalbln",
    "scalbn",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "tgamma",
    "trunc",
];

/// Whether a name is one of `<math.h>`: `ceil`, `ceilf`, `ceill`.
fn is_math_name(name: &str) -> bool {
    let shorter = name.strip_suffix(['f', 'l']);
    LIBM.contains(&name) || shorter.is_some_and(|name| LIBM.contains(&name))
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
    fn names_of_math_have_endings() {
        for name in ["ceil", "ceilf", "ceill", "erf"] {
            assert!(is_math_name(name), "{name}");
        }
        for name in ["f", "ceilx", "erfg", "malloc"] {
            assert!(!is_math_name(name), "{name}");
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
