//! Objects that no loader takes.

use super::yard::{CALLS_F, DEFINES_F, MODULE, RUN_PATH, Yard};
use super::{Broken, Situation};
use wheelfix_testkit::elf::Tool;

const EMPTY: &str = "void *PyInit_m(void) { return 0; }";

/// A module that loads, but for these bytes.
fn poked(yard: &Yard, at: usize, bytes: &[u8]) {
    yard.module(EMPTY, &[]);
    yard.poke(&format!("site/{MODULE}"), at, bytes);
}

/// A module whose bundled library is fine, but for these bytes.
fn library_poked(yard: &Yard, at: usize, bytes: &[u8]) {
    yard.library("site/m.libs/libf.so.1", DEFINES_F, &[]);
    yard.module(CALLS_F, &["site/m.libs/libf.so.1", RUN_PATH]);
    yard.poke("site/m.libs/libf.so.1", at, bytes);
}

pub(super) const ALL: &[Situation] = &[
    Situation::module("a module for another machine", |yard| {
        poked(yard, 18, &[183, 0]);
    }),
    Situation::module("a module of 32 bits", |yard| poked(yard, 4, &[1])),
    Situation::new(
        "a module without a tag of 32 bits",
        Broken::Object("m/x.so"),
        |yard| {
            yard.library("site/m/x.so", "void *PyInit_x(void) { return 0; }", &[]);
            yard.poke("site/m/x.so", 4, &[1]);
            yard.write("site/m/__init__.py", "");
        },
    ),
    Situation::new(
        "a module of the stable ABI that is text",
        Broken::Object("m/x.abi3.so"),
        |yard| {
            yard.write("site/m/x.abi3.so", "text");
        },
    ),
    Situation::new(
        "a module without a tag that is empty, beside one that loads",
        Broken::Object("m/x.so"),
        |yard| {
            yard.module(EMPTY, &[]);
            yard.write("site/m/__init__.py", "");
            yard.write("site/m/x.so", "");
        },
    ),
    Situation::new(
        "a module that is for macOS",
        Broken::Object("m/x.so"),
        |yard| {
            yard.write("site/m/x.so", b"\xcf\xfa\xed\xfe\0_PyInit_x\0");
        },
    ),
    Situation::module("a module of the other byte order", |yard| {
        poked(yard, 5, &[2]);
    }),
    Situation::module("a module of another system", |yard| {
        poked(yard, 7, &[0x53]);
    }),
    Situation::module("a module of an unknown version of the ABI", |yard| {
        poked(yard, 8, &[9]);
    }),
    Situation::module("a module that is an object file", |yard| {
        yard.compile(&format!("site/{MODULE}"), EMPTY, &["-c"]);
    }),
    Situation::module("a module that is a core file by its type", |yard| {
        poked(yard, 16, &[4, 0]);
    }),
    Situation::module("a module without program headers", |yard| {
        poked(yard, 56, &[0, 0]);
    }),
    Situation::module("a module with program headers of an odd size", |yard| {
        poked(yard, 54, &[57, 0]);
    }),
    Situation::module("a module of the start of a file only", |yard| {
        yard.module(EMPTY, &[]);
        yard.cut(&format!("site/{MODULE}"), 5);
    }),
    Situation::module("a module that was cut off", |yard| {
        yard.module(EMPTY, &[]);
        yard.cut(&format!("site/{MODULE}"), 25);
    }),
    Situation::module("a module that is text", |yard| {
        yard.write(
            &format!("site/{MODULE}"),
            "version https://git-lfs.example\n",
        );
    }),
    Situation::module("a module that is empty", |yard| {
        yard.write(&format!("site/{MODULE}"), "");
    }),
    Situation::module("a module that is a program", |yard| {
        yard.program(
            &format!("site/{MODULE}"),
            "int main(void) { return 0; }",
            &["-pie"],
        );
    }),
    Situation::module("a module that may not be opened", |yard| {
        yard.module(EMPTY, &["-Wl,-z,nodlopen"]);
    }),
    Situation::module(
        "a module with more static thread-local data than there is",
        |yard| {
            let source = "__thread char big[1 << 20]; char *PyInit_m(void) { return big; }";
            yard.module(source, &["-ftls-model=initial-exec"]);
        },
    ),
    Situation::module(
        "a module that is the symbols of another for a debugger",
        |yard| {
            yard.library("absent/m.so", EMPTY, &["-g"]);
            let to = format!("site/{MODULE}");
            let args = ["--only-keep-debug", "absent/m.so", &to];
            Tool::OBJCOPY.run_in(&yard.path("."), &args).expect();
        },
    ),
    Situation::module("a bundled library for another system", |yard| {
        library_poked(yard, 7, &[0x53]);
    }),
    Situation::module("a bundled library without program headers", |yard| {
        library_poked(yard, 56, &[0, 0]);
    }),
    Situation::module(
        "a bundled library that is an object file by its type",
        |yard| {
            library_poked(yard, 16, &[1, 0]);
        },
    ),
    Situation::module("a bundled library of an unknown version of ELF", |yard| {
        library_poked(yard, 6, &[2]);
    }),
    Situation::module("a bundled library that was cut off", |yard| {
        library_poked(yard, 4, &[2]);
        yard.cut("site/m.libs/libf.so.1", 20);
    }),
];
