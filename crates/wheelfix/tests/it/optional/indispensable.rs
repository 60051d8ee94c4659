//! Files that a package does not work without are never offered to be left out.

use wheelfix_testkit::cache;

use crate::optional::{Case, GONE, MISSING, MODULE};

const IMPORT: &str = "from . import x\n";
const OFFER: &str = "--exclude";

#[track_caller]
fn refused(case: &Case, why: &str, is_offered: bool) {
    let text = case.fails(&[], why);
    assert_eq!(text.contains(OFFER), is_offered, "{text}");
    assert!(text.contains("\n  fix: "), "{text}");
}

/// As usearch, of which nothing is left without its module.
#[test]
fn what_a_package_imports_is_no_file_to_leave_out() {
    let other =
        || Case::new(IMPORT).elf("m/other.so", "void *PyInit_other(void) { return 0; }", &[]);
    refused(&other().elf("m/x.so", MODULE, GONE), MISSING, false);
    // The only module is what somebody imports, whatever the sources of the package say, as those of realesrgan.
    for init in ["", "if 1:\n    from . import x\n"] {
        refused(&Case::new(init).elf("m/x.so", MODULE, GONE), MISSING, false);
    }
    let guarded = "try:\n    from . import x\nexcept ImportError:\n    x = None\n";
    for init in [guarded, "NAME = 'm.x'\n"] {
        let case = Case::new(init).elf("m/other.so", "void *PyInit_other(void) { return 0; }", &[]);
        refused(&case.elf("m/x.so", MODULE, GONE), MISSING, true);
    }
}

#[test]
fn what_is_lacking_in_any_way_is_no_file_to_leave_out() {
    let calls = |count: usize| {
        let calls =
            (0..count).map(|at| format!("int n{at}(void); int f{at}(void) {{ return n{at}(); }} "));
        calls.collect::<String>() + MODULE
    };
    for count in [1, 9] {
        let case = Case::new(IMPORT).elf("m/x.so", &calls(count), &[]);
        refused(&case, "undefined symbol", false);
        let text = case.install(&[]);
        assert!(
            text.contains("--lib-path PREFIX  # where PREFIX has what defines them"),
            "{text}"
        );
    }
    let damaged = |init| {
        let mut case = Case::new(init).module();
        case.wheel = case.wheel.file("m/y.so", b"\x7fELF\x02\x01\x01".to_vec());
        case
    };
    refused(
        &damaged("from . import y\n"),
        "m/y.so` is a damaged ELF file",
        false,
    );
    refused(&damaged(""), "m/y.so` is a damaged ELF file", true);
}

#[test]
fn what_such_a_module_needs_is_no_file_to_leave_out() {
    let case = || {
        let case = Case::new(IMPORT);
        let args = ["-Wl,-soname,libcore.so", "-o", "libcore.so"];
        case.sandbox.library("int core;", &args);
        case.elf(
            "m/libcore.so",
            "int core;",
            &[GONE, &["-Wl,-soname,libcore.so"]].concat(),
        )
    };
    let needing = ["-Wl,--no-as-needed", "libcore.so", "-Wl,-rpath,$ORIGIN"];
    refused(&case().elf("m/x.so", MODULE, &needing), MISSING, false);
    refused(
        &case()
            .module()
            .elf("m/y.so", "void *PyInit_y(void) { return 0; }", &needing),
        MISSING,
        true,
    );
}

/// As cyclonedds: what opens the library is imported.
#[test]
fn a_source_that_is_imported_is_no_file_to_leave_out() {
    let opens = "import ctypes\nx = ctypes.CDLL('libgone.so.1')\n";
    for (init, is_offered) in [("from . import y\n", false), ("", true)] {
        let mut case = Case::new(init).module();
        case.wheel = case.wheel.file("m/y.py", opens);
        let wheel = case.sandbox.wheel(&case.wheel);
        let python = cache::tool("python3").to_str().unwrap().to_owned();
        let args = ["env", &wheel, "--prefix", "e", "--dry-run", "--python"];
        let text = case.sandbox.run(&[&args[..], &[&python]].concat());
        assert!(text.contains("`libgone.so.1` is missing"), "{text}");
        assert_eq!(text.contains(OFFER), is_offered, "{text}");
    }
}
