//! Modules of Python's own that are imported before those of a wheel, with libraries of the same names.

use std::process::Command;

use wheelfix_testkit::cache;

use crate::optional::Case;

/// A wheel whose module needs a version that only its own `libcrypto.so.3` has.
fn case(needed: &str, is_used: bool) -> Case {
    let case = Case::new("");
    let script = format!("{needed} {{ global: own; }};\n");
    fs_err::write(case.sandbox.path("v.map"), script).unwrap();
    let soname = ["-Wl,-soname,libcrypto.so.3", "-Wl,--version-script,v.map"];
    let output = ["-o", "libcrypto.so.3"];
    let source = "int own(void) { return 3; }";
    case.sandbox
        .library(source, &[&soname[..], &output].concat());
    let test = if is_used { "own() == 3" } else { "1" };
    let module = format!(
        "
        typedef struct {{ long head[5]; const char *name; const char *doc; long size; void *rest[5]; }} Definition;
        static Definition x = {{ {{ 1 }}, \"x\", 0, -1 }};
        void *PyModule_Create2(void *, int);
        int own(void);
        void *PyInit_x(void) {{ return {test} ? PyModule_Create2(&x, 1013) : 0; }}"
    );
    let args = [
        "-Wl,-rpath,$ORIGIN/lib",
        "-Wl,--no-as-needed",
        "libcrypto.so.3",
    ];
    case.elf("m/x.so", &module, &args)
        .elf("m/lib/libcrypto.so.3", source, &soname)
}

#[expect(clippy::disallowed_methods, reason = "imports what was installed")]
fn imports(case: &Case, code: &str) -> bool {
    let mut python = Command::new(cache::tool("python3"));
    python.args(["-c", code]);
    python.env(
        "PYTHONPATH",
        case.sandbox.path("p/lib/python3.11/site-packages"),
    );
    python.output().unwrap().status.success()
}

#[test]
fn what_fails_after_a_module_of_python_is_told() {
    let told = case("OPENSSL_9.9.9", true);
    let text = told.passes(&[]);
    assert!(imports(&told, "import m.x"));
    assert!(!imports(&told, "import _hashlib, m.x"));
    for part in [
        "warning: `libcrypto.so.3` is not the same file for all",
        "  m/lib/libcrypto.so.3: for m/x.so",
        "lib-dynload/_hashlib",
        "`libcrypto.so.3` does not define the version `OPENSSL_9.9.9`",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The other way round: what Python's module needs is not in the file of the wheel.
    let told = case("OPENSSL_3.0.0", false);
    let text = told.passes(&[]);
    assert!(!imports(&told, "import m.x, _hashlib"));
    let part = "lib-dynload/_hashlib.cpython-311-x86_64-linux-gnu.so` does not load after `m/x.so`";
    assert!(text.contains(part), "{text}");
    // Without a name in common nothing is tried.
    let mut other = Case::new("").module();
    other.wheel = other.wheel.file("m/y.py", "");
    assert!(!other.passes(&[]).contains("not the same file"));
}
