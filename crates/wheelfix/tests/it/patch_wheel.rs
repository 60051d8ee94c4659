//! `wheelfix patch in.whl -o out.whl`: a wheel made from a wheel.

use std::collections::BTreeMap;

use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

const PLAIN: &str = "demo-1.0-cp311-cp311-linux_x86_64.whl";

/// Compiles libraries: `libdep.so.1` in `dep/lib`, and `x.so`, which needs it.
fn compile(sandbox: &Sandbox) -> Vec<u8> {
    fs_err::create_dir_all(sandbox.path("dep/lib")).unwrap();
    fs_err::write(sandbox.path("dep.c"), "int dep(void) { return 1; }\n").unwrap();
    fs_err::write(
        sandbox.path("x.c"),
        "int dep(void); int x(void) { return dep(); }\n",
    )
    .unwrap();
    let dep = [
        "dep.c",
        "-o",
        "dep/lib/libdep.so.1",
        "-Wl,-soname,libdep.so.1",
    ];
    let x = [
        "x.c",
        "-o",
        "x.so",
        "dep/lib/libdep.so.1",
        "-Wl,-rpath,/usr/local/cuda/lib64",
    ];
    for args in [dep.as_slice(), x.as_slice()] {
        #[expect(clippy::disallowed_methods, reason = "only a compiler compiles")]
        let status = std::process::Command::new("gcc")
            .args(["-shared", "-fPIC"])
            .args(args)
            .current_dir(sandbox.path(""))
            .status()
            .unwrap();
        assert!(status.success());
    }
    fs_err::read(sandbox.path("x.so")).unwrap()
}

fn demo(library: Vec<u8>) -> WheelBuilder {
    WheelBuilder::new("demo", "1.0")
        .platlib()
        .tags("cp311-cp311-manylinux_2_17_x86_64")
        .file("demo/__init__.py", "x = 1\n".repeat(100))
        .executable("demo/tool.sh", "#!/bin/sh\n")
        .file("demo/x.so", library)
}

fn patch(sandbox: &Sandbox, wheel: &str, out: &str) -> String {
    let args = [
        "patch",
        wheel,
        "-o",
        out,
        "--lib-path",
        "dep",
        "--python",
        "python3",
    ];
    sandbox.run(&args)
}

/// The members as Python's `zipfile` reads them: digests by name.
fn members(sandbox: &Sandbox, wheel: &str) -> BTreeMap<String, String> {
    let path = sandbox.path(wheel);
    let read = wheelfix_testkit::python::read_zips(&[&path]);
    read.into_iter().flatten().collect()
}

#[test]
fn a_fixed_wheel_is_written() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo(compile(&sandbox)));
    let text = patch(&sandbox, &wheel, PLAIN);
    insta::assert_snapshot!(text, @"
    exit: 0
    --- stdout
    wrote [DIR]/demo-1.0-cp311-cp311-linux_x86_64.whl: 1 ELF file edited, 0 removed, 3 files copied; 1 of 1 object proved to load
    ");

    let (before, after) = (members(&sandbox, &wheel), members(&sandbox, PLAIN));
    let changed: Vec<&String> = after
        .iter()
        .filter(|(name, digest)| before.get(*name) != Some(digest))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        changed,
        [
            "demo-1.0.dist-info/RECORD",
            "demo-1.0.dist-info/WHEEL",
            "demo-1.0.dist-info/sboms/wheelfix.cdx.json",
            "demo/x.so",
        ]
    );
    assert!(before.keys().all(|name| after.contains_key(name)));

    // RECORD and tags are true, and the library finds what it needs.
    let text = sandbox.run(&["inspect", PLAIN, "--verify", "--json"]);
    let json = text.strip_prefix("exit: 0\n--- stdout\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(json["record"]["mismatches"], serde_json::json!([]));
    assert_eq!(
        json["wheel"]["tags"],
        serde_json::json!(["cp311-cp311-linux_x86_64"])
    );
    let warnings = json["warnings"].as_array().unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(json["elf_files"][0]["run_path"]["path"], "[DIR]/dep/lib");

    let args = ["unpack", PLAIN, "out"];
    assert!(sandbox.run(&args).starts_with("exit: 0\n"));
    let bill = sandbox.path("out/demo-1.0.dist-info/sboms/wheelfix.cdx.json");
    let bill: serde_json::Value =
        serde_json::from_str(&fs_err::read_to_string(bill).unwrap()).unwrap();
    assert_eq!(bill["bomFormat"], "CycloneDX");
    let component = &bill["components"][0];
    assert_eq!(component["name"], "demo/x.so");
    assert_eq!(
        component["hashes"][0]["content"],
        after["demo/x.so"].as_str()
    );
    let ancestor = &component["pedigree"]["ancestors"][0];
    assert_eq!(
        ancestor["hashes"][0]["content"],
        before["demo/x.so"].as_str()
    );
    assert!(sandbox.tree("out").contains("755 demo/tool.sh\n"));
}

