//! `wheelfix check` on what Python does not load: programs, and code for other machines.

use std::path::Path;
use std::process::Command;

use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::{cache, host};

use crate::support::Sandbox;

/// The output of `check` with the Python of the tests, and whether all is well.
fn check(sandbox: &Sandbox) -> (bool, String) {
    let mut command = sandbox.command(&["check", "--warnings", "--python"]);
    let output = command.arg(cache::tool("python3")).arg("t").output();
    let output = output.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[track_caller]
fn compile(dir: &Path, source: &str, args: &[&str]) {
    fs_err::create_dir_all(dir).unwrap();
    fs_err::write(dir.join("source.c"), source).unwrap();
    Tool::CC
        .run_in(dir, &[&["source.c"], args].concat())
        .expect();
}

#[expect(clippy::disallowed_methods, reason = "asks the real loader")]
fn starts(program: &Path) -> bool {
    Command::new(program).output().unwrap().status.success()
}

#[test]
fn code_for_gpus_is_data() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("t");
    compile(
        &dir,
        "int f;",
        &["-shared", "-nostdlib", "-o", "kernels.hsaco"],
    );
    let path = dir.join("kernels.hsaco");
    let mut bytes = fs_err::read(&path).unwrap();
    // ELFOSABI_AMDGPU_HSA and EM_AMDGPU.
    bytes[7] = 64;
    bytes[18..20].copy_from_slice(&224_u16.to_le_bytes());
    fs_err::write(&path, bytes).unwrap();
    // Where there is nothing but that, nothing is proved.
    let (is_well, text) = check(&sandbox);
    assert!(!is_well && text.contains("nor of anything else"), "{text}");
    compile(&dir, "int g;", &["-shared", "-nostdlib", "-o", "good.so"]);
    let (is_well, text) = check(&sandbox);
    assert!(is_well && text.contains("kernels.hsaco"), "{text}");
}

#[test]
fn programs_have_no_symbols_of_python() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("t");
    let source = "void *PyList_New(long); void *foo(void) { return PyList_New(0); }";
    compile(&dir, source, &["-shared", "-fPIC", "-o", "libfoo.so"]);
    let (is_well, text) = check(&sandbox);
    assert!(is_well, "{text}");

    let flags = ["-Wl,-rpath,$ORIGIN", "-Wl,--unresolved-symbols=ignore-all"];
    let main = "void *foo(void); int main(void) { return foo() == 0; }";
    let args = ["-o", "prog", "libfoo.so"];
    compile(&dir, main, &[&args[..], &flags[..]].concat());
    assert!(!starts(&dir.join("prog")));
    let (is_well, text) = check(&sandbox);
    assert!(!is_well && text.contains("PyList_New"), "{text}");
}

#[test]
fn the_level_of_the_processor_is_told() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("t");
    for (name, flag) in [("old", "-z,x86-64-baseline"), ("new", "-z,x86-64-v2")] {
        let (name, flag) = (format!("lib{name}.so"), format!("-Wl,{flag}"));
        compile(
            &dir,
            "int f;",
            &["-shared", "-nostdlib", &flag, "-o", &name],
        );
    }
    let (is_well, text) = check(&sandbox);
    assert!(
        is_well && text.contains("needs at least: x86-64-v2\n"),
        "{text}"
    );
}

#[test]
fn lib_in_a_run_path_is_what_the_loader_was_built_with() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("t");
    let libc = host::library("libc.so.6");
    let lib = libc.parent().unwrap().strip_prefix("/").unwrap();
    let lib = lib.strip_prefix("usr").unwrap_or(lib);
    compile(
        &dir.join(lib),
        "int f;",
        &["-shared", "-nostdlib", "-o", "libf.so"],
    );
    let needed = dir.join(lib).join("libf.so");
    let flags = ["-Wl,--no-as-needed,-rpath,$ORIGIN/$LIB", "-o", "prog"];
    let main = "int main(void) { return 0; }";
    // By its file name, since it has no soname.
    let link = format!("-L{}", needed.parent().unwrap().display());
    compile(&dir, main, &[&flags[..], &[&link, "-lf"]].concat());
    assert!(starts(&dir.join("prog")));
    let (is_well, text) = check(&sandbox);
    assert!(is_well, "{text}");
}
