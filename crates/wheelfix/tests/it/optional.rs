//! Parts of a wheel that need not load: left out or told, and never at the cost of what must.

mod accelerated;
mod indispensable;
mod other_pythons;

use serde_json::Value;
use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// A module of the package `m`, which Python imports; its init function is all that it has.
pub(crate) const MODULE: &str = "void *PyInit_x(void) { return 0; }";

/// A sandbox with libraries, and a wheel that is made of them.
pub(crate) struct Case {
    pub(crate) sandbox: Sandbox,
    pub(crate) wheel: WheelBuilder,
}

impl Case {
    /// A wheel with a package without extension modules, and these sources in its `__init__.py`.
    pub(crate) fn new(init: &str) -> Self {
        let sandbox = Sandbox::new();
        for name in ["libgone.so.1", "libgone.so.2", "libother.so.1"] {
            let soname = format!("-Wl,-soname,{name}");
            sandbox.library("int gone;", &[&soname, "-o", name]);
        }
        Self {
            sandbox,
            wheel: WheelBuilder::new("m", "1.0")
                .tags("cp311-cp311-linux_x86_64")
                .file("m/__init__.py", init),
        }
    }

    /// Adds a library to the wheel.
    pub(crate) fn elf(mut self, path: &str, source: &str, args: &[&str]) -> Self {
        let output = ["-o", "made.so"];
        self.sandbox.library(source, &[args, &output[..]].concat());
        let bytes = fs_err::read(self.sandbox.path("made.so")).unwrap();
        self.wheel = self.wheel.file(path, bytes);
        self
    }

    /// Adds the module `m.x`.
    pub(crate) fn module(self) -> Self {
        self.elf("m/x.so", MODULE, &[])
    }

    pub(crate) fn python() -> String {
        cache::tool("python3").to_str().unwrap().to_owned()
    }

    pub(crate) fn install(&self, args: &[&str]) -> String {
        let wheel = self.sandbox.wheel(&self.wheel);
        let python = Self::python();
        let start = ["install", &wheel, "--prefix", "p", "--no-bytecode"];
        let target = ["--python", &python];
        if self.sandbox.path("p").is_dir() {
            fs_err::remove_dir_all(self.sandbox.path("p")).unwrap();
        }
        self.sandbox.run(&[&start[..], &target, args].concat())
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        let site = self.sandbox.path("p/lib/python3.11/site-packages");
        site.join(path).is_file()
    }

    #[track_caller]
    pub(crate) fn passes(&self, args: &[&str]) -> String {
        let text = self.install(args);
        assert!(text.starts_with("exit: 0\n"), "{text}");
        text
    }

    #[track_caller]
    pub(crate) fn fails(&self, args: &[&str], why: &str) -> String {
        let text = self.install(args);
        assert!(text.starts_with("exit: 1\n"), "{text}");
        assert!(text.contains(why), "{text}");
        text
    }
}

const GONE: &[&str] = &["libgone.so.1"];
const MISSING: &str = "error: `libgone.so.1` is missing";

