//! Libraries that nothing declares: names in data and in Python sources.

use std::collections::BTreeSet;

use wheelfix_relocate::Remedy;

use crate::workshop::Workshop;

/// Calls `dlopen`, which need not be there.
const OPENER: &str = "extern void *dlopen(const char *, int) __attribute__((weak));
    void *opener(void) { return dlopen(\"libopened.so.1\", 1); }";

#[test]
fn a_name_in_the_data_of_an_object_that_calls_dlopen_is_a_guess() {
    let workshop = Workshop::new();
    workshop.library("libopener.so", OPENER, &["-Wl,-rpath,$ORIGIN"]);
    assert_eq!(workshop.faults(), "");
    let warnings = workshop.prove().warnings;
    let text: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(text.len(), 1, "{text:?}");
    assert!(text[0].contains("`libopened.so.1` is missing"), "{text:?}");
    assert!(text[0].contains("perhaps opened at run time"), "{text:?}");
    workshop.library("libopened.so.1", "int opened;", &[]);
    assert!(workshop.prove().warnings.is_empty());
}

#[test]
fn without_dlopen_a_name_is_only_a_text() {
    let workshop = Workshop::new();
    workshop.library(
        "liba.so",
        "const char *name(void) { return \"libopened.so.1\"; }",
        &[],
    );
    assert_eq!(workshop.faults(), "");
}

#[test]
fn what_a_python_source_opens_must_be_there_or_be_caught() {
    let workshop = Workshop::new();
    workshop.library("liba.so", "int a;", &[]);
    let source = "import ctypes
try:
    ctypes.CDLL('libcaught.so')
except OSError:
    pass
ctypes.CDLL('libc.so.6')
ctypes.CDLL('libwanted.so.2')
ctypes.util.find_library('found')
";
    fs_err::write(workshop.path("x.py"), source).unwrap();
    let faults = workshop.faults();
    let first: Vec<&str> = faults
        .lines()
        .filter(|line| !line.contains("fix:"))
        .collect();
    let want = [
        "`libwanted.so.2` is missing",
        "  opened at run time by: DIR/x.py (x.py:7)",
        "  searched: the output",
    ];
    assert_eq!(first, want);
    let warnings = workshop.prove().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}

#[test]
fn the_driver_by_name_is_found_where_the_run_path_leads() {
    let source = OPENER.replace("libopened.so.1", "libcuda.so.1");
    let workshop = Workshop::new();
    workshop.library("libopener.so", &source, &[]);
    let faults = workshop.faults();
    assert!(faults.contains("`libcuda.so.1` is missing"), "{faults}");
    let paths = BTreeSet::from([workshop.path("libopener.so")]);
    assert_eq!(workshop.remedies()[0], Remedy::Relocate { paths });
    let driver = workshop.path("driver");
    let flag = format!("-Wl,-rpath,{}", driver.display());
    workshop.library("libopener.so", &source, &[&flag]);
    assert_eq!(workshop.faults(), "");
}

#[test]
fn a_stub_of_the_driver_is_refused_where_it_is_opened_too() {
    let source = OPENER.replace("libopened.so.1", "libcuda.so.1");
    let workshop = Workshop::new();
    workshop.library("stubs/libcuda.so.1", "int stub;", &[]);
    workshop.library("libopener.so", &source, &["-Wl,-rpath,$ORIGIN/stubs"]);
    assert_eq!(
        workshop.faults(),
        "`libcuda.so.1` would be loaded from `DIR/stubs/libcuda.so.1`, not from the driver
  needed or opened by: DIR/libopener.so"
    );
}

#[test]
fn what_is_opened_elsewhere_must_find_what_it_needs() {
    let store = Workshop::new();
    store.library("libgone.so", "int gone;", &[]);
    let needs = ["-L.", "-lgone", "-Wl,-rpath,$ORIGIN"];
    store.library("libnvrtc-builtins.so.13.2", "", &needs);
    let workshop = Workshop::new();
    let driver = workshop.path("driver");
    let path = format!("-Wl,-rpath,{}:{}", store.root().display(), driver.display());
    workshop.library("libnvrtc.so.13", "", &[&path]);
    let faults = || workshop.describe(&workshop.prove_in(&[store.root()]));
    assert_eq!(faults(), "");
    fs_err::remove_file(store.path("libgone.so")).unwrap();
    assert_eq!(
        store.shorten(&faults()).lines().take(3).collect::<Vec<_>>(),
        [
            "`libgone.so` is missing",
            "  needed by: DIR/libnvrtc-builtins.so.13.2",
            "  searched: the output, DIR",
        ]
    );
    // A glob stands for all that are there.
    store.library("libnvrtc-builtins.so.13.1", "", &[]);
    assert!(
        store
            .shorten(&faults())
            .starts_with("`libgone.so` is missing\n")
    );
}
