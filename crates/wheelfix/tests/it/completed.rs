//! Libraries and modules that load only after what has their symbols.

use wheelfix_testkit::elf::Tool;

use crate::optional::{Case, MODULE};

#[test]
fn a_program_completes_what_it_opens() {
    // As PostgreSQL's modules, which `postgres` opens.
    let lacking = "int of_host(void); int f(void) { return of_host(); }";
    let source = "HOST = 'hosting'\nLAYER = 'liblayer'\n";
    let module = || {
        Case::new(source)
            .module()
            .elf("m/liblayer.so", lacking, &[])
    };
    module().fails(&[], "undefined symbol `of_host`");
    let host = "int of_host(void) { return 1; }";
    let own = format!("{host} int main(void) {{ return 0; }}");
    let of_library = "int of_host(void); int main(void) { return !of_host(); }";
    // By itself, and by a library that it needs, as GAP's packages have theirs of `gap`.
    for source in [own.as_str(), of_library] {
        let mut case = module();
        let mut args = vec!["-rdynamic", "host.c", "-o", "host", "-Wl,-rpath,$ORIGIN"];
        if source == of_library {
            case.sandbox.library(host, &["-o", "libhost.so"]);
            args.extend(["-L.", "-lhost"]);
        }
        fs_err::write(case.sandbox.path("host.c"), source).unwrap();
        Tool::CC.run_in(&case.sandbox.path("."), &args).expect();
        if source == of_library {
            let library = bytes(&case, "libhost.so");
            case.wheel = case.wheel.file("m/libhost.so", library);
            case.fails(&[], "undefined symbol `of_host`");
        }
        let program = bytes(&case, "host");
        case.wheel = case.wheel.executable("m/hosting", program);
        let text = case.passes(&[]);
        assert!(text.contains("  defined by: "), "{text}");
        if source == of_library {
            let opens = "import ctypes\nctypes.CDLL(HERE + '/liblayer.so')\n";
            let wheel = case.wheel.clone().file("m/opens.py", opens);
            let sandbox = case.sandbox;
            let opened = Case { sandbox, wheel };
            opened.fails(&[], "undefined symbol `of_host`");
            case.sandbox = opened.sandbox;
        }
        // A name that Python might import makes no module of it.
        let case = case.elf("m/z.so", lacking, &[]);
        case.passes(&[]);
        // What Python imports is not opened by it.
        let module = format!("{lacking} void *PyInit_y(void) {{ return 0; }}");
        let case = case.elf("m/y.so", &module, &[]);
        case.fails(&[], "undefined symbol `of_host`");
    }
}

fn bytes(case: &Case, name: &str) -> Vec<u8> {
    fs_err::read(case.sandbox.path(name)).unwrap()
}

#[test]
fn a_rule_says_what_completes_a_module() {
    let lacking = format!("int bridge_f(void); int f(void) {{ return bridge_f(); }} {MODULE}");
    let case = Case::new("")
        .elf("m/x.so", &lacking, &[])
        .elf("m/y.so", "int PyInit_y;", &[]);
    case.fails(&[], "undefined symbol `bridge_f`");
    let rule = "[[together]]\nname = 'mine'\nreason = 'a'\nsource = 'b'\ncompleted = ['m/x.so']\nsymbols = ";
    let write = |globs: &str| fs_err::write(case.sandbox.path("r.toml"), format!("{rule}{globs}"));
    write("['bridge_*']").unwrap();
    let text = case.passes(&["--rules", "r.toml"]);
    assert!(
        text.contains("loads only after its host (rule `mine`)"),
        "{text}"
    );
    write("['other_*']").unwrap();
    case.fails(&["--rules", "r.toml"], "undefined symbol `bridge_f`");
    write("['*']").unwrap();
    case.fails(
        &["--rules", "r.toml"],
        "`symbols` matches nearly every symbol",
    );
}

/// Leaving a library out alone would move the fault to what needs it.
#[test]
fn what_others_need_is_not_left_out_alone() {
    let lacking = "int nowhere(void); int f(void) { return nowhere(); }";
    let case = Case::new("").elf("m/y.so", &MODULE.replace("PyInit_x", "PyInit_y"), &[]);
    case.sandbox
        .library(lacking, &["-o", "liba.so", "-Wl,-soname,liba.so"]);
    let library = bytes(&case, "liba.so");
    let link = ["-Wl,--no-as-needed", "-Wl,-rpath,$ORIGIN", "-L.", "-la"];
    let mut case = case.elf("m/x.so", MODULE, &link);
    case.wheel = case.wheel.file("m/liba.so", library);
    let text = case.fails(&[], "`m/liba.so`: undefined symbol `nowhere`");
    let (one, other) = ("--exclude m/liba.so", "--exclude m/x.so");
    assert!(text.contains(one) && text.contains(other), "{text}");
    case.passes(&["--exclude", "m/*.so"]);
}

