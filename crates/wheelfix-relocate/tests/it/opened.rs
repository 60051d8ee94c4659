//! Libraries that nothing declares: names in data and in Python sources.

use crate::workshop::Workshop;

/// Calls `dlopen`, which need not be there.
const OPENER: &str = "extern void *dlopen(const char *, int) __attribute__((weak));
    void *opener(void) { return dlopen(\"libopened.so.1\", 1); }";

#[test]
fn a_name_in_the_data_of_an_object_that_calls_dlopen_must_lead_somewhere() {
    let workshop = Workshop::new();
    workshop.library("libopener.so", OPENER, &["-Wl,-rpath,$ORIGIN"]);
    let want = "`libopened.so.1` is missing
  perhaps opened at run time by: DIR/libopener.so (the name is in its read-only data)
  searched: the output, DIR
  fix: `--lib-path` of what has it, `--exclude` of the files that need it, or a rule
  fix: `--ignore-missing libopened.so.1` or a `[[dlopen]]` rule with `optional = true`, if all works without it";
    assert_eq!(workshop.faults(), want);
    workshop.library("libopened.so.1", "int opened;", &[]);
    assert_eq!(workshop.faults(), "");
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
        "`libfound.so` is missing",
        "  opened at run time by: DIR/x.py (x.py:8)",
        "  searched: the output",
        "`libwanted.so.2` is missing",
        "  opened at run time by: DIR/x.py (x.py:7)",
        "  searched: the output",
    ];
    assert_eq!(first, want);
    let warnings = workshop.prove().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn the_driver_by_name_is_found_where_the_run_path_leads() {
    let source = OPENER.replace("libopened.so.1", "libcuda.so.1");
    let workshop = Workshop::new();
    workshop.library("libopener.so", &source, &[]);
    let faults = workshop.faults();
    assert!(faults.contains("`libcuda.so.1` is missing"), "{faults}");
    assert!(faults.contains("fix: `wheelfix patch`"), "{faults}");
    let driver = workshop.path("driver");
    let flag = format!("-Wl,-rpath,{}", driver.display());
    workshop.library("libopener.so", &source, &[&flag]);
    assert_eq!(workshop.faults(), "");
}
