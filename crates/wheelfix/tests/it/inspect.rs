//! `wheelfix inspect` on small wheels, source distributions, ELF files and directories.

use std::collections::BTreeSet;

use serde_json::Value;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::sdist::{Packing, SdistBuilder};
use wheelfix_testkit::wheel::WheelBuilder;

use crate::support::Sandbox;

fn demo() -> WheelBuilder {
    WheelBuilder::new("demo", "1.0")
        .metadata("Summary: A wheel for tests\nLicense: MIT\nRequires-Python: >=3.8\n")
        .metadata("Requires-Dist: numpy<2\nRequires-Dist: pytest; extra == 'test'\nProvides-Extra: test\n")
        .file("demo/__init__.py", "answer = 42\n")
        .file("demo/old.pyc", "byte code")
        .executable("demo/tool.sh", "#!/bin/sh\n")
        .data("scripts/greet", "#!python\nprint('hello')\n")
        .entry_points("[console_scripts]\ndemo = demo:main\n[demo.plugins]\nx = demo.x\n")
}

/// A library with a search path, in a wheel or alone.
fn library(sandbox: &Sandbox) -> Vec<u8> {
    fs_err::write(
        sandbox.path("x.c"),
        "double cos(double); double f(double x) { return cos(x); }\n",
    )
    .unwrap();
    let args = [
        "-shared",
        "-fPIC",
        "x.c",
        "-o",
        "x.so",
        "-lm",
        "-Wl,-soname,libx.so.1",
        "-Wl,--disable-new-dtags",
    ];
    let paths = [
        "-Wl,-rpath,$ORIGIN/../demo.libs:/usr/local/cuda/lib64",
        "-Wl,--no-as-needed",
    ];
    Tool::CC
        .run_in(
            &sandbox.path("."),
            &[args.as_slice(), paths.as_slice()].concat(),
        )
        .expect();
    fs_err::read(sandbox.path("x.so")).unwrap()
}

fn json(sandbox: &Sandbox, args: &[&str]) -> Value {
    let output = sandbox.command(args).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_wheel_is_described() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    insta::assert_snapshot!(sandbox.run(&["inspect", &wheel]));
    insta::assert_snapshot!(
        "all",
        sandbox.run(&["inspect", "--all", "--verify", &wheel])
    );
}

#[test]
fn the_json_says_the_same() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    insta::assert_snapshot!(sandbox.run(&["inspect", "--json", &wheel]));
}