#[test]
fn the_same_input_gives_the_same_bytes_and_a_second_run_changes_nothing() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo(compile(&sandbox)));
    fs_err::create_dir(sandbox.path("again")).unwrap();
    fs_err::create_dir(sandbox.path("second")).unwrap();
    for (wheel, out) in [
        (wheel.as_str(), PLAIN),
        (&wheel, "again"),
        (PLAIN, "second"),
    ] {
        let text = patch(&sandbox, wheel, out);
        assert!(text.starts_with("exit: 0\n"), "{text}");
    }
    let read = |path: String| fs_err::read(sandbox.path(&path)).unwrap();
    let first = read(PLAIN.to_owned());
    assert!(first == read(format!("again/{PLAIN}")), "the same bytes");
    assert!(first == read(format!("second/{PLAIN}")), "nothing changes");
}

#[test]
fn nothing_is_written_after_an_error() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo(compile(&sandbox)));
    fs_err::create_dir(sandbox.path("new")).unwrap();
    let rows = [
        (
            vec!["patch", &wheel],
            "exit: 2\n",
            "name the one to make with `--output`",
        ),
        (
            vec!["patch", &wheel, "-o", "new"],
            "exit: 1\n",
            "`libdep.so.1` is missing",
        ),
        (
            vec![
                "patch",
                &wheel,
                "-o",
                "new/demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl",
                "--lib-path",
                "dep",
            ],
            "exit: 1\n",
            PLAIN,
        ),
        (
            vec![
                "patch",
                &wheel,
                "-o",
                "new/demo-2.0-cp311-cp311-linux_x86_64.whl",
                "--lib-path",
                "dep",
            ],
            "exit: 1\n",
            "is the name of another wheel, expected demo-1.0",
        ),
        (
            vec!["patch", &wheel, "-o", "absent/x.whl", "--lib-path", "dep"],
            "exit: 1\n",
            "absent/x.whl` is not the name of a wheel",
        ),
    ];
    for (args, code, want) in rows {
        let text = sandbox.run(&args);
        assert!(
            text.starts_with(code) && text.contains(want),
            "{args:?}: {text}"
        );
    }
    assert_eq!(sandbox.tree("new"), "");
    assert!(!sandbox.names().contains(&"absent".to_owned()));
}

