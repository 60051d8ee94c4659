//! Sources that open libraries by paths that they make: of what they may open, parts of others need not load alone.

use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// Opens whatever is there.
const OPENER: &str =
    "import ctypes, glob\nfor path in glob.glob(__path__[0] + '/lib/*'): ctypes.CDLL(path)\n";

/// Installs a package with this source, a module, and two libraries of which one calls the other and does not need it.
fn install(init: &str, base: &str) -> String {
    let sandbox = Sandbox::new();
    let build = |source: &str| {
        sandbox.library(source, &["-o", "made.so"]);
        fs_err::read(sandbox.path("made.so")).unwrap()
    };
    let module = build("void *PyInit_x(void) { return 0; }");
    let (base, part) = (
        build(base),
        build("extern int base(void); int part(void) { return base(); }"),
    );
    let wheel = WheelBuilder::new("m", "1.0")
        .tags("cp311-cp311-linux_x86_64")
        .file("m/__init__.py", init)
        .file("m/x.so", module)
        .file("m/lib/libbase.so", base)
        .file("m/lib/libpart.so", part);
    let wheel = sandbox.wheel(&wheel);
    let python = cache::tool("python3");
    let args = ["install", &wheel, "--prefix", "p", "--dry-run", "--python"];
    sandbox.run(&[&args[..], &[python.to_str().unwrap()]].concat())
}

#[test]
fn a_part_that_another_library_completes_is_told() {
    let text = install(OPENER, "int base(void) { return 1; }");
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let want = "m/lib/libpart.so` is left aside: it loads only after what has its symbols";
    assert!(text.contains(want), "{text}");
}

#[test]
fn a_part_that_nothing_completes_or_that_is_named_is_refused() {
    let named = format!("{OPENER}FIRST = 'libpart.so'\n");
    for (init, base) in [
        (OPENER, "int other(void) { return 1; }"),
        (&named, "int base(void) { return 1; }"),
    ] {
        let text = install(init, base);
        assert!(text.starts_with("exit: 1\n"), "{text}");
        assert!(text.contains("libpart.so`: undefined symbol"), "{text}");
    }
}

/// Installs a package of which one module opens a library that is nowhere, and another imports that module so.
fn install_importer(import: &str) -> String {
    let sandbox = Sandbox::new();
    let opens = "import ctypes\nlib = ctypes.CDLL('libnowhere.so.1')\n";
    let wheel = WheelBuilder::new("m", "1.0")
        .file("m/__init__.py", "from . import backend\n")
        .file("m/backend.py", import)
        .file("m/egl.py", opens);
    let wheel = sandbox.wheel(&wheel);
    let python = cache::tool("python3");
    let args = ["install", &wheel, "--prefix", "p", "--dry-run", "--python"];
    sandbox.run(&[&args[..], &[python.to_str().unwrap()]].concat())
}

#[test]
fn a_module_that_is_imported_with_care_may_lack_its_library() {
    for import in [
        "try:\n    from . import egl\nexcept OSError:\n    egl = None\n",
        "def start():\n    from . import egl\n",
    ] {
        let text = install_importer(import);
        assert!(text.starts_with("exit: 0\n"), "{text}");
        assert!(
            text.contains("warning: `libnowhere.so.1` is missing"),
            "{text}"
        );
    }
    for import in [
        "from . import egl\n",
        "try:\n    from . import egl\nexcept ImportError:\n    egl = None\n",
    ] {
        let text = install_importer(import);
        assert!(text.starts_with("exit: 1\n"), "{text}");
        assert!(
            text.contains("error: `libnowhere.so.1` is missing"),
            "{text}"
        );
    }
}