#[test]
fn elf_files_in_a_wheel_are_described() {
    let sandbox = Sandbox::new();
    let wheel = demo()
        .tags("cp311-cp311-manylinux2014_x86_64")
        .platlib()
        .file("demo/x.so", library(&sandbox));
    let wheel = sandbox.wheel(&wheel);
    let document = json(&sandbox, &["inspect", "--json", &wheel]);
    let elf = &document["elf_files"][0];
    assert_eq!(elf["path"], "demo/x.so");
    assert_eq!(elf["soname"], "libx.so.1");
    assert_eq!(elf["run_path"]["kind"], "rpath");
    assert_eq!(
        elf["run_path"]["path"],
        "$ORIGIN/../demo.libs:/usr/local/cuda/lib64"
    );
    assert_eq!(elf["needed"][0], "libm.so.6");
    assert_eq!(document["external_libraries"][1]["soname"], "libm.so.6");
    assert_eq!(document["version_floors"][0]["name"], "GLIBC");
    let text = sandbox.run(&["inspect", &wheel]);
    for part in [
        "ELF files (1)",
        "RPATH  demo/x.so",
        "   RPATH    $ORIGIN/../demo.libs /usr/local/cuda/lib64",
        "Needed from elsewhere (2)  the system's libraries only",
        "GLIBC_2.2.5  libc.so.6  for demo/x.so",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
}

#[test]
fn a_deep_look_finds_what_is_loaded_at_run_time() {
    let sandbox = Sandbox::new();
    let source = "const char *f(void) { return \"libnvrtc.so.13\"; }\n";
    fs_err::write(sandbox.path("y.c"), source).unwrap();
    Tool::CC
        .run_in(
            &sandbox.path("."),
            &["-shared", "-fPIC", "y.c", "-o", "y.so"],
        )
        .expect();
    let wheel = demo()
        .tags("cp311-cp311-linux_x86_64")
        .platlib()
        .file("demo/y.so", fs_err::read(sandbox.path("y.so")).unwrap())
        .file(
            "demo/load.py",
            "import ctypes\nx = ctypes.CDLL('libnvidia-ml.so.1')\n",
        );
    let wheel = sandbox.wheel(&wheel);
    let text = sandbox.run(&["inspect", "--deep", &wheel]);
    let (_, section) = text.split_once("\nLoaded at run time").unwrap();
    let (section, _) = section.split_once("\n\n").unwrap();
    insta::assert_snapshot!(section, @r"
     (2)  names and places in texts; some may be unused
      libnvrtc.so.13  in demo/y.so
      demo/load.py:2
          x = ctypes.CDLL('libnvidia-ml.so.1')
    ");
    let document = json(&sandbox, &["inspect", "--deep", "--json", &wheel]);
    assert_eq!(document["runtime_loads"][1]["what"], "libnvidia-ml.so.1");
}

/// Whoever inspects a wheel first is not told less than the proof asks.
#[test]
fn a_deep_look_and_the_proof_name_the_same_libraries() {
    let sandbox = Sandbox::new();
    sandbox.library(
        "void *dlopen(const char *, int);\n\
         void *PyInit_y(void) { return dlopen(\"nvshmem_bootstrap_uid.so.3\", 1); }\n",
        &["-o", "y.so"],
    );
    let source = "import ctypes, ctypes.util\n\
        ctypes.PyDLL('libonlypydll.so.1')\n\
        ctypes.util.find_library('usb-1.0')\n\
        load_nvidia_dynamic_lib('nvrtc')\n\
        ctypes.cdll.LoadLibrary(\n    '/opt/x/libbelow.so.2')\n\
        a, b = ctypes.CDLL('liba.so.1'), ctypes.CDLL('libb.so.1')\n";
    let wheel = demo()
        .tags("cp311-cp311-linux_x86_64")
        .platlib()
        .file("demo/y.so", fs_err::read(sandbox.path("y.so")).unwrap())
        .file("demo/load.py", source);
    let wheel = sandbox.wheel(&wheel);
    let document = json(&sandbox, &["inspect", "--deep", "--json", &wheel]);
    let names = |list: &Value, name: &str| -> BTreeSet<String> {
        let list = list.as_array().unwrap().iter();
        list.filter_map(|it| Some(it[name].as_str()?.to_owned()))
            .collect()
    };
    let inspected = names(&document["runtime_loads"], "what");
    let args = ["check", "--warnings", "--json", &wheel];
    let output = sandbox.command(&args).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut proved = names(&document["faults"], "soname");
    proved.extend(names(&document["warnings"], "soname"));
    assert_eq!(inspected, proved);
    let want = [
        "liba.so.1",
        "libb.so.1",
        "libbelow.so.2",
        "libnvrtc.so",
        "libonlypydll.so.1",
        "libusb-1.0.so",
        "nvshmem_bootstrap_uid.so.3",
    ];
    assert_eq!(inspected, want.map(str::to_owned).into());
}

#[test]
fn an_elf_file_and_a_directory_are_described() {
    let sandbox = Sandbox::new();
    library(&sandbox);
    fs_err::create_dir(sandbox.path("tree")).unwrap();
    fs_err::rename(sandbox.path("x.so"), sandbox.path("tree/x.so")).unwrap();
    fs_err::write(sandbox.path("tree/bad.so"), b"\x7fELF").unwrap();
    let text = sandbox.run(&["inspect", "--verify", "tree/x.so"]);
    assert!(
        text.starts_with(
            "exit: 0\n--- stdout\ntree/x.so\n  kind        library, 64 bits, x86-64, "
        ),
        "{text}"
    );
    for part in [
        "  soname      libx.so.1\n",
        "  RPATH       $ORIGIN/../demo.libs\n              /usr/local/cuda/lib64\n",
        "  needs       libm.so.6 libc.so.6\n",
        "  verified    keeps all rules\n",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    let tree = json(&sandbox, &["inspect", "--json", "tree"]);
    assert_eq!(tree["kind"], "directory");
    assert_eq!(tree["file_count"], 2);
    assert_eq!(tree["elf_files"][0]["path"], "x.so");
    assert_eq!(tree["unreadable"][0]["path"], "bad.so");
    let text = sandbox.run(&["inspect", "tree"]);
    assert!(text.contains("bad.so: "), "{text}");
}

#[test]
fn distributions_of_an_environment_are_listed() {
    let sandbox = Sandbox::new();
    let wheel = sandbox.wheel(&demo());
    let made = [
        "install",
        &wheel,
        "--prefix",
        "e",
        "--python-version",
        "3.11",
    ];
    let text = sandbox.run(&made);
    assert!(text.starts_with("exit: 0\n"), "{text}");
    let document = json(&sandbox, &["inspect", "--json", "e"]);
    let path = "lib/python3.11/site-packages/demo-1.0.dist-info";
    let want = serde_json::json!([{ "name": "demo", "version": "1.0", "path": path }]);
    assert_eq!(document["distributions"], want);
    let text = sandbox.run(&["inspect", "e"]);
    assert!(
        text.contains("\nDistributions (1)\n  demo  1.0\n"),
        "{text}"
    );
    let page = sandbox.run(&["inspect", "e", "--html", "-"]);
    assert!(
        page.contains("<td><code>demo</code></td><td><code>1.0</code></td>"),
        "{page}"
    );
}

#[test]
fn a_source_distribution_is_described() {
    let sandbox = Sandbox::new();
    let sdist = SdistBuilder::new("demo", "1.0").file_with_mode("configure", 0o755, "#!/bin/sh\n");
    sdist.write_to(&sandbox.path("."), Packing::TarXz);
    let text = sandbox.run(&["inspect", "--all", "demo-1.0.tar.xz"]);
    // How well it was compressed is the encoder's business.
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("  size "))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    exit: 0
    --- stdout
    demo 1.0
      python      any
      built by    flit_core.buildapi
      with        flit_core
      dynamic     no field, the metadata are final

    Files (3)  demo-1.0
      46 B     PKG-INFO
      10 B  x  configure
      77 B     pyproject.toml
    ");
}

#[test]
fn a_content_that_differs_from_record_is_found() {
    let sandbox = Sandbox::new();
    let lie = "demo/old.pyc,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,9\n";
    let wheel = sandbox.wheel(&demo().record_row("demo/old.pyc", lie));
    let text = sandbox.run(&["inspect", "--verify", &wheel]);
    assert!(text.starts_with("exit: 1\n"), "{text}");
    assert!(text.contains("8 rows; 1 file differs"), "{text}");
    assert!(
        text.contains("demo/old.pyc: hash mismatch: `RECORD` has sha256=47DEQpj8HBSa"),
        "{text}"
    );
    assert!(sandbox.run(&["inspect", &wheel]).starts_with("exit: 0\n"));
}

#[test]
fn what_is_refused_is_named() {
    let sandbox = Sandbox::new();
    fs_err::write(sandbox.path("text.txt"), "text").unwrap();
    fs_err::write(sandbox.path("demo-1.0-py3-none-any.whl"), "text").unwrap();
    fs_err::write(sandbox.path("demo-1.0.tar.gz"), "text").unwrap();
    let run = |path: &str| sandbox.run(&["inspect", path]);
    insta::assert_snapshot!(run("text.txt"), @r"
    exit: 1
    --- stderr
    error: `text.txt` is not a wheel, source distribution, ELF file or directory
    ");
    insta::assert_snapshot!(run("demo-1.0-py3-none-any.whl"), @r"
    exit: 1
    --- stderr
    error: `demo-1.0-py3-none-any.whl` is refused
      cause: at 0x4: no end of central directory record: not a zip archive, or truncated
    ");
    let text = run("demo-1.0.tar.gz");
    assert!(
        text.starts_with("exit: 1\n--- stderr\nerror: `demo-1.0.tar.gz` is refused\n  cause: "),
        "{text}"
    );
    let text = run("missing.whl");
    assert!(text.starts_with("exit: 3\n"), "{text}");
}
