//! A directory with everything that the probe needs to be linked and run.
#![expect(clippy::disallowed_methods, reason = "runs what it compiled")]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::edit::{Edit, Request};
use super::layout::{Kind, Layout, Libc};
use super::tool::{Outcome, Tool};

const SOURCES: &[(&str, &str)] = &[
    ("probe.cc", include_str!("probe/probe.cc")),
    ("probe.map", include_str!("probe/probe.map")),
    ("host.c", include_str!("probe/host.c")),
    ("dep.c", include_str!("probe/dep.c")),
    ("dep.map", include_str!("probe/dep.map")),
    ("extra.c", include_str!("probe/extra.c")),
];

/// The name of the library that the probe needs by version.
pub const DEPENDENCY: &str = "libdep.so.1";

/// How many libraries [`Edit::SevenNeeded`] adds.
const EXTRA_LIBRARIES: usize = 7;

/// Compiled objects and libraries for one C library.
///
/// Compile once, link often: [`Workshop::link`] makes a probe in any layout.
#[derive(Debug)]
pub struct Workshop {
    dir: TempDir,
    libc: Libc,
}

impl Workshop {
    /// Compiles everything but the probes' links.
    pub fn new(libc: Libc) -> Self {
        let dir = tempfile::Builder::new().prefix("probe-").tempdir().unwrap();
        let workshop = Self { dir, libc };
        for (name, text) in SOURCES {
            fs_err::write(workshop.path(name), text).unwrap();
        }
        fs_err::create_dir_all(workshop.path("libraries")).unwrap();
        fs_err::create_dir_all(workshop.long_directory()).unwrap();
        for kind in Kind::ALL {
            let object = format!("{kind:?}.o");
            let mut args = vec!["-O1", "-g", "-c", "probe.cc", "-o", &object];
            args.extend(kind.compile_flags());
            if libc == Libc::Musl {
                args.extend([
                    "-DPROBE_UNWIND",
                    "-fno-exceptions",
                    "-fno-rtti",
                    "-funwind-tables",
                ]);
            }
            workshop.compile(true, &args);
        }
        workshop.compile(false, &["-O1", "host.c", "-o", "host", "-ldl"]);
        workshop.build_libraries();
        symlink(libc.interpreter(), workshop.long_interpreter()).unwrap();
        workshop
    }

    fn build_libraries(&self) {
        let dependency = format!("libraries/{DEPENDENCY}");
        let soname = format!("-Wl,-soname,{DEPENDENCY}");
        let library = ["-O1", "-shared", "-fPIC"];
        let versions = "-Wl,--version-script=dep.map";
        self.compile(
            false,
            &[
                &library[..],
                &["dep.c", versions, &soname, "-o", &dependency],
            ]
            .concat(),
        );
        self.compile(
            false,
            &[&library[..], &["extra.c", "-o", "extra.so"]].concat(),
        );
        for name in extra_names() {
            fs_err::copy(self.path("extra.so"), self.libraries().join(name)).unwrap();
        }
        let renamed = self.libraries().join(long_dependency());
        fs_err::copy(self.libraries().join(DEPENDENCY), renamed).unwrap();
    }

    fn compile(&self, cxx: bool, args: &[&str]) {
        let tool = match (self.libc, cxx) {
            (Libc::Glibc, false) => Tool::CC,
            (Libc::Glibc, true) => Tool::CXX,
            (Libc::Musl, _) => Tool::MUSL_CC,
        };
        tool.run_in(self.dir.path(), args).expect();
    }

    /// The directory, removed with the value.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The directory of the libraries that probes need.
    pub fn libraries(&self) -> PathBuf {
        self.path("libraries")
    }

    fn long_directory(&self) -> PathBuf {
        self.path("interpreter").join("a-long-name-".repeat(14))
    }

    /// A path to the C library's program interpreter that is far longer than its usual one.
    pub fn long_interpreter(&self) -> PathBuf {
        self.long_directory().join("loader.so")
    }

    /// A search path of this many characters whose last element holds the libraries.
    pub fn rpath(&self, length: usize) -> String {
        let end = self.libraries().to_str().unwrap().to_owned();
        let filler = "/nonexistent/directory:".repeat(length / 20);
        let filler_length = length.checked_sub(end.len()).expect("a longer search path");
        let start = filler.get(..filler_length).unwrap_or_default();
        let start = start
            .get(..start.len().saturating_sub(1))
            .unwrap_or_default();
        format!("{start}:{end}")
    }

    /// Links a probe.
    pub fn link(&self, kind: Kind, layout: Layout, output: &Path) {
        let object = format!("{kind:?}.o");
        let dependency = format!("libraries/{DEPENDENCY}");
        let mut args = vec![object.as_str(), &dependency, "-o", output.to_str().unwrap()];
        args.extend(kind.link_flags());
        args.extend(layout.flags());
        args.extend(["-Wl,--build-id=sha1", "-Wl,-z,relro"]);
        if kind == Kind::Library {
            args.push("-Wl,--version-script=probe.map");
        }
        if self.libc == Libc::Musl {
            args.push("-static-libgcc");
        }
        self.compile(true, &args);
    }

    /// The request behind an edit.
    pub fn request(&self, edit: Edit, kind: Kind) -> Request {
        let all = edit == Edit::All;
        let mut request = Request::default();
        if all || edit == Edit::LongRpath {
            request.rpath = Some(self.rpath(400));
        }
        if edit == Edit::LongInterpreter || all && kind != Kind::Library {
            request.interpreter = Some(self.long_interpreter().to_str().unwrap().to_owned());
        }
        if all || edit == Edit::LongReplace {
            request
                .replace_needed
                .push((DEPENDENCY.to_owned(), long_dependency()));
        }
        if all || edit == Edit::SevenNeeded {
            request.add_needed = extra_names().collect();
        }
        request
    }

    /// Runs a probe; `Err` says which of its checks failed.
    ///
    /// The libraries are found by the probe's own search path if an edit gave it one. What an edit
    /// added or renamed must be loaded.
    pub fn run(&self, kind: Kind, probe: &Path, edited: &Request) -> Result<(), String> {
        let mut command = match kind {
            Kind::Library => {
                let mut host = Command::new(self.path("host"));
                host.arg(probe);
                host
            }
            Kind::Pie | Kind::FixedProgram => Command::new(probe),
        };
        command
            .args(&edited.add_needed)
            .env_remove("LD_LIBRARY_PATH");
        command.args(edited.replace_needed.iter().map(|(_, new)| new));
        if edited.rpath.is_none() {
            command.env("LD_LIBRARY_PATH", self.libraries());
        }
        Outcome::of(command).success().map(drop)
    }
}

/// The long name that [`Edit::LongReplace`] gives to the dependency.
fn long_dependency() -> String {
    format!("libdep-{}.so.1", "0123456789abcdef".repeat(10))
}

fn extra_names() -> impl Iterator<Item = String> {
    (1..=EXTRA_LIBRARIES).map(|number| format!("libextra-number-{number}.so"))
}
