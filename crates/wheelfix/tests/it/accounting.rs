//! Green means it was looked at: what a proof counts is what another walk of the same tree finds.

use std::path::{Path, PathBuf};

use serde_json::Value;
use wheelfix_testkit::cache;
use wheelfix_testkit::elf::Tool;

use crate::support::Sandbox;

/// Compiles from C.
fn compile(sandbox: &Sandbox, name: &str, source: &str, flags: &[&str]) -> PathBuf {
    let path = sandbox.path(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(sandbox.path("source.c"), source).unwrap();
    let output = ["-nostdlib", "-o", path.to_str().unwrap(), "source.c"];
    Tool::CC
        .run_in(&sandbox.path("."), &[&output[..], flags].concat())
        .expect();
    path
}

/// The same for another machine.
fn foreign(sandbox: &Sandbox, name: &str, source: &str) {
    to_arm(&compile(sandbox, name, source, SHARED));
}

/// Says that a file is for 64-bit ARM.
fn to_arm(path: &Path) {
    let mut bytes = fs_err::read(path).unwrap();
    bytes[18..20].copy_from_slice(&183_u16.to_le_bytes());
    fs_err::write(path, bytes).unwrap();
}

const SHARED: &[&str] = &["-shared", "-fPIC"];

/// The ELF files below a directory, by their first bytes.
fn elf_files(dir: &Path) -> usize {
    let entries = fs_err::read_dir(dir).unwrap().map(Result::unwrap);
    let count = entries.map(|entry| {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            elf_files(&entry.path())
        } else {
            usize::from(
                kind.is_file() && fs_err::read(entry.path()).unwrap().starts_with(b"\x7fELF"),
            )
        }
    });
    count.sum()
}

/// The exit code and the document of `wheelfix check`.
fn check(sandbox: &Sandbox, paths: &[&str]) -> (String, Value) {
    let python = cache::tool("python3");
    let args = [
        &["check", "--json", "--python", python.to_str().unwrap()],
        paths,
    ]
    .concat();
    let text = sandbox.run(&args);
    let (code, rest) = text.split_once("\n--- stdout\n").unwrap();
    let json = rest.split_once("--- stderr").map_or(rest, |(json, _)| json);
    (code.to_owned(), serde_json::from_str(json).unwrap())
}

/// How many were proved, left aside and failed, after the sum was compared with what is there.
#[track_caller]
fn counts(sandbox: &Sandbox, dir: &str, document: &Value) -> [usize; 3] {
    let len = |key: &str| document[key].as_array().unwrap().len();
    let counts = ["loadable", "left_aside", "unloadable"].map(len);
    let found = usize::try_from(document["found"].as_u64().unwrap()).unwrap();
    assert_eq!(found, elf_files(&sandbox.path(dir)), "{document:#}");
    assert_eq!(found, counts.iter().sum::<usize>(), "{document:#}");
    counts
}

/// A tree with one of everything that can be left aside.
fn mixed() -> Sandbox {
    let sandbox = Sandbox::new();
    compile(&sandbox, "t/good.so", "int x;", SHARED);
    compile(&sandbox, "t/o/part.o", "int y;", &["-c"]);
    let program = "void _start(void) { for (;;); }";
    compile(&sandbox, "t/bin/static", program, &["-static"]);
    foreign(&sandbox, "t/arm/libdata.so", "int z;");
    sandbox
}

#[test]
fn what_is_found_is_proved_or_left_aside_or_fails() {
    let sandbox = mixed();
    let (code, document) = check(&sandbox, &["t"]);
    assert_eq!(code, "exit: 0");
    assert_eq!(counts(&sandbox, "t", &document), [1, 3, 0]);
    for aside in document["left_aside"].as_array().unwrap() {
        assert!(!aside["reason"].as_str().unwrap().is_empty());
    }
    fs_err::write(sandbox.path("t/damaged.so"), b"\x7fELF\x02\x01\x01").unwrap();
    let gone = "extern int nowhere; int f(void) { return nowhere; }";
    compile(&sandbox, "t/bad.so", gone, SHARED);
    let (code, document) = check(&sandbox, &["t"]);
    assert_eq!(code, "exit: 1");
    assert_eq!(counts(&sandbox, "t", &document), [1, 3, 2]);
}

