//! Where a situation is built: a tree as a wheel holds it, and libraries beside it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use walkdir::WalkDir;
use wheelfix_testkit::elf::Tool;
use wheelfix_testkit::nixos::Bed;
use wheelfix_testkit::wheel::WheelBuilder;

/// The extension module that most situations are about.
pub(super) const MODULE: &str = "m.cpython-311-x86_64-linux-gnu.so";

/// An extension module that calls `f`.
pub(super) const CALLS_F: &str = "void f(void); void *PyInit_m(void) { f(); return 0; }";

/// A definition that `f` may have.
pub(super) const DEFINES_F: &str = "void f(void) {}";

/// Finds what lies in the directory of bundled libraries.
pub(super) const RUN_PATH: &str = "-Wl,-rpath,$ORIGIN/m.libs";

/// A new directory for each situation.
pub(super) struct Yard {
    dir: TempDir,
    pub(super) bed: Bed,
}

impl Yard {
    pub(super) fn new() -> Self {
        let yard = Self {
            dir: tempfile::tempdir().unwrap(),
            bed: Bed::find(),
        };
        for name in ["site", "lib", "absent", "cwd"] {
            fs_err::create_dir(yard.path(name)).unwrap();
        }
        yard
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        fs_err::canonicalize(self.dir.path()).unwrap().join(name)
    }

    /// The tree.
    pub(super) fn site(&self) -> PathBuf {
        self.path("site")
    }

    /// The directories of libraries that all commands are told of.
    pub(super) fn lib(&self) -> Vec<PathBuf> {
        let packages = ["libgcc-s1", "libstdc++6", "zlib1g"];
        let dirs = packages.map(|name| self.bed.library(name));
        [&[self.path("lib")][..], &dirs[..]].concat()
    }

    /// Compiles a library; the path begins with `site`, `lib`, or `absent` for what is there only to
    /// be linked with.
    pub(super) fn library(&self, path: &str, source: &str, flags: &[&str]) {
        let soname = path.rsplit('/').next().unwrap();
        self.named(path, soname, source, flags);
    }

    /// The same with another soname.
    pub(super) fn named(&self, path: &str, soname: &str, source: &str, flags: &[&str]) {
        let soname = format!("-Wl,-soname,{soname}");
        let start = ["-shared", "-fPIC", "-nostdlib", "-Wl,--no-as-needed"];
        self.compile(path, source, &[&start[..], &[&*soname], flags].concat());
    }

    /// The same with versions.
    pub(super) fn versioned(&self, path: &str, source: &str, script: &str) {
        fs_err::write(self.path("versions.map"), script).unwrap();
        self.library(path, source, &["-Wl,--version-script=versions.map"]);
    }

    /// Compiles the module `m`; the last flags are libraries and their likes.
    pub(super) fn module(&self, source: &str, flags: &[&str]) {
        let start = ["-shared", "-fPIC", "-nostdlib", "-Wl,--no-as-needed"];
        let path = format!("site/{MODULE}");
        self.compile(&path, source, &[&start[..], flags].concat());
    }

    /// Compiles a program.
    pub(super) fn program(&self, path: &str, source: &str, flags: &[&str]) {
        self.compile(path, source, flags);
    }

    pub(super) fn compile(&self, path: &str, source: &str, flags: &[&str]) {
        self.make_room(path);
        fs_err::write(self.path("source.c"), source).unwrap();
        let args = [&["-o", path, "source.c"][..], flags].concat();
        Tool::CC.run_in(&self.path("."), &args).expect();
    }

    pub(super) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        self.make_room(path);
        fs_err::write(self.path(path), content).unwrap();
    }

    /// Overwrites bytes of a file.
    pub(super) fn poke(&self, path: &str, at: usize, bytes: &[u8]) {
        let mut content = fs_err::read(self.path(path)).unwrap();
        content[at..][..bytes.len()].copy_from_slice(bytes);
        fs_err::write(self.path(path), content).unwrap();
    }

    /// Keeps a part of a file, in hundredths.
    pub(super) fn cut(&self, path: &str, hundredths: usize) {
        let mut content = fs_err::read(self.path(path)).unwrap();
        content.truncate(content.len() * hundredths / 100);
        fs_err::write(self.path(path), content).unwrap();
    }

    fn make_room(&self, path: &str) {
        fs_err::create_dir_all(self.path(path).parent().unwrap()).unwrap();
    }

    /// A wheel of the tree, in a directory, with a name as in a store.
    pub(super) fn wheel(&self, dir: &Path) -> PathBuf {
        let mut wheel = WheelBuilder::new("m", "1.0")
            .tags("cp311-cp311-linux_x86_64")
            .platlib();
        for entry in WalkDir::new(self.site()).sort_by_file_name() {
            let entry = entry.unwrap();
            if entry.file_type().is_file() {
                let path = entry.path().strip_prefix(self.site()).unwrap();
                let path = path.to_str().unwrap();
                let content = fs_err::read(entry.path()).unwrap();
                let mode = entry.metadata().unwrap().permissions().mode();
                wheel = if mode & 0o111 == 0 {
                    wheel.file(path, content)
                } else {
                    wheel.executable(path, content)
                };
            }
        }
        wheel.write_to(dir)
    }
}
