//! Libraries that a Python source opens with `ctypes`, cffi and their like, as far as their names stand in it.

mod depth;
mod importer;
mod opener;
mod opener_word;
mod opening_call;
mod own_place;
mod platform;
mod scanner;
mod scopes;
mod syntax;
mod unnamed_call;
mod value;

use memchr::memchr_iter;
use ruff_python_ast::{ModModule, PySourceType};
use ruff_python_parser::Parsed;
use ruff_text_size::TextSize;

pub use self::importer::{PythonImport, python_import};
use self::opener::{Opener, asked};
use self::opener_word::LDCONFIG;
pub use self::opener_word::may_open_libraries;
use self::scanner::Scanner;
use crate::python_text::Masked;

/// A place of a Python source that opens a library, or looks for it.
///
/// Other systems than Linux are left out, by the names of their libraries and by conditions on
/// `sys.platform`, `os.name` and `platform.system()`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PythonLoad {
    /// The libraries in the order of the source, of which one has to be there; never empty.
    pub names: Vec<AskedLibrary>,
    /// The line of the call, counted from 1.
    pub line: usize,
    /// Whether importing the module fails without: it runs then whatever the circumstances, and nothing catches
    /// the error.
    pub is_needed: bool,
}

/// A library by the name that a source has for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AskedLibrary {
    /// Its file name: `libnvrtc.so.13`; for `find_library("z")` that without a version, `libz.so`.
    pub name: String,
    /// The path, if the source has one.
    pub path: Option<String>,
    /// Whether a library of the name with any version behind it will do.
    pub any_version: bool,
}

/// The prefixes by which it is called.
const LDCONFIG_PLACES: [&str; 4] = ["", "/sbin/", "/usr/sbin/", "/bin/"];

/// Longer sources are not parsed; in bytes. The tree takes some thirty times as much.
const MAX_LEN: usize = 4 << 20;

/// The calls of a source that open libraries.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SourceLoads {
    /// Those whose libraries the source names. Names that are put together while it runs are not seen.
    pub named: Vec<PythonLoad>,
    /// The others, by line.
    pub unnamed: Vec<UnnamedLoad>,
}

/// A call of a source that opens a library by a name that is not in the source.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct UnnamedLoad {
    /// Its line, counted from 1.
    pub line: usize,
    /// Whether the path is made from the place of a package, which no library path has, or given by the user in a
    /// variable, or it is another way to such a library.
    pub is_own: bool,
}

/// The libraries that a source opens by name, see [`source_loads`].
pub fn python_loads(source: &[u8]) -> Vec<PythonLoad> {
    source_loads(source).named
}

/// The calls by which a source opens libraries.
///
/// A source that Python could not read is read as far as that goes; one that is longer than 4 MiB, or nested more
/// deeply than people write, is not.
pub fn source_loads(source: &[u8]) -> SourceLoads {
    if !may_open_libraries(source) {
        return SourceLoads::default();
    }
    let text = String::from_utf8_lossy(source);
    let masked = Masked::new(&text);
    let used = Some(&masked).filter(|masked| opener_word::are_used(&text, masked));
    let Some(module) = used.and_then(|masked| parse_masked(&text, masked)) else {
        return SourceLoads::default();
    };
    // What Python cannot read, it does not run.
    let is_read = module.has_valid_syntax();
    let scanner = Scanner::scan(module.suite());
    let ends: Vec<usize> = memchr_iter(b'\n', text.as_bytes()).collect();
    let line = |at: TextSize| ends.partition_point(|end| *end < at.to_usize()) + 1;
    let unnamed = scanner.unnamed.iter().map(|(at, is_own)| UnnamedLoad {
        line: line(at),
        is_own,
    });
    let mut unnamed: Vec<_> = unnamed.collect();
    unnamed.sort_unstable();
    unnamed.dedup_by_key(|load| load.line);
    let calls = scanner.calls.into_iter().filter_map(|call| {
        let mut names: Vec<AskedLibrary> = Vec::new();
        for (name, opener) in &call.names {
            let library = asked(name, *opener);
            names.extend(library.filter(|library| !names.contains(library)));
        }
        (!names.is_empty()).then(|| PythonLoad {
            names,
            line: line(call.at),
            is_needed: is_read && call.is_needed(),
        })
    });
    let programs = scanner.texts.into_iter().filter_map(|(text, at)| {
        let program = text.split(' ').next().unwrap_or(text);
        let mut places = LDCONFIG_PLACES.iter();
        places.find(|place| program.strip_prefix(**place) == Some(LDCONFIG))?;
        let library = AskedLibrary {
            name: LDCONFIG.to_owned(),
            path: program.contains('/').then(|| program.to_owned()),
            any_version: false,
        };
        Some(PythonLoad {
            names: vec![library],
            line: line(at),
            is_needed: false,
        })
    });
    let mut named: Vec<_> = calls.chain(programs).collect();
    // Of several calls for the same libraries on a line, the one that needs them counts.
    named.sort_by(|one, other| {
        let key = |load: &PythonLoad| (load.line, names(load), !load.is_needed);
        key(one).cmp(&key(other))
    });
    named.dedup_by(|one, other| one.line == other.line && names(one) == names(other));
    SourceLoads { named, unnamed }
}

