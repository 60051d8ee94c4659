//! The proof fails exactly where something was taken away, and names it.

use wheelfix_link::Remedy;
use wheelfix_loader::Target;

use crate::toolchain::Toolchain;

const ORIGIN: &str = "-Wl,-rpath,$ORIGIN";

/// `libuser.so` needs `f` of `liba.so`, which needs nothing.
fn pair() -> Toolchain {
    let toolchain = Toolchain::new();
    toolchain.library("liba.so", "void f(void) {} void g(void) {}", &[]);
    toolchain.library(
        "libuser.so",
        "void f(void); void u(void) { f(); }",
        &["-L.", "-la", ORIGIN],
    );
    toolchain
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
    let toolchain = pair();
    fs_err::remove_file(toolchain.path("liba.so")).unwrap();
    assert_eq!(
        toolchain.faults(),
        "`liba.so` is missing
  needed by: DIR/libuser.so
  searched: the files themselves, DIR"
    );
}

#[test]
fn a_symbol_that_was_removed_is_named() {
    let toolchain = pair();
    toolchain.library("liba.so", "void g(void) {}", &[]);
    assert_eq!(toolchain.faults(), "`DIR/libuser.so`: undefined symbol `f`");
    assert_eq!(toolchain.prove().unloadable, [toolchain.path("libuser.so")]);
}

#[test]
fn a_weak_reference_may_dangle_and_a_hidden_symbol_is_no_definition() {
    let toolchain = Toolchain::new();
    toolchain.library(
        "liba.so",
        "__attribute__((visibility(\"hidden\"))) void f(void) {}",
        &[],
    );
    let weak = "__attribute__((weak)) void f(void); void u(void) { if (f) f(); }";
    toolchain.library("libweak.so", weak, &["-L.", "-la", ORIGIN]);
    assert_eq!(toolchain.faults(), "");
    toolchain.library(
        "libstrong.so",
        "void f(void); void u(void) { f(); }",
        &["-L.", "-la", ORIGIN],
    );
    assert_eq!(
        toolchain.faults(),
        "`DIR/libstrong.so`: undefined symbol `f`"
    );
}

#[test]
fn a_version_that_was_removed_is_named() {
    let toolchain = Toolchain::new();
    let source = "void f(void) {} void g(void) {}";
    toolchain.versioned("liba.so", source, "A_1 { f; }; A_2 { g; } A_1;");
    let user = "void f(void); void g(void); void u(void) { f(); g(); }";
    toolchain.library("libuser.so", user, &["-L.", "-la", ORIGIN]);
    assert_eq!(toolchain.faults(), "");
    toolchain.versioned("liba.so", source, "A_1 { f; g; };");
    assert_eq!(
        toolchain.faults(),
        "`liba.so` does not define the version `A_2`
  needed by: DIR/libuser.so
  found: DIR/liba.so"
    );
    // A library with versions for nothing but its needs is good for all; one without any is not.
    let other = "int puts(const char *); void f(void) { puts(\"\"); } void g(void) {}";
    toolchain.library("liba.so", other, &["-lc"]);
    assert_eq!(toolchain.faults(), "");
    toolchain.library("liba.so", source, &[]);
    let faults = toolchain.faults();
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
    let toolchain = Toolchain::new();
    toolchain.library("libdeep.so", "void deep(void) {}", &[]);
    toolchain.library("libmid.so", "", &["-L.", "-ldeep", ORIGIN]);
    let user = "void deep(void); void u(void) { deep(); }";
    toolchain.library("libuser.so", user, &["-L.", "-lmid", ORIGIN]);
    assert_eq!(toolchain.faults(), "");
    toolchain.library("libstranger.so", user, &[]);
    assert_eq!(
        toolchain.faults(),
        "`DIR/libstranger.so`: undefined symbol `deep`\n  \
         defined by: DIR/libdeep.so"
    );
}

#[test]
fn what_only_an_inherited_path_finds_is_not_found_alone() {
    let toolchain = Toolchain::new();
    toolchain.library("lib/libdeep.so", "void deep(void) {}", &[]);
    toolchain.library("lib/libmid.so", "", &["-Llib", "-ldeep"]);
    let old = [
        "-Llib",
        "-lmid",
        "-Wl,-rpath-link,lib",
        "-Wl,-rpath,$ORIGIN/lib",
        "-Wl,--disable-new-dtags",
    ];
    toolchain.library("libuser.so", "", &old);
    let proof = toolchain.prove();
    assert_eq!(proof.unloadable, [toolchain.path("lib/libmid.so")]);
    assert!(proof.loadable.contains(&toolchain.path("libuser.so")));
    // A DT_RUNPATH is not inherited.
    let new = [
        "-Llib",
        "-lmid",
        "-Wl,-rpath-link,lib",
        "-Wl,-rpath,$ORIGIN/lib",
        "-Wl,--enable-new-dtags",
    ];
    toolchain.library("libuser.so", "", &new);
    let proof = toolchain.prove();
    assert_eq!(
        proof.unloadable,
        [
            toolchain.path("lib/libmid.so"),
            toolchain.path("libuser.so")
        ]
    );
}

