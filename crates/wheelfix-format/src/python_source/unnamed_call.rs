//! Calls that open libraries by names that are not in the source.

use std::collections::BTreeSet;

use ruff_text_size::TextSize;

/// The calls with names that are not in a source.
#[derive(Debug, Default)]
pub(super) struct UnnamedCalls<'a> {
    calls: Vec<UnnamedCall<'a>>,
    /// The function whose body is gone through without a call of it.
    function: Option<FunctionName<'a>>,
    /// Functions that were followed from a call.
    callees: BTreeSet<FunctionName<'a>>,
}

/// The name of a function, behind that of its class.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct FunctionName<'a> {
    pub(super) class: Option<&'a str>,
    pub(super) name: &'a str,
}

#[derive(Debug)]
struct UnnamedCall<'a> {
    at: TextSize,
    /// Whether its path is made from the place of a package, or given by the user.
    is_own: bool,
    /// The function around.
    function: Option<FunctionName<'a>>,
}

impl<'a> UnnamedCall<'a> {
    /// The function of the module, or of any class, around it.
    fn group(&self) -> Option<&'a str> {
        self.function
            .map(|function| function.class.map_or(function.name, |_| ""))
    }
}

impl<'a> UnnamedCalls<'a> {
    /// Notes a call.
    pub(super) fn push(&mut self, at: TextSize, is_own: bool) {
        self.calls.push(UnnamedCall {
            at,
            is_own,
            function: self.function,
        });
    }

    /// Begins the body of a function; `false` in one of another function.
    pub(super) fn enter(&mut self, function: FunctionName<'a>) -> bool {
        let is_outer = self.function.is_none();
        if is_outer {
            self.function = Some(function);
        }
        is_outer
    }

    /// Ends it.
    pub(super) fn leave(&mut self) {
        self.function = None;
    }

    /// Notes that a function is followed from a call.
    pub(super) fn follow(&mut self, function: FunctionName<'a>) {
        if self.function != Some(function) {
            self.callees.insert(function);
        }
    }

    /// The calls, each with whether it or another one of the same function, to which it is another way, opens what is
    /// beside a package. What a function opens that is called in the source is told by these calls.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TextSize, bool)> {
        let own = self.calls.iter().filter(|call| call.is_own);
        let with_own: BTreeSet<Option<&str>> = own.map(UnnamedCall::group).collect();
        let is_told = |call: &&UnnamedCall<'_>| {
            let function = call.function.as_ref();
            function.is_none_or(|function| !self.callees.contains(function))
        };
        let calls = self.calls.iter().filter(is_told);
        calls.map(move |call| (call.at, with_own.contains(&call.group())))
    }
}

#[cfg(test)]
mod tests {
    use crate::python_source::source_loads;

    #[track_caller]
    fn check(text: &str, want: &[&str]) {
        let loads = source_loads(text.as_bytes()).unnamed.into_iter();
        let own = |is_own| if is_own { " own" } else { "" };
        let got: Vec<String> = loads
            .map(|load| format!("{}{}", load.line, own(load.is_own)))
            .collect();
        assert_eq!(got, want, "for {text}");
    }

    #[test]
    fn calls_without_a_name_are_seen_beside_others() {
        check("CDLL(x)\nCDLL('liba.so')\n", &["1"]);
        check("CDLL(f'libx.so.{n}')\nfind_library(a + b)\n", &["1", "2"]);
        check("for d in ['/a', '/b', c]:\n  CDLL(d)\n", &["2"]);
        check("CDLL(None); CDLL(); CDLL('x.dll')\n", &[]);
        check("CDLL(x or 'liba.so')\n", &[]);
        check("CDLL(x, ctypes.RTLD_GLOBAL | os.RTLD_NOLOAD)\n", &[]);
        check("if sys.platform == 'win32': CDLL(x)\n", &[]);
    }

    #[test]
    fn paths_from_the_place_of_a_package_are_own() {
        check("CDLL(os.path.join(dirname(__file__), n))\n", &["1 own"]);
        check("CDLL(str(Path(m.__file__).parent / n))\n", &["1 own"]);
        check("CDLL(os.environ['A'] + '/libx.so')\n", &["1 own"]);
        check(
            "with resources.path(p, n) as path:\n    CDLL(path)\n",
            &["2 own"],
        );
        check(
            "here = dirname(__file__)\nfor d, _, files in os.walk(here):\n  for f in files:\n    CDLL(join(d, f))\n",
            &["4 own"],
        );
        check(
            "all = []\nall.append(join(dirname(__file__), n))\nall += [n]\nfor one in all: CDLL(one)\n",
            &["4 own"],
        );
        // As rtree has it.
        check(
            "all = [dirname(__file__)]\ndef f():\n  all.insert(1, n)\n  for one in all: CDLL(one)\n",
            &["4 own"],
        );
        check(
            "here = dirname(__file__)\ndef place(): return join(here, 'lib')\nCDLL(join(place(), n))\n",
            &["3 own"],
        );
        check(
            "class A:\n  def __init__(self): self.d = dirname(__file__)\n  def f(self): CDLL(self.d + n)\n",
            &["3 own"],
        );
        // As cyclonedds has it; what is not called as a place need not be one.
        check(
            "if a: from .library import library_path\nCDLL(str(library_path))\nfrom .b import n\nCDLL(n)\n",
            &["2 own", "4 own"],
        );
        check("from .b import n, Paths\nCDLL(n)\n", &["2"]);
        check("from b import path\nCDLL(path)\n", &["2"]);
        // Where the first does not open, the second is another way.
        check(
            "def f():\n  CDLL(join(dirname(__file__), n))\n  CDLL(n)\ndef g():\n  CDLL(n)\n",
            &["2 own", "3 own", "5"],
        );
    }

    #[test]
    fn a_function_that_is_called_as_an_opener_is_told_by_its_calls() {
        check("def load_library(n):\n  CDLL(n)\n", &[]);
        check("def load_library():\n  CDLL(x)\n", &["2"]);
        check(
            "x.load_library(self.flags); x.load_library(n, flags)\n",
            &["1"],
        );
        check("x.load_library(self.flags)\n", &[]);
        check("def load(n):\n  CDLL(n)\n", &["2"]);
        // As cffi has it.
        check(
            "class A:\n  def dlopen(self, n): return g(self, n)\ndef g(s, n):\n  return b.load_library(n)\n",
            &[],
        );
    }

    #[test]
    fn a_function_that_is_called_with_names_is_told_by_its_calls() {
        let function = "def f(n):\n  return CDLL(n)\n";
        check(function, &["2"]);
        check(&format!("{function}f('libx.so')\n"), &[]);
        check(&format!("{function}f('libx.so')\nf(y)\n"), &["2"]);
        check(&format!("{function}def g(n): f(n)\n"), &["2"]);
        check(&format!("{function}def g(n): f(n)\ng('libx.so')\n"), &[]);
        check(&format!("{function}f(dirname(__file__))\n"), &["2 own"]);
        check("def f(n):\n  CDLL(n); f(n)\n", &["2"]);
        check(
            "class A:\n  def __init__(self, n):\n    CDLL(n)\n  def f(self, n):\n    CDLL(n)\nA('libx.so')\n",
            &["5"],
        );
        let method = "class A:\n  def f(self, n):\n    CDLL(n)\n";
        check(method, &["3"]);
        check(&format!("{method}  def g(self): self.f('libx.so')\n"), &[]);
        check(
            &format!("{method}class B:\n  def g(self): self.f('libx.so')\n"),
            &["3"],
        );
    }
}
