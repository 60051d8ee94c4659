//! Excuses: the same for the planner and the proof, printed at the end, and never for everything.

use std::path::PathBuf;

use serde_json::Value;
use wheelfix_testkit::cache;
use wheelfix_testkit::elf::Tool;

use crate::support::Sandbox;

/// The required library of a note for `dlopen`, with alternatives.
const NOTE: &str = r#"
__attribute__((section(".note.dlopen"), used, aligned(4))) static const struct {
    unsigned name_len, len, kind; char name[4]; char text[92];
} note = { 4, 92, 0x407c0c0a, "FDO",
    "[{\"soname\":[\"libhere.so.1\",\"libthere.so.2\"],\"priority\":\"required\"}]" };
"#;

/// Compiles a library of the sandbox from C.
fn library(sandbox: &Sandbox, name: &str, source: &str, flags: &[&str]) -> PathBuf {
    let path = sandbox.path(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(sandbox.path("source.c"), source).unwrap();
    let start = ["-shared", "-fPIC", "-nostdlib", "-Wl,--no-as-needed"];
    let output = ["-o", path.to_str().unwrap(), "source.c"];
    Tool::CC
        .run_in(
            &sandbox.path("."),
            &[&start[..], &output[..], flags].concat(),
        )
        .expect();
    path
}

fn python() -> String {
    cache::tool("python3").to_str().unwrap().to_owned()
}

fn run(sandbox: &Sandbox, args: &[&str]) -> String {
    let python = python();
    sandbox.run(&[args, &["--python", &python]].concat())
}

#[test]
fn a_required_note_is_excused_in_plan_and_proof() {
    let sandbox = Sandbox::new();
    library(&sandbox, "t/libx.so", NOTE, &[]);
    for command in ["patch", "check"] {
        let text = run(&sandbox, &[command, "t"]);
        assert!(
            text.contains("`libhere.so.1 or libthere.so.2` is missing"),
            "{text}"
        );
        let one = ["--ignore-missing", "libhere.so.1"];
        let text = run(&sandbox, &[&[command, "t"][..], &one].concat());
        assert!(text.starts_with("exit: 1\n"), "{text}");
        let both = [&one[..], &["--ignore-missing", "libth*.so.2"]].concat();
        let text = run(&sandbox, &[&[command, "t"][..], &both].concat());
        assert!(text.starts_with("exit: 0\n"), "{text}");
        let note = "note: the library `libhere.so.1 or libthere.so.2` is missing and excused by \
            `libhere.so.1`, `libth*.so.2`; needed by [DIR]/t/libx.so\n";
        assert!(text.contains(note), "{text}");
    }
}

#[test]
fn what_the_planner_alone_lacks_is_an_excuse_too() {
    let sandbox = Sandbox::new();
    // By its path, as a library without a soname is needed; the loader finds it.
    let needed = library(&sandbox, "elsewhere/libpath.so", "void f(void) {}", &[]);
    let path = needed.to_str().unwrap().to_owned();
    library(
        &sandbox,
        "t/libuser.so",
        "void f(void); void u(void) { f(); }",
        &[&path],
    );
    fs_err::remove_file(&needed).unwrap();
    let text = run(&sandbox, &["patch", "t"]);
    assert!(text.starts_with("exit: 1\n"), "{text}");
    let text = run(&sandbox, &["patch", "t", "--ignore-missing", &path]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(
        text.contains("0 of 1 object proved to load, 1 left aside"),
        "{text}"
    );
}

#[test]
fn the_library_that_a_sibling_lacks_is_excused() {
    let sandbox = Sandbox::new();
    library(
        &sandbox,
        "gone/libgone.so",
        "void g(void) {}",
        &["-Wl,-soname,libgone.so"],
    );
    let flags = ["-Lgone", "-lgone", "-Wl,-soname,libsibling.so"];
    library(&sandbox, "sibling/lib/libsibling.so", "", &flags);
    let flags = ["-Lsibling/lib", "-lsibling", "-Wl,-rpath-link,gone"];
    library(&sandbox, "t/libuser.so", "", &flags);
    let args = ["patch", "t", "--lib-path", "sibling"];
    let text = run(&sandbox, &args);
    assert!(text.contains("`libgone.so` is missing"), "{text}");
    let text = run(
        &sandbox,
        &[&args[..], &["--ignore-missing", "libgone.so"]].concat(),
    );
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let text = run(
        &sandbox,
        &[&args[..], &["--ignore-missing", "libother.so"]].concat(),
    );
    assert!(
        text.contains("fix: remove --ignore-missing libother.so"),
        "{text}"
    );
}

#[test]
fn a_symbol_is_excused_and_told() {
    let sandbox = Sandbox::new();
    let source = "extern int nowhere; int u(void) { return nowhere; }";
    library(&sandbox, "t/libx.so", source, &[]);
    let text = run(&sandbox, &["check", "t"]);
    assert!(text.contains("`: undefined symbol"), "{text}");
    for command in ["patch", "check"] {
        let text = run(&sandbox, &[command, "t", "--ignore-symbol", "nowhere"]);
        assert!(text.starts_with("exit: 0\n"), "{text}");
        assert!(
            text.contains("note: the symbol `nowhere` is missing and excused"),
            "{text}"
        );
        assert!(
            text.contains("0 of 1 object proved to load, 1 left aside"),
            "{text}"
        );
        let text = run(&sandbox, &[command, "t", "--ignore-symbol", "elsewhere"]);
        assert!(
            text.contains("fix: remove --ignore-symbol elsewhere"),
            "{text}"
        );
        assert!(text.starts_with("exit: 1\n"), "{text}");
    }
}

#[test]
fn what_is_bound_lazily_fails_when_it_is_called() {
    let sandbox = Sandbox::new();
    let calls = "void nowhere(void); void u(void) { nowhere(); }";
    library(&sandbox, "lazy/libx.so", calls, &["-Wl,-z,lazy"]);
    library(&sandbox, "now/libx.so", calls, &["-Wl,-z,now"]);
    let module = "void nowhere(void); void PyInit_x(void) { nowhere(); }";
    library(&sandbox, "module/x.abi3.so", module, &["-Wl,-z,lazy"]);
    let fault = |dir| {
        let text = run(&sandbox, &["check", dir, "--json"]);
        let json = text.split_once("--- stdout\n").unwrap().1;
        let json = json.split_once("--- stderr").unwrap().0;
        let document: Value = serde_json::from_str(json).unwrap();
        document["faults"][0]["fault"].as_str().unwrap().to_owned()
    };
    assert_eq!(fault("lazy"), "lazy-symbols");
    assert_eq!(fault("now"), "symbols");
    assert_eq!(fault("module"), "symbols");
    let text = run(&sandbox, &["check", "lazy"]);
    assert!(text.contains("it fails when it is called"), "{text}");
    let text = run(&sandbox, &["check", "lazy", "--ignore-symbol", "nowhere"]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
}

#[test]
fn nothing_excuses_everything() {
    let sandbox = Sandbox::new();
    library(&sandbox, "t/libx.so", "", &[]);
    for command in ["install", "env", "patch", "unbundle", "check"] {
        for glob in ["*", "lib*", "?*", "{lib,}*"] {
            let mut args = vec![command, "t", "--ignore-missing", glob];
            if matches!(command, "install" | "env") {
                args.extend(["--prefix", "p"]);
            }
            let text = sandbox.run(&args);
            assert!(text.starts_with("exit: 2\n"), "{text}");
            assert!(text.contains("it excuses nearly every library"), "{text}");
        }
        let mut args = vec![command, "t", "--ignore-symbol", "*"];
        if matches!(command, "install" | "env") {
            args.extend(["--prefix", "p"]);
        }
        let text = sandbox.run(&args);
        assert!(text.starts_with("exit: 2\n"), "{text}");
        assert!(text.contains("nearly every symbol"), "{text}");
    }
}

#[test]
fn a_rule_about_a_source_whose_library_is_nowhere_is_an_error() {
    let sandbox = Sandbox::new();
    fs_err::create_dir_all(sandbox.path("t/magic")).unwrap();
    fs_err::write(sandbox.path("t/magic/loader.py"), "x = 1\n").unwrap();
    library(&sandbox, "t/magic/liby.so", "", &[]);
    let rule = |optional: bool, opens: &str| {
        let text = format!(
            "[[dlopen]]\nname = 'm'\nreason = 'r'\nsource = 's'\nfrom = ['**/magic/loader.py']\n\
             opens = ['{opens}']\noptional = {optional}\n"
        );
        fs_err::write(sandbox.path("r.toml"), text).unwrap();
        run(&sandbox, &["check", "t", "--rules", "r.toml"])
    };
    let text = rule(false, "libmagicx.so.1");
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(text.contains("`libmagicx.so.1` is missing"), "{text}");
    assert!(rule(true, "libmagicx.so.1").starts_with("exit: 0\n"));
    assert!(rule(false, "liby.so").starts_with("exit: 0\n"));
    assert!(rule(false, "libm.so.6").starts_with("exit: 0\n"));
}
