//! The proof fails exactly where something was taken away, and names it.

use wheelfix_relocate::{Remedy, Target};

use crate::workshop::Workshop;

const ORIGIN: &str = "-Wl,-rpath,$ORIGIN";

/// `libuser.so` needs `f` of `liba.so`, which needs nothing.
fn pair() -> Workshop {
    let workshop = Workshop::new();
    workshop.library("liba.so", "void f(void) {} void g(void) {}", &[]);
    workshop.library(
        "libuser.so",
        "void f(void); void u(void) { f(); }",
        &["-L.", "-la", ORIGIN],
    );
    workshop
}

#[test]
fn what_is_whole_is_proved() {
    let proof = pair().prove();
    assert!(proof.faults.is_empty(), "{:?}", proof.faults);
    assert_eq!(proof.loadable.len(), 2);
    assert!(proof.unloadable.is_empty());
}

#[test]
fn a_library_that_was_removed_is_named() {
    let workshop = pair();
    fs_err::remove_file(workshop.path("liba.so")).unwrap();
    assert_eq!(
        workshop.faults(),
        "`liba.so` is missing
  needed by: DIR/libuser.so
  searched: the output, DIR"
    );
}

#[test]
fn a_symbol_that_was_removed_is_named() {
    let workshop = pair();
    workshop.library("liba.so", "void g(void) {}", &[]);
    assert_eq!(
        workshop.faults(),
        "`DIR/libuser.so` refers to what nothing that is loaded with it defines: `f`"
    );
    assert_eq!(workshop.prove().unloadable, [workshop.path("libuser.so")]);
}

#[test]
fn a_weak_reference_may_dangle_and_a_hidden_symbol_is_no_definition() {
    let workshop = Workshop::new();
    workshop.library(
        "liba.so",
        "__attribute__((visibility(\"hidden\"))) void f(void) {}",
        &[],
    );
    let weak = "__attribute__((weak)) void f(void); void u(void) { if (f) f(); }";
    workshop.library("libweak.so", weak, &["-L.", "-la", ORIGIN]);
    assert_eq!(workshop.faults(), "");
    workshop.library(
        "libstrong.so",
        "void f(void); void u(void) { f(); }",
        &["-L.", "-la", ORIGIN],
    );
    assert_eq!(
        workshop.faults(),
        "`DIR/libstrong.so` refers to what nothing that is loaded with it defines: `f`"
    );
}

#[test]
fn a_version_that_was_removed_is_named() {
    let workshop = Workshop::new();
    let source = "void f(void) {} void g(void) {}";
    workshop.versioned("liba.so", source, "A_1 { f; }; A_2 { g; } A_1;");
    let user = "void f(void); void g(void); void u(void) { f(); g(); }";
    workshop.library("libuser.so", user, &["-L.", "-la", ORIGIN]);
    assert_eq!(workshop.faults(), "");
    workshop.versioned("liba.so", source, "A_1 { f; g; };");
    assert_eq!(
        workshop.faults(),
        "`liba.so` does not define the version `A_2`
  needed by: DIR/libuser.so
  found: DIR/liba.so"
    );
    // A library with versions for nothing but its needs is good for all; one without any is not.
    let other = "int puts(const char *); void f(void) { puts(\"\"); } void g(void) {}";
    workshop.library("liba.so", other, &["-lc"]);
    assert_eq!(workshop.faults(), "");
    workshop.library("liba.so", source, &[]);
    let faults = workshop.faults();
    assert!(
        faults.contains("does not define the version `A_1`"),
        "{faults}"
    );
    assert!(
        faults.contains("does not define the version `A_2`"),
        "{faults}"
    );
}

#[test]
fn symbols_come_from_needs_of_needs_but_not_from_strangers() {
    let workshop = Workshop::new();
    workshop.library("libdeep.so", "void deep(void) {}", &[]);
    workshop.library("libmid.so", "", &["-L.", "-ldeep", ORIGIN]);
    let user = "void deep(void); void u(void) { deep(); }";
    workshop.library("libuser.so", user, &["-L.", "-lmid", ORIGIN]);
    assert_eq!(workshop.faults(), "");
    workshop.library("libstranger.so", user, &[]);
    assert_eq!(
        workshop.faults(),
        "`DIR/libstranger.so` refers to what nothing that is loaded with it defines: `deep`"
    );
}

#[test]
fn what_only_an_inherited_path_finds_is_not_found_alone() {
    let workshop = Workshop::new();
    workshop.library("lib/libdeep.so", "void deep(void) {}", &[]);
    workshop.library("lib/libmid.so", "", &["-Llib", "-ldeep"]);
    let old = [
        "-Llib",
        "-lmid",
        "-Wl,-rpath-link,lib",
        "-Wl,-rpath,$ORIGIN/lib",
        "-Wl,--disable-new-dtags",
    ];
    workshop.library("libuser.so", "", &old);
    let proof = workshop.prove();
    assert_eq!(proof.unloadable, [workshop.path("lib/libmid.so")]);
    assert!(proof.loadable.contains(&workshop.path("libuser.so")));
    // A DT_RUNPATH is not inherited.
    let new = [
        "-Llib",
        "-lmid",
        "-Wl,-rpath-link,lib",
        "-Wl,-rpath,$ORIGIN/lib",
        "-Wl,--enable-new-dtags",
    ];
    workshop.library("libuser.so", "", &new);
    let proof = workshop.prove();
    assert_eq!(
        proof.unloadable,
        [workshop.path("lib/libmid.so"), workshop.path("libuser.so")]
    );
}

