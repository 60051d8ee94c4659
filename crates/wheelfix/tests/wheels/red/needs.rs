//! Libraries that are needed or opened, and are nowhere, or not what they should be.

use std::os::unix::fs::symlink;

use super::yard::{CALLS_F, DEFINES_F, RUN_PATH, Yard};
use super::{Broken, Situation};

/// `libf.so.1` is needed, and found in the directory of bundled libraries.
fn needs_f(yard: &Yard) {
    yard.library("absent/libf.so.1", DEFINES_F, &[]);
    yard.module(CALLS_F, &["absent/libf.so.1", RUN_PATH]);
}

/// The module needs a library by what another soname says.
fn needs_named(yard: &Yard, soname: &str) {
    yard.named("absent/libf.so.1", soname, DEFINES_F, &[]);
    yard.module(CALLS_F, &["absent/libf.so.1", RUN_PATH]);
}

/// A module with a note of what it opens at run time.
const NOTE: &str = r#"
__asm__(".section .note.dlopen, \"a\", @note\n.balign 4\n"
        ".long 4, 3f - 2f, 0x407c0c0a\n.asciz \"FDO\"\n.balign 4\n"
        "2: .asciz \"[{\\\"soname\\\":[\\\"libnowhere.so.7\\\"],\\\"priority\\\":\\\"required\\\"}]\"\n"
        "3: .balign 4\n.text\n");
void *PyInit_m(void) { return 0; }
"#;