#[test]
fn what_is_for_another_machine_is_left_aside_if_nobody_wants_it() {
    let sandbox = mixed();
    let purpose = |document: &Value| document["faults"][0]["purpose"].clone();
    let (code, document) = check(&sandbox, &["t", "t/arm/libdata.so"]);
    assert_eq!(
        (code.as_str(), purpose(&document)),
        ("exit: 1", "named".into())
    );
    let (code, document) = check(&sandbox, &["t/arm"]);
    // A directory is not the file, but there is nothing else.
    assert_eq!(
        (code.as_str(), purpose(&document)),
        ("exit: 1", "only".into())
    );
    let module = "void PyInit_ext(void) {}";
    foreign(&sandbox, "t/pkg/ext.so", module);
    let (code, document) = check(&sandbox, &["t"]);
    assert_eq!(code, "exit: 1");
    assert_eq!(purpose(&document), serde_json::json!({"imported": "ext"}));
    assert_eq!(counts(&sandbox, "t", &document), [1, 3, 1]);
    // Python on this machine does not import what is tagged for the other one.
    let tagged = "t/pkg/ext.cpython-311-aarch64-linux-gnu.so";
    fs_err::rename(sandbox.path("t/pkg/ext.so"), sandbox.path(tagged)).unwrap();
    let (code, document) = check(&sandbox, &["t"]);
    assert_eq!(code, "exit: 0");
    assert_eq!(counts(&sandbox, "t", &document), [1, 4, 0]);
}

/// A copy for musl beside one for glibc, as a wheel for all systems has them.
#[test]
fn what_is_for_another_c_library_is_left_aside_if_nobody_wants_it() {
    use wheelfix_testkit::wheel::WheelBuilder;
    let sandbox = mixed();
    let musl = ["-Wl,-soname,libc.so"];
    compile(&sandbox, "libc.so", "int x;", &[SHARED, &musl].concat());
    let linked = [SHARED, &["-Wl,--no-as-needed", "-L.", "-l:libc.so"]].concat();
    compile(&sandbox, "t/musl/libtb.so", "int y;", &linked);
    let (code, document) = check(&sandbox, &["t"]);
    let aside = document["left_aside"].to_string();
    assert_eq!(code, "exit: 0", "{document:#}");
    assert!(
        aside.contains("for another machine or system, x86-64, 64 bits and musl"),
        "{aside}"
    );
    let read = |name: &str| fs_err::read(sandbox.path(name)).unwrap();
    let wheel =
        WheelBuilder::new("demo", "1.0").file("demo/musl/libtb.so", read("t/musl/libtb.so"));
    let glibc = compile(
        &sandbox,
        "libglibc.so",
        "int z;",
        &[SHARED, &["-Wl,--no-as-needed", "-l:libc.so.6"]].concat(),
    );
    let wheel = sandbox.wheel(&wheel.file("demo/gnu/libtb.so", fs_err::read(glibc).unwrap()));
    // Where no Python is known, what is for glibc says which one counts.
    for python in [&["--python-version", "3.11"][..], &[]] {
        let args = [&["install", &wheel, "--dry-run", "--prefix", "out"], python].concat();
        let text = sandbox.run(&args);
        assert!(text.starts_with("exit: 0\n"), "{text}");
    }
    // Python would import it.
    let module = "void PyInit_ext(void) {}";
    compile(&sandbox, "t/pkg/ext.so", module, &linked);
    let (code, document) = check(&sandbox, &["t"]);
    assert_eq!(code, "exit: 1");
    assert_eq!(
        document["faults"][0]["purpose"],
        serde_json::json!({"imported": "ext"})
    );
}