/// Parses a source; `None` for one that is longer than 4 MiB, or nested more deeply than people write.
pub(crate) fn parse(text: &str) -> Option<Parsed<ModModule>> {
    parse_masked(text, &Masked::new(text))
}

fn parse_masked(text: &str, masked: &Masked<'_>) -> Option<Parsed<ModModule>> {
    if MAX_LEN < text.len() || depth::is_too_deep(&masked.code) {
        return None;
    }
    Some(ruff_python_parser::parse_unchecked_source(
        text,
        PySourceType::Python,
    ))
}

/// The calls on a line, without their parentheses: which library they open need not be in the source.
pub fn python_call(line: &str) -> Option<&'static str> {
    Opener::names().find(|name| {
        let mut found = line.match_indices(name);
        found.any(|(at, _)| {
            line.get(at + name.len()..)
                .is_some_and(|rest| rest.starts_with('('))
        })
    })
}

fn names(load: &PythonLoad) -> Vec<String> {
    let names = load.names.iter();
    names.map(|library| library.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[track_caller]
    pub(super) fn check(text: &str, want: &[&str]) {
        let loads = python_loads(text.as_bytes());
        let got: Vec<String> = loads
            .iter()
            .map(|load| {
                let names: Vec<&str> = load
                    .names
                    .iter()
                    .map(|library| library.path.as_ref().unwrap_or(&library.name).as_str())
                    .collect();
                let needed = if load.is_needed { " needed" } else { "" };
                format!("{}:{}{needed}", load.line, names.join("|"))
            })
            .collect();
        assert_eq!(got, want, "for {text}");
    }

    #[test]
    fn a_dlopen_that_is_no_method_is_of_a_package() {
        // As cairocffi has it.
        check(
            "from . import dlopen\nx = dlopen(ffi, ('x-3', 'libx-3-0'), ('libx-3.so.0', 'libx.dylib'))\n",
            &["2:libx-3.so|libx-3-0.so|libx-3.so.0"],
        );
        let alias = "dlopen = ffi.dlopen\nx = dlopen('libx.so')\n";
        check(alias, &["2:libx.so needed"]);
    }

    #[test]
    fn texts_in_calls_are_names() {
        check("lib = ctypes.CDLL('libx.so.1')", &["1:libx.so.1 needed"]);
        check(
            "a = PyDLL(\"liba.so\")\nb = cdll.LoadLibrary(\n  r'/o/libb.so',\n  1)\n",
            &["1:liba.so needed", "2:/o/libb.so needed"],
        );
        check(
            "ffi.dlopen('libz.so.1'); find_library('usb-1.0')",
            &["1:libusb-1.0.so", "1:libz.so.1 needed"],
        );
        check("ffi.dlopen('pulse')", &["1:libpulse.so needed"]);
        check("load_nvidia_dynamic_lib('nvrtc')", &["1:libnvrtc.so"]);
        check("CDLL(name='libx.so')", &["1:libx.so needed"]);
        check("CDLL('lib' 'x.so')", &["1:libx.so needed"]);
        check("CDLL(b'libx.so')", &["1:libx.so needed"]);
        check("gl = pyglet.lib.load_library('GL')", &["1:libGL.so"]);
        check(
            "ctypesloader.loadLibrary(ctypes.cdll, 'GL', mode=1)",
            &["1:libGL.so"],
        );
        check(
            "for n in ('OpenGL', 'GL'): x = loadLibrary(ctypes.cdll, n)",
            &["1:libOpenGL.so|libGL.so"],
        );
    }

    #[test]
    fn what_is_no_plain_name_is_not_seen() {
        check("CDLL(name); CDLL(None); CDLL()", &[]);
        check("CDLL('lib' + 'x.so'); CDLL('a' 'libx.so')", &[]);
        check(
            "CDLL('x.dll'); CDLL('/usr/lib/libx.dylib'); find_library('x.dll'); find_library('IOKit')",
            &[],
        );
        // As cx_Freeze, for Windows: elsewhere it would be liblibx.so.
        check("find_library('libx-3-0')", &[]);
        check("[find_library(n) for n in ('libx-3', 'x')]", &["1:libx.so"]);
        check("CDLL(f'libx.so.{n}')", &[]);
        check("# CDLL('libx.so')\n'''\nCDLL(\"libx.so\")\n'''\n", &[]);
        check("def hooked_CDLL(a): pass\nhooked_CDLL('libx.so')", &[]);
        check("s = 'CDLL(\"libx.so\")'", &[]);
        check("CDLL('libx.so", &["1:libx.so"]);
        check("torch.ops.load_library('//a/b:c')", &[]);
        check("x = 'é'; CDLL('libx.so')", &["1:libx.so needed"]);
        check(&format!("CDLL({}'libx.so')", "-".repeat(1000)), &[]);
    }

    #[test]
    fn the_question_for_the_cache_is_seen() {
        check(
            "libs = run([\"/sbin/ldconfig\", \"-p\"])\nsh('ldconfig -p | grep x')",
            &["1:/sbin/ldconfig", "2:ldconfig"],
        );
        check("m = 'run \"/sbin/ldconfig\"'\n# 'ldconfig'\n", &[]);
        check("'''\nldconfig\n'''; ldconfig('my-ldconfig')", &[]);
    }

    #[test]
    fn what_is_caught_may_be_missing() {
        let caught = |text: &str| check(text, &["2:libx.so"]);
        caught("try:\n    x = CDLL('libx.so')\nexcept OSError:\n    pass\n");
        caught("try:\n    x = CDLL('libx.so')\nexcept (A, b.OSError):\n    pass\n");
        caught("try:\n    x = CDLL('libx.so')\nexcept:\n    pass\n");
        caught("with suppress(OSError):\n  CDLL('libx.so')\n");
        let needed = |text: &str| check(text, &["2:libx.so needed"]);
        needed("try:\n    x = CDLL('libx.so')\nexcept ImportError:\n    pass\n");
        needed("try:\n    x = CDLL('libx.so')\nexcept OSError:\n    raise ImportError\n");
        needed("try:\n    x = CDLL('libx.so')\nexcept OSError:\n    sys.exit(1)\n");
        check(
            "try:\n    pass\nexcept OSError:\n    x = CDLL('libx.so')\n",
            &["4:libx.so"],
        );
    }

    #[test]
    fn what_a_handler_opens_is_another_way() {
        check(
            "try:\n    l = ffi.dlopen('pulse')\nexcept OSError:\n    l = ffi.dlopen('libpulse.so.0')\n",
            &["2:libpulse.so", "4:libpulse.so|libpulse.so.0 needed"],
        );
    }

    #[test]
    fn what_may_not_run_is_not_needed() {
        for text in [
            "def f():\n    CDLL('libx.so')\n",
            "if a:\n    CDLL('libx.so')\n",
            "f = lambda:(\n    CDLL('libx.so'))\n",
            "x = (a and\n    CDLL('libx.so'))\n",
            "x = (None if a else\n    CDLL('libx.so'))\n",
            "match a:\n    case 1: CDLL('libx.so')\n",
            "def f(): a()\ndef g(): CDLL('libx.so')\n",
        ] {
            check(text, &["2:libx.so"]);
        }
        check(
            "if a:\n    raise B\nCDLL('libx.so')\n",
            &["3:libx.so needed"],
        );
        check(
            "while a:\n    if b:\n        break\n    CDLL('libx.so')\n",
            &["4:libx.so"],
        );
        check("raise A\nCDLL('libx.so')\n", &[]);
    }

    #[test]
    fn other_systems_ask_for_nothing() {
        check(
            "import sys\nWIN = sys.platform == 'win32'\nif WIN:\n    CDLL('liba.so')\n\
            elif sys.platform.startswith('linux'):\n    CDLL('libb.so')\nelse:\n    CDLL('libc.so')\n",
            &["6:libb.so needed"],
        );
        check(
            "if platform.system().lower().endswith('bsd'): CDLL('/usr/local/lib/libx.so')",
            &[],
        );
        check("x = CDLL('libx.so') if os.name == 'nt' else None", &[]);
        check("sys.platform == 'darwin' and CDLL('libx.so')", &[]);
        check(
            "CDLL({'Linux': 'libx.so.1', 'Darwin': 'liby.so'}[platform.system()])",
            &["1:libx.so.1 needed"],
        );
        check(
            "system = platform.system()\nif system == 'Linux':\n    n = 'libx.so.2'\nelse:\n    n = 'liby.so'\nCDLL(n)\n",
            &["6:libx.so.2 needed"],
        );
    }

    #[test]
    fn a_loop_over_names_asks_for_one() {
        // As sounddevice has it.
        let text = r"
from ctypes.util import find_library as _find
try:
    for name in (
        'portaudio',
        'bin\\libportaudio-2.dll'):
        name = _find(name)
        if name is not None:
            break
    else:
        raise OSError('none')
    lib = _ffi.dlopen(name)
except OSError:
    if _platform.system() == 'Darwin':
        name = 'x.dylib'
    else:
        raise
";
        check(
            text,
            &["7:libportaudio.so needed", "12:libportaudio.so needed"],
        );
        let text = "
for n in ['libx.so.2', 'libx.so.1']:
    try:
        lib = CDLL(n)
        break
    except OSError:
        lib = None
if lib is None:
    raise ImportError
";
        check(text, &["4:libx.so.2|libx.so.1 needed"]);
    }

    #[test]
    fn a_result_that_must_not_be_empty_is_needed() {
        check(
            "p = find_library('a')\nif not p:\n    p = find_library('b')\nif p is None:\n    raise ImportError\n",
            &["1:liba.so|libb.so needed"],
        );
        check(
            "p = find_library('a')\nif not p:\n    print(1)\n",
            &["1:liba.so"],
        );
        check(
            "CDLL(find_library('a') or 'liba.so.1')\n",
            &["1:liba.so|liba.so.1 needed"],
        );
        check("CDLL(find_library('a'))\n", &["1:liba.so"]);
        check(
            "CDLL(os.environ.get('A') or 'liba.so.1')\n",
            &["1:liba.so.1"],
        );
    }

    #[test]
    fn a_loop_that_nothing_leaves_opens_all() {
        check(
            "for n in ('liba.so', 'libb.so'):\n    CDLL(n)\n",
            &["2:liba.so needed", "2:libb.so needed"],
        );
    }

    #[test]
    fn a_later_value_stands_for_an_earlier_one() {
        check(
            "n = 'liba.so'\nCDLL(n)\nn = 'libb.so'\nCDLL(n)\n",
            &["2:liba.so needed", "4:libb.so needed"],
        );
        check(
            "p = find_library('a')\nif not p:\n    raise A\np = find_library('b')\nif not p:\n    raise A\n",
            &["1:liba.so needed", "4:libb.so needed"],
        );
    }

    #[test]
    fn a_flag_that_is_set_in_a_branch_decides_nothing() {
        check(
            "try:\n    import a\n    H = True\nexcept ImportError:\n    H = False\nif H:\n    CDLL('libx.so')\n",
            &["7:libx.so"],
        );
        check(
            "H = False\ntry:\n    import a\n    H = True\nexcept ImportError:\n    pass\nif H:\n    CDLL('libx.so')\n",
            &["8:libx.so"],
        );
        check("stack.exit()\nCDLL('libx.so')\n", &["2:libx.so needed"]);
        check("sys.exit()\nCDLL('libx.so')\n", &[]);
    }

    #[test]
    fn what_a_call_does_not_run_is_not_needed() {
        check("def f():\n    yield CDLL('libx.so')\nf()\n", &["2:libx.so"]);
        check("async def f():\n    CDLL('libx.so')\nf()\n", &["2:libx.so"]);
        check(
            "if sys.platform != 'win32':\n    def f(): pass\nelse:\n    def f(): CDLL('libx.so')\nf()\n",
            &[],
        );
    }

    #[test]
    fn functions_of_the_module_are_followed() {
        // As cairocffi has it.
        let text = "
def dlopen(ffi, names, files):
    for name in names:
        found = find_library(name)
        if found:
            files = (found, *files)
    for file in files:
        try:
            return ffi.dlopen(file)
        except OSError:
            pass
    raise OSError
cairo = dlopen(ffi, ('cairo-2', 'cairo'), ('libcairo.so.2', 'libcairo.2.dylib'))
";
        check(text, &["13:libcairo-2.so|libcairo.so|libcairo.so.2 needed"]);
        // As WeasyPrint has it.
        let text = "
def _dlopen(ffi, *names, allow_fail=False):
    for name in names:
        with suppress(OSError):
            return ffi.dlopen(name)
    if allow_fail:
        return
    return ffi.dlopen(names[0])
x = _dlopen(ffi, 'x-1', 'libx.so.1')
y = _dlopen(ffi, 'y', allow_fail=True)
";
        check(text, &["9:libx-1.so|libx.so.1 needed", "10:liby.so"]);
        check(
            "def f(n):\n    return CDLL(n)\ndef g():\n    f('libx.so')\n",
            &["4:libx.so"],
        );
        check("def f(n): return f(n)\nf('libx.so')\ndlopen\n", &[]);
    }

    #[test]
    fn comprehensions_are_loops_over_names() {
        check(
            "x = [find_library(n) for n in ('a', 'b')]\n",
            &["1:liba.so|libb.so"],
        );
        check(
            "x = next(p for p in (find_library(n) for n in ('a',)) if p)\n",
            &["1:liba.so"],
        );
    }

    #[test]
    fn attributes_of_classes_have_values() {
        // As pylibftdi has it.
        let text = r"
class Driver:
    names: dict = {'ftdi': ['ftdi1', 'libftdi'], 'usb': ['usb-1.0']}
    def load(self, name, search=None):
        if search is None:
            search = self.names.get(name, [])
        for one in search:
            path = find_library(one)
";
        check(text, &["8:libftdi1.so|libusb-1.0.so"]);
        check(
            "class A:\n    n = 'libx.so.1'\nCDLL(A.n)\nCDLL(B.n)\n",
            &["3:libx.so.1"],
        );
        check("class A:\n    n = 'libx.so.1'\nCDLL(a.n)\n", &[]);
    }

    #[test]
    fn what_a_class_opens_is_named_where_it_is_made() {
        // As PySDL2 has it.
        let text = r"
class DLL(object):
    def __init__(self, info, names, path=None):
        found = _find(names, path)
        for file in found:
            self.dll = CDLL(file)
def _find(names, path):
    for name in names + [name + 'd' for name in names]:
        results.append(find_library(name))
try:
    dll = DLL('SDL2', ['SDL2', 'SDL2-2.0'], os.getenv('P'))
except RuntimeError as exc:
    raise ImportError(exc)
";
        check(text, &["11:libSDL2.so|libSDL2-2.0.so"]);
    }

    #[test]
    fn the_deepest_that_is_parsed_fits_on_a_stack() {
        // Tests have 2 MiB, as threads of a pool have.
        for (part, count) in [
            ("-", 480),
            ("not ", 480),
            ("(", 190),
            ("[", 190),
            ("{1:", 115),
            ("a.", 230),
            ("a if b else ", 115),
            ("lambda: ", 230),
            ("a**", 155),
            ("a+", 230),
            ("f()", 150),
            ("f(", 150),
            ("await ", 450),
        ] {
            let text = format!("CDLL('libx.so')\ny = {}\n", part.repeat(count));
            let loads = python_loads(text.as_bytes());
            assert_eq!(loads.len(), 1, "{part}");
        }
        let blocks: String = (0..95).map(|depth| " ".repeat(depth) + "if a:\n").collect();
        let text = format!("{blocks}{}CDLL('libx.so')\n", " ".repeat(95));
        assert_eq!(python_loads(text.as_bytes()).len(), 1);
        // Functions that call each other, with everything that they open.
        let mut functions = String::new();
        for at in 0..60 {
            let (one, two) = (at + 1, at + 2);
            let body = format!("f{one}(a); f{two}(a); CDLL(a)");
            writeln!(functions, "def f{at}(a):\n    {body}").unwrap();
        }
        python_loads(format!("{functions}f0('libx.so')\n").as_bytes());
    }
}
