//! Wheels and prefixes in one environment.

use insta::assert_snapshot;
use wheelfix_testkit::cache;
use wheelfix_testkit::prefix::{PrefixBuilder, SITE_PACKAGES};
use wheelfix_testkit::wheel::WheelBuilder;

use super::{make, refused, sandbox, tree, untrue_rows, whole};
use crate::support::Sandbox;

/// Two wheels and a prefix that share a namespace with an `__init__.py`.
fn mixed() -> (Sandbox, [String; 2]) {
    let sandbox = sandbox(&[PrefixBuilder::new("one", "1.0")
        .module("ns/__init__.py", "# ns\n")
        .module("ns/one.py", "x = 1\n")
        .file("own/data.txt", "data\n")]);
    let two = WheelBuilder::new("two", "2.0")
        .file("ns/__init__.py", "# ns\n")
        .file("ns/two.py", "x = 2\n")
        .file("share.txt", "two\n");
    let three = WheelBuilder::new("three", "3.0")
        .file("ns/__init__.py", "# ns\n")
        .file("ns/three.py", "x = 3\n")
        .file("share.txt", "three\n");
    let names = [sandbox.wheel(&two), sandbox.wheel(&three)];
    (sandbox, names)
}

#[test]
fn wheels_and_prefixes_merge() {
    let (sandbox, [two, three]) = mixed();
    let python = cache::tool("python3");
    let rule = ["--on-collision", "share.txt=first", "--prove", "none"];
    let start = ["a", &two, &three, "--python", python.to_str().unwrap()];
    let text = make(
        &sandbox,
        &[&start[..], &["--activate", "none"], &rule].concat(),
    );
    let text = text.replace(python.to_str().unwrap(), "[PYTHON]");
    assert_snapshot!(text, @"
    exit: 0
    --- stdout
    [DIR]/env: 3 distributions, 2 directories and 2 files linked, 10 new files, 1 collision decided by rules, not proved: no target is named
    start it: PYTHONPATH=[DIR]/env/lib/python3.11/site-packages [PYTHON]
    --- stderr
    warning: `lib/python3.11/site-packages/share.txt` comes with different content from two 2.0 (`[DIR]/two-2.0-py3-none-any.whl`) and three 3.0 (`[DIR]/three-3.0-py3-none-any.whl`); the one of `[DIR]/two-2.0-py3-none-any.whl` counts, by the rule `share.txt=first`
    ");
    assert_snapshot!(tree(&sandbox, "env"), @"
    lib/python3.11/site-packages/ns/__init__.py
    lib/python3.11/site-packages/ns/__pycache__/__init__.cpython-311.opt-1.pyc
    lib/python3.11/site-packages/ns/__pycache__/__init__.cpython-311.pyc
    lib/python3.11/site-packages/ns/__pycache__/one.cpython-311.pyc -> [DIR]/a/lib/python3.11/site-packages/ns/__pycache__/one.cpython-311.pyc
    lib/python3.11/site-packages/ns/__pycache__/three.cpython-311.opt-1.pyc
    lib/python3.11/site-packages/ns/__pycache__/three.cpython-311.pyc
    lib/python3.11/site-packages/ns/__pycache__/two.cpython-311.opt-1.pyc
    lib/python3.11/site-packages/ns/__pycache__/two.cpython-311.pyc
    lib/python3.11/site-packages/ns/one.py -> [DIR]/a/lib/python3.11/site-packages/ns/one.py
    lib/python3.11/site-packages/ns/three.py
    lib/python3.11/site-packages/ns/two.py
    lib/python3.11/site-packages/one-1.0.dist-info -> [DIR]/a/lib/python3.11/site-packages/one-1.0.dist-info
    lib/python3.11/site-packages/own -> [DIR]/a/lib/python3.11/site-packages/own
    lib/python3.11/site-packages/share.txt
    lib/python3.11/site-packages/three-3.0.dist-info/METADATA
    lib/python3.11/site-packages/three-3.0.dist-info/RECORD
    lib/python3.11/site-packages/three-3.0.dist-info/WHEEL
    lib/python3.11/site-packages/two-2.0.dist-info/METADATA
    lib/python3.11/site-packages/two-2.0.dist-info/RECORD
    lib/python3.11/site-packages/two-2.0.dist-info/WHEEL
    ");
    let site = sandbox.path("env").join(SITE_PACKAGES);
    let read = |path: &str| fs_err::read_to_string(site.join(path)).unwrap();
    assert_eq!(read("share.txt"), "two\n");
    assert!(read("two-2.0.dist-info/RECORD").contains("share.txt,sha256="));
    assert!(!read("three-3.0.dist-info/RECORD").contains("share.txt"));
    // The prefix is as it was: bytecode of a wheel's file did not get there through a link.
    let cache = sandbox.path("a").join(SITE_PACKAGES).join("ns/__pycache__");
    assert_eq!(fs_err::read_dir(cache).unwrap().count(), 2);
}

#[test]
fn wheels_that_collide_are_named() {
    let (sandbox, [two, three]) = mixed();
    let args = ["a", &two, &three, "--python-version", "3.11"];
    assert_snapshot!(refused(&sandbox, &args), @"
    error: `lib/python3.11/site-packages/share.txt` comes with different content from two 2.0 (`[DIR]/two-2.0-py3-none-any.whl`) and three 3.0 (`[DIR]/three-3.0-py3-none-any.whl`)
    hint: decide with `--on-collision GLOB=first` or `GLOB=last`, in the order of the inputs
    ");
}

#[test]
fn neither_order_nor_threads_matter() {
    let (sandbox, [two, three]) = mixed();
    let python = cache::tool("python3");
    let common = [
        "--python",
        python.to_str().unwrap(),
        "--exclude",
        "share.txt",
    ];
    let orders: [[&str; 5]; 3] = [
        ["a", &two, &three, "--jobs", "1"],
        [&three, &two, "a", "--jobs", "1"],
        [&three, "a", &two, "--jobs", "5"],
    ];
    let mut trees = Vec::new();
    for order in orders {
        make(
            &sandbox,
            &[&order[..], &common, &["--prove", "none"]].concat(),
        );
        trees.push(whole(&sandbox, "env"));
        fs_err::remove_dir_all(sandbox.path("env")).unwrap();
    }
    assert_eq!(trees[0], trees[1]);
    assert_eq!(trees[0], trees[2]);
}

#[test]
fn a_shared_directory_of_libraries_merges() {
    let wheel = |name: &str| {
        WheelBuilder::new(name, "13.0").file(&format!("nvidia/cu13/lib/{name}.txt"), name)
    };
    let sandbox = sandbox(&[PrefixBuilder::new("nvrtc", "13.0")
        .file("nvidia/cu13/lib/nvrtc.txt", "nvrtc")
        .file("nvidia/cudnn/lib/own.txt", "own")]);
    let cublas = sandbox.wheel(&wheel("cublas"));
    let cudart = sandbox.wheel(&wheel("cudart"));
    make(
        &sandbox,
        &["a", &cublas, &cudart, "--python-version", "3.11"],
    );
    assert_snapshot!(tree(&sandbox, "env/lib/python3.11/site-packages/nvidia"), @"
    cu13/lib/cublas.txt
    cu13/lib/cudart.txt
    cu13/lib/nvrtc.txt -> [DIR]/a/lib/python3.11/site-packages/nvidia/cu13/lib/nvrtc.txt
    cudnn -> [DIR]/a/lib/python3.11/site-packages/nvidia/cudnn
    ");
}

#[test]
fn requirements_of_wheels_are_edited_before_they_are_checked() {
    let sandbox = Sandbox::new();
    let app = WheelBuilder::new("app", "1.0").metadata("Requires-Dist: lib<1\n");
    let lib = WheelBuilder::new("lib", "2.0");
    let (app, lib) = (sandbox.wheel(&app), sandbox.wheel(&lib));
    let args = [&app, &lib, "--python-version", "3.11"];
    assert_snapshot!(refused(&sandbox, &args), @"
    error: app 1.0 requires `lib<1`, the environment has lib 2.0
    hint: add what is missing, or leave it unmet with `--allow-unmet NAME`
    ");
    make(&sandbox, &[&args[..], &["--relax", "lib"]].concat());
}

#[test]
fn texts_of_wheels_are_replaced() {
    let driver = "triton/backends/nvidia/driver.py";
    let text =
        "libs = subprocess.check_output([\"/sbin/ldconfig\", \"-p\"]).decode(errors=\"ignore\")\n";
    let wheel = WheelBuilder::new("triton", "1.0").file(driver, text);
    let sandbox = sandbox(&[PrefixBuilder::new("one", "1.0")]);
    let wheel = sandbox.wheel(&wheel);
    let loader = "/lib64/ld-linux-x86-64.so.2";
    make(&sandbox, &["a", &wheel, "--interpreter", loader]);
    let file = sandbox.path("env").join(SITE_PACKAGES).join(driver);
    let text = fs_err::read_to_string(file).unwrap();
    assert!(!text.contains("ldconfig"), "{text}");
    assert_eq!(untrue_rows(&sandbox), Vec::<String>::new());
}

#[test]
fn a_wheel_without_modules_writes_its_record_into_no_prefix() {
    let sandbox = sandbox(&[PrefixBuilder::new("other", "1.0").file("other/a.py", "")]);
    let wheel = WheelBuilder::new("mine", "1.0").file("mine-1.0.data/data/share/mine.txt", "x");
    let wheel = sandbox.wheel(&wheel);
    let before = whole(&sandbox, "a");
    let args = ["a", &wheel, "--python-version", "3.11"];
    let exclude = ["--exclude", "mine-1.0.dist-info/*"];
    make(&sandbox, &[&args[..], &exclude].concat());
    assert_eq!(whole(&sandbox, "a"), before);
    assert_snapshot!(tree(&sandbox, "env"), @"
    lib/python3.11/site-packages/mine-1.0.dist-info/RECORD
    lib/python3.11/site-packages/other -> [DIR]/a/lib/python3.11/site-packages/other
    lib/python3.11/site-packages/other-1.0.dist-info -> [DIR]/a/lib/python3.11/site-packages/other-1.0.dist-info
    share/mine.txt
    ");
}

#[test]
fn warnings_are_data_too() {
    let sandbox = sandbox(&[]);
    let wheel = sandbox.wheel(&WheelBuilder::new("demo", "1.0").file("demo.py", ""));
    let args = [
        "--python-version",
        "3.11",
        "--nixpkgs-names",
        "--relax",
        "torch",
        "--json",
    ];
    let text = make(&sandbox, &[&args[..], &[&wheel]].concat());
    let (_, rest) = text.split_once("--- stdout\n").unwrap();
    let json = rest.split("--- stderr\n").next().unwrap();
    let document: serde_json::Value = serde_json::from_str(json).unwrap();
    let warnings = document["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].as_str().unwrap().contains("`torch`"),
        "{warnings:?}"
    );
}