#[test]
fn the_driver_is_taken_for_granted_and_a_stub_is_not() {
    let workshop = Workshop::new();
    workshop.library("stubs/libcuda.so.1", "void cuInit(void) {}", &[]);
    let user = "void cuInit(void); void u(void) { cuInit(); }";
    let driver = format!("-Wl,-rpath,{}", workshop.path("driver").display());
    workshop.library("libuser.so", user, &["stubs/libcuda.so.1", &driver]);
    let proof = workshop.prove();
    assert_eq!(workshop.describe(&proof), "");
    assert!(proof.assumed.driver.contains("libcuda.so.1"));
    // Its names are known, so that others are not taken to be there.
    let other = "void cuInit(void); void other(void); void u(void) { cuInit(); other(); }";
    workshop.library("libuser.so", other, &["stubs/libcuda.so.1", &driver]);
    assert_eq!(
        workshop.faults(),
        "`DIR/libuser.so` refers to what nothing that is loaded with it defines: `other`"
    );
    workshop.library(
        "libuser.so",
        user,
        &["stubs/libcuda.so.1", "-Wl,-rpath,$ORIGIN/stubs"],
    );
    assert_eq!(
        workshop.faults(),
        "`libcuda.so.1` would be loaded from `DIR/stubs/libcuda.so.1`, not from the driver
  needed or opened by: DIR/libuser.so"
    );
}

#[test]
fn dangerous_run_paths_are_named() {
    let workshop = Workshop::new();
    let path = "-Wl,-rpath,$ORIGIN:/usr/local/cuda/lib64:relative:/no/such/place:";
    workshop.library("liba.so", "", &[path]);
    assert_eq!(
        workshop.faults(),
        "`DIR/liba.so` has `/usr/local/cuda/lib64` in its run path: it leads to another machine (rule `system-cuda`)
`DIR/liba.so` has `relative` in its run path: it is relative to the current directory
`DIR/liba.so` has `` in its run path: an empty element is the current directory"
    );
    let warnings: Vec<String> = workshop
        .prove()
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        workshop.shorten(&warnings.join("\n")),
        "`DIR/liba.so` has `/no/such/place` in its run path: there is no such directory"
    );
}

#[test]
fn a_run_path_that_leads_out_of_the_store_is_a_fault() {
    let workshop = Workshop::new();
    let path = "-Wl,-rpath,$ORIGIN:$ORIGIN/../../b/lib:$ORIGIN/../../../elsewhere";
    workshop.library("store/a/lib/liba.so", "", &[path]);
    let proof = workshop.prove_in(&[workshop.path("store")]);
    assert_eq!(
        workshop.describe(&proof),
        "`DIR/store/a/lib/liba.so` has `$ORIGIN/../../../elsewhere` in its run path: it is outside of the output and of the store"
    );
}

#[test]
fn a_text_where_a_library_should_be_stops_the_loader() {
    let workshop = pair();
    fs_err::write(workshop.path("liba.so"), "INPUT(libreal.so)").unwrap();
    assert_eq!(
        workshop.faults(),
        "the loader stops at a file: `DIR/liba.so` is not an ELF file
  needed by: DIR/libuser.so"
    );
}

#[test]
fn a_library_for_another_machine_is_passed_over() {
    let workshop = pair();
    let mut bytes = fs_err::read(workshop.path("liba.so")).unwrap();
    // e_machine
    bytes[18] = 183;
    fs_err::write(workshop.path("liba.so"), bytes).unwrap();
    assert!(
        workshop.faults().starts_with("`liba.so` is missing\n"),
        "{}",
        workshop.faults()
    );
}

#[test]
fn musl_inherits_every_path_and_knows_no_versions() {
    let workshop = Workshop::new();
    workshop.library("lib/libdeep.so", "void deep(void) {}", &[]);
    workshop.library("lib/libmid.so", "", &["-Llib", "-ldeep"]);
    let new = [
        "-Llib",
        "-lmid",
        "-Wl,-rpath-link,lib",
        "-Wl,-rpath,$ORIGIN/lib",
        "-Wl,--enable-new-dtags",
    ];
    workshop.library("libuser.so", "", &new);
    let mut target = Target::unknown(workshop.path("driver"));
    target.loader = wheelfix_relocate::LoaderKind::Musl;
    let proof = workshop.prove_for(&target);
    assert_eq!(proof.unloadable, [workshop.path("lib/libmid.so")]);
}

