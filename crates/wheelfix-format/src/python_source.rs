//! Libraries that a Python source opens with `ctypes` and its like, as far as it names them in
//! plain texts.

use memchr::memmem;

use crate::library_name::library_in;
use crate::python_blocks::Blocks;

/// One library that a Python source opens by a name that stands in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PythonLoad {
    /// File name of the library: `libnvrtc.so.13`.
    pub name: String,
    /// The path, if the source has one.
    pub path: Option<String>,
    /// The line of the call, counted from 1.
    pub line: usize,
    /// Whether the source goes on without it: the call only looks for it, is in a `try` whose handler
    /// catches that, or is below `contextlib.suppress`.
    pub guarded: bool,
    /// Whether a library of the name with any version behind it will do.
    pub any_version: bool,
}

/// Calls whose first argument names a library.
const CALLS: [&str; 6] = [
    "CDLL(",
    "PyDLL(",
    "LoadLibrary(",
    "dlopen(",
    FIND,
    FIND_NVIDIA,
];

/// This one answers `None` where a library is missing; other systems' libraries are looked for with it
/// as well.
const FIND: &str = "find_library(";

/// `cuda.pathfinder` looks for any version in the nvidia wheels, and has its own error where there is none:
/// cupy and numba-cuda catch it.
const FIND_NVIDIA: &str = "load_nvidia_dynamic_lib(";

/// The program that lists what the loader's cache has. There is neither on Nix; those who ask it go
/// on without an answer, or a rule replaces the question.
const LDCONFIG: &str = "ldconfig";

/// The prefixes by which it is called.
const LDCONFIG_PLACES: [&str; 4] = ["", "/sbin/", "/usr/sbin/", "/bin/"];

/// The libraries that a source opens. Names that are put together while it runs, and those of other
/// systems, are not seen.
pub fn python_loads(source: &[u8]) -> Vec<PythonLoad> {
    // Most sources have none of these.
    let has = |text: &&str| memmem::find(source, text.as_bytes()).is_some();
    if !CALLS.iter().any(has) && !has(&LDCONFIG) {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(source);
    let source = Masked::new(&text);
    let blocks = Blocks::new(&source.code);
    let mut loads = Vec::new();
    for call in CALLS {
        for (at, _) in source.code.match_indices(call) {
            if let Some((name, path)) = source.argument(at, call) {
                loads.push(PythonLoad {
                    name,
                    path,
                    line: blocks.line(at),
                    guarded: finds(call) || blocks.is_guarded(at),
                    any_version: call == FIND_NVIDIA,
                });
            }
        }
    }
    for (at, _) in text.match_indices(LDCONFIG) {
        if let Some(path) = source.program(at, LDCONFIG) {
            loads.push(PythonLoad {
                name: LDCONFIG.to_owned(),
                path: path.contains('/').then(|| path.to_owned()),
                line: blocks.line(at),
                guarded: true,
                any_version: false,
            });
        }
    }
    loads.sort_by(|one, other| (one.line, &one.name).cmp(&(other.line, &other.name)));
    loads
}

/// The calls on a line, without their parentheses: which library they open need not be in the source.
pub fn python_call(line: &str) -> Option<&'static str> {
    let mut calls = CALLS.into_iter().filter(|call| line.contains(call));
    calls.next().map(|call| call.trim_end_matches('('))
}

/// Whether a call takes the name of a library without `lib` and `.so`.
fn finds(call: &str) -> bool {
    call == FIND || call == FIND_NVIDIA
}

/// A source with its comments and the contents of its string literals blanked, byte for byte.
pub(crate) struct Masked<'a> {
    text: &'a str,
    pub(crate) code: String,
}

impl<'a> Masked<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut code = Vec::with_capacity(text.len());
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            let rest = bytes.get(at..).unwrap_or_default();
            let len = match byte {
                b'#' => rest
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .unwrap_or(rest.len()),
                b'"' | b'\'' => {
                    let quote = quote_len(rest, byte);
                    let len = literal_len(rest, byte, quote);
                    let inside = len.saturating_sub(2 * quote);
                    code.extend(std::iter::repeat_n(byte, quote));
                    code.extend(blank(rest.get(quote..quote + inside).unwrap_or_default()));
                    code.extend(std::iter::repeat_n(byte, len - quote - inside));
                    at += len;
                    continue;
                }
                _ => {
                    code.push(if byte.is_ascii() { byte } else { b'_' });
                    at += 1;
                    continue;
                }
            };
            code.extend(blank(rest.get(..len).unwrap_or_default()));
            at += len;
        }
        Self {
            text,
            code: String::from_utf8(code).unwrap_or_default(),
        }
    }

    /// The program that a text names at its start, alone or with arguments, if `name` at `at` is its
    /// last part.
    fn program(&self, at: usize, name: &str) -> Option<&'a str> {
        let next = *self.text.as_bytes().get(at + name.len())?;
        if !matches!(next, b'"' | b'\'' | b' ') {
            return None;
        }
        let before = self.text.get(..at)?;
        let starts = LDCONFIG_PLACES
            .iter()
            .filter_map(|place| before.strip_suffix(place))
            .map(str::len);
        let is_start = |start: &usize| {
            let quoted = self.code.get(..*start).unwrap_or_default();
            quoted.ends_with(['"', '\''])
        };
        // What is within a literal is blank in the code: a quote there is its begin.
        let start = starts.into_iter().find(is_start)?;
        self.text.get(start..at + name.len())
    }

    /// The library that the only text in the first argument of a call names.
    fn argument(&self, at: usize, call: &str) -> Option<(String, Option<String>)> {
        let before = self.code.get(..at)?;
        if before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            return None;
        }
        let (text, end) = self.literal(at + call.len())?;
        let after = self.code.get(end..)?.trim_start();
        if !after.starts_with([',', ')']) {
            return None;
        }
        if finds(call) {
            let is_name = |c: char| c.is_ascii_alphanumeric() || "_-+.".contains(c);
            let is_stem = !text.is_empty() && text.chars().all(is_name);
            return is_stem.then(|| (format!("lib{text}.so"), None));
        }
        let name = library_in(text)?;
        Some((name.to_owned(), text.contains('/').then(|| text.to_owned())))
    }

    /// The contents of the literal that begins at `start`, spaces aside, and where it ends. Formatted ones are
    /// none.
    pub(crate) fn literal(&self, start: usize) -> Option<(&'a str, usize)> {
        let code = self.code.get(start..)?;
        let start = start + code.len() - code.trim_start().len();
        let rest = self.code.get(start..)?.as_bytes();
        let prefix = usize::from(matches!(rest.first(), Some(b'r' | b'b' | b'R' | b'B')));
        let rest = rest.get(prefix..)?;
        let quote = rest
            .first()
            .copied()
            .filter(|byte| matches!(byte, b'"' | b'\''))?;
        let quotes = quote_len(rest, quote);
        let end = start + prefix + literal_len(rest, quote, quotes);
        let text = self.text.get(start + prefix + quotes..end - quotes)?;
        Some((text, end))
    }
}