#[test]
fn a_file_that_differs_from_record_is_refused() {
    let sandbox = Sandbox::new();
    let lie = "demo/tool.sh,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,10\n";
    let wheel = demo(compile(&sandbox)).record_row("demo/tool.sh", lie);
    let wheel = sandbox.wheel(&wheel);
    let text = patch(&sandbox, &wheel, PLAIN);
    assert!(
        text.starts_with("exit: 1\n") && text.contains("demo/tool.sh"),
        "{text}"
    );
    assert!(text.contains("--accept-mismatch"), "{text}");
    let accept = ["--accept-mismatch", "demo/tool.sh", "--lib-path", "dep"];
    let args: Vec<&str> = ["patch", &wheel, "-o", PLAIN]
        .into_iter()
        .chain(accept)
        .collect();
    let text = sandbox.run(&args);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let text = sandbox.run(&["inspect", PLAIN, "--verify"]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
}

#[test]
fn texts_of_sources_are_replaced_and_their_bytecode_goes() {
    let driver = "triton/backends/nvidia/driver.py";
    let cached = "triton/backends/nvidia/__pycache__/driver.cpython-311.pyc";
    let wheel = WheelBuilder::new("triton", "1.0")
        .file("triton/__init__.py", "")
        .executable(
            driver,
            "libs = subprocess.check_output([\"/sbin/ldconfig\", \"-p\"]).decode(errors=\"ignore\")\n",
        )
        .file(cached, "old")
        .file(
            "triton/backends/nvidia/__pycache__/drivers.cpython-311.pyc",
            "other",
        );
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&wheel);
    fs_err::create_dir(sandbox.path("new")).unwrap();
    insta::assert_snapshot!(sandbox.run(&["patch", &wheel, "-o", "new"]), @"
    exit: 0
    --- stdout
    wrote [DIR]/new/triton-1.0-py3-none-any.whl: 0 ELF files and 1 source edited, 0 removed, 4 files copied; not proved: no target is named
    ");
    let new = format!("new/{wheel}");
    let (before, after) = (members(&sandbox, &wheel), members(&sandbox, &new));
    assert!(before.contains_key(cached) && !after.contains_key(cached));
    assert_ne!(before[driver], after[driver]);
    assert!(
        sandbox
            .run(&["unpack", &new, "out"])
            .starts_with("exit: 0\n")
    );
    let text = fs_err::read_to_string(sandbox.path("out").join(driver)).unwrap();
    assert!(
        text.contains("/run/opengl-driver/lib/libcuda.so.1"),
        "{text}"
    );
    assert!(sandbox.tree("out").contains(&format!("755 {driver}\n")));
    let bill = sandbox.path("out/triton-1.0.dist-info/sboms/wheelfix.cdx.json");
    let bill = fs_err::read_to_string(bill).unwrap();
    let bill: serde_json::Value = serde_json::from_str(&bill).unwrap();
    assert_eq!(bill["components"][0]["name"], driver);
    assert_eq!(
        bill["components"][0]["hashes"][0]["content"],
        after[driver].as_str()
    );
    let notes = &bill["components"][0]["pedigree"]["notes"];
    assert_eq!(notes, "texts replaced by rule triton-ldconfig-nvidia");

    fs_err::create_dir(sandbox.path("again")).unwrap();
    assert!(
        sandbox
            .run(&["patch", &new, "-o", "again"])
            .starts_with("exit: 0\n")
    );
    let again = fs_err::read(sandbox.path("again").join(&wheel)).unwrap();
    assert!(
        again == fs_err::read(sandbox.path(&new)).unwrap(),
        "a second run changes nothing"
    );
}

#[test]
fn a_text_that_no_rule_knows_is_a_fault() {
    let sandbox = Sandbox::new();
    let wheel = WheelBuilder::new("triton", "1.0").file(
        "triton/backends/nvidia/driver.py",
        "x = run([\"/sbin/ldconfig\", \"-p\"])\n",
    );
    let wheel = sandbox.wheel(&wheel);
    fs_err::create_dir(sandbox.path("new")).unwrap();
    let text = sandbox.run(&["patch", &wheel, "-o", "new"]);
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(
        text.contains("rule `triton-ldconfig-nvidia` replaces"),
        "{text}"
    );
    assert_eq!(sandbox.tree("new"), "");
}

#[test]
fn what_is_for_files_on_disk_is_refused_by_name() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&WheelBuilder::new("demo", "1.0"));
    let text = sandbox.run(&["patch", &wheel, "-o", "out", "--heal"]);
    let want = "`--heal` is for files on disk: `patch`";
    assert!(
        text.starts_with("exit: 2\n") && text.contains(want),
        "{text}"
    );
}

#[test]
fn messages_name_files_as_they_are_in_the_wheel() {
    let sandbox = Sandbox::new();
    let library = compile(&sandbox);
    let data = "demo-1.0.data";
    let wheel = demo(library.clone())
        .file(&format!("{data}/data/share/y.so"), library.clone())
        .file(&format!("{data}/scripts/z"), library);
    let wheel = sandbox.wheel(&wheel);
    let target = ["--python", "python3"];
    for args in [&[][..], &["--dry-run"]] {
        let text = sandbox.run(&[&["patch", &wheel, "-o", "new"], args, &target].concat());
        assert!(text.starts_with("exit: 1\n"), "{text}");
        let names = [
            "demo-1.0.data/data/share/y.so",
            "demo-1.0.data/scripts/z",
            "demo/x.so",
        ];
        let line = text
            .lines()
            .find(|line| line.contains("needed by: "))
            .unwrap();
        assert!(names.iter().all(|name| line.contains(name)), "{text}");
        assert!(!text.contains("/prefix"), "{text}");
    }
    let planned = [
        "patch",
        &wheel,
        "-o",
        "new",
        "--dry-run",
        "--lib-path",
        "dep/lib",
    ];
    let text = sandbox.run(&[&planned[..], &target].concat());
    assert!(
        text.starts_with("exit: 0\n") && text.contains("demo/x.so"),
        "{text}"
    );
    assert!(!text.contains("/prefix"), "{text}");
}