#[test]
fn the_driver_is_taken_for_granted_and_a_stub_is_not() {
    let toolchain = Toolchain::new();
    toolchain.library("stubs/libcuda.so.1", "void cuInit(void) {}", &[]);
    let user = "void cuInit(void); void u(void) { cuInit(); }";
    let driver = format!("-Wl,-rpath,{}", toolchain.path("driver").display());
    toolchain.library("libuser.so", user, &["stubs/libcuda.so.1", &driver]);
    let proof = toolchain.prove();
    assert_eq!(toolchain.describe(&proof), "");
    assert!(proof.assumed.driver.contains("libcuda.so.1"));
    // Its names are known, so that others are not taken to be there.
    let other = "void cuInit(void); void other(void); void u(void) { cuInit(); other(); }";
    toolchain.library("libuser.so", other, &["stubs/libcuda.so.1", &driver]);
    assert_eq!(
        toolchain.faults(),
        "`DIR/libuser.so`: undefined symbol `other`"
    );
    toolchain.library(
        "libuser.so",
        user,
        &["stubs/libcuda.so.1", "-Wl,-rpath,$ORIGIN/stubs"],
    );
    assert_eq!(
        toolchain.faults(),
        "`libcuda.so.1` would be loaded from `DIR/stubs/libcuda.so.1`, not from the driver
  needed or opened by: DIR/libuser.so"
    );
}

#[test]
fn dangerous_run_paths_are_named() {
    let toolchain = Toolchain::new();
    let path = "-Wl,-rpath,$ORIGIN:/usr/local/cuda/lib64:relative:/no/such/place:";
    toolchain.library("liba.so", "", &[path]);
    assert_eq!(
        toolchain.faults(),
        "`DIR/liba.so` has `/usr/local/cuda/lib64` in its run path: it is outside of the Nix store and of the files themselves (rule `system-cuda`)
`DIR/liba.so` has `relative` in its run path: it is relative to the current directory
`DIR/liba.so` has `` in its run path: an empty element is the current directory"
    );
    let warnings: Vec<String> = toolchain
        .prove()
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        toolchain.shorten(&warnings.join("\n")),
        "`DIR/liba.so` has `/no/such/place` in its run path: there is no such directory"
    );
}

#[test]
fn a_run_path_that_leads_out_of_the_store_is_a_fault() {
    let toolchain = Toolchain::new();
    let path = "-Wl,-rpath,$ORIGIN:$ORIGIN/../../b/lib:$ORIGIN/../../../elsewhere";
    toolchain.library("store/a/lib/liba.so", "", &[path]);
    let proof = toolchain.prove_in(&[toolchain.path("store")]);
    assert_eq!(
        toolchain.describe(&proof),
        "`DIR/store/a/lib/liba.so` has `$ORIGIN/../../../elsewhere` in its run path: it is outside of the output and of the store"
    );
}

#[test]
fn a_text_where_a_library_should_be_stops_the_loader() {
    let toolchain = pair();
    fs_err::write(toolchain.path("liba.so"), "INPUT(libreal.so)").unwrap();
    assert_eq!(
        toolchain.faults(),
        "the loader stops at a file: `DIR/liba.so` is not an ELF file
  needed by: DIR/libuser.so"
    );
}

#[test]
fn a_library_for_another_machine_is_passed_over() {
    let toolchain = pair();
    let mut bytes = fs_err::read(toolchain.path("liba.so")).unwrap();
    // e_machine
    bytes[18] = 183;
    fs_err::write(toolchain.path("liba.so"), bytes).unwrap();
    assert!(
        toolchain.faults().starts_with("`liba.so` is missing\n"),
        "{}",
        toolchain.faults()
    );
}