pub(super) const ALL: &[Situation] = &[
    Situation::module("a library that is nowhere", needs_f),
    Situation::module(
        "a library that is nowhere, needed by a bundled one",
        |yard| {
            yard.library("absent/libg.so.1", "void g(void) {}", &[]);
            let source = "void g(void); void f(void) { g(); }";
            yard.library("site/m.libs/libf.so.1", source, &["absent/libg.so.1"]);
            yard.module(CALLS_F, &["site/m.libs/libf.so.1", RUN_PATH]);
        },
    ),
    Situation::module(
        "a library that is nowhere, needed by one elsewhere",
        |yard| {
            yard.library("absent/libg.so.1", "void g(void) {}", &[]);
            let source = "void g(void); void f(void) { g(); }";
            yard.library("lib/libf.so.1", source, &["absent/libg.so.1"]);
            yard.module(CALLS_F, &["lib/libf.so.1"]);
        },
    ),
    Situation::module("a library whose name differs in case", |yard| {
        needs_f(yard);
        yard.library("site/m.libs/libF.so.1", DEFINES_F, &[]);
    }),
    Situation::module("a library without the end of its name", |yard| {
        needs_f(yard);
        yard.library("site/m.libs/libf.so", DEFINES_F, &[]);
    }),
    Situation::module("the host's library, which is not in a store", |yard| {
        yard.named("absent/libf.so.1", "liblzma.so.5", DEFINES_F, &[]);
        yard.module(CALLS_F, &["absent/libf.so.1"]);
    }),
    Situation::module("libpython, which this Python does not have", |yard| {
        needs_named(yard, "libpython3.11.so.1.0");
    }),
    Situation::module("musl's C library", |yard| {
        needs_named(yard, "libc.musl-x86_64.so.1");
    }),
    Situation::module("a library by a path that is not there", |yard| {
        needs_named(yard, "/nowhere/libf.so.1");
    }),
    Situation::module(
        "a library by a path into the directory it was built in",
        |yard| {
            needs_named(yard, "m.libs/libf.so.1");
            yard.library("site/m.libs/libf.so.1", DEFINES_F, &[]);
        },
    )
    .mended(),
    Situation::module("a bundled library without the way to it", |yard| {
        yard.library("site/m.libs/libf.so.1", DEFINES_F, &[]);
        yard.module(CALLS_F, &["site/m.libs/libf.so.1"]);
    })
    .mended(),
    Situation::module("a way that a bundled library does not inherit", |yard| {
        yard.library("site/m.libs/deep/libg.so.1", "void g(void) {}", &[]);
        let source = "void g(void); void f(void) { g(); }";
        yard.library(
            "site/m.libs/libf.so.1",
            source,
            &["site/m.libs/deep/libg.so.1"],
        );
        let flags = [
            "site/m.libs/libf.so.1",
            "-Wl,--enable-new-dtags",
            "-Wl,--allow-shlib-undefined",
        ];
        let path = ["-Wl,-rpath,$ORIGIN/m.libs:$ORIGIN/m.libs/deep"];
        yard.module(CALLS_F, &[&flags[..], &path].concat());
    })
    .mended(),
    Situation::module("a run path that depends on the working directory", |yard| {
        yard.library("site/m.libs/libf.so.1", DEFINES_F, &[]);
        yard.module(CALLS_F, &["site/m.libs/libf.so.1", "-Wl,-rpath,m.libs"]);
    })
    .mended(),
    Situation::module("a linker script in the place of a library", |yard| {
        needs_f(yard);
        yard.write("site/m.libs/libf.so.1", "GROUP ( libf.so.2 )\n");
    }),
    Situation::module("an empty file in the place of a library", |yard| {
        needs_f(yard);
        yard.write("site/m.libs/libf.so.1", "");
    }),
    Situation::module("a directory in the place of a library", |yard| {
        needs_f(yard);
        yard.write("site/m.libs/libf.so.1/readme", "");
    }),
    Situation::module("a link to nothing in the place of a library", |yard| {
        needs_f(yard);
        fs_err::create_dir(yard.path("site/m.libs")).unwrap();
        symlink("libf.so.1.0", yard.path("site/m.libs/libf.so.1")).unwrap();
    }),
    Situation::module("a link to itself in the place of a library", |yard| {
        needs_f(yard);
        fs_err::create_dir(yard.path("site/m.libs")).unwrap();
        symlink("libf.so.1", yard.path("site/m.libs/libf.so.1")).unwrap();
    }),
    Situation::module("a library for another machine", |yard| {
        needs_f(yard);
        yard.library("site/m.libs/libf.so.1", DEFINES_F, &[]);
        yard.poke("site/m.libs/libf.so.1", 18, &[183, 0]);
    }),
    Situation::module("a library elsewhere for another machine", |yard| {
        needs_f(yard);
        yard.library("lib/libf.so.1", DEFINES_F, &[]);
        yard.poke("lib/libf.so.1", 18, &[183, 0]);
    }),
    Situation::module("a library of 32 bits", |yard| {
        needs_f(yard);
        yard.library("site/m.libs/libf.so.1", DEFINES_F, &[]);
        yard.poke("site/m.libs/libf.so.1", 4, &[1]);
    }),
    Situation::module("a library elsewhere that was cut off", |yard| {
        needs_f(yard);
        yard.library("lib/libf.so.1", DEFINES_F, &[]);
        yard.cut("lib/libf.so.1", 10);
    }),
    Situation::module("a filter of a library that is nowhere", |yard| {
        yard.library(
            "site/m.libs/libf.so.1",
            DEFINES_F,
            &["-Wl,-F,libnowhere.so.7"],
        );
        yard.module(CALLS_F, &["site/m.libs/libf.so.1", RUN_PATH]);
    }),
    Situation::new(
        "a library that a note requires",
        Broken::Named("libnowhere.so.7"),
        |yard| yard.module(NOTE, &[]),
    ),
    Situation::new(
        "a library that Python opens by its name",
        Broken::Import("opens"),
        |yard| {
            yard.write(
                "site/opens.py",
                "import ctypes\nlib = ctypes.CDLL('libnowhere.so.7')\n",
            );
        },
    ),
    Situation::new(
        "a library that Python opens by its path",
        Broken::Import("opens"),
        |yard| {
            let source = "from ctypes import *\nlib = cdll.LoadLibrary('/opt/nowhere/libf.so')\n";
            yard.write("site/opens.py", source);
        },
    ),
    Situation::new(
        "a library that Python finds beside itself",
        Broken::Import("opens"),
        |yard| {
            let source = "import ctypes, os\n\
            here = os.path.dirname(os.path.abspath(__file__))\n\
            lib = ctypes.CDLL(os.path.join(here, 'libf.so'))\n";
            yard.write("site/opens.py", source);
            yard.library("absent/libg.so.1", "void g(void) {}", &[]);
            let library = "void g(void); void f(void) { g(); }";
            yard.library("site/libf.so", library, &["absent/libg.so.1"]);
        },
    ),
];
