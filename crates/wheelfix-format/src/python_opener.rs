//! Uses of libraries in a Python source that do not say which: paths that are put together while it runs.

use memchr::memmem;

use crate::python_text::Masked;

/// Functions that open the library that their first argument leads to.
const OPENERS: [&str; 8] = [
    "CDLL",
    "PyDLL",
    "cdll",
    "LoadLibrary",
    "dlopen",
    "load_library",
    "load_op_library",
    "load_extension",
];

/// Functions that open an extension module by a path that is not their first argument.
const MODULE_OPENERS: [&str; 3] = [
    "spec_from_file_location",
    "load_dynamic",
    "ExtensionFileLoader",
];

/// Words that others have for something else; only a call of them counts.
const COMMON: [&str; 3] = ["load_library", "load_op_library", "load_extension"];

/// Names that make the symbols of a library visible to those that are opened after it.
const GLOBAL: [&str; 2] = ["RTLD_GLOBAL", "setdlopenflags"];

/// The use that a source makes of libraries that it need not name.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LibraryUse {
    /// It opens one, or hands on a function that does.
    pub opens_unnamed: bool,
    /// It makes the symbols of one visible to all that is opened later.
    pub is_global: bool,
}

impl LibraryUse {
    /// The use in a source, comments and the contents of texts left out.
    pub fn in_source(source: &[u8]) -> Self {
        if !has_any(source) {
            return Self::default();
        }
        let text = String::from_utf8_lossy(source);
        let source = Masked::new(&text);
        let code = source.code.as_str();
        let mut openers = OPENERS.iter().chain(&MODULE_OPENERS);
        let is_quoted = |word: &str| {
            ['"', '\''].into_iter().any(|quote| {
                let quoted = format!("{quote}{word}{quote}");
                let mut found = text.match_indices(&quoted);
                // What is within a comment or a text is blank in the code.
                found.any(|(at, _)| code.get(at..=at).is_some_and(|c| c.starts_with(quote)))
            })
        };
        Self {
            opens_unnamed: openers.any(|word| opens(&source, word) || is_quoted(word)),
            is_global: GLOBAL
                .iter()
                .any(|word| places(code, word).next().is_some()),
        }
    }

    /// The use in a compiled source, of which only the names can be told.
    pub fn in_bytecode(bytes: &[u8]) -> Self {
        let has = |word: &str| memmem::find(bytes, word.as_bytes()).is_some();
        Self {
            opens_unnamed: OPENERS.iter().chain(&MODULE_OPENERS).any(|word| has(word)),
            is_global: GLOBAL.iter().any(|word| has(word)),
        }
    }
}

/// Most sources have none of the words.
fn has_any(source: &[u8]) -> bool {
    let mut words = OPENERS.iter().chain(&MODULE_OPENERS).chain(&GLOBAL);
    words.any(|word| memmem::find(source, word.as_bytes()).is_some())
}

/// Where a name stands in code.
fn places<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let found = code.match_indices(word).map(|(at, _)| at);
    found.filter(move |at| {
        let before = code.get(..*at).unwrap_or_default();
        let after = code.get(at + word.len()..).unwrap_or_default();
        !before.ends_with(is_of_name) && !after.starts_with(is_of_name)
    })
}

/// Whether a source has one of these names otherwise than in a call that says which library it opens.
fn opens(source: &Masked<'_>, word: &str) -> bool {
    let code = source.code.as_str();
    places(code, word).any(|at| {
        let before = code.get(..at).unwrap_or_default();
        let after = code.get(at + word.len()..).unwrap_or_default();
        if before.ends_with("def ") || before.ends_with("class ") || is_imported(before, after) {
            return false;
        }
        let after = after.trim_start();
        let Some(arguments) = after.strip_prefix('(') else {
            return !(COMMON.contains(&word) || word == "cdll" && after.starts_with('.'));
        };
        MODULE_OPENERS.contains(&word) || !names_all(source, code.len() - arguments.len())
    })
}

/// Whether an import has a name, under which it is used then.
fn is_imported(before: &str, after: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default().trim_start();
    let list = before.rsplit_once("import (").map(|(_, list)| list);
    let is_import = line.starts_with("from ")
        || line.starts_with("import ")
        || list.is_some_and(|list| !list.contains(')'));
    is_import && !after.trim_start().starts_with("as ")
}

/// Whether the arguments at `at` begin with a whole text, with nothing, or with a library of the system.
fn names_all(source: &Masked<'_>, at: usize) -> bool {
    let rest = source.code.get(at..).unwrap_or_default().trim_start();
    let is_end = |rest: &str| rest.trim_start().starts_with([',', ')']);
    if let Some(after) = rest.strip_prefix("None") {
        return is_end(after);
    }
    let found = [
        "ctypes.util.find_library(",
        "util.find_library(",
        "find_library(",
    ];
    let found = found.iter().find_map(|call| rest.strip_prefix(call));
    if let Some(arguments) = found {
        let end = arguments.find(['(', ')']);
        let after = end.and_then(|end| arguments.get(end..)?.strip_prefix(')'));
        return after.is_some_and(is_end);
    }
    rest.starts_with(')')
        || source
            .literal(at)
            .is_some_and(|(_, end)| is_end(source.code.get(end..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: bool) {
        let found = LibraryUse::in_source(text.as_bytes());
        assert_eq!(found.opens_unnamed, want, "for {text}");
    }

    #[test]
    fn a_path_that_is_put_together_is_seen() {
        check("x = ctypes.CDLL(path)", true);
        check("torch.ops.load_library(\n    here / 'x.so')", true);
        check("CDLL(f'libx{n}.so')", true);
        check("CDLL('lib%s.so' % n)", true);
        check("CDLL('' + n)", true);
        check("CDLL ('{}'.format(n))", true);
        check("CDLL(name='libx.so')", true);
        check("cdll['a' + n]", true);
        check("ExtensionFileLoader(name, path)", true);
        check("s = spec_from_file_location('x', path)", true);
    }

    #[test]
    fn a_function_that_is_handed_on_is_seen() {
        check("from ctypes import CDLL as load", true);
        check("L = ctypes.CDLL\nL(p)", true);
        check("list(map(ctypes.CDLL, files))", true);
        check("class L(ctypes.CDLL): pass", true);
        check("getattr(_ctypes, 'dlopen')(p)", true);
        check("getattr(ctypes.cdll, p)", true);
    }

    #[test]
    fn a_plain_name_is_none() {
        check("CDLL('libx.so'); CDLL(None); CDLL()", false);
        check("CDLL(r'libx.so', mode=1)", false);
        check(
            "from ctypes import CDLL\nfrom ctypes import (\n    CDLL,\n    c_int,\n)",
            false,
        );
        check("ctypes.cdll.LoadLibrary('libx.so')", false);
        check("def load_library(name): pass", false);
        check("self.load_library", false);
        check("x.load(path)", false);
        check("# CDLL(path)\n'''\nCDLL(path), dlopen\n'''\n", false);
    }

    #[test]
    fn a_library_of_the_system_is_none() {
        check("CDLL(find_library('c'))", false);
        check("CDLL(ctypes.util.find_library('c'), mode=2)", false);
        check("CDLL(find_library('c') or path)", true);
        check("CDLL(None or path)", true);
    }

    #[test]
    fn symbols_for_all_are_seen_in_code() {
        let is_global = |text: &str| LibraryUse::in_source(text.as_bytes()).is_global;
        assert!(is_global("CDLL('x', RTLD_GLOBAL)"));
        assert!(is_global("sys.setdlopenflags(2)"));
        assert!(!is_global("# RTLD_GLOBAL"));
    }
}
