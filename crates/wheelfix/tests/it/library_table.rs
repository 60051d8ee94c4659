//! The table in which Python code finds the libraries that it opens by name.

use std::path::Path;
use std::process::Command;

use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

const SITE: &str = "lib/python3.11/site-packages";
const MODULE: &str = "_wheelfix_libraries.py";
const PTH: &str = "wheelfix-libraries.pth";

/// A module that asks in every way that is known; each answer is a number or an error.
const ASKS: &str = "import ctypes
from ctypes.util import find_library
def number(name):
    return ctypes.CDLL(name).number()
def by_soname():
    return number('libfound.so.1')
def by_name():
    return number('libfound.so')
def found():
    return number(find_library('found'))
def loaded():
    return ctypes.cdll.LoadLibrary('libfound.so.1').number()
";

fn python() -> String {
    cache::tool("python3").to_str().unwrap().to_owned()
}

/// A sandbox with a library that has a number, in `libs`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    fs_err::create_dir_all(sandbox.path("libs/lib")).unwrap();
    library(&sandbox, "libs/lib/libfound.so.1", 7, &[]);
    // A script for linkers, and an older version.
    fs_err::write(sandbox.path("libs/lib/libfound.so"), "INPUT(-lfound)\n").unwrap();
    library(&sandbox, "libs/lib/libfound.so.0.9", 6, &[]);
    sandbox
}

fn library(sandbox: &Sandbox, path: &str, number: u32, more: &[&str]) {
    let name = path.rsplit('/').next().unwrap();
    let soname = format!("-Wl,-soname,{name}");
    let source = format!("int number(void) {{ return {number}; }}");
    sandbox.library(&source, &[&[soname.as_str(), "-o", path], more].concat());
}

fn asking(sandbox: &Sandbox, source: &str) -> String {
    sandbox.wheel(&WheelBuilder::new("asks", "1.0").file("asks/__init__.py", source))
}

/// Makes `out` by a command, with the library path.
fn make(sandbox: &Sandbox, command: &[&str], out: &str) -> String {
    let more = ["--prefix", out, "--python", &python(), "--lib-path", "libs"];
    sandbox.run(&[command, &more].concat())
}

#[track_caller]
fn made(sandbox: &Sandbox, command: &[&str], out: &str) -> String {
    let text = make(sandbox, command, out);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    text
}

