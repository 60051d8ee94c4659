//! A directory with everything that the probe needs to be linked and run.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::edit::{Edit, Request};
use super::layout::{Kind, Layout};
use super::platform::{Link, Platform};
use super::tool::Outcome;

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

/// The object with many long names.
const NAMES: &str = "names.o";

/// The checks that a probe makes of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Checks {
    All,
    /// Not what patchelf breaks: the headers and the dynamic section as code sees them that is linked to their first place.
    Lenient,
}

/// How many libraries [`Edit::SevenNeeded`] adds.
const EXTRA_LIBRARIES: usize = 7;

/// Compiled objects and libraries for one platform.
///
/// Compile once, link often: [`Toolchain::link`] makes a probe in any layout.
#[derive(Debug)]
pub struct Toolchain {
    dir: TempDir,
    platform: Platform,
}

impl Toolchain {
    /// Compiles everything but the probes' links.
    pub fn new(platform: Platform) -> Self {
        let dir = tempfile::Builder::new().prefix("probe-").tempdir().unwrap();
        let toolchain = Self { dir, platform };
        for (name, text) in SOURCES {
            fs_err::write(toolchain.path(name), text).unwrap();
        }
        fs_err::create_dir_all(toolchain.libraries()).unwrap();
        fs_err::create_dir_all(toolchain.long_directory()).unwrap();
        for kind in Kind::ALL {
            let object = format!("{kind:?}.o");
            platform.compile(toolchain.dir(), "probe.cc", kind.compile_flags(), &object);
        }
        toolchain.build_names();
        toolchain.build_libraries();
        toolchain.build_host();
        symlink(platform.interpreter_file(), toolchain.long_interpreter()).unwrap();
        toolchain
    }

    fn build_libraries(&self) {
        for (name, versions) in [("dep", Some("dep.map")), ("extra", None)] {
            let [source, object] = [format!("{name}.c"), format!("{name}.o")];
            self.platform
                .compile(self.dir(), &source, &["-xc", "-fPIC"], &object);
            let output = format!("libraries/lib{name}.so.1");
            let link = Link {
                inputs: &[&object],
                kind: Kind::Library,
                layout: Layout::Default,
                soname: versions.and(Some(DEPENDENCY)),
                versions,
                output: &output,
            };
            self.platform.link(self.dir(), &link);
        }
        let copies = extra_names().map(|name| ("libextra.so.1", name));
        for (from, to) in copies.chain([(DEPENDENCY, long_dependency())]) {
            fs_err::copy(self.libraries().join(from), self.libraries().join(to)).unwrap();
        }
    }

    fn build_host(&self) {
        self.platform
            .compile(self.dir(), "host.c", &["-xc", "-fPIE"], "host.o");
        let link = Link {
            inputs: &["host.o"],
            kind: Kind::Pie,
            layout: Layout::Default,
            soname: None,
            versions: None,
            output: "host",
        };
        self.platform.link(self.dir(), &link);
    }

    /// The platform that is built for.
    pub fn platform(&self) -> Platform {
        self.platform
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
        let filler = "/nonexistent/directory/".repeat(length / 20);
        let filler = filler.get(..length - end.len() - 1).unwrap();
        format!("{filler}:{end}")
    }

    /// Links a probe.
    pub fn link(&self, kind: Kind, layout: Layout, output: &Path) {
        self.link_with(&[], kind, layout, output);
    }

    /// Links a library that has a string table of some pages, as most real ones do.
    pub fn link_with_names(&self, layout: Layout, output: &Path) {
        self.link_with(&[NAMES], Kind::Library, layout, output);
    }

    fn link_with(&self, more: &[&str], kind: Kind, layout: Layout, output: &Path) {
        let object = format!("{kind:?}.o");
        let dependency = format!("libraries/{DEPENDENCY}");
        let link = Link {
            inputs: &[&[object.as_str(), &dependency], more].concat(),
            kind,
            layout,
            soname: (kind == Kind::Library).then_some("libprobe.so"),
            versions: (kind == Kind::Library).then_some("probe.map"),
            output: output.to_str().unwrap(),
        };
        self.platform.link(self.dir(), &link);
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

    /// Compiles functions that nobody calls, whose names fill some pages.
    fn build_names(&self) {
        let function =
            |number| format!("extern \"C\" int probe_symbol_{number:0>60}() {{ return 0; }}\n");
        let text: String = (0..200).map(function).collect();
        fs_err::write(self.path("names.cc"), text).unwrap();
        self.platform
            .compile(self.dir(), "names.cc", &["-fPIC"], NAMES);
    }

    /// Runs a probe; `Err` says which of its checks failed.
    ///
    /// The libraries are found by the probe's own search path if an edit gave it one. What an edit
    /// added or renamed must be loaded.
    pub fn run(&self, kind: Kind, probe: &Path, edited: &Request) -> Result<(), String> {
        self.run_checks(kind, probe, edited, Checks::All)
    }

    /// Like [`Self::run`], without what no file survives that patchelf has edited: the headers and the dynamic section as
    /// code sees them that is linked to their first place.
    pub fn run_lenient(&self, kind: Kind, probe: &Path, edited: &Request) -> Result<(), String> {
        self.run_checks(kind, probe, edited, Checks::Lenient)
    }

    /// Like [`Self::run`], with the checks that are wanted.
    pub(super) fn run_checks(
        &self,
        kind: Kind,
        probe: &Path,
        edited: &Request,
        checks: Checks,
    ) -> Result<(), String> {
        let libraries = self.libraries();
        let libraries = edited.rpath.is_none().then_some(libraries.as_path());
        let mut command = match kind {
            Kind::Library => {
                let mut host = self.platform.command(&self.path("host"), libraries);
                host.arg(probe);
                host
            }
            Kind::Pie | Kind::FixedProgram => self.platform.command(probe, libraries),
        };
        if checks == Checks::Lenient {
            command.env("PROBE_LENIENT", "1");
        }
        command.args(&edited.add_needed);
        command.args(edited.replace_needed.iter().map(|(_, new)| new));
        let outcome = Outcome::of(command);
        match outcome.code {
            Some(0) => Ok(()),
            _ => Err(outcome.ending()),
        }
    }
}

/// The long name that [`Edit::LongReplace`] gives to the dependency.
pub(super) fn long_dependency() -> String {
    format!("libdep-{}.so.1", "0123456789abcdef".repeat(10))
}

pub(super) fn extra_names() -> impl Iterator<Item = String> {
    (1..=EXTRA_LIBRARIES).map(|number| format!("libextra-number-{number}.so"))
}
