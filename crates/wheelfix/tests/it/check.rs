//! `wheelfix check` and `wheelfix why`: that the commands are hooked up.

use insta::assert_snapshot;
use wheelfix_testkit::elf::Tool;

use crate::support::Sandbox;

/// A sandbox with `liba.so`, and `libuser.so`, which needs it and lies below `lib`.
fn sandbox(run_path: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("lib")).unwrap();
    fs_err::write(sandbox.path("a.c"), "void f(void) {}").unwrap();
    fs_err::write(
        sandbox.path("user.c"),
        "void f(void); void u(void) { f(); }",
    )
    .unwrap();
    let compile = |args: &[&str]| {
        let start = ["-shared", "-fPIC", "-nostdlib", "-Wl,--no-as-needed"];
        Tool::CC
            .run_in(&sandbox.path("."), &[&start, args].concat())
            .expect();
    };
    compile(&["-Wl,-soname,liba.so", "-o", "liba.so", "a.c"]);
    let run_path = format!("-Wl,-rpath,{run_path}");
    compile(&["-o", "lib/libuser.so", "user.c", "-L.", "-la", &run_path]);
    sandbox
}

#[test]
fn what_loads_is_proved() {
    assert_snapshot!(sandbox("$ORIGIN/..").run(&["check", "."]), @"
    exit: 0
    --- stdout
    2 of 2 objects proved to load; looked at 2 files with 5 symbols
    taken for granted: the C API of Python (name it with --python)
    ");
}

#[test]
fn what_does_not_load_is_told_with_the_way_out() {
    let sandbox = sandbox("$ORIGIN/../other:");
    let lib_path = sandbox.path("lib/..");
    let lib_path = fs_err::canonicalize(lib_path).unwrap();
    let lib_path = lib_path.to_str().unwrap();
    let args = ["check", "lib", "--warnings", "--lib-path", lib_path];
    assert_snapshot!(sandbox.run(&args), @"
    exit: 1
    --- stdout
    0 of 1 object proved to load, 1 not; looked at 1 file with 3 symbols
    taken for granted: the C API of Python (name it with --python)
    --- stderr
    warning: `[DIR]/lib/libuser.so` has `$ORIGIN/../other` in its run path: there is no such directory
      fix: wheelfix patch [DIR]/lib/libuser.so
    error: `[DIR]/lib/libuser.so` has `` in its run path: an empty element is the current directory
      fix: wheelfix patch [DIR]/lib/libuser.so
    error: `liba.so` is missing
      needed by: [DIR]/lib/libuser.so
      searched: the files themselves, [DIR]/other, ., [DIR]
      near miss: [DIR]/liba.so: it is in a library path, but no run path leads there
      fix: wheelfix patch [DIR]/lib/libuser.so --lib-path [DIR]
      fix: add --ignore-missing liba.so  # if all works without it
    next: wheelfix patch lib --lib-path [DIR] --lib-path [DIR]  # mends 1 of 2
    ");
}

#[test]
fn faults_are_data_too() {
    let text = sandbox("$ORIGIN").run(&["check", "lib", "--json"]);
    let (_, rest) = text.split_once("--- stdout\n").unwrap();
    let (json, _) = rest.split_once("--- stderr\n").unwrap();
    let document: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(document["version"], 1);
    assert_eq!(document["proved"], false);
    assert_eq!(document["faults"][0]["fault"], "missing");
    assert_eq!(document["faults"][0]["soname"], "liba.so");
}

#[test]
fn the_search_is_explained() {
    let sandbox = sandbox("$ORIGIN/none:$ORIGIN/..");
    assert_snapshot!(sandbox.run(&["why", "lib/libuser.so"]), @"
    exit: 0
    --- stdout
    [DIR]/lib/libuser.so: RUNPATH $ORIGIN/none:$ORIGIN/..
    liba.so
      [DIR]/lib/../liba.so, by RUNPATH of [DIR]/lib/libuser.so
    ");
    assert_snapshot!(sandbox.run(&["why", "lib/libuser.so", "liba.so"]), @"
    exit: 0
    --- stdout
    [DIR]/lib/libuser.so: RUNPATH $ORIGIN/none:$ORIGIN/..
    liba.so, needed by [DIR]/lib/libuser.so
      search RUNPATH of [DIR]/lib/libuser.so
        try [DIR]/lib/none/liba.so
        try [DIR]/lib/../liba.so
      [DIR]/lib/../liba.so, by RUNPATH of [DIR]/lib/libuser.so
    ");
    assert_snapshot!(sandbox.run(&["why", "lib/libuser.so", "libnowhere.so.1"]), @"
    exit: 1
    --- stdout
    [DIR]/lib/libuser.so: RUNPATH $ORIGIN/none:$ORIGIN/..
    libnowhere.so.1, which nothing needs, if [DIR]/lib/libuser.so opens it
      search RUNPATH of [DIR]/lib/libuser.so
        try [DIR]/lib/../libnowhere.so.1
      not found
    ");
    assert_snapshot!(sandbox.run(&["why", "user.c"]), @"
    exit: 1
    --- stderr
    error: `[DIR]/user.c` is not an ELF file
    ");
}