/// As extensions of `DuckDB`, which end with their metadata and a signature of all bytes.
#[test]
fn what_ends_with_data_for_who_opens_it_is_left_as_it_is() {
    use wheelfix_testkit::wheel::WheelBuilder;
    let sandbox = Sandbox::new();
    let needs = [SHARED, &["-Wl,--no-as-needed", "-lstdc++"]].concat();
    let path = compile(&sandbox, "t/x.duck_extension", "int x;", &needs);
    let mut bytes = fs_err::read(&path).unwrap();
    bytes.extend(b"signature");
    let good = fs_err::read(compile(&sandbox, "t/good.so", "int x;", SHARED)).unwrap();
    let wheel = WheelBuilder::new("demo", "1.0").file("demo/good.so", good);
    let wheel = sandbox.wheel(&wheel.file("demo/x.duck_extension", bytes.clone()));
    let text = sandbox.run(&["install", &wheel, "--prefix", "p", "--python", "python3"]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    assert!(
        text.contains("1 of 2 objects proved to load, 1 left aside"),
        "{text}"
    );
    let site = sandbox.path("p/lib/python3.11/site-packages/demo");
    assert_eq!(fs_err::read(site.join("x.duck_extension")).unwrap(), bytes);
    // Whoever names it is told.
    fs_err::write(&path, &bytes).unwrap();
    let text = sandbox.run(&["patch", "t/x.duck_extension"]);
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(text.contains("has data appended to it"), "{text}");
    assert_eq!(fs_err::read(&path).unwrap(), bytes);
}

/// As libusb's wheel for all systems: the library of this machine is what to mend.
#[test]
fn what_is_for_other_machines_is_no_fault_beside_one_of_this() {
    let sandbox = Sandbox::new();
    foreign(&sandbox, "t/pkg/arm/libx.so", "int x;");
    let lacking = "int nowhere(void); int x(void) { return nowhere(); }";
    compile(&sandbox, "t/pkg/x86/libx.so", lacking, SHARED);
    let (code, document) = check(&sandbox, &["t"]);
    assert_eq!(code, "exit: 1");
    let faults = document["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 1, "{document:#}");
    assert_eq!(counts(&sandbox, "t", &document), [0, 1, 1]);
    fs_err::remove_dir_all(sandbox.path("t/pkg/x86")).unwrap();
    let (_, document) = check(&sandbox, &["t"]);
    assert_eq!(document["faults"][0]["purpose"], "only");
}

#[test]
fn a_static_program_for_another_machine_is_one_for_another_machine() {
    use wheelfix_testkit::wheel::WheelBuilder;
    let sandbox = Sandbox::new();
    let program = "void _start(void) { for (;;); }";
    let path = compile(&sandbox, "t/pkg/static", program, &["-static"]);
    compile(&sandbox, "t/pkg/good.so", "int x;", SHARED);
    to_arm(&path);
    let is_said = |document: &Value| {
        let reason = document["left_aside"][0]["reason"].as_str().unwrap();
        reason.contains("for another machine")
    };
    let (code, document) = check(&sandbox, &["t"]);
    assert_eq!(code, "exit: 0");
    assert_eq!(counts(&sandbox, "t", &document), [1, 1, 0]);
    assert!(is_said(&document), "{document:#}");
    let (code, document) = check(&sandbox, &["t", "t/pkg/static"]);
    assert_eq!(code, "exit: 1");
    assert_eq!(document["faults"][0]["purpose"], "named");
    assert_eq!(counts(&sandbox, "t", &document), [1, 0, 1]);

    let read = |name: &str| fs_err::read(sandbox.path("t/pkg").join(name)).unwrap();
    let start = || WheelBuilder::new("demo", "1.0").file("demo/static", read("static"));
    let wheel = sandbox.wheel(&start().file("demo/good.so", read("good.so")));
    let (code, document) = check(&sandbox, &[&wheel]);
    assert_eq!((code.as_str(), is_said(&document)), ("exit: 0", true));
    let wheel = sandbox.wheel(&start());
    let (code, document) = check(&sandbox, &[&wheel]);
    assert_eq!(code, "exit: 1");
    assert_eq!(document["faults"][0]["purpose"], "only");
    assert_eq!(document["found"], 1, "{document:#}");
}

#[test]
fn nothing_to_relocate_is_a_fault_where_something_was_named() {
    let sandbox = mixed();
    fs_err::create_dir(sandbox.path("empty")).unwrap();
    fs_err::write(sandbox.path("text"), "x").unwrap();
    fs_err::write(
        sandbox.path("opens.py"),
        "import ctypes\nctypes.CDLL('libc.so.6')\n",
    )
    .unwrap();
    let python = cache::tool("python3");
    let target = ["--python", python.to_str().unwrap()];
    for command in ["patch", "unbundle"] {
        for (path, code) in [
            ("text", 1),
            ("empty", 1),
            ("t/o/part.o", 1),
            ("t/bin/static", 0),
            ("t", 0),
        ] {
            for target in [&[][..], &target] {
                let text = sandbox.run(&[&[command, path], target].concat());
                assert!(
                    text.starts_with(&format!("exit: {code}\n")),
                    "{command} {path}: {text}"
                );
                let is_told = text.contains("there is nothing to prove");
                assert_eq!(is_told, code == 1, "{text}");
            }
        }
    }
    let text = sandbox.run(&["patch", "opens.py"]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
}

#[test]
fn nothing_to_prove_is_a_fault() {
    let sandbox = mixed();
    fs_err::create_dir(sandbox.path("empty")).unwrap();
    fs_err::write(sandbox.path("text"), "x").unwrap();
    for (path, says) in [
        (
            "empty",
            "there is nothing to prove: no ELF file in [DIR]/empty",
        ),
        (
            "text",
            "`[DIR]/text` is not an ELF file: there is nothing to prove",
        ),
        (
            "t/o/part.o",
            "is an object file for the linker: there is nothing to prove",
        ),
    ] {
        for more in [&[][..], &["t"]] {
            let python = cache::tool("python3");
            let args = ["check", path, "--python", python.to_str().unwrap()];
            let text = sandbox.run(&[&args, more].concat());
            let is_fault = path != "empty" || more.is_empty();
            let code = if is_fault { "exit: 1\n" } else { "exit: 0\n" };
            assert!(text.starts_with(code), "{text}");
            assert_eq!(text.contains(says), is_fault, "{text}");
        }
    }
    // It needs nothing, so it lacks nothing.
    assert!(
        sandbox
            .run(&["check", "t/bin/static"])
            .starts_with("exit: 0\n")
    );
}

#[test]
fn without_a_target_the_last_line_says_that_nothing_is_proved() {
    use wheelfix_testkit::wheel::WheelBuilder;
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&WheelBuilder::new("demo", "1.0").file("demo.py", ""));
    for command in ["install", "env"] {
        let args = [
            command,
            &wheel,
            "--prefix",
            command,
            "--python-version",
            "3.11",
        ];
        let text = sandbox.run(&args);
        let out = text.split_once("--- stdout\n").unwrap().1;
        let last = out
            .split("--- stderr")
            .next()
            .unwrap()
            .lines()
            .last()
            .unwrap();
        assert!(last.ends_with("not proved: no target is named"), "{text}");
    }
}

#[test]
fn symbols_are_proved_beside_a_missing_library() {
    let sandbox = Sandbox::new();
    let soname = |name: &str| {
        [SHARED, &[format!("-Wl,-soname,{name}").as_str()]]
            .concat()
            .join(" ")
    };
    let flags = soname("libgone.so");
    let flags: Vec<&str> = flags.split(' ').collect();
    let gone = compile(&sandbox, "t/libgone.so", "void gone(void) {}", &flags);
    fs_err::write(sandbox.path("v.map"), "A_1 { f; g; };").unwrap();
    let flags = soname("liba.so");
    let flags: Vec<&str> = flags
        .split(' ')
        .chain(["-Wl,--version-script=v.map"])
        .collect();
    compile(&sandbox, "t/liba.so", "int f; int g;", &flags);
    let user = "extern int f, g; void gone(void); int u(void) { gone(); return f + g; }";
    let flags = [SHARED, &["-Lt", "-la", "-lgone", "-Wl,-rpath,$ORIGIN"]].concat();
    compile(&sandbox, "t/libuser.so", user, &flags);
    fs_err::remove_file(gone).unwrap();
    fs_err::write(sandbox.path("v.map"), "A_1 { f; };").unwrap();
    let flags = soname("liba.so");
    let flags: Vec<&str> = flags
        .split(' ')
        .chain(["-Wl,--version-script=v.map"])
        .collect();
    compile(&sandbox, "t/liba.so", "int f;", &flags);
    let (_, document) = check(&sandbox, &["t"]);
    let faults = document["faults"].as_array().unwrap();
    let kinds: Vec<&str> = faults
        .iter()
        .map(|it| it["fault"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["missing", "symbols"]);
    assert_eq!(faults[1]["symbols"], serde_json::json!(["g@A_1"]));
}

#[test]
fn all_faults_are_told_in_one_run() {
    use wheelfix_testkit::wheel::WheelBuilder;
    let sandbox = Sandbox::new();
    let soname = [SHARED, &["-Wl,-soname,libgone.so"]].concat();
    compile(&sandbox, "libgone.so", "void gone(void) {}", &soname);
    let source = "void gone(void); void u(void) { gone(); }";
    let flags = [SHARED, &["-L.", "-lgone"]].concat();
    compile(&sandbox, "t/demo/black.so", source, &flags);
    let source = "extern int nowhere; int f(void) { return nowhere; }";
    compile(&sandbox, "t/demo/bad.so", source, SHARED);
    // It finds this one only once its run path is written.
    compile(
        &sandbox,
        "libs/libthere.so",
        "int there;",
        &[SHARED, &["-Wl,-soname,libthere.so"]].concat(),
    );
    let flags = [SHARED, &["-Llibs", "-lthere"]].concat();
    compile(
        &sandbox,
        "t/demo/good.so",
        "extern int there; int g(void) { return there; }",
        &flags,
    );
    let read = |name: &str| fs_err::read(sandbox.path("t/demo").join(name)).unwrap();
    let mut wheel = WheelBuilder::new("demo", "1.0").tags("cp311-cp311-linux_x86_64");
    for name in ["black.so", "bad.so", "good.so"] {
        wheel = wheel.file(&format!("demo/{name}"), read(name));
    }
    let wheel = sandbox.wheel(&wheel);
    let python = cache::tool("python3");
    let target = ["--python", python.to_str().unwrap(), "--lib-path", "libs"];
    for args in [
        &["install", &wheel, "--prefix", "p"][..],
        &["env", &wheel, "--prefix", "e"],
        &["patch", &wheel, "--output", "new"],
        &["patch", "t"],
        &["check", &wheel],
    ] {
        let text = sandbox.run(&[args, &target].concat());
        assert!(text.starts_with("exit: 1\n"), "{text}");
        assert!(text.contains("`libgone.so` is missing"), "{args:?}: {text}");
        assert!(
            text.contains("undefined symbol `nowhere`"),
            "{args:?}: {text}"
        );
        let errors = text.lines().filter(|line| line.starts_with("error: `"));
        assert_eq!(errors.count(), 2, "{args:?}: {text}");
    }
}

#[test]
fn every_failure_is_one_document() {
    use wheelfix_testkit::wheel::WheelBuilder;
    let sandbox = mixed();
    fs_err::write(sandbox.path("bad-1.0-py3-none-any.whl"), "x").unwrap();
    let win = sandbox.wheel(&WheelBuilder::new("win", "1.0").tags("cp311-cp311-win_amd64"));
    let gone = "extern int nowhere; int f(void) { return nowhere; }";
    compile(&sandbox, "t/bad.so", gone, SHARED);
    let python = cache::tool("python3");
    let python = ["--python", python.to_str().unwrap()];
    for args in [
        &["install", "bad-1.0-py3-none-any.whl", "--prefix", "p"][..],
        &["install", &win, "--prefix", "p"],
        &["install", "none-1.0-py3-none-any.whl", "--prefix", "p"],
        &["env", "nowhere", "--prefix", "p"],
        &["env", "bad-1.0-py3-none-any.whl", "--prefix", "p"],
        &["patch", "nowhere"],
        &["patch", "t"],
        &["patch", "bad-1.0-py3-none-any.whl", "--output", "new"],
        &["unbundle", "t", "--bundled", "zzz=drop"],
        &["check", "nowhere"],
        &["check", "t"],
        &["check", "t", "--rules", "nowhere"],
        &["why", "t/bad.so", "libnowhere.so"],
    ] {
        let text = sandbox.run(&[args, &python, &["--json"]].concat());
        assert!(!text.starts_with("exit: 0\n"), "{args:?}: {text}");
        let out = text
            .split_once("--- stdout\n")
            .unwrap_or_else(|| panic!("{args:?}: {text}"))
            .1;
        let out = out.split_once("--- stderr").map_or(out, |(out, _)| out);
        let document: Value = serde_json::from_str(out).unwrap();
        assert_eq!(document["version"], 1, "{args:?}");
        assert!(!out.contains(".wheelfix-"), "{args:?}: {out}");
    }
}
