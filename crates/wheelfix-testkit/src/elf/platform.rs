//! A machine and C library to build for, and how to run what was built.
#![expect(clippy::disallowed_methods, reason = "runs what it compiled")]

use std::path::Path;
use std::process::Command;

use super::layout::{Kind, Layout};
use super::tool::Tool;

/// A machine and C library.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Platform {
    /// This machine with the GNU C library.
    Glibc,
    /// This machine with musl.
    Musl,
    /// Another machine with the GNU C library, under an emulator.
    Cross(&'static Cross),
}

/// Another machine: what Debian's `libc6-dev-*-cross` brings for it.
#[derive(Debug, Eq, PartialEq)]
pub struct Cross {
    /// The name that Debian's packages have it under.
    pub name: &'static str,
    /// The target triple that clang has for it.
    pub triple: &'static str,
    /// The directory of its headers and libraries.
    pub sysroot: &'static str,
    /// The path of its program interpreter.
    pub interpreter: &'static str,
    /// The emulator.
    pub emulator: &'static str,
    /// The largest page that its kernels have, in bytes.
    pub page: u64,
    /// More options for the compiler.
    compile_flags: &'static [&'static str],
    /// More options for the linker.
    link_flags: &'static [&'static str],
}

impl Cross {
    /// Every machine of Python's platform tags that Debian has a C library for.
    pub const ALL: [Self; 6] = [
        Self {
            name: "i386",
            triple: "i686-linux-gnu",
            sysroot: "/usr/i686-linux-gnu",
            interpreter: "/lib/ld-linux.so.2",
            emulator: "qemu-i386-static",
            page: 4096,
            compile_flags: &[],
            link_flags: &[],
        },
        Self {
            name: "arm64",
            triple: "aarch64-linux-gnu",
            sysroot: "/usr/aarch64-linux-gnu",
            interpreter: "/lib/ld-linux-aarch64.so.1",
            emulator: "qemu-aarch64-static",
            page: 65536,
            compile_flags: &[],
            link_flags: &[],
        },
        Self {
            name: "armhf",
            triple: "armv7-linux-gnueabihf",
            sysroot: "/usr/arm-linux-gnueabihf",
            interpreter: "/lib/ld-linux-armhf.so.3",
            emulator: "qemu-arm-static",
            page: 4096,
            // Without the C compiler's own library: the thread pointer is read in place, and nobody
            // unwinds the stack.
            compile_flags: &["-mtp=cp15"],
            link_flags: &["--defsym=__aeabi_unwind_cpp_pr0=0"],
        },
        Self {
            name: "ppc64el",
            triple: "powerpc64le-linux-gnu",
            sysroot: "/usr/powerpc64le-linux-gnu",
            interpreter: "/lib64/ld64.so.2",
            emulator: "qemu-ppc64le-static",
            page: 65536,
            compile_flags: &[],
            link_flags: &[],
        },
        Self {
            name: "s390x",
            triple: "s390x-linux-gnu",
            sysroot: "/usr/s390x-linux-gnu",
            interpreter: "/lib/ld64.so.1",
            emulator: "qemu-s390x-static",
            page: 4096,
            compile_flags: &[],
            link_flags: &[],
        },
        Self {
            name: "riscv64",
            triple: "riscv64-linux-gnu",
            sysroot: "/usr/riscv64-linux-gnu",
            interpreter: "/lib/ld-linux-riscv64-lp64d.so.1",
            emulator: "qemu-riscv64-static",
            page: 4096,
            compile_flags: &["-march=rv64gc", "-mabi=lp64d"],
            link_flags: &[],
        },
    ];

    fn file(&self, name: &str) -> String {
        let path = format!("{}/lib/{name}", self.sysroot);
        let install = format!("apt-get install libc6-dev-{}-cross", self.name);
        assert!(
            fs_err::metadata(&path).is_ok(),
            "`{path}` is missing: {install}"
        );
        path
    }
}

/// The inputs, the options and the output of a link.
#[derive(Debug)]
pub(super) struct Link<'a> {
    pub(super) inputs: &'a [&'a str],
    pub(super) kind: Kind,
    pub(super) layout: Layout,
    pub(super) soname: Option<&'a str>,
    /// The name of a version script.
    pub(super) versions: Option<&'a str>,
    pub(super) output: &'a str,
}

