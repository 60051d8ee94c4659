//! Symbols and versions that nothing has.

use super::Situation;
use super::yard::{CALLS_F, DEFINES_F, RUN_PATH};

pub(super) const ALL: &[Situation] = &[
    Situation::module("a function that nothing defines", |yard| {
        yard.module(CALLS_F, &[]);
    }),
    Situation::module("the same, bound at once", |yard| {
        yard.module(CALLS_F, &["-Wl,-z,now"]);
    }),
    Situation::module("a variable that nothing defines", |yard| {
        yard.module("extern int v; int *PyInit_m(void) { return &v; }", &[]);
    }),
    Situation::module("a thread-local variable that nothing defines", |yard| {
        let source = "extern __thread int v; int PyInit_m(void) { return v; }";
        yard.module(source, &[]);
    }),
    Situation::module("a function of a later Python", |yard| {
        let source = "int PyLong_AsInt(void *); int PyInit_m(void) { return PyLong_AsInt(0); }";
        yard.module(source, &[]);
    }),
    Situation::module("a function of Python 2", |yard| {
        let source =
            "void *Py_InitModule4_64(void); void *initm(void) { return Py_InitModule4_64(); }";
        yard.module(source, &[]);
    }),
    Situation::module("a function that the bundled library has lost", |yard| {
        yard.library("absent/libf.so.1", DEFINES_F, &[]);
        yard.library("site/m.libs/libf.so.1", "void g(void) {}", &[]);
        yard.module(CALLS_F, &["absent/libf.so.1", RUN_PATH]);
    }),
    Situation::module("a function that the library elsewhere has lost", |yard| {
        yard.library("absent/libf.so.1", DEFINES_F, &[]);
        yard.library("lib/libf.so.1", "void g(void) {}", &[]);
        yard.module(CALLS_F, &["absent/libf.so.1"]);
    }),
    Situation::module("a function that a bundled library needs", |yard| {
        yard.library(
            "site/m.libs/libf.so.1",
            "void g(void); void f(void) { g(); }",
            &[],
        );
        yard.module(CALLS_F, &["site/m.libs/libf.so.1", RUN_PATH]);
    }),
    Situation::module("a function in a library that nobody needs", |yard| {
        yard.library("site/m.libs/libf.so.1", DEFINES_F, &[]);
        yard.module(CALLS_F, &[RUN_PATH]);
    }),
    Situation::module("a function that is hidden", |yard| {
        yard.library("absent/libf.so.1", DEFINES_F, &[]);
        let hidden = "__attribute__((visibility(\"hidden\"))) void f(void) {} void g(void) {}";
        yard.library("lib/libf.so.1", hidden, &[]);
        yard.module(CALLS_F, &["absent/libf.so.1"]);
    }),
    Situation::module("a version that the library elsewhere lacks", |yard| {
        yard.versioned("absent/libf.so.1", DEFINES_F, "V2 { f; };");
        yard.versioned("lib/libf.so.1", DEFINES_F, "V1 { f; };");
        yard.module(CALLS_F, &["absent/libf.so.1"]);
    }),
    Situation::module("a version that the bundled library lacks", |yard| {
        yard.versioned("absent/libf.so.1", DEFINES_F, "V2 { f; };");
        yard.versioned("site/m.libs/libf.so.1", DEFINES_F, "V1 { f; };");
        yard.module(CALLS_F, &["absent/libf.so.1", RUN_PATH]);
    }),
    Situation::module("a symbol of a version that is there without it", |yard| {
        yard.versioned("absent/libf.so.1", DEFINES_F, "V1 { f; };");
        yard.versioned("lib/libf.so.1", "void g(void) {}", "V1 { g; };");
        yard.module(CALLS_F, &["absent/libf.so.1"]);
    }),
    Situation::module("a later C library", |yard| {
        yard.versioned("absent/libc.so.6", DEFINES_F, "GLIBC_2.99 { f; };");
        yard.module(CALLS_F, &["absent/libc.so.6"]);
    }),
    Situation::module("a later libstdc++", |yard| {
        yard.versioned("absent/libstdc++.so.6", DEFINES_F, "GLIBCXX_3.4.99 { f; };");
        yard.module(CALLS_F, &["absent/libstdc++.so.6"]);
    }),
    Situation::module("a later libgcc, needed by a bundled library", |yard| {
        yard.versioned(
            "absent/libgcc_s.so.1",
            "void g(void) {}",
            "GCC_99.0 { g; };",
        );
        let source = "void g(void); void f(void) { g(); }";
        yard.library("site/m.libs/libf.so.1", source, &["absent/libgcc_s.so.1"]);
        yard.module(CALLS_F, &["site/m.libs/libf.so.1", RUN_PATH]);
    }),
];
