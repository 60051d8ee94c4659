//! The table in which Python code of a virtual environment finds the libraries that it opens by name.

use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::venv::Venv;

const SITE: &str = "v/lib/python3.11/site-packages";
const PATCH: [&str; 5] = ["patch", "v", "--lib-path", "libs", "--library-table"];
const NOTHING: &str = "nothing to do";

/// A distribution of Python code alone that opens a library by its soname.
fn opener(venv: &Venv, name: &str, library: &str) -> String {
    let source =
        format!("import ctypes\ndef f():\n    return ctypes.CDLL('lib{library}.so.1').f()\n");
    let path = format!("{name}/__init__.py");
    let wheel = WheelBuilder::new(name, "1.0").file(&path, source);
    venv.sandbox.wheel(&wheel)
}

fn library(venv: &Venv, name: &str, number: u32) {
    let (output, soname) = (
        format!("libs/lib{name}.so.1"),
        format!("-Wl,-soname,lib{name}.so.1"),
    );
    let source = format!("int f(void) {{ return {number}; }}");
    venv.sandbox.library(&source, &["-o", &output, &soname]);
}

/// The words of the environment's Python to code.
#[expect(clippy::disallowed_methods, reason = "runs the environment under test")]
fn run(venv: &Venv, code: &str) -> String {
    let mut python = std::process::Command::new(venv.path("v/bin/python"));
    let output = python.args(["-I", "-c", code]).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

fn tables(venv: &Venv) -> Vec<String> {
    let entries = fs_err::read_dir(venv.path(SITE)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.contains("wheelfix")).collect();
    names.sort();
    names
}

#[test]
fn the_table_of_an_environment_follows_what_is_installed() {
    let venv = Venv::new();
    library(&venv, "one", 1);
    library(&venv, "two", 2);
    for name in ["three", "four", "five"] {
        venv.install("copy", &venv.wheel(name, "1.0", "a"));
    }
    venv.install("copy", &opener(&venv, "one", "one"));
    venv.expect(&PATCH[..4], 0, "edited");
    assert!(tables(&venv).is_empty());
    let one = "import one; print(one.f())";
    assert!(run(&venv, one).contains("libone.so.1: cannot open"));
    venv.expect(&PATCH, 0, "1 name in the library table");
    assert_eq!(
        tables(&venv),
        ["_wheelfix_libraries.py", "wheelfix-libraries.pth"]
    );
    assert_eq!(run(&venv, one), "1\n");
    venv.expect(&PATCH, 0, NOTHING);
    // What is added is looked at alone, and the rest stays.
    venv.install("copy", &opener(&venv, "two", "two"));
    let text = venv.expect(&PATCH, 0, "2 names in the library table");
    assert!(text.contains("4 distributions unchanged"), "{text}");
    venv.expect(&PATCH, 0, NOTHING);
    assert_eq!(
        run(&venv, "import one, two; print(one.f(), two.f())"),
        "1 2\n"
    );
    let text = venv.expect(&["check", "v"], 0, "");
    assert!(!text.contains("no ELF file"), "{text}");
    // What nobody asks for any more goes.
    venv.uv(&["pip", "uninstall", "one"]);
    venv.expect(&PATCH, 0, "1 name in the library table");
    let found = "from ctypes.util import find_library as f; print(_l.LIBRARIES.keys())";
    let text = run(&venv, &format!("import _wheelfix_libraries as _l; {found}"));
    assert_eq!(text, "dict_keys(['libtwo.so.1'])\n");
    // A table that somebody else has changed or removed is made again.
    for name in tables(&venv) {
        fs_err::remove_file(venv.path(SITE).join(name)).unwrap();
        venv.expect(&PATCH, 0, "1 name in the library table");
        venv.expect(&PATCH, 0, NOTHING);
    }
    assert_eq!(run(&venv, "import two; print(two.f())"), "2\n");
    // Nobody asks for it.
    venv.expect(&PATCH[..4], 0, "edited");
    assert!(tables(&venv).is_empty());
}

#[test]
fn a_table_that_a_wheel_brings_is_replaced_and_its_record_stays_true() {
    let venv = Venv::new();
    library(&venv, "one", 1);
    venv.install("copy", &opener(&venv, "one", "one"));
    let hostile = WheelBuilder::new("hostile", "1.0")
        .file(
            "_wheelfix_libraries.py",
            "LIBRARIES = {\"libone.so.1\": \"/gone\"}\n",
        )
        .file("wheelfix-libraries.pth", "import _wheelfix_libraries\n");
    venv.install("copy", &venv.sandbox.wheel(&hostile));
    venv.expect(&PATCH, 0, "1 name in the library table");
    assert_eq!(run(&venv, "import one; print(one.f())"), "1\n");
    venv.expect(&PATCH, 0, NOTHING);
    venv.expect(&["check", "v"], 0, "");
}

#[test]
fn the_table_of_an_environment_of_wheelfix_stays() {
    let venv = Venv::new();
    library(&venv, "one", 1);
    let wheel = opener(&venv, "one", "one");
    let python = cache::tool("python3");
    let python = python.to_str().unwrap();
    let make = [
        "env",
        &wheel,
        "--prefix",
        "e",
        "--lib-path",
        "libs",
        "--python",
        python,
    ];
    venv.expect(&make, 0, "");
    let call = ["patch", "e", "--lib-path", "libs"];
    venv.expect(&call, 0, "");
    fs_err::write(venv.path("e/more.txt"), "").unwrap();
    venv.expect(&call, 0, "");
    for name in ["_wheelfix_libraries.py", "wheelfix-libraries.pth"] {
        assert!(
            venv.path("e/lib/python3.11/site-packages")
                .join(name)
                .is_file()
        );
    }
}

#[test]
fn a_table_is_for_one_virtual_environment() {
    let venv = Venv::new();
    let text = venv.expect(&["patch", "libs", "--library-table"], 2, "");
    assert!(text.contains("is for one virtual environment"), "{text}");
}
