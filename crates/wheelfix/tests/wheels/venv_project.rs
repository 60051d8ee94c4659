//! A project whose virtual environment uv and pip fill with real wheels, and wheelfix makes work in the bed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use walkdir::WalkDir;
use wheelfix_testkit::cache;
use wheelfix_testkit::nixos::Bed;

use crate::programs::succeed;

/// A project with a virtual environment, and wheels to fill it with.
pub(crate) struct Project {
    pub(crate) dir: TempDir,
    bed: Bed,
    mode: &'static str,
}

impl Project {
    pub(crate) fn new(mode: &'static str) -> Self {
        let names = ["numpy", "scipy", "ruff", "greenlet", "pygments"];
        Self::with(mode, &names.map(cache::wheel))
    }

    pub(crate) fn with(mode: &'static str, brought: &[PathBuf]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bed = Bed::find();
        let wheels = dir.path().join("wheels");
        fs_err::create_dir(&wheels).unwrap();
        for wheel in brought {
            std::os::unix::fs::symlink(wheel, wheels.join(wheel.file_name().unwrap())).unwrap();
        }
        let text = "[project]\nname = 'p'\nversion = '1'\nrequires-python = '==3.11.*'\n\
            [tool.uv]\nno-index = true\nfind-links = ['wheels']\nenvironments = [\"sys_platform == 'linux'\"]\n";
        fs_err::write(dir.path().join("pyproject.toml"), text).unwrap();
        Self { dir, bed, mode }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs uv, and wheelfix behind it.
    pub(crate) fn uv(&self, args: &str) -> String {
        self.program(&cache::tool("uv"), args)
    }

    pub(crate) fn program(&self, program: &Path, args: &str) -> String {
        let mut command = self.wheelfix(&["venv-run"]);
        command.arg(program).args(args.split(' '));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args}: {said}");
        said
    }

    pub(crate) fn wheelfix(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
        self.equip(command.args(args));
        command
    }

    /// As [`Self::place`], with the libraries of the bed.
    pub(crate) fn equip(&self, command: &mut Command) {
        self.place(command);
        command.env("WHEELFIX_LIB_PATH", self.library_path());
        command.env(
            "WHEELFIX_VENV_OPTIONS",
            "--driver-path=/run/opengl-driver/lib",
        );
    }

    /// The directories of all libraries of the bed.
    pub(crate) fn library_path(&self) -> OsString {
        std::env::join_paths(self.bed.libraries()).unwrap()
    }

    /// The Python of the bed.
    pub(crate) fn python(&self) -> PathBuf {
        self.bed.python()
    }

    /// In this project, with its cache and Python.
    pub(crate) fn place(&self, command: &mut Command) {
        command.current_dir(self.dir.path());
        command
            .env("UV_CACHE_DIR", self.path("cache"))
            .env("UV_OFFLINE", "1");
        command
            .env("UV_PYTHON", self.python())
            .env("UV_LINK_MODE", self.mode);
        command.env_remove("VIRTUAL_ENV");
    }

    /// Files of uv's cache that hold what wheels brought, each with its content.
    pub(crate) fn cached(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let archives = self.path("cache/archive-v0");
        let entries = WalkDir::new(archives)
            .into_iter()
            .map(|entry| entry.unwrap());
        let files = entries.filter(|entry| entry.file_type().is_file());
        let read = |path: PathBuf| (path.clone(), fs_err::read(path).unwrap());
        files.map(|entry| read(entry.into_path())).collect()
    }

    /// Fails if a file that was in the cache before is another one.
    #[track_caller]
    pub(crate) fn keeps(&self, before: &BTreeMap<PathBuf, Vec<u8>>) {
        let after = self.cached();
        let changed = before
            .iter()
            .filter(|(path, text)| after.get(*path) != Some(*text));
        let changed: Vec<&PathBuf> = changed.map(|(path, _)| path).collect();
        assert!(changed.is_empty(), "{}: {changed:?}", self.mode);
    }

    /// Runs a program of the environment in the bed.
    pub(crate) fn in_bed(&self, program: &str) -> Command {
        self.bed.command(self.path(".venv/bin").join(program))
    }

    pub(crate) fn computes(&self, code: &str) {
        succeed(self.in_bed("python").args(["-I", "-c", code]));
    }

    pub(crate) fn starts(&self, program: &str) {
        succeed(self.in_bed(program).arg("--version"));
    }
}