/// As Intel's runtimes: nothing lies in `site-packages`, and one library has symbols that another one brings.
#[test]
fn libraries_of_a_wheel_that_has_them_elsewhere_only() {
    let sandbox = Sandbox::new();
    let lacking = "int nowhere(void); int f(void) { return nowhere(); }";
    sandbox.library(lacking, &["-o", "liblayer.so"]);
    sandbox.library("int nowhere(void) { return 1; }", &["-o", "libcore.so"]);
    let mut wheel = WheelBuilder::new("m", "1.0").tags("py3-none-linux_x86_64");
    for name in ["liblayer.so", "libcore.so"] {
        let library = fs_err::read(sandbox.path(name)).unwrap();
        wheel = wheel.file(&format!("m-1.0.data/data/lib/{name}"), library);
    }
    let wheel = sandbox.wheel(&wheel);
    for command in [
        ["patch", &wheel, "-o", "out"],
        ["install", &wheel, "--prefix", "p"],
    ] {
        let text = sandbox.run(&[&command[..], &["--python", "python3"]].concat());
        assert!(text.starts_with("exit: 0\n"), "{text}");
        assert!(
            text.contains("1 of 2 objects proved to load, 1 left aside"),
            "{text}"
        );
    }
}

#[test]
fn scripts_are_read_as_they_are_when_they_are_installed() {
    let sandbox = Sandbox::new();
    let opens = "#!python\nimport ctypes\nx = ctypes.CDLL('libgone.so.1')\n";
    let wheel = WheelBuilder::new("demo", "1.0")
        .data("scripts/tool", opens)
        .data("data/bin/other", opens)
        .data("data/share/none", opens);
    let wheel = sandbox.wheel(&wheel);
    for command in [
        ["patch", &wheel, "-o", "out"],
        ["install", &wheel, "--prefix", "p"],
    ] {
        let text = sandbox.run(&[&command[..], &["--python", "python3"]].concat());
        assert!(text.starts_with("exit: 0\n"), "{text}");
        assert!(
            text.contains("warning: `libgone.so.1` is missing"),
            "{text}"
        );
        assert!(text.contains("(other:3, tool:3)"), "{text}");
    }
}

#[test]
fn a_program_that_is_linked_for_one_python_is_told() {
    let sandbox = Sandbox::new();
    let library = compile(&sandbox);
    sandbox.library(
        "int x(void); int p(void) { return x(); }",
        &["-o", "p.so", "x.so", "-Wl,--allow-shlib-undefined"],
    );
    let program = fs_err::read(sandbox.path("p.so")).unwrap();
    for (tag, version, is_told) in [
        ("py3-none-linux_x86_64", "3.0", true),
        ("cp39-abi3-linux_x86_64", "3.9", true),
        ("cp311-cp311-linux_x86_64", "3.11", false),
    ] {
        let wheel = demo(library.clone())
            .tags(tag)
            .data("scripts/tool", program.clone());
        let wheel = sandbox.wheel(&wheel);
        let args = ["patch", &wheel, "-o", "new", "--lib-path", "dep"];
        let text = sandbox.run(&args);
        assert!(text.starts_with("exit: 0\n"), "{text}");
        let want = format!(
            "warning: `demo-1.0.data/scripts/tool` finds its libraries in `lib/python{version}/site-packages` alone"
        );
        assert_eq!(text.contains(&want), is_told, "{text}");
        let named =
            sandbox.run(&[&args[..4], &["--lib-path", "dep", "--python", "python3"]].concat());
        assert!(!named.contains("alone"), "{named}");
    }
}

#[test]
fn a_script_that_asks_for_what_nixos_does_not_have_is_told() {
    let sandbox = Sandbox::new();
    let wheel = WheelBuilder::new("demo", "1.0")
        .executable("demo/start", "#!/bin/bash\n")
        .executable("demo/plain", "#!/bin/sh\n")
        .file("demo/data", "#!/bin/bash\n")
        .data("scripts/tool", "#!python\n")
        .data("scripts/other", "#!/bin/zsh\n");
    let wheel = sandbox.wheel(&wheel);
    let text = sandbox.run(&["patch", &wheel, "-o", "out"]);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    for (path, program) in [
        ("demo/start", "bash"),
        ("demo-1.0.data/scripts/other", "zsh"),
    ] {
        let want = format!(
            "warning: script `{path}` asks for `/bin/{program}`, and stays as it is in a wheel"
        );
        assert!(text.contains(&want), "{text}");
    }
    assert_eq!(text.matches("warning: ").count(), 2, "{text}");
}