#[test]
fn musl_inherits_every_path_and_knows_no_versions() {
    let toolchain = Toolchain::new();
    toolchain.library("lib/libdeep.so", "void deep(void) {}", &[]);
    toolchain.library("lib/libmid.so", "", &["-Llib", "-ldeep"]);
    let new = [
        "-Llib",
        "-lmid",
        "-Wl,-rpath-link,lib",
        "-Wl,-rpath,$ORIGIN/lib",
        "-Wl,--enable-new-dtags",
    ];
    toolchain.library("libuser.so", "", &new);
    let mut target = Target::unknown(toolchain.path("driver"));
    target.loader = wheelfix_loader::LoaderKind::Musl;
    let proof = toolchain.prove_for(&target);
    assert_eq!(proof.unloadable, [toolchain.path("lib/libmid.so")]);
}

#[test]
fn what_is_only_loaded_with_another_one_may_depend_on_it() {
    let toolchain = Toolchain::new();
    let part = "void whole(void); void part(void) { whole(); }";
    toolchain.library("libpart.so", part, &[]);
    let whole = "void part(void); void whole(void) {} void u(void) { part(); }";
    toolchain.library("libwhole.so", whole, &["-L.", "-lpart", ORIGIN]);
    let proof = toolchain.prove();
    assert_eq!(toolchain.describe(&proof), "");
    assert_eq!(proof.found, 2);
    let [part] = &proof.left_aside[..] else {
        panic!("{:?}", proof.left_aside);
    };
    assert_eq!(part.path, toolchain.path("libpart.so"));
    assert!(part.reason.starts_with("loads only together with `"));
    assert_eq!(
        toolchain.shorten(&proof.warnings[0].to_string()),
        "`DIR/libpart.so` does not load by itself, only with `DIR/libwhole.so`"
    );
}

#[test]
fn what_follows_from_a_library_that_is_missing_is_not_told_again() {
    let toolchain = Toolchain::new();
    let gone = toolchain.library("libgone.so", "int gone;", &[]);
    let part = "void whole(void); void part(void) { whole(); }";
    toolchain.library("libpart.so", part, &[]);
    let whole = "void part(void); void whole(void) {} void u(void) { part(); }";
    let flags = ["-L.", "-lpart", "-lgone", ORIGIN];
    toolchain.library("libwhole.so", whole, &flags);
    fs_err::remove_file(gone).unwrap();
    let faults = toolchain.faults();
    let first: Vec<&str> = faults
        .lines()
        .filter(|line| line.starts_with('`'))
        .collect();
    assert_eq!(first, ["`libgone.so` is missing"]);
}

#[test]
fn an_older_library_is_told_with_what_has_a_newer_one() {
    let toolchain = Toolchain::new();
    let script = "libgomp.so.1 { *; };";
    toolchain.versioned("libgomp.so.1", "void f(void) {} void g(void) {}", script);
    let user = "void f(void); void g(void); void u(void) { f(); g(); }";
    toolchain.library("libuser.so", user, &["-L.", "-l:libgomp.so.1", ORIGIN]);
    assert_eq!(toolchain.faults(), "");
    toolchain.versioned("libgomp.so.1", "void f(void) {}", script);
    let proof = toolchain.prove();
    let faults = toolchain.describe(&proof);
    let want = "`DIR/libuser.so`: undefined symbol `g@libgomp.so.1`";
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
    let toolchain = pair();
    let magic = b"\x7fELF is the magic\n";
    fs_err::create_dir(toolchain.path("bin")).unwrap();
    for name in ["data.txt", "tool.bin", "extension.so", "bin/program"] {
        fs_err::write(toolchain.path(name), magic).unwrap();
    }
    let proof = toolchain.prove();
    let list = |faults: &[wheelfix_link::Fault]| {
        let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
        let faults = faults
            .iter()
            .map(|fault| first(toolchain.shorten(&fault.to_string())));
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
    let toolchain = Toolchain::new();
    toolchain.library("data", "void f(void) {}", &[]);
    toolchain.library(
        "libuser.so",
        "void f(void); void u(void) { f(); }",
        &["-L.", "-l:data", ORIGIN],
    );
    fs_err::write(toolchain.path("data"), b"\x7fELF is the magic\n").unwrap();
    let faults = toolchain.faults();
    assert!(
        faults.contains("`DIR/data` is a damaged ELF file"),
        "{faults}"
    );
}

#[test]
fn a_library_that_strip_has_moved_is_told_so() {
    let toolchain = pair();
    let path = toolchain.path("liba.so");
    let mut bytes = fs_err::read(&path).unwrap();
    // The second program header's offset.
    bytes[64 + 56 + 8] ^= 8;
    fs_err::write(&path, bytes).unwrap();
    let faults = toolchain.faults();
    assert!(faults.contains("`strip` has moved"), "{faults}");
    assert_eq!(toolchain.remedies()[0], Remedy::DontStrip { path });
    assert!(toolchain.prove().loadable.is_empty());
}