#[test]
fn a_plugin_that_nothing_needs_is_left_out_and_told() {
    let case = Case::new("")
        .module()
        .elf("m/plugins/libplug.so", "int p;", GONE);
    let text = case.passes(&[]);
    assert!(
        !case.has("m/plugins/libplug.so") && case.has("m/x.so"),
        "{text}"
    );
    for part in [
        "1 left out",
        "warning: 1 file left out that cannot be loaded and need not (rule `optional`)",
        "m/plugins/libplug.so\n  missing: `libgone.so.1`\n  fix: add --lib-path DIR",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let record = case
        .sandbox
        .path("p/lib/python3.11/site-packages/m-1.0.dist-info/RECORD");
    assert!(!fs_err::read_to_string(record).unwrap().contains("libplug"));
    let text = case.passes(&["--lib-path", "."]);
    assert!(case.has("m/plugins/libplug.so"), "{text}");
}

#[test]
fn a_file_that_is_not_called_as_a_library_is_nobodys_library() {
    let carrier = || Case::new("").elf("m/libcore.so", "int core;", &[]);
    carrier()
        .elf("m/testdata/libplug.so_", "int p;", GONE)
        .passes(&[]);
    // A library is for whoever asks, and a source may ask for any name.
    let case = carrier().elf("m/testdata/libplug.so", "int p;", GONE);
    case.fails(&[], MISSING);
    let case = Case::new("import ctypes\nplug = 'libplug.so_'\n");
    let case = case.elf("m/libcore.so", "int core;", &[]);
    let case = case.elf("m/testdata/libplug.so_", "int p;", GONE);
    case.fails(&[], MISSING);
}

#[test]
fn every_command_tells_what_it_leaves_out() {
    let case = Case::new("")
        .module()
        .elf("m/plugins/libplug.so", "int p;", GONE);
    let wheel = case.sandbox.wheel(&case.wheel);
    let python = cache::tool("python3").to_str().unwrap().to_owned();
    for args in [
        &["install", &wheel, "--prefix", "p", "--no-bytecode"][..],
        &["install", &wheel, "--prefix", "q", "--dry-run"],
        &["env", &wheel, "--prefix", "e"],
        &["patch", &wheel, "--output", "new"],
        &["check", &wheel, "--warnings"],
    ] {
        let text = case.sandbox.run(&[args, &["--python", &python]].concat());
        assert!(text.starts_with("exit: 0\n"), "{args:?}: {text}");
        let told = "warning: 1 file left out that cannot be loaded and need not (rule `optional`)";
        assert!(text.contains(told), "{args:?}: {text}");
        assert!(
            text.contains("  missing: `libgone.so.1`"),
            "{args:?}: {text}"
        );
    }
}

#[test]
fn the_decision_is_in_the_document() {
    let case = Case::new("")
        .module()
        .elf("m/plugins/libplug.so", "int p;", GONE);
    let text = case.passes(&["--json"]);
    let (_, text) = text.split_once("--- stdout\n").unwrap();
    let (text, _) = text.split_once("--- stderr\n").unwrap();
    let document: Value = serde_json::from_str(text).unwrap();
    let plan = &document["relocation"];
    assert_eq!(plan["drops"][0]["rule"], "optional");
    assert_eq!(plan["drops"][0]["missing"][0], "libgone.so.1");
    assert_eq!(plan["warnings"][0]["fault"], "left-out");
    assert_eq!(plan["warnings"][0]["remedies"][0]["remedy"], "add-lib-path");
}

#[test]
fn what_must_load_is_a_fault_as_ever() {
    // A module, and a library that one needs.
    Case::new("")
        .elf("m/x.so", MODULE, GONE)
        .fails(&[], MISSING);
    let case = Case::new("").elf("m/libmid.so", "int mid;", GONE);
    case.sandbox
        .library("int mid;", &["-Wl,-soname,libmid.so", "-o", "libmid.so"]);
    case.elf("m/x.so", MODULE, &["libmid.so"])
        .fails(&[], MISSING);
    // A library that a source opens by a name, by a part of one, or by a path that it makes.
    for source in [
        "from ctypes import CDLL\ndef f(p): return CDLL(p + '/libplug.so')\n",
        "NAME = 'plug'\n",
        "import ctypes, os\nLIB = ctypes.CDLL(os.path.join(HERE, name()))\n",
        "import torch\ntorch.ops.load_library(path)\n",
    ] {
        let case = Case::new(source)
            .module()
            .elf("m/libplug.so", "int p;", GONE);
        case.fails(&[], MISSING);
    }
}

#[test]
fn a_module_is_one_in_every_directory() {
    // Python imports from directories without `__init__.py`, and sources add others to the path.
    for name in [
        "m/sub/y.cpython-311-x86_64-linux-gnu.so",
        "m/vendor/y.abi3.so",
    ] {
        Case::new("")
            .module()
            .elf(name, MODULE, GONE)
            .fails(&[], MISSING);
    }
    // Without a tag it is one beside other modules, and where a source has its name.
    let init = "m/sub/__init__.cpython-311-x86_64-linux-gnu.so";
    let case = Case::new("").module().elf(init, MODULE, &[]);
    case.elf("m/sub/y.so", MODULE, GONE).fails(&[], MISSING);
    let case = Case::new("from .sub import _fast\n").module();
    case.elf("m/sub/_fast.so", MODULE, GONE).fails(&[], MISSING);
    let case = Case::new("").module();
    case.elf("m/sub/y.so", MODULE, GONE).passes(&[]);
}

#[test]
fn a_function_that_opens_what_it_is_given_may_open_all_of_its_distribution() {
    for source in [
        "ctypes.CDLL('%s/lib%s.so' % (here, kind))\n",
        "ctypes.cdll[path]\n",
        "from ctypes import CDLL as load\nload(path)\n",
        "ctypes.CDLL (path)\n",
        "L = ctypes.CDLL\nL(path)\n",
        "ctypes.CDLL(name=path)\n",
        "getattr(_ctypes, 'dlopen')(path, 2)\n",
        "importlib.util.spec_from_file_location('y', path)\n",
    ] {
        for path in ["m/libimpl.so", "m.libs/libimpl.so", "m_data/libimpl.so"] {
            let case = Case::new(source).module();
            case.elf(path, "int p;", GONE).fails(&[], MISSING);
        }
    }
    for source in [
        "C = ctypes.CDLL(ctypes.util.find_library('c'))\n",
        "# ctypes.CDLL(path) is not used\n",
        "from ctypes import CDLL\nC = CDLL(None)\n",
    ] {
        let case = Case::new(source).module();
        case.elf("m/libimpl.so", "int p;", GONE).passes(&[]);
    }
}

#[test]
fn a_source_of_another_distribution_opens_nothing_here() {
    let case = Case::new("").module().elf("m/libimpl.so", "int p;", GONE);
    let other = WheelBuilder::new("n", "1.0").file("n/__init__.py", "CDLL(path)\n");
    let other = case.sandbox.wheel(&other);
    case.passes(&[&other]);
    let other = WheelBuilder::new("n", "1.0").file("m/n.py", "CDLL(path)\n");
    let other = case.sandbox.wheel(&other);
    case.fails(&[&other], MISSING);
}

#[test]
fn scripts_and_byte_code_are_searched_as_sources_are() {
    for (path, text) in [
        ("m.pth", "import ctypes; ctypes.CDLL('libimpl.so')\n"),
        ("m/y.pyc", "\u{1}libimpl.so\u{2}"),
        ("m-1.0.data/scripts/m", "#!python\nNAME = 'libimpl.so'\n"),
    ] {
        let mut case = Case::new("").module();
        case.wheel = case.wheel.file(path, text);
        case.elf("m/libimpl.so", "int p;", GONE).fails(&[], MISSING);
    }
}

#[test]
fn a_library_that_another_one_names_is_no_plugin() {
    let source = "void *dlopen(const char *, int); void *PyInit_x(void) { return dlopen(\"libplug.so\", 1); }";
    let case = Case::new("").elf("m/x.so", source, &[]);
    case.elf("m/libplug.so", "int p;", GONE).fails(&[], MISSING);
}

#[test]
fn a_library_that_a_compiled_module_names_is_no_plugin() {
    // As a module of Cython does that calls `ctypes`.
    let source =
        "const char *name(void) { return \"libplug.so\"; } void *PyInit_x(void) { return 0; }";
    let case = Case::new("").elf("m/x.so", source, &[]);
    case.elf("m/libplug.so", "int p;", GONE).fails(&[], MISSING);
}

#[test]
fn a_library_is_named_by_what_is_named() {
    let named = |data: &str| format!("{data} {MODULE}");
    let first = named("const char *f(void) { return \"a-one.so\"; }");
    let case = Case::new("").elf("m/x.so", &first, &[]);
    let case = case.elf(
        "m/a-one.so",
        "const char *f(void) { return \"b-two.so\"; }",
        &[],
    );
    case.elf("m/b-two.so", "int p;", GONE).fails(&[], MISSING);
    for data in [
        "char name[32] = \"b-two.so\";",
        "const char *f(void) { return \"b-two\"; }",
    ] {
        let case = Case::new("").elf("m/x.so", &named(data), &[]);
        case.elf("m/b-two.so", "int p;", GONE).fails(&[], MISSING);
    }
}

#[test]
fn a_carrier_beside_another_distribution_is_one_still() {
    let case = Case::new("").module();
    let carrier = WheelBuilder::new("n", "1.0")
        .tags("cp311-cp311-linux_x86_64")
        .file("n/libmain.so", {
            case.sandbox
                .library("int n;", &["libgone.so.1", "-o", "libmain.so"]);
            fs_err::read(case.sandbox.path("libmain.so")).unwrap()
        });
    let carrier = case.sandbox.wheel(&carrier);
    case.fails(&[&carrier], MISSING);
    let case = case.elf("m/plugins/libplug.so", "int p;", &["libgone.so.2"]);
    case.passes(&[&carrier, "--lib-path", ".", "--exclude", "n/libmain.so"]);
}

#[test]
fn the_libraries_of_a_carrier_must_load() {
    let case = Case::new("").elf("m/libmain.so", "int p;", GONE);
    case.fails(&[], MISSING);
    let case = case.elf("m/libfine.so", "int q;", &[]);
    case.fails(&[], MISSING);
}

#[test]
fn the_output_is_not_left_without_anything() {
    let case = Case::new("").elf("m/Qt6/plugins/a/libplug.so", "int p;", GONE);
    case.fails(&[], MISSING);
    let case = case.elf("m/Qt6/plugins/a/libfine.so", "int q;", &[]);
    let text = case.passes(&[]);
    assert!(text.contains("(rule `qt-plugins`)"), "{text}");
}

#[test]
fn a_rule_of_the_user_may_require_what_is_optional() {
    let case = Case::new("")
        .module()
        .elf("m/Qt6/plugins/a/libplug.so", "int p;", GONE);
    case.passes(&[]);
    let rule = "[[backend]]\nname = 'mine'\nreason = 'a'\nsource = 'b'\nrequired = true\nfiles = ";
    fs_err::write(
        case.sandbox.path("r.toml"),
        format!("{rule}['a/libplug.so']"),
    )
    .unwrap();
    case.fails(&["--rules", "r.toml"], MISSING);
    fs_err::write(
        case.sandbox.path("r.toml"),
        format!("{rule}['a/libnone.so']"),
    )
    .unwrap();
    case.fails(&["--rules", "r.toml"], "applies to nothing");
}

#[test]
fn of_alternatives_one_must_load() {
    let with = |libraries: &[&str]| {
        let case = Case::new("import torch\ntorch.ops.load_library(path)\n").module();
        let case = case.elf("m/libcore4.so", "int a;", &["libgone.so.1"]);
        let case = case.elf("m/libcore5.so", "int a;", &["libgone.so.2"]);
        fs_err::create_dir_all(case.sandbox.path("libs")).unwrap();
        for library in libraries {
            let to = case.sandbox.path("libs").join(library);
            fs_err::copy(case.sandbox.path(library), to).unwrap();
        }
        case
    };
    let libs = ["--lib-path", "libs"];
    let case = with(&["libgone.so.1"]);
    let text = case.passes(&libs);
    assert!(
        case.has("m/libcore4.so") && !case.has("m/libcore5.so"),
        "{text}"
    );
    assert!(text.contains("missing: `libgone.so.2`"), "{text}");
    let case = with(&["libgone.so.1", "libgone.so.2"]);
    case.passes(&libs);
    assert!(case.has("m/libcore4.so") && case.has("m/libcore5.so"));
    // None loads: it asks for one of the two.
    let text = with(&[]).fails(&libs, "error: `libgone.so.2` is missing");
    assert!(!text.contains("`libgone.so.1` is missing"), "{text}");
    // Another library that one of them lacks is no matter of versions.
    let case = with(&["libgone.so.1", "libgone.so.2"]);
    let case = case.elf(
        "m/libcore6.so",
        "int a;",
        &["libgone.so.2", "libother.so.1"],
    );
    case.fails(&libs, "error: `libother.so.1` is missing");
}

#[test]
fn what_is_named_or_needed_is_no_alternative() {
    let both = |source: &str, names: [&str; 2]| {
        let case = Case::new(source).module();
        let case = case.elf(names[0], "int a;", &["libgone.so.1"]);
        let case = case.elf(names[1], "int a;", &["libgone.so.2"]);
        fs_err::create_dir_all(case.sandbox.path("libs")).unwrap();
        let to = case.sandbox.path("libs/libgone.so.1");
        fs_err::copy(case.sandbox.path("libgone.so.1"), to).unwrap();
        case
    };
    let libs = ["--lib-path", "libs"];
    let missing = "error: `libgone.so.2` is missing";
    let parts = ["m/libpart1.so", "m/libpart2.so"];
    let source = "CDLL(here + '/libpart1.so'); CDLL(here + '/libpart2.so')\n";
    both(source, parts).fails(&libs, missing);
    let tag = ".cpython-311-x86_64-linux-gnu.so";
    let words = [format!("m/io.read{tag}"), format!("m/io.write{tag}")];
    let source = "spec_from_file_location(n, here + n)\n";
    both(source, [&words[0], &words[1]]).fails(&libs, missing);
    let case = both("", parts);
    for name in ["libpart1.so", "libpart2.so"] {
        let soname = format!("-Wl,-soname,{name}");
        case.sandbox.library("int a;", &[&soname, "-o", name]);
    }
    let case = case.elf("m/y.so", MODULE, &["libpart1.so", "libpart2.so"]);
    case.fails(&libs, missing);
}

#[test]
fn symbols_of_a_carrier_may_come_from_its_users() {
    let lacking = "int nowhere(void); int f(void) { return nowhere(); }";
    let case = Case::new("").elf("m/liblayer.so", lacking, &[]);
    case.fails(&[], "undefined symbol `nowhere`");
    let case = case.elf("m/libcore.so", "int nowhere(void) { return 1; }", &[]);
    let text = case.passes(&[]);
    assert!(text.contains("m/libcore.so\n"), "{text}");
    assert!(
        text.contains("warning: ") && text.contains("  defined by: "),
        "{text}"
    );
    assert!(
        text.contains("1 of 2 objects proved to load, 1 left aside"),
        "{text}"
    );
    // A module is imported, and nothing else of the wheel is loaded then.
    let module = format!("{lacking} {MODULE}");
    let case = Case::new("").elf("m/x.so", &module, &[]);
    let case = case.elf("m/libcore.so", "int nowhere(void) { return 1; }", &[]);
    case.fails(&[], "undefined symbol `nowhere`");
}

/// As luisa, which lists the directory: without any of them it does not start.
#[test]
fn of_what_is_called_a_backend_one_must_load() {
    let case = Case::new("").module();
    let case = case.elf("m/lib/libm-backend-cpu.so", "int b;", GONE);
    case.passes(&[]);
    let case = case.elf("m/lib/libm-backend-gpu.so", "int b;", GONE);
    case.fails(&[], MISSING);
    let both = [GONE, &["-Wl,--no-as-needed", "libother.so.1"]].concat();
    let one = Case::new("").module();
    let one = one.elf("m/lib/libm-backend-cpu.so", "int b;", GONE);
    let one = one.elf("m/lib/libm-backend-mpi.so", "int b;", &both);
    let text = one.fails(&[], MISSING);
    assert!(!text.contains("`libother.so.1` is missing"), "{text}");
    let case = case.elf("m/lib/libm-backend-none.so", "int b;", &[]);
    case.passes(&[]);
}

#[test]
fn a_library_that_is_opened_for_all_completes_others() {
    let source = "import ctypes\nctypes.CDLL(core(), mode=ctypes.RTLD_GLOBAL)\n";
    let lacking = "int nowhere(void); int f(void) { return nowhere(); }";
    let core = "int nowhere(void) { return 1; }";
    let layered = |source| {
        Case::new(source)
            .module()
            .elf("m/liblayer.so", lacking, &[])
    };
    layered(source).fails(&[], "undefined symbol `nowhere`");
    let text = layered(source).elf("m/libcore.so", core, &[]).passes(&[]);
    assert!(text.contains("  defined by: "), "{text}");
    // A comment opens nothing, and a module of another package is imported without any of it.
    let case = layered("# RTLD_GLOBAL\nLAYER = 'liblayer'\n");
    case.elf("m/libcore.so", core, &[])
        .fails(&[], "undefined symbol `nowhere`");
    let module = format!("{lacking} {MODULE}");
    let case = Case::new(source).elf("n/x.so", &module, &[]);
    case.elf("m/libcore.so", core, &[])
        .fails(&[], "undefined symbol `nowhere`");
}

#[test]
fn a_package_opens_what_its_modules_need_first() {
    // As usearch, which opens a module of numkong for its own.
    let source = "import ctypes\nctypes.CDLL(core(), mode=ctypes.RTLD_GLOBAL)\n";
    let module = format!("int nowhere(void); int f(void) {{ return nowhere(); }} {MODULE}");
    let case = Case::new(source).elf("m/x.so", &module, &[]);
    case.fails(&[], "undefined symbol `nowhere`");
    let other = "other/lib/python3.11/site-packages/core";
    fs_err::create_dir_all(case.sandbox.path(other)).unwrap();
    let output = format!("{other}/core.cpython-311-x86_64-linux-gnu.so");
    let core = "int nowhere(void) { return 1; }";
    case.sandbox.library(core, &["-o", &output]);
    let text = case.passes(&["--lib-path", "other"]);
    assert!(
        text.contains("loads only after what has its symbols"),
        "{text}"
    );
    // Nothing opens it first, or something else does later.
    let case = Case::new("").elf("m/x.so", &module, &[]);
    fs_err::create_dir_all(case.sandbox.path(other)).unwrap();
    case.sandbox.library(core, &["-o", &output]);
    case.fails(&["--lib-path", "other"], "undefined symbol `nowhere`");
    let wheel = case.wheel.clone().file("m/late.py", source);
    let case = Case { wheel, ..case };
    case.fails(&["--lib-path", "other"], "undefined symbol `nowhere`");
}

#[test]
fn a_library_for_ld_preload_is_not_opened() {
    let source = "__thread char block[4096] __attribute__((tls_model(\"initial-exec\")));\n\
        int nowhere(void); char *f(void) { return block + nowhere(); }";
    let case = Case::new("NAME = 'libpre.so'\n")
        .module()
        .elf("m/libpre.so", source, &[]);
    case.fails(&[], "static thread-local data");
    let rule = "[[preload]]\nname = 'mine'\nreason = 'a'\nsource = 'b'\nfiles = ['m/libpre.so']";
    fs_err::write(case.sandbox.path("r.toml"), rule).unwrap();
    let text = case.passes(&["--rules", "r.toml"]);
    assert!(text.contains("is for `LD_PRELOAD` (rule `mine`)"), "{text}");
    // Its own libraries must be there all the same.
    let case = Case::new("NAME = 'libpre.so'\n")
        .module()
        .elf("m/libpre.so", source, GONE);
    fs_err::write(case.sandbox.path("r.toml"), rule).unwrap();
    case.fails(&["--rules", "r.toml"], MISSING);
}

#[test]
fn what_a_sibling_lacks_is_told_with_its_prefix() {
    let sibling = Case::new("").elf("m/libcore.so", "int core;", GONE);
    sibling.passes(&["--ignore-missing", "libgone.so.1"]);
    let case = Case::new("");
    case.sandbox
        .library("int core;", &["-Wl,-soname,libcore.so", "-o", "libcore.so"]);
    let case = case.elf("m/x.so", MODULE, &["libcore.so"]);
    let prefix = sibling.sandbox.path("p");
    let args = ["--lib-path", prefix.to_str().unwrap()];
    let text = case.passes(&args);
    let told = format!(
        "`{}`, the prefix of another wheel, lacks `libgone.so.1`",
        prefix.display()
    );
    assert!(text.contains(&told), "{text}");
    // Nobody has said so of a copy that pip made, and a module that does not load is a fault.
    let site = prefix.join("lib/python3.11/site-packages");
    fs_err::remove_file(site.join("m-1.0.dist-info/wheelfix-excuses.json")).unwrap();
    fs_err::remove_file(case.sandbox.path("libgone.so.1")).unwrap();
    case.fails(&args, MISSING);
    // Nor is a directory of libraries such a prefix.
    let args = ["--lib-path", "."];
    fs_err::copy(site.join("m/libcore.so"), case.sandbox.path("libcore.so")).unwrap();
    case.fails(&args, MISSING);
}
