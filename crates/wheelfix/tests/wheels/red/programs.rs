//! Programs that do not start.

use super::yard::{CALLS_F, DEFINES_F, Yard};
use super::{Broken, Situation};
use wheelfix_testkit::elf::Tool;

const MAIN: &str = "int main(void) { return 0; }";
const TOOL: &str = "m/tool";

const fn program(name: &'static str, make: fn(&Yard)) -> Situation {
    Situation::new(name, Broken::Program(TOOL), make)
}

/// A program that names this interpreter.
fn interpreted(yard: &Yard, interpreter: &str) {
    let flag = format!("-Wl,--dynamic-linker={interpreter}");
    yard.program("site/m/tool", MAIN, &[&flag]);
}

pub(super) const ALL: &[Situation] = &[
    program("a program as Debian makes it", |yard| {
        yard.program("site/m/tool", MAIN, &[]);
    })
    .mended(),
    program("a program with an interpreter that is not there", |yard| {
        interpreted(yard, "/nowhere/ld.so");
    })
    .mended(),
    program("a program with a directory as its interpreter", |yard| {
        interpreted(yard, "/tmp");
    })
    .mended(),
    program("a program with a text as its interpreter", |yard| {
        interpreted(yard, "/etc/passwd");
    })
    .mended(),
    program("a program with a library as its interpreter", |yard| {
        let library = yard.bed.library("zlib1g").join("libz.so.1");
        interpreted(yard, library.to_str().unwrap());
    })
    .mended(),
    program("a program with a relative interpreter", |yard| {
        interpreted(yard, "lib/ld.so");
    })
    .mended(),
    program(
        "a program with musl's interpreter and glibc's library",
        |yard| {
            interpreted(yard, "/lib/ld-musl-x86_64.so.1");
        },
    )
    .mended(),
    program("a program for musl", |yard| {
        fs_err::create_dir(yard.path("site/m")).unwrap();
        yard.write("source.c", MAIN);
        let args = ["-o", "site/m/tool", "source.c"];
        Tool::MUSL_CC.run_in(&yard.path("."), &args).expect();
    }),
    program("a program that needs a library that is nowhere", |yard| {
        yard.library("absent/libf.so.1", DEFINES_F, &[]);
        let source = "void f(void); int main(void) { f(); return 0; }";
        yard.program("site/m/tool", source, &["absent/libf.so.1"]);
    }),
    program("a program that needs a function that is nowhere", |yard| {
        yard.library("absent/libf.so.1", DEFINES_F, &[]);
        yard.library("lib/libf.so.1", "void g(void) {}", &[]);
        let source = "void f(void); int main(void) { f(); return 0; }";
        yard.program("site/m/tool", source, &["absent/libf.so.1"]);
    }),
    program("a program for another machine", |yard| {
        yard.program("site/m/tool", MAIN, &[]);
        yard.poke("site/m/tool", 18, &[183, 0]);
    }),
    program("a program that was cut off", |yard| {
        yard.program("site/m/tool", MAIN, &[]);
        yard.cut("site/m/tool", 10);
    }),
    program("a program given a text as interpreter", |yard| {
        yard.program("site/m/tool", MAIN, &[]);
    })
    .interpreter("/etc/passwd"),
    program("a program given a directory as interpreter", |yard| {
        yard.program("site/m/tool", MAIN, &[]);
    })
    .interpreter("/tmp"),
    program("a program given a library as interpreter", |yard| {
        yard.library("lib/libf.so.1", DEFINES_F, &[]);
        yard.program("site/m/tool", MAIN, &[]);
    })
    .interpreter("libf.so.1"),
    program("a program given a loader of another machine", |yard| {
        let loader = fs_err::read(yard.bed.loader()).unwrap();
        yard.write("lib/ld-other.so.1", loader);
        yard.poke("lib/ld-other.so.1", 18, &[183, 0]);
        yard.program("site/m/tool", MAIN, &[]);
    })
    .interpreter("ld-other.so.1"),
    Situation::module("a module beside a program that would start", |yard| {
        yard.program("site/m/tool", MAIN, &[]);
        yard.module(CALLS_F, &[]);
    }),
];
