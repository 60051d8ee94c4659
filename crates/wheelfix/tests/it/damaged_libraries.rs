//! Files of a library path that are called like libraries and are none.

use wheelfix_elf::Elf;
use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// A library path with a good library and a damaged one, and a wheel and a directory with a module that needs the good
/// one.
fn bench() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    for directory in ["libs", "t"] {
        fs_err::create_dir(sandbox.path(directory)).unwrap();
    }
    for name in ["good", "worn"] {
        let soname = format!("-Wl,-soname,lib{name}.so");
        let output = format!("libs/lib{name}.so");
        sandbox.library(&format!("int {name};"), &["-o", &output, &soname]);
    }
    sandbox.library(
        "extern int good; int *m(void) { return &good; }",
        &["-o", "t/m.so", "-Llibs", "-lgood"],
    );
    let module = fs_err::read(sandbox.path("t/m.so")).unwrap();
    let wheel = WheelBuilder::new("demo", "1.0").tags("py3-none-linux_x86_64");
    let wheel = sandbox.wheel(&wheel.file("demo/m.so", module));
    // Its program headers are behind its end.
    let worn = fs_err::read(sandbox.path("libs/libworn.so")).unwrap();
    fs_err::write(sandbox.path("libs/libworn.so"), &worn[..64]).unwrap();
    (sandbox, wheel)
}

/// Runs all commands that look into a library path. `install` and its like come first: they leave no run path behind for
/// `check`.
fn expect(sandbox: &Sandbox, wheel: &str, code: i32, wants: &[&str]) {
    let python = cache::tool("python3");
    let python = python.to_str().unwrap();
    for args in [
        &["install", wheel, "--prefix", "p"][..],
        &["env", wheel, "--prefix", "e"],
        &["patch", wheel, "--output", "new"],
        &["patch", "t", "--dry-run"],
    ] {
        let target = ["--lib-path", "libs", "--python", python];
        let text = sandbox.run(&[args, &target].concat());
        assert!(
            text.starts_with(&format!("exit: {code}\n")),
            "{args:?}: {text}"
        );
        for want in wants {
            assert_eq!(text.matches(want).count(), 1, "{args:?}: {text}");
        }
    }
}

#[test]
fn a_copy_that_uv_broke_off_is_a_warning() {
    let (sandbox, _) = bench();
    let module = fs_err::read(sandbox.path("t/m.so")).unwrap();
    let python = cache::tool("python3");
    let target = ["--lib-path", "libs", "--python", python.to_str().unwrap()];
    let patch = [&["patch", "t", "--dry-run"], &target[..]].concat();
    for (name, code) in [(".tmpAeBtQ0", 0), (".tmpAeBtQ0.so", 1), ("tmpAeBtQ0", 1)] {
        let file = sandbox.path(&format!("t/{name}"));
        fs_err::write(&file, &module[..module.len() / 2]).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs_err::set_permissions(&file, mode).unwrap();
        let text = sandbox.run(&patch);
        let said = if code == 0 {
            "begins as an ELF file does"
        } else {
            "is a damaged ELF file"
        };
        assert!(
            text.starts_with(&format!("exit: {code}\n")),
            "{name}: {text}"
        );
        assert!(text.contains(said), "{name}: {text}");
        fs_err::remove_file(file).unwrap();
    }
    // However much of it was copied; of a few bytes nothing is known.
    let file = sandbox.path("t/.tmpAeBtQ0");
    for len in (64..=module.len()).step_by(1024).chain([module.len()]) {
        fs_err::write(&file, &module[..len]).unwrap();
        let text = sandbox.run(&patch);
        assert!(text.starts_with("exit: 0\n"), "{len}: {text}");
        assert!(text.contains("/.tmpAeBtQ0: begins as"), "{len}: {text}");
    }
}

#[test]
fn what_nothing_needs_is_a_warning() {
    let (sandbox, wheel) = bench();
    let want = "warning: `[DIR]/libs/libworn.so` is not a library for anyone: it is damaged: ";
    expect(&sandbox, &wheel, 0, &[want]);
    let text = sandbox.run(&["check", "t", "--warnings", "--lib-path", "libs"]);
    assert!(
        text.contains(want.trim_start_matches("warning: ")),
        "{text}"
    );
}