/// The output of code that the Python of an environment runs.
#[expect(clippy::disallowed_methods, reason = "runs the environment under test")]
fn run(sandbox: &Sandbox, env: &str, code: &str) -> String {
    let mut command = Command::new(sandbox.path(env).join("bin/python"));
    let output = command.args(["-I", "-c", code]).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

const PRINT: &str =
    "import asks; print(asks.by_soname(), asks.by_name(), asks.found(), asks.loaded())";

fn has_table(path: &Path) -> bool {
    let has = [MODULE, PTH].map(|name| path.join(name).is_file());
    assert_eq!(has[0], has[1], "{}", path.display());
    has[0]
}

#[test]
fn python_code_of_an_environment_finds_what_it_opens_by_name() {
    let sandbox = sandbox();
    let wheel = asking(&sandbox, ASKS);
    let text = made(&sandbox, &["env", &wheel], "env");
    assert!(!text.contains("is missing"), "{text}");
    assert_eq!(run(&sandbox, "env", PRINT), "7 7 7 7\n");
    let start = "import sys; print([name for name in ('ctypes', 'json') if name in sys.modules])";
    assert_eq!(run(&sandbox, "env", start), "[]\n");
    let cache = sandbox.path("env").join(SITE).join("__pycache__");
    let names = fs_err::read_dir(cache).unwrap();
    assert_eq!(names.count(), 2);
    // What has gone is not there, as ctypes says it.
    fs_err::remove_dir_all(sandbox.path("libs")).unwrap();
    let text = run(&sandbox, "env", "import asks; asks.by_soname()");
    let want =
        "OSError: libfound.so.1: cannot open shared object file: No such file or directory\n";
    assert!(text.ends_with(want), "{text}");
    assert_eq!(
        run(
            &sandbox,
            "env",
            "import asks; print(asks.find_library('found'))"
        ),
        "None\n"
    );
}

#[test]
fn nothing_is_made_where_nothing_is_asked() {
    let sandbox = sandbox();
    for (source, more, want) in [
        ("x = 1\n", None, false),
        (
            "import ctypes\ndef f(): return ctypes.CDLL('libc.so.6')\n",
            None,
            false,
        ),
        (
            "import ctypes\ndef f(): return ctypes.CDLL('libgone.so.6')\n",
            None,
            false,
        ),
        (ASKS, None, true),
        (ASKS, Some("--no-library-table"), false),
    ] {
        let wheel = asking(&sandbox, source);
        let command = ["env", &wheel].into_iter().chain(more);
        made(&sandbox, &command.collect::<Vec<_>>(), "env");
        assert_eq!(has_table(&sandbox.path("env").join(SITE)), want, "{source}");
        fs_err::remove_dir_all(sandbox.path("env")).unwrap();
    }
}

#[test]
fn a_need_that_the_table_answers_is_met_and_proved() {
    let sandbox = sandbox();
    let needs = "import ctypes\nx = ctypes.CDLL('libfound.so.1')\n";
    let wheel = asking(&sandbox, needs);
    let text = make(&sandbox, &["env", &wheel, "--no-library-table"], "env");
    assert!(text.starts_with("exit: 1\n"), "{text}");
    made(&sandbox, &["env", &wheel], "env");
    let text = sandbox.run(&["check", "env", "--python", &python()]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    fs_err::remove_dir_all(sandbox.path("env")).unwrap();
    // The library itself lacks one.
    library(&sandbox, "libgone.so.3", 1, &[]);
    library(&sandbox, "libs/lib/libfound.so.1", 7, &["libgone.so.3"]);
    let text = make(&sandbox, &["env", &wheel], "env");
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(text.contains("error: `libgone.so.3` is missing"), "{text}");
    let wheel = asking(&sandbox, ASKS);
    let text = made(&sandbox, &["env", &wheel], "env");
    assert!(
        text.contains("warning: `libgone.so.3` is missing"),
        "{text}"
    );
}

#[test]
fn an_installed_prefix_has_a_table_on_request() {
    let sandbox = sandbox();
    let wheel = asking(&sandbox, ASKS);
    made(&sandbox, &["install", &wheel], "without");
    assert!(!has_table(&sandbox.path("without").join(SITE)));
    made(&sandbox, &["install", &wheel, "--library-table"], "with");
    assert!(has_table(&sandbox.path("with").join(SITE)));
    let record = sandbox
        .path("with")
        .join(SITE)
        .join("asks-1.0.dist-info/RECORD");
    let record = fs_err::read_to_string(record).unwrap();
    for name in [MODULE, PTH] {
        let mut lines = record.lines();
        let row = format!("{name},sha256=");
        assert!(lines.any(|line| line.starts_with(&row)), "{record}");
    }
    let check = ["check", "with", "--python", &python()];
    let text = sandbox.run(&check);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(text.contains("4 of 4 calls"), "{text}");
    // An environment finds the same, with or without a library path of its own, and leaves the prefix alone.
    let before = sandbox.tree("with");
    let more = ["--python", &python()];
    let text = sandbox.run(&[&["env", "with", "--prefix", "env"][..], &more].concat());
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert_eq!(run(&sandbox, "env", PRINT), "7 7 7 7\n");
    made(&sandbox, &["env", "without"], "other");
    assert_eq!(run(&sandbox, "other", PRINT), "7 7 7 7\n");
    assert!(!has_table(&sandbox.path("without").join(SITE)));
    assert_eq!(sandbox.tree("with"), before);
}

#[test]
fn the_driver_answers_for_its_libraries() {
    let sandbox = sandbox();
    let source = "import ctypes\ndef f():\n    return ctypes.CDLL('libnvidia-ml.so.1').number()\n";
    let wheel = asking(&sandbox, source);
    let text = made(&sandbox, &["env", &wheel, "--driver-path", "driver"], "env");
    assert!(!text.contains("libnvidia-ml.so.1` is missing"), "{text}");
    let call = "import asks; print(asks.f())";
    let text = run(&sandbox, "env", call);
    assert!(text.contains("libnvidia-ml.so.1: cannot open"), "{text}");
    fs_err::create_dir(sandbox.path("driver")).unwrap();
    library(&sandbox, "driver/libnvidia-ml.so.1", 3, &[]);
    assert_eq!(run(&sandbox, "env", call), "3\n");
}

/// cuda-pathfinder opens the driver by a name that is not where it is asked for.
#[test]
fn the_driver_answers_for_what_nvidia_s_own_function_looks_for() {
    let sandbox = sandbox();
    let finder = "import ctypes\ndef load_nvidia_dynamic_lib(name):\n    \
        return ctypes.CDLL(f'lib{name}.so.1')\n";
    let source = "from asks.finder import load_nvidia_dynamic_lib\n\
        def f():\n    return load_nvidia_dynamic_lib('cuda')\n";
    let wheel = WheelBuilder::new("asks", "1.0").file("asks/__init__.py", source);
    let wheel = sandbox.wheel(&wheel.file("asks/finder.py", finder));
    fs_err::create_dir(sandbox.path("driver")).unwrap();
    library(&sandbox, "driver/libcuda.so.1", 3, &[]);
    let text = made(&sandbox, &["env", &wheel, "--driver-path", "driver"], "env");
    assert!(!text.contains("is missing"), "{text}");
    assert_eq!(
        run(&sandbox, "env", "import asks; print(asks.f().number())"),
        "3\n"
    );
    // A prefix without a table has a fix that is no relocation of a source.
    let text = made(&sandbox, &["install", &wheel], "p");
    assert!(text.contains("`libcuda.so` is missing"), "{text}");
    assert!(text.contains("fix: add --library-table"), "{text}");
    assert!(!text.contains("wheelfix patch"), "{text}");
}

#[test]
fn what_is_loaded_already_and_what_others_hook_stays() {
    let sandbox = sandbox();
    let wheel = asking(&sandbox, ASKS);
    made(&sandbox, &["env", &wheel], "env");
    fs_err::create_dir(sandbox.path("mine")).unwrap();
    library(&sandbox, "mine/libfound.so.1", 5, &[]);
    let mine = sandbox.path("mine/libfound.so.1");
    let code = format!(
        "import ctypes; ctypes.CDLL('{}'); import asks; print(asks.by_soname())",
        mine.display()
    );
    assert_eq!(run(&sandbox, "env", &code), "5\n");
    // A hook that asks all others, as ours does.
    let hook = "import sys
class Hook:
    seen = []
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if not name.startswith('ctypes'):
            return None
        cls.seen.append(name)
        for finder in sys.meta_path:
            spec = finder is not cls and finder.find_spec(name, path, target)
            if spec:
                return spec
sys.meta_path.insert(AT, Hook)
import asks, importlib, ctypes
importlib.reload(ctypes)
print(asks.by_soname(), asks.found(), Hook.seen[:2], ctypes.__spec__.loader.__class__.__name__)
";
    for at in ["0", "1"] {
        let text = run(&sandbox, "env", &hook.replace("AT", at));
        let want = "7 7 ['ctypes', 'ctypes._endian'] SourceFileLoader\n";
        assert_eq!(text, want);
    }
}

#[test]
fn a_wheel_without_elf_files_is_not_proved_without_a_word() {
    let sandbox = sandbox();
    let wheel = asking(&sandbox, ASKS);
    let text = made(&sandbox, &["install", &wheel], "p");
    assert!(
        text.contains("no ELF file; 0 of 4 calls by which Python code opens libraries find one"),
        "{text}"
    );
    assert!(
        text.contains("fix: add --library-table  # Python finds `libfound.so` by"),
        "{text}"
    );
    let text = made(&sandbox, &["env", &wheel], "env");
    assert!(
        text.contains("no ELF file; 4 of 4 calls by which Python code opens libraries find one"),
        "{text}"
    );
    let source =
        "import ctypes, os\nx = os.environ.get('X')\n\ndef f():\n    return ctypes.CDLL(x)\n";
    let wheel = asking(&sandbox, source);
    let text = made(&sandbox, &["install", &wheel], "q");
    assert!(
        text.contains("Python code opens libraries that it does not name"),
        "{text}"
    );
    assert!(
        text.contains("__init__.py:5` opens a library by a name that is not"),
        "{text}"
    );
    let wheel = asking(&sandbox, "import ctypes\nx = ctypes.CDLL(None)\n");
    let text = made(&sandbox, &["install", &wheel], "r");
    assert!(text.contains("no ELF file"), "{text}");
}

#[test]
fn calls_without_a_name_are_told_beside_distributions_with_elf_files() {
    let sandbox = sandbox();
    let source = "import ctypes, os\n\ndef f():\n    return ctypes.CDLL(os.environ['X'])\n";
    let library = fs_err::read(sandbox.path("libs/lib/libfound.so.1")).unwrap();
    let with_elf = WheelBuilder::new("native", "1.0")
        .platlib()
        .tags("cp311-cp311-linux_x86_64")
        .file("native/__init__.py", source)
        .file("native/libfound.so.1", library);
    let wheels = [asking(&sandbox, source), sandbox.wheel(&with_elf)];
    let text = made(&sandbox, &["env", &wheels[0], &wheels[1]], "env");
    assert!(
        text.contains("asks/__init__.py:4` opens a library by a name that is not"),
        "{text}"
    );
    assert!(!text.contains("native/__init__.py:4`"), "{text}");
    assert!(text.contains("1 of 1 object proved"), "{text}");
}

#[test]
fn calls_without_a_name_of_a_wheel_with_elf_files_are_one_warning() {
    let sandbox = sandbox();
    let library = fs_err::read(sandbox.path("libs/lib/libfound.so.1")).unwrap();
    let own = "import os\nfrom ctypes import CDLL\nx = CDLL(os.path.join(os.path.dirname(__file__), 'libfound.so.1'))\n";
    let open =
        |count: usize| "import ctypes\n".to_owned() + &"ctypes.CDLL(__doc__)\n".repeat(count);
    let native = WheelBuilder::new("native", "1.0")
        .platlib()
        .tags("cp311-cp311-linux_x86_64")
        .file(
            "native/__init__.py",
            format!("from . import one, two\n{own}"),
        )
        .file(
            "native/one.py",
            format!("y = CDLL('libc.so.6')\n{}", open(2)),
        )
        .file("native/two.py", open(4))
        .file("native/win32.py", open(1))
        .file("native/tests/two.py", open(1))
        .file("native/left.py", open(1))
        .file("native/libfound.so.1", library);
    let wheel = sandbox.wheel(&native);
    let text = made(&sandbox, &["install", &wheel], "p");
    let want = "warning: `native/one.py:3`, `native/one.py:4`, `native/two.py:2` and 3 more calls open libraries by \
                names that are not in the source: nothing is known of them\n";
    assert!(text.contains(want), "{text}");
    assert_eq!(text.matches("nothing is known").count(), 1, "{text}");
    let rules = "[[dlopen]]\nname='r'\nreason='b'\nsource='c'\nfrom=['native/*.py']\nopens=['libfound.so.1']\n";
    fs_err::write(sandbox.path("rules.toml"), rules).unwrap();
    let text = made(&sandbox, &["install", &wheel, "--rules", "rules.toml"], "q");
    assert!(!text.contains("nothing is known"), "{text}");
}

#[test]
fn an_environment_below_a_directory_of_tests_is_one_as_any_other() {
    let sandbox = sandbox();
    let wheel = asking(&sandbox, ASKS);
    let text = made(&sandbox, &["install", &wheel], "tests/asks");
    assert!(!text.contains("error"), "{text}");
    for (input, out) in [
        (wheel.as_str(), "test/of-wheel"),
        ("tests/asks", "test/of-prefix"),
    ] {
        made(&sandbox, &["env", input], out);
        assert!(has_table(&sandbox.path(out).join(SITE)), "{out}");
    }
}

#[test]
fn an_environment_is_told_what_to_put_on_its_library_path() {
    let sandbox = sandbox();
    let source = "import ctypes\nx = ctypes.CDLL('libhidapi-hidraw.so.0')\n";
    let wheel = asking(&sandbox, source);
    let text = make(&sandbox, &["env", &wheel], "env");
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(
        text.contains("  fix: add --lib-path ") && text.contains("hidapi"),
        "{text}"
    );
    assert!(!text.contains("[[replace]]"), "{text}");
    let text = make(&sandbox, &["install", &wheel], "p");
    assert!(
        text.contains("  fix: add --library-table  # with `--lib-path DIR` of `"),
        "{text}"
    );
}

#[test]
fn tables_of_several_prefixes_count_together() {
    let sandbox = sandbox();
    library(&sandbox, "libs/lib/libother.so.1", 9, &[]);
    let other = "import ctypes\ndef f():\n    return ctypes.CDLL('libother.so.1').number()\n";
    let other = WheelBuilder::new("other", "1.0").file("other/__init__.py", other);
    let wheels = [asking(&sandbox, ASKS), sandbox.wheel(&other)];
    for (wheel, out) in wheels.iter().zip(["one", "two"]) {
        made(&sandbox, &["install", wheel, "--library-table"], out);
    }
    let empty = sandbox.wheel(&WheelBuilder::new("empty", "1.0").file("empty.py", ""));
    made(&sandbox, &["env", &empty], "env");
    for order in [["one", "two"], ["two", "one"]] {
        let sites = order.map(|name| sandbox.path(name).join(SITE));
        let code = format!(
            "import site\nfor each in {sites:?}: site.addsitedir(each)\n\
            import asks, other; print(asks.by_soname(), asks.found(), other.f())"
        );
        assert_eq!(run(&sandbox, "env", &code), "7 7 9\n");
    }
}

#[test]
fn the_c_library_is_found_by_its_name() {
    let sandbox = sandbox();
    let source = "from ctypes.util import find_library\ndef f():\n    \
        return [find_library(name) for name in ('c', 'm', 'pthread', 'nothing')]\n";
    let wheel = asking(&sandbox, source);
    made(&sandbox, &["env", &wheel], "env");
    let table = "import _wheelfix_libraries as l; print(l.LIBRARIES)";
    let want =
        "{'libc.so': 'libc.so.6', 'libm.so': 'libm.so.6', 'libpthread.so': 'libpthread.so.0'}\n";
    assert_eq!(run(&sandbox, "env", table), want);
    let found = "import asks; print(asks.f())";
    let want = "['libc.so.6', 'libm.so.6', 'libpthread.so.0', None]\n";
    assert_eq!(run(&sandbox, "env", found), want);
    let text = sandbox.run(&["check", "env", "--python", &python()]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
}

#[test]
fn what_a_table_leads_to_and_is_gone_is_missing() {
    let sandbox = sandbox();
    let wheel = asking(
        &sandbox,
        "import ctypes\nx = ctypes.CDLL('libfound.so.1')\n",
    );
    made(&sandbox, &["env", &wheel], "env");
    let check = ["check", "env", "--python", &python()];
    for change in [
        |path: &Path| fs_err::write(path, "no library").unwrap(),
        |path: &Path| fs_err::remove_file(path).unwrap(),
    ] {
        change(&sandbox.path("libs/lib/libfound.so.1"));
        let text = sandbox.run(&check);
        assert!(text.starts_with("exit: 1\n"), "{text}");
        assert!(text.contains("error: `libfound.so.1` is missing"), "{text}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "runs what was installed")]
fn what_is_added_to_a_prefix_adds_to_its_table() {
    let sandbox = sandbox();
    library(&sandbox, "libs/lib/libother.so.1", 9, &[]);
    let source = |library: &str| {
        format!("import ctypes\ndef number():\n    return ctypes.CDLL('{library}').number()\n")
    };
    let wheel = |name: &str, library: &str| {
        let wheel = WheelBuilder::new(name, "1.0");
        sandbox.wheel(&wheel.file(&format!("{name}/__init__.py"), source(library)))
    };
    let (one, two) = (wheel("one", "libfound.so.1"), wheel("two", "libother.so.1"));
    let add = |wheel: &str, prefix: &str, more: &[&str]| {
        made(
            &sandbox,
            &[&["install", wheel, "--merge", "--library-table"], more].concat(),
            prefix,
        )
    };
    let site = |prefix: &str| sandbox.path(prefix).join("lib/python3.11/site-packages");
    add(&one, "p", &[]);
    add(&two, "p", &["--no-bytecode"]);
    let code = "import site, sys; site.addsitedir(sys.argv[1]); import one, two; print(one.number(), two.number())";
    let mut python = Command::new(python());
    let output = python
        .args(["-IB", "-c", code])
        .arg(site("p"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "7 9\n",
        "{output:?}"
    );
    // Bytecode of the table of before would be believed.
    let stale = site("p").join("__pycache__");
    assert!(
        fs_err::read_dir(stale)
            .into_iter()
            .flatten()
            .next()
            .is_none()
    );
    // The RECORD that lists it is true.
    let text = sandbox.run(&["check", "p"]);
    assert!(!text.contains("RECORD"), "{text}");
    let record = |name: &str| {
        fs_err::read_to_string(site("p").join(format!("{name}-1.0.dist-info/RECORD"))).unwrap()
    };
    assert!(record("one").contains("_wheelfix_libraries.py,sha256="));
    assert!(!record("two").contains("_wheelfix"), "{}", record("two"));
    let before = sandbox.tree("p");
    add(&two, "p", &["--no-bytecode"]);
    assert_eq!(sandbox.tree("p"), before);
    add(&two, "q", &["--no-bytecode"]);
    add(&one, "q", &["--no-bytecode"]);
    let table =
        |prefix: &str| fs_err::read_to_string(site(prefix).join("_wheelfix_libraries.py")).unwrap();
    assert_eq!(table("p"), table("q"));
    // Without the option what is there stays.
    let more = wheel("more", "libfound.so.1");
    made(&sandbox, &["install", &more, "--merge"], "q");
    assert_eq!(table("p"), table("q"));
}
