//! `wheelfix check` of wheels: as they would be installed.

use wheelfix_testkit::cache;
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

/// Wheels `good`, which needs `liba.so`, and `lost`, which refers to what nothing defines.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("libs")).unwrap();
    sandbox.library(
        "void a(void) {}",
        &["-o", "libs/liba.so", "-Wl,-soname,liba.so"],
    );
    sandbox.library(
        "void a(void); void PyInit_m(void) { a(); }",
        &["-o", "good.so", "-Llibs", "-la"],
    );
    sandbox.library(
        "void lost(void); void PyInit_m(void) { lost(); }",
        &["-o", "lost.so"],
    );
    for name in ["good", "lost"] {
        let module = fs_err::read(sandbox.path(&format!("{name}.so"))).unwrap();
        let wheel = WheelBuilder::new(name, "1.0")
            .platlib()
            .tags("cp311-cp311-linux_x86_64")
            .file(&format!("{name}/__init__.py"), "")
            .file(&format!("{name}/m.so"), module);
        sandbox.wheel(&wheel);
    }
    sandbox
}

const GOOD: &str = "good-1.0-cp311-cp311-linux_x86_64.whl";
const LOST: &str = "lost-1.0-cp311-cp311-linux_x86_64.whl";

#[track_caller]
fn expect(sandbox: &Sandbox, args: &[&str], code: i32, want: &str) -> String {
    let names = sandbox.names();
    let text = sandbox.run(args);
    assert!(
        text.starts_with(&format!("exit: {code}\n")),
        "{args:?}: {text}"
    );
    assert!(text.contains(want), "{args:?}: {text}");
    assert_eq!(sandbox.names(), names, "{args:?} left something behind");
    text
}

#[test]
fn a_wheel_is_checked_as_it_would_be_installed() {
    let sandbox = sandbox();
    let python = cache::tool("python3");
    let python = python.to_str().unwrap();
    for target in [
        &[][..],
        &["--python", python],
        &["--python-version", "3.11"],
    ] {
        let check = |wheel| [&["check", wheel][..], target].concat();
        expect(&sandbox, &check(GOOD), 1, "`liba.so` is missing");
        let with_libs = [&check(GOOD)[..], &["--lib-path", "libs"]].concat();
        expect(&sandbox, &with_libs, 0, "1 of 1 object proved to load");
    }
    // Nothing says that the symbol is not one of a Python that is not known.
    let broken = ["check", LOST, "--python", python];
    let text = expect(&sandbox, &broken, 1, "`lost`");
    assert!(
        text.contains("error: `lost/m.so`: undefined symbol"),
        "{text}"
    );
    let both = [
        "check",
        GOOD,
        LOST,
        "--python",
        python,
        "--lib-path",
        "libs",
    ];
    expect(&sandbox, &both, 1, "error: `lost/m.so`: undefined symbol");
}

#[test]
fn the_document_says_what_was_proved() {
    let sandbox = sandbox();
    for (args, proved, fault) in [
        (&["--lib-path", "libs"][..], true, None),
        (&[], false, Some("missing")),
    ] {
        let output = sandbox
            .command(&[&["check", GOOD, "--json"], args].concat())
            .output()
            .unwrap();
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["proved"], proved);
        assert_eq!(document["faults"][0]["fault"].as_str(), fault);
        let count = document["loadable"].as_array().unwrap().len();
        assert_eq!(count, usize::from(proved), "{document}");
    }
}

#[test]
fn what_is_not_for_the_target_is_refused() {
    let sandbox = sandbox();
    let python = ["check", GOOD, "--python-version", "3.12"];
    expect(&sandbox, &python, 1, "cp312");
    fs_err::write(sandbox.path("bad-1.0-py3-none-any.whl"), "no wheel").unwrap();
    expect(
        &sandbox,
        &["check", "bad-1.0-py3-none-any.whl"],
        1,
        "bad-1.0-py3-none-any.whl",
    );
    expect(
        &sandbox,
        &["check", "gone-1.0-py3-none-any.whl"],
        3,
        "no such file",
    );
    expect(
        &sandbox,
        &["check", GOOD, "libs"],
        2,
        "in a run of their own",
    );
}