#[test]
fn what_is_needed_is_a_fault_that_names_it() {
    let (sandbox, wheel) = bench();
    let (good, worn) = (
        sandbox.path("libs/libgood.so"),
        sandbox.path("libs/libworn.so"),
    );
    fs_err::rename(&worn, &good).unwrap();
    expect(
        &sandbox,
        &wheel,
        1,
        &[
            "error: `libgood.so` is missing\n",
            "near miss: [DIR]/libs/libgood.so: it is damaged: ",
        ],
    );
    let text = sandbox.run(&["check", "t", "--lib-path", "libs"]);
    assert!(
        text.contains("near miss: [DIR]/libs/libgood.so: it is damaged: "),
        "{text}"
    );
}

/// Runs the program without the privilege to read what its mode forbids, which root has.
#[expect(clippy::disallowed_methods, reason = "runs the program under test")]
fn run_unprivileged(sandbox: &Sandbox, args: &[&str]) -> (Option<i32>, String) {
    let output = std::process::Command::new("unshare")
        .args(["--user", env!("CARGO_BIN_EXE_wheelfix")])
        .args(args)
        .current_dir(sandbox.path("."))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text)
}

#[test]
fn what_may_not_be_read_is_a_fault_where_it_is_needed() {
    let (sandbox, _) = bench();
    let forbid = |name: &str| {
        let forbidden = std::os::unix::fs::PermissionsExt::from_mode(0o000);
        fs_err::set_permissions(sandbox.path(name), forbidden).unwrap();
    };
    let args = ["patch", "t", "--dry-run", "--lib-path", "libs"];
    forbid("libs/libworn.so");
    let (code, text) = run_unprivileged(&sandbox, &args);
    assert_eq!(code, Some(0), "{text}");
    let want = "libworn.so` is not a library for anyone: it cannot be read: ";
    assert!(text.contains(want), "{text}");
    forbid("libs/libgood.so");
    let (code, text) = run_unprivileged(&sandbox, &args);
    assert_eq!(code, Some(1), "{text}");
    let want = "libs/libgood.so: it cannot be read: ";
    assert!(
        text.contains("error: `libgood.so` is missing\n") && text.contains(want),
        "{text}"
    );
}

/// A library whose section headers say that `.data` lies elsewhere in the file than the program headers.
fn contradicting(bytes: &[u8]) -> Vec<u8> {
    let elf = Elf::read(bytes).unwrap();
    let index = elf
        .sections
        .iter()
        .position(|section| section.name == ".data");
    // `sh_offset`, the fourth field.
    let at = usize::try_from(elf.header.section_headers_offset).unwrap() + index.unwrap() * 64 + 24;
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 0x10;
    bytes
}

#[test]
fn a_plugin_is_told_of_whose_section_headers_alone_are_wrong() {
    let sandbox = Sandbox::new();
    sandbox.library(
        "int x = 1; void *PyInit_x(void) { return &x; }",
        &["-o", "x.so"],
    );
    let sound = fs_err::read(sandbox.path("x.so")).unwrap();
    let wrong = contradicting(&sound);
    let python = cache::tool("python3");
    let install = |module: &[u8], plugin: &[u8]| {
        let wheel = WheelBuilder::new("m", "1.0").tags("py3-none-linux_x86_64");
        let wheel = wheel.file("m/__init__.py", "").file("m/x.so", module);
        let wheel = sandbox.wheel(&wheel.file("m/plugins/libplug.so", plugin));
        let args = ["install", &wheel, "--prefix", "p", "--dry-run", "--python"];
        sandbox.run(&[&args[..], &[python.to_str().unwrap()]].concat())
    };
    let text = install(&sound, &wrong);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let want = "m/plugins/libplug.so` is left aside: it does not load and need not";
    assert!(
        text.contains("contradicts itself") && text.contains(want),
        "{text}"
    );
    let text = install(&wrong, &sound);
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(text.contains("contradicts itself"), "{text}");
}
