//! Files that Python takes for extension modules by their names, and that are not ELF files.

use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// `check` of a tree with a package, a library that loads and this file.
fn check(path: &str, content: &[u8]) -> String {
    let sandbox = Sandbox::new();
    let file = sandbox.path("t").join(path);
    fs_err::create_dir_all(sandbox.path("t/m")).unwrap();
    fs_err::create_dir_all(file.parent().unwrap()).unwrap();
    fs_err::write(sandbox.path("t/m/__init__.py"), "").unwrap();
    fs_err::write(sandbox.path("source.c"), "int x;").unwrap();
    let args = [
        "-shared",
        "-fPIC",
        "-nostdlib",
        "-o",
        "t/good.so",
        "source.c",
    ];
    Tool::CC.run_in(&sandbox.path("."), &args).expect();
    fs_err::write(file, content).unwrap();
    sandbox.run(&["check", "t", "--python", "python3"])
}

#[track_caller]
fn refused(path: &str, content: &[u8], name: &str, why: &str) {
    let text = check(path, content);
    assert!(text.starts_with("exit: 1\n"), "{path}: {text}");
    let says = format!(
        "`[DIR]/t/{path}` {why}: there is nothing to prove, and Python imports it as `{name}`"
    );
    assert!(text.contains(&says), "{path}: {text}");
    assert!(text.contains("fix: "), "{path}: {text}");
}

#[test]
fn a_module_that_is_no_elf_file_is_a_fault() {
    let tagged = "m/x.cpython-311-x86_64-linux-gnu.so";
    refused(tagged, b"text", "x", "is not an ELF file");
    refused("m/x.abi3.so", b"\x7fEL", "x", "is not an ELF file");
    refused("m/x.so", b"", "x", "is empty");
    refused("x.so", b"\0\0", "x", "is not an ELF file");
    refused("space/x.so", b"text", "x", "is not an ELF file");
    let pointer = b"version https://git-lfs.example.org/spec/v1\n";
    let why = "is a pointer of Git LFS and not the file itself";
    refused("m/x.so", pointer, "x", why);
    let other = b"\xcf\xfa\xed\xfe _PyInit_x ";
    refused("m/x.so", other, "x", "is for another system");
}

#[test]
fn what_python_does_not_import_is_no_fault() {
    for (path, content) in [
        ("m/data/x.so", &b"text"[..]),
        ("m/x.so.1", b"text"),
        ("m/x-y.so", b"text"),
        ("m/x.cpython-311-aarch64-linux-gnu.so", b"text"),
        ("m/x.cpython-311-darwin.so", b"\xcf\xfa\xed\xfe _PyInit_x "),
        ("m/libx.so", b"/* GNU ld script */ INPUT(libx.so.1)"),
        ("m/x.so", b"\xcf\xfa\xed\xfe _x "),
    ] {
        let text = check(path, content);
        assert!(text.starts_with("exit: 0\n"), "{path}: {text}");
    }
}

#[test]
fn every_command_that_proves_refuses_it() {
    let sandbox = Sandbox::new();
    let wheel = WheelBuilder::new("m", "1.0")
        .platlib()
        .tags("cp311-cp311-linux_x86_64")
        .file("m/__init__.py", "")
        .file("m/x.so", "text")
        .write_to(&sandbox.path(""));
    let wheel = wheel.to_str().unwrap();
    for args in [
        &["check", wheel][..],
        &["install", "--no-bytecode", "--prefix", "p", wheel],
        &["env", "--prefix", "e", wheel],
        &["patch", wheel, "-o", "out/m-1.0-py3-none-any.whl"],
    ] {
        let text = sandbox.run(&[args, &["--python", "python3"]].concat());
        assert!(text.starts_with("exit: 1\n"), "{args:?}: {text}");
        assert!(
            text.contains("Python imports it as `x`"),
            "{args:?}: {text}"
        );
    }
    for made in ["p", "e", "out"] {
        assert!(!sandbox.path(made).try_exists().unwrap(), "{made}");
    }
}