#[test]
fn what_is_only_loaded_with_another_one_may_depend_on_it() {
    let workshop = Workshop::new();
    let part = "void whole(void); void part(void) { whole(); }";
    workshop.library("libpart.so", part, &[]);
    let whole = "void part(void); void whole(void) {} void u(void) { part(); }";
    workshop.library("libwhole.so", whole, &["-L.", "-lpart", ORIGIN]);
    let proof = workshop.prove();
    assert_eq!(workshop.describe(&proof), "");
    assert_eq!(proof.found, 2);
    let [part] = &proof.left_aside[..] else {
        panic!("{:?}", proof.left_aside);
    };
    assert_eq!(part.path, workshop.path("libpart.so"));
    assert!(part.reason.starts_with("loads only together with `"));
    assert_eq!(
        workshop.shorten(&proof.warnings[0].to_string()),
        "`DIR/libpart.so` does not load by itself, only with `DIR/libwhole.so`"
    );
}

#[test]
fn what_follows_from_a_library_that_is_missing_is_not_told_again() {
    let workshop = Workshop::new();
    let gone = workshop.library("libgone.so", "int gone;", &[]);
    let part = "void whole(void); void part(void) { whole(); }";
    workshop.library("libpart.so", part, &[]);
    let whole = "void part(void); void whole(void) {} void u(void) { part(); }";
    let flags = ["-L.", "-lpart", "-lgone", ORIGIN];
    workshop.library("libwhole.so", whole, &flags);
    fs_err::remove_file(gone).unwrap();
    let faults = workshop.faults();
    let first: Vec<&str> = faults
        .lines()
        .filter(|line| line.starts_with('`'))
        .collect();
    assert_eq!(first, ["`libgone.so` is missing"]);
}

#[test]
fn an_older_library_is_told_with_what_has_a_newer_one() {
    let workshop = Workshop::new();
    let script = "libgomp.so.1 { *; };";
    workshop.versioned("libgomp.so.1", "void f(void) {} void g(void) {}", script);
    let user = "void f(void); void g(void); void u(void) { f(); g(); }";
    workshop.library("libuser.so", user, &["-L.", "-l:libgomp.so.1", ORIGIN]);
    assert_eq!(workshop.faults(), "");
    workshop.versioned("libgomp.so.1", "void f(void) {}", script);
    let proof = workshop.prove();
    let faults = workshop.describe(&proof);
    let want =
        "`DIR/libuser.so` refers to what nothing that is loaded with it defines: `g@libgomp.so.1`";
    assert!(faults.starts_with(want), "{faults}");
    let json = serde_json::to_value(&proof.faults[0]).unwrap();
    let fix = &json["providers"]["libgomp.so.1"][0];
    assert_eq!(fix["name"], "stdenv.cc.cc.lib");
    let remedy = &json["remedies"][0];
    assert_eq!(remedy["remedy"], "add-lib-path");
    assert_eq!(remedy["newer"], true);
    assert_eq!(&remedy["candidates"][0], fix);
}

#[test]
fn data_that_begins_as_an_elf_file_is_kept_and_what_may_be_loaded_is_refused() {
    let workshop = pair();
    let magic = b"\x7fELF is the magic\n";
    fs_err::create_dir(workshop.path("bin")).unwrap();
    for name in ["data.txt", "tool.bin", "extension.so", "bin/program"] {
        fs_err::write(workshop.path(name), magic).unwrap();
    }
    let proof = workshop.prove();
    let list = |faults: &[wheelfix_relocate::Fault]| {
        let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
        let faults = faults
            .iter()
            .map(|fault| first(workshop.shorten(&fault.to_string())));
        faults
            .map(|text| text.split(" file").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        list(&proof.faults),
        [
            "`DIR/bin/program` is a damaged ELF",
            "`DIR/extension.so` is a damaged ELF"
        ]
    );
    assert_eq!(
        list(&proof.warnings),
        [
            "`DIR/data.txt` begins as an ELF",
            "`DIR/tool.bin` begins as an ELF"
        ]
    );
    assert_eq!(proof.loadable.len(), 2);
}

#[test]
fn data_that_is_needed_is_refused() {
    let workshop = Workshop::new();
    workshop.library("data", "void f(void) {}", &[]);
    workshop.library(
        "libuser.so",
        "void f(void); void u(void) { f(); }",
        &["-L.", "-l:data", ORIGIN],
    );
    fs_err::write(workshop.path("data"), b"\x7fELF is the magic\n").unwrap();
    let faults = workshop.faults();
    assert!(
        faults.contains("`DIR/data` is a damaged ELF file"),
        "{faults}"
    );
}

#[test]
fn a_library_that_strip_has_moved_is_told_so() {
    let workshop = pair();
    let path = workshop.path("liba.so");
    let mut bytes = fs_err::read(&path).unwrap();
    // The second program header's offset.
    bytes[64 + 56 + 8] ^= 8;
    fs_err::write(&path, bytes).unwrap();
    let faults = workshop.faults();
    assert!(faults.contains("`strip` has moved"), "{faults}");
    assert_eq!(workshop.remedies()[0], Remedy::DontStrip { path });
    assert!(workshop.prove().loadable.is_empty());
}