/// A source that has no name of a library opens none; what another object opens has that one's symbols.
#[test]
fn a_library_completes_what_it_opens() {
    let lacking = "int of_host(void); int f(void) { return of_host(); }";
    let host = "extern void *dlopen(const char *, int) __attribute__((weak));
        int of_host(void) { return dlopen(\"libplugged.so\", 1) != 0; }";
    let case = |source: &str| {
        let case = Case::new(source).module();
        let case = case.elf("m/libplugged.so", lacking, &[]);
        case.elf("m/libhost.so", host, &[])
    };
    // A word of it alone is no name, while nothing opens what it does not name.
    let text = case("HOST = 'libhost'\nNAME = 'plugged'\n").passes(&[]);
    let note = "m/libplugged.so` is left aside: it loads only after what has its symbols";
    assert!(text.contains(note), "{text}");
    for source in [
        "NAME = 'libplugged'\n",
        "import ctypes\nNAME = 'plugged'\ndef f():\n    ctypes.CDLL(path(NAME))\n",
    ] {
        case(source).fails(&[], "undefined symbol `of_host`");
    }
}

/// As casatools: its library has symbols of one of the modules that need it, which the package imports first.
#[test]
fn a_module_that_is_imported_first_completes_a_library() {
    let lacking = "int of_first(void); int f(void) { return of_first(); }";
    let module = |name: &str| MODULE.replace("PyInit_x", &format!("PyInit_{name}"));
    let first = format!("{} int of_first(void) {{ return 1; }}", module("first"));
    let needs = ["-Wl,--no-as-needed", "-L.", "-lcore", "-Wl,-rpath,$ORIGIN"];
    let case = |init: &str| {
        let case = Case::new(init);
        case.sandbox.library(lacking, &["-o", "libcore.so"]);
        let case = case.elf("m/libcore.so", lacking, &[]);
        case.elf("m/second.so", &module("second"), &needs)
    };
    case("from . import first, second\n").fails(&[], "undefined symbol `of_first`");
    let init = "from . import first\nfrom . import second\n";
    let text = case(init).elf("m/first.so", &first, &needs).passes(&[]);
    let note = "m/second.so` is left aside: it loads only together with `m/first.so`";
    assert!(text.contains(note), "{text}");
    // Nothing imports the other one.
    let case = case("from . import second\n").elf("m/first.so", &first, &needs);
    case.fails(&[], "undefined symbol `of_first`");
}

/// As in `freeze_core`: a program brings modules for its own interpreter, in no package.
#[test]
fn a_program_completes_modules_that_lie_in_no_package() {
    let case = Case::new("").module();
    let source = "int of_host(void) { return 1; } int main(void) { return 0; }";
    fs_err::write(case.sandbox.path("host.c"), source).unwrap();
    let args = ["-rdynamic", "host.c", "-o", "host"];
    Tool::CC.run_in(&case.sandbox.path("."), &args).expect();
    let program = bytes(&case, "host");
    let module = "int of_host(void); void *PyInit_y(void) { of_host(); return 0; }";
    let mut case = case.elf("m/lib/y.so", module, &[]);
    case.wheel = case.wheel.executable("m/base/host", program);
    let text = case.passes(&[]);
    assert!(text.contains("m/lib/y.so` is left aside"), "{text}");
    case.wheel = case.wheel.file("m/lib/__init__.py", "");
    case.fails(&[], "undefined symbol `of_host`");
}

/// As clingo-dl: its package imports clingo first, a wheel of its own, which makes its symbols visible to all.
#[test]
fn another_wheel_that_is_imported_first_completes_a_module() {
    let module = format!("int nowhere(void); int f(void) {{ return nowhere(); }} {MODULE}");
    let case = |init: &str, global: &str| {
        let case = Case::new(init).elf("m/x.so", &module, &[]);
        let core = case.sandbox.path("other/lib/python3.11/site-packages/core");
        fs_err::create_dir_all(&core).unwrap();
        fs_err::write(core.join("__init__.py"), global).unwrap();
        let output = core.join("core.cpython-311-x86_64-linux-gnu.so");
        let args = ["-o", output.to_str().unwrap()];
        case.sandbox
            .library("int nowhere(void) { return 1; }", &args);
        case
    };
    let import = "from core.theory import T\nfrom . import x\n";
    let global = "import sys, os\nsys.setdlopenflags(os.RTLD_LAZY | os.RTLD_GLOBAL)\n";
    let lib_path = ["--lib-path", "other"];
    let text = case(import, global).passes(&lib_path);
    assert!(
        text.contains("loads only after what has its symbols"),
        "{text}"
    );
    for (import, global) in [("from . import x\n", global), (import, "")] {
        case(import, global).fails(&lib_path, "undefined symbol `nowhere`");
    }
}