/// Spaces for everything but the ends of lines.
fn blank(bytes: &[u8]) -> impl Iterator<Item = u8> + '_ {
    bytes
        .iter()
        .map(|byte| if *byte == b'\n' { b'\n' } else { b' ' })
}

/// 3 for a literal in triple quotes.
fn quote_len(rest: &[u8], quote: u8) -> usize {
    if rest.starts_with(&[quote; 3]) { 3 } else { 1 }
}

/// How long a literal is, with its quotes. One that is not ended reaches to the end of its line, or
/// in triple quotes to the end of the source.
fn literal_len(rest: &[u8], quote: u8, quotes: usize) -> usize {
    let mut at = quotes;
    while let Some(byte) = rest.get(at).copied() {
        let here = rest.get(at..).unwrap_or_default();
        if byte == b'\\' {
            at += 2;
        } else if here
            .iter()
            .take_while(|byte| **byte == quote)
            .take(quotes)
            .count()
            == quotes
        {
            return at + quotes;
        } else if byte == b'\n' && quotes == 1 {
            return at;
        } else {
            at += 1;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[&str]) {
        let loads = python_loads(text.as_bytes());
        let got: Vec<String> = loads
            .iter()
            .map(|load| {
                let guarded = if load.guarded { " guarded" } else { "" };
                let path = load.path.as_deref().unwrap_or(&load.name);
                format!("{}:{path}{guarded}", load.line)
            })
            .collect();
        assert_eq!(got, want, "for {text}");
    }

    #[test]
    fn texts_in_calls_are_names() {
        check("lib = ctypes.CDLL('libx.so.1')", &["1:libx.so.1"]);
        check(
            "a = PyDLL(\"liba.so\")\nb = cdll.LoadLibrary(\n  r'/o/libb.so',\n  1)\n",
            &["1:liba.so", "2:/o/libb.so"],
        );
        check(
            "ffi.dlopen('libz.so.1'); find_library('usb-1.0')",
            &["1:libusb-1.0.so guarded", "1:libz.so.1"],
        );
        check(
            "load_nvidia_dynamic_lib('nvrtc')",
            &["1:libnvrtc.so guarded"],
        );
    }

    #[test]
    fn what_is_no_plain_name_is_not_seen() {
        check("CDLL(name); CDLL(None); CDLL()", &[]);
        check("CDLL('lib' + 'x.so'); CDLL('a' 'libx.so')", &[]);
        check("CDLL('x.dll'); CDLL('/usr/lib/libx.dylib')", &[]);
        check("CDLL(f'libx.so.{n}')", &[]);
        check("# CDLL('libx.so')\n'''\nCDLL(\"libx.so\")\n'''\n", &[]);
        check("def hooked_CDLL('libx.so'): pass", &[]);
        check("s = 'CDLL(\"libx.so\")'", &[]);
        check("CDLL('libx.so", &[]);
        check("x = 'é'; CDLL('libx.so')", &["1:libx.so"]);
    }

    #[test]
    fn the_question_for_the_cache_is_seen() {
        check(
            "libs = run([\"/sbin/ldconfig\", \"-p\"])\nsh('ldconfig -p | grep x')",
            &["1:/sbin/ldconfig guarded", "2:ldconfig guarded"],
        );
        check("m = 'run \"/sbin/ldconfig\"'\n# 'ldconfig'\n", &[]);
        check("'''\nldconfig\n'''; ldconfig('my-ldconfig')", &[]);
    }

    #[test]
    fn what_is_caught_may_be_missing() {
        check(
            "try:\n    x = CDLL('libx.so')\nexcept OSError:\n    pass\n",
            &["2:libx.so guarded"],
        );
        check(
            "try:\n    if a:\n        x = CDLL('libx.so')\nexcept:\n    pass\n",
            &["3:libx.so guarded"],
        );
        check(
            "with suppress(OSError):\n  CDLL('libx.so')\n",
            &["2:libx.so guarded"],
        );
        check(
            "try:\n    x = CDLL('libx.so')\nexcept ImportError:\n    pass\n",
            &["2:libx.so"],
        );
        check(
            "try:\n    pass\nexcept OSError:\n    x = CDLL('libx.so')\n",
            &["4:libx.so"],
        );
        check(
            "try:\n    def f():\n        CDLL('libx.so')\nexcept OSError:\n    pass\n",
            &["3:libx.so"],
        );
    }
}
