//! Libraries that nothing declares: names in data and in Python sources.

use std::collections::BTreeSet;

use wheelfix_link::Remedy;

use crate::toolchain::Toolchain;

/// Calls `dlopen`, which need not be there.
const OPENER: &str = "extern void *dlopen(const char *, int) __attribute__((weak));
    void *opener(void) { return dlopen(\"libopened.so.1\", 1); }";

#[test]
fn a_name_in_the_data_of_an_object_that_calls_dlopen_is_a_guess() {
    let toolchain = Toolchain::new();
    toolchain.library("libopener.so", OPENER, &["-Wl,-rpath,$ORIGIN"]);
    assert_eq!(toolchain.faults(), "");
    let warnings = toolchain.prove().warnings;
    let text: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(text.len(), 1, "{text:?}");
    assert!(text[0].contains("`libopened.so.1` is missing"), "{text:?}");
    assert!(text[0].contains("perhaps opened at run time"), "{text:?}");
    toolchain.library("libopened.so.1", "int opened;", &[]);
    assert!(toolchain.prove().warnings.is_empty());
}

/// An object that tries several versions of a library works with the one that is there.
#[test]
fn of_several_versions_by_name_one_is_enough() {
    let source =
        format!("{OPENER}\nvoid *second(void) {{ return dlopen(\"libopened.so.2\", 1); }}");
    let toolchain = Toolchain::new();
    toolchain.library("libopener.so", &source, &["-Wl,-rpath,$ORIGIN"]);
    let warnings = toolchain.prove().warnings;
    let text: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    let both = "`libopened.so.1 or libopened.so.2` is missing";
    assert!(text.len() == 1 && text[0].starts_with(both), "{text:?}");
    toolchain.library("libopened.so.2", "int opened;", &[]);
    assert!(toolchain.prove().warnings.is_empty());
}

/// .NET has the names without the version that it puts behind them.
#[test]
fn the_version_that_dotnet_puts_behind_icu_is_looked_for() {
    let source = OPENER.replace("libopened.so.1", "libicuuc.so");
    let toolchain = Toolchain::new();
    toolchain.library("libopener.so", &source, &["-Wl,-rpath,$ORIGIN"]);
    let warnings = toolchain.prove().warnings;
    let text: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(text.len(), 1, "{text:?}");
    assert!(
        text[0].contains("`libicuuc.so or libicuuc.so.*` is missing"),
        "{text:?}"
    );
    toolchain.library("libicuuc.so.72", "int opened;", &[]);
    assert!(toolchain.prove().warnings.is_empty());
}

/// .NET Core 3.1 and before stop at version 70.
#[test]
fn an_older_dotnet_finds_no_newer_icu() {
    let source = OPENER.replace("libopened.so.1", "libicuuc.so");
    let toolchain = Toolchain::new();
    let name = "System.Globalization.Native.so";
    toolchain.library(name, &source, &["-Wl,-rpath,$ORIGIN"]);
    toolchain.library("libicuuc.so.72", "int opened;", &[]);
    // Each rule names the other library, too.
    assert_eq!(toolchain.prove().warnings.len(), 2);
    toolchain.library("libicuuc.so.67", "int opened;", &[]);
    let warnings = toolchain.prove().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].to_string().contains("libicui18n"),
        "{warnings:?}"
    );
}

/// GDAL takes Python's API from the process that it is in.
#[test]
fn gdal_needs_no_library_of_python() {
    let source = OPENER.replace("libopened.so.1", "libpython3.10.so");
    for (name, count) in [
        ("libgdal.so.36", 0),
        ("libgdal-c8c9c467.so.36.3.10.3", 0),
        ("libother.so.36", 1),
    ] {
        let toolchain = Toolchain::new();
        toolchain.library(name, &source, &[]);
        let warnings = toolchain.prove().warnings;
        assert_eq!(warnings.len(), count, "{name}: {warnings:?}");
    }
}

#[test]
fn without_dlopen_a_name_is_only_a_text() {
    let toolchain = Toolchain::new();
    toolchain.library(
        "liba.so",
        "const char *name(void) { return \"libopened.so.1\"; }",
        &[],
    );
    assert_eq!(toolchain.faults(), "");
}

#[test]
fn what_a_python_source_opens_must_be_there_or_be_caught() {
    let toolchain = Toolchain::new();
    toolchain.library("liba.so", "int a;", &[]);
    let source = "import ctypes
try:
    ctypes.CDLL('libcaught.so')
except OSError:
    pass
ctypes.CDLL('libc.so.6')
ctypes.CDLL('libwanted.so.2')
ctypes.util.find_library('found')
";
    fs_err::write(toolchain.path("x.py"), source).unwrap();
    let faults = toolchain.faults();
    let first: Vec<&str> = faults
        .lines()
        .filter(|line| !line.contains("fix:"))
        .collect();
    let want = [
        "`libwanted.so.2` is missing",
        "  opened at run time by: DIR/x.py (x.py:7)",
        "  searched: the files themselves",
    ];
    assert_eq!(first, want);
    let warnings = toolchain.prove().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}

#[test]
fn the_driver_by_name_is_found_where_the_run_path_leads() {
    let source = OPENER.replace("libopened.so.1", "libcuda.so.1");
    let toolchain = Toolchain::new();
    toolchain.library("libopener.so", &source, &[]);
    let faults = toolchain.faults();
    assert!(faults.contains("`libcuda.so.1` is missing"), "{faults}");
    let paths = BTreeSet::from([toolchain.path("libopener.so")]);
    assert_eq!(toolchain.remedies()[0], Remedy::Patch { paths });
    let driver = toolchain.path("driver");
    let flag = format!("-Wl,-rpath,{}", driver.display());
    toolchain.library("libopener.so", &source, &[&flag]);
    assert_eq!(toolchain.faults(), "");
}

#[test]
fn a_stub_of_the_driver_is_refused_where_it_is_opened_too() {
    let source = OPENER.replace("libopened.so.1", "libcuda.so.1");
    let toolchain = Toolchain::new();
    toolchain.library("stubs/libcuda.so.1", "int stub;", &[]);
    toolchain.library("libopener.so", &source, &["-Wl,-rpath,$ORIGIN/stubs"]);
    assert_eq!(
        toolchain.faults(),
        "`libcuda.so.1` would be loaded from `DIR/stubs/libcuda.so.1`, not from the driver
  needed or opened by: DIR/libopener.so"
    );
}

#[test]
fn what_is_opened_elsewhere_must_find_what_it_needs() {
    let store = Toolchain::new();
    store.library("libgone.so", "int gone;", &[]);
    let needs = ["-L.", "-lgone", "-Wl,-rpath,$ORIGIN"];
    store.library("libnvrtc-builtins.so.13.2", "", &needs);
    let toolchain = Toolchain::new();
    let driver = toolchain.path("driver");
    let path = format!("-Wl,-rpath,{}:{}", store.root().display(), driver.display());
    toolchain.library("libnvrtc.so.13", "", &[&path]);
    let faults = || toolchain.describe(&toolchain.prove_in(&[store.root()]));
    assert_eq!(faults(), "");
    fs_err::remove_file(store.path("libgone.so")).unwrap();
    assert_eq!(
        store.shorten(&faults()).lines().take(3).collect::<Vec<_>>(),
        [
            "`libgone.so` is missing",
            "  needed by: DIR/libnvrtc-builtins.so.13.2",
            "  searched: the files themselves, DIR",
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
