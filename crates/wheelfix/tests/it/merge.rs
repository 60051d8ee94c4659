//! Adding to a prefix: what is there already counts.

use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

const SITE: &str = "p/lib/python3.11/site-packages";

/// A wheel with one library, compiled from C.
fn wheel(sandbox: &Sandbox, name: &str, file: &str, source: &str, args: &[&str]) -> String {
    sandbox.library(source, &[&["-o", "built.so"], args].concat());
    let library = fs_err::read(sandbox.path("built.so")).unwrap();
    let wheel = WheelBuilder::new(name, "1.0")
        .platlib()
        .tags("cp311-cp311-linux_x86_64")
        .file(&format!("{name}/__init__.py"), "")
        .file(file, library);
    sandbox.wheel(&wheel)
}

fn add(sandbox: &Sandbox, wheel: &str) -> String {
    let target = ["--python", "python3", "--merge", "--no-bytecode"];
    sandbox.run(&[&["install", wheel, "--prefix", "p"], &target[..]].concat())
}

/// Whether the loader of this machine opens a file of the prefix.
fn loads(sandbox: &Sandbox, file: &str) -> bool {
    let path = sandbox.path(SITE).join(file);
    #[expect(
        clippy::disallowed_methods,
        reason = "the loader of this machine is the judge"
    )]
    let status = std::process::Command::new("python3")
        .args(["-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1], 2)"])
        .arg(path)
        .stderr(std::process::Stdio::null())
        .status();
    status.unwrap().success()
}

#[test]
fn a_library_that_is_there_serves_what_is_added() {
    let sandbox = Sandbox::new();
    let soname = "-Wl,-soname,liba.so.1";
    let have = wheel(
        &sandbox,
        "have",
        "have/liba.so.1",
        "void a(void) {}",
        &[soname],
    );
    fs_err::rename(sandbox.path("built.so"), sandbox.path("liba.so.1")).unwrap();
    let source = "void a(void); void b(void) { a(); }";
    let want = wheel(&sandbox, "want", "want/libb.so", source, &["liba.so.1"]);
    // Without it nothing serves.
    let text = add(&sandbox, &want);
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(add(&sandbox, &have).starts_with("exit: 0\n"));
    let text = add(&sandbox, &want);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(text.contains("2 of 2 objects proved"), "{text}");
    assert!(loads(&sandbox, "want/libb.so"));
}

#[test]
fn what_is_added_may_not_break_what_is_there() {
    let sandbox = Sandbox::new();
    let soname = "-Wl,-soname,liba.so.1";
    for name in ["old", "user"] {
        fs_err::create_dir_all(sandbox.path(SITE).join(name)).unwrap();
    }
    let (library, user) = (format!("{SITE}/old/liba.so.1"), format!("{SITE}/user/m.so"));
    sandbox.library("void a(void) {}", &["-o", &library, soname]);
    // Where it looks first, nothing is yet.
    let source = "void a(void); void PyInit_m(void) { a(); }";
    let run_path = "-Wl,-rpath,$ORIGIN/../new:$ORIGIN/../old";
    sandbox.library(source, &["-o", &user, &library, run_path]);
    assert!(loads(&sandbox, "user/m.so"));
    let new = wheel(
        &sandbox,
        "new",
        "new/liba.so.1",
        "void c(void) {}",
        &[soname],
    );
    let text = add(&sandbox, &new);
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(text.contains("user/m.so`: undefined symbol"), "{text}");
    assert!(loads(&sandbox, "user/m.so"));
    // It is so indeed.
    fs_err::create_dir(sandbox.path(SITE).join("new")).unwrap();
    fs_err::copy(
        sandbox.path("built.so"),
        sandbox.path(SITE).join("new/liba.so.1"),
    )
    .unwrap();
    assert!(!loads(&sandbox, "user/m.so"));
}

#[test]
fn what_is_broken_already_keeps_nothing_out() {
    let sandbox = Sandbox::new();
    fs_err::create_dir_all(sandbox.path(SITE)).unwrap();
    let bad = format!("{SITE}/bad.so");
    sandbox.library(
        "void nowhere(void); void PyInit_bad(void) { nowhere(); }",
        &["-o", &bad],
    );
    let new = wheel(&sandbox, "new", "new/liba.so.1", "void c(void) {}", &[]);
    let text = add(&sandbox, &new);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(
        text.contains("1 of 2 objects proved to load, 1 not"),
        "{text}"
    );
}

#[test]
fn what_was_added_may_be_added_again() {
    let sandbox = Sandbox::new();
    let soname = "-Wl,-soname,liba.so.1";
    let new = wheel(
        &sandbox,
        "new",
        "new/liba.so.1",
        "void a(void) {}",
        &[soname],
    );
    let file = sandbox.path(SITE).join("new/liba.so.1");
    let source = sandbox.path(SITE).join("new/__init__.py");
    assert!(add(&sandbox, &new).starts_with("exit: 0\n"));
    let made = fs_err::metadata(&file).unwrap().modified().unwrap();
    // A run may have been killed after all was done.
    let text = add(&sandbox, &new);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert_eq!(fs_err::metadata(&file).unwrap().modified().unwrap(), made);

    let dry_run = [
        "install",
        &new,
        "--prefix",
        "p",
        "--python-version",
        "3.11",
        "--merge",
        "--dry-run",
    ];
    let text = sandbox.run(&dry_run);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    fs_err::write(&source, "x").unwrap();
    for text in [add(&sandbox, &new), sandbox.run(&dry_run)] {
        assert!(
            text.starts_with("exit: 1\n") && text.contains("files exist in the prefix"),
            "{text}"
        );
    }
    fs_err::remove_file(&source).unwrap();
    let text = add(&sandbox, &new);
    assert!(
        text.starts_with("exit: 1\n") && text.contains("liba.so.1"),
        "{text}"
    );
    assert!(!source.is_file());
}