impl Platform {
    /// The path of the program interpreter.
    pub fn interpreter(self) -> &'static str {
        match self {
            Self::Glibc => "/lib64/ld-linux-x86-64.so.2",
            Self::Musl => "/lib/ld-musl-x86_64.so.1",
            Self::Cross(cross) => cross.interpreter,
        }
    }

    /// Where the program interpreter is on this machine.
    pub(super) fn interpreter_file(self) -> String {
        match self {
            Self::Glibc | Self::Musl => self.interpreter().to_owned(),
            Self::Cross(cross) => format!("{}{}", cross.sysroot, cross.interpreter),
        }
    }

    /// The layouts that there are for the platform.
    ///
    /// Other machines are linked with LLVM's linker; musl before 1.2.4 does not know packed
    /// relocations.
    pub fn layouts(self) -> Vec<Layout> {
        let mut layouts = Layout::ALL.to_vec();
        match self {
            Self::Glibc => {}
            Self::Musl => layouts.retain(|layout| *layout != Layout::Relr),
            Self::Cross(_) => layouts.retain(|layout| *layout == Layout::Lld),
        }
        layouts
    }

    /// Whether the stripper of binutils knows the machine.
    pub(super) fn is_native(self) -> bool {
        !matches!(self, Self::Cross(_))
    }

    pub(super) fn compile(self, dir: &Path, source: &str, flags: &[&str], object: &str) {
        let includes;
        let mut args = flags.to_vec();
        args.extend(["-O1", "-g", "-c", source, "-o", object]);
        let tool = match self {
            Self::Glibc => Tool::CXX,
            Self::Musl => {
                args.extend([
                    "-DPROBE_UNWIND",
                    "-fno-exceptions",
                    "-fno-rtti",
                    "-funwind-tables",
                ]);
                Tool::MUSL_CC
            }
            Self::Cross(cross) => {
                includes = format!("{}/include", cross.sysroot);
                args.extend([
                    "-target",
                    cross.triple,
                    "-nostdlibinc",
                    "-isystem",
                    &includes,
                ]);
                args.extend(["-DPROBE_NO_UNWIND", "-fno-exceptions", "-funwind-tables"]);
                args.extend(cross.compile_flags);
                Tool::CLANG
            }
        };
        tool.run_in(dir, &args).expect();
    }

    pub(super) fn link(self, dir: &Path, link: &Link<'_>) {
        match self {
            Self::Glibc => link.with_compiler(Tool::CC, &["-lstdc++"], dir),
            Self::Musl => link.with_compiler(
                Tool::MUSL_CC,
                &["-static-libgcc", "-Wl,--eh-frame-hdr"],
                dir,
            ),
            Self::Cross(cross) => link.with_lld(cross, dir),
        }
    }

    /// The command that runs a program, whose libraries are in a directory.
    pub(super) fn command(self, program: &Path, libraries: Option<&Path>) -> Command {
        let mut command;
        match self {
            Self::Glibc | Self::Musl => {
                command = Command::new(program);
                command.env_remove("LD_LIBRARY_PATH");
                if let Some(libraries) = libraries {
                    command.env("LD_LIBRARY_PATH", libraries);
                }
            }
            Self::Cross(cross) => {
                command = Command::new(cross.emulator);
                command.args(["-L", cross.sysroot]);
                if let Some(libraries) = libraries {
                    let libraries = libraries.to_str().unwrap();
                    command
                        .arg("-E")
                        .arg(format!("LD_LIBRARY_PATH={libraries}"));
                }
                command.arg(program);
            }
        }
        command
    }
}

impl Link<'_> {
    fn with_compiler(&self, tool: Tool, libraries: &[&str], dir: &Path) {
        let mut args: Vec<&str> = self.inputs.to_vec();
        args.extend(self.kind.link_flags());
        args.extend(self.layout.flags());
        args.extend([
            "-Wl,--build-id=sha1",
            "-Wl,-z,relro",
            "-Wl,--as-needed",
            "-o",
            self.output,
        ]);
        let soname = self.soname.map(|name| format!("-Wl,-soname,{name}"));
        args.extend(soname.as_deref());
        let versions = self
            .versions
            .map(|name| format!("-Wl,--version-script={name}"));
        args.extend(versions.as_deref());
        args.extend(libraries);
        tool.run_in(dir, &args).expect();
    }

    fn with_lld(&self, cross: &Cross, dir: &Path) {
        let loader = Path::new(cross.interpreter)
            .file_name()
            .unwrap()
            .to_str()
            .unwrap();
        let [start, position_independent_start] =
            ["crt1.o", "Scrt1.o"].map(|name| cross.file(name));
        let [first, last] = ["crti.o", "crtn.o"].map(|name| cross.file(name));
        let libraries = ["libc.so.6", loader].map(|name| cross.file(name));
        let mut args = vec![
            "--eh-frame-hdr",
            "--hash-style=both",
            "--build-id=sha1",
            "-o",
            self.output,
        ];
        args.extend(cross.link_flags);
        match self.kind {
            Kind::Library => args.push("-shared"),
            Kind::Pie => args.extend(["-pie", "-E", &position_independent_start, &first]),
            Kind::FixedProgram => args.extend(["-no-pie", "-E", &start, &first]),
        }
        args.extend(self.inputs);
        args.extend(["--as-needed", &libraries[0], &libraries[1]]);
        if self.kind != Kind::Library {
            args.extend(["--dynamic-linker", cross.interpreter, &last]);
        }
        args.extend(self.soname.iter().flat_map(|name| ["-soname", name]));
        args.extend(
            self.versions
                .iter()
                .flat_map(|name| ["--version-script", name]),
        );
        Tool::LLD.run_in(dir, &args).expect();
    }
}
