//! Copies of wheels, each in a prefix of its own: wheelfix's and pip's.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::corpus::remedy;
use crate::failure::Result;
use crate::nixos::Bed;
use crate::{place, program, python};

/// Where copies are made.
#[derive(Debug)]
pub(crate) struct Copies<'run> {
    pub(crate) wheelfix: &'run Path,
    pub(crate) bed: &'run Bed,
    /// Has the wheels under their own names.
    pub(crate) wheels: PathBuf,
    pub(crate) work: PathBuf,
}

/// An install by wheelfix.
#[derive(Debug)]
pub(crate) struct Install {
    pub(crate) prefix: PathBuf,
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// The document of `--json`; null if there is none.
    pub(crate) document: Value,
    /// The messages.
    pub(crate) log: String,
}

/// The directory of modules of a prefix.
pub(crate) fn site_packages(prefix: &Path) -> PathBuf {
    prefix.join(format!("lib/python{}/site-packages", python::VERSION))
}

impl Copies<'_> {
    /// Installs a wheel in the bed, with no flag but `--lib-path` and these.
    pub(crate) fn install(
        &self,
        file: &str,
        prefix: PathBuf,
        lib_paths: &[PathBuf],
        flags: &[String],
    ) -> Result<Install> {
        let wheel = self.wheels.join(file);
        self.run("install", prefix, lib_paths, |command| {
            command.args(flags).arg(wheel);
        })
    }

    /// Makes one environment of prefixes.
    pub(crate) fn environment(
        &self,
        prefixes: &[PathBuf],
        prefix: PathBuf,
        lib_paths: &[PathBuf],
    ) -> Result<Install> {
        self.run("env", prefix, lib_paths, |command| {
            command.args(prefixes);
        })
    }

    fn run(
        &self,
        name: &str,
        prefix: PathBuf,
        lib_paths: &[PathBuf],
        add: impl FnOnce(&mut Command),
    ) -> Result<Install> {
        place::remove(&prefix)?;
        let mut command = self.bed.wheelfix(self.wheelfix);
        command.arg(name);
        command.args(["--json", "--no-bytecode", "--jobs", "2", "--python"]);
        command
            .arg(self.bed.python_program())
            .arg("--prefix")
            .arg(&prefix);
        for path in lib_paths {
            command.arg("--lib-path").arg(path);
        }
        add(&mut command);
        let Output {
            status,
            stdout,
            stderr,
        } = command.output()?;
        Ok(Install {
            prefix,
            code: status.code(),
            document: serde_json::from_slice(&stdout).unwrap_or_default(),
            log: String::from_utf8_lossy(&stderr).into_owned(),
        })
    }

    /// The prefix of a sibling: wheelfix's copy, perhaps with the printed fixes, or pip's where that was refused.
    pub(crate) fn sibling(&self, file: &str, lib_paths: &[PathBuf]) -> Result<PathBuf> {
        let prefix = self.work.join("siblings").join(stem(file));
        if prefix.is_dir() {
            return Ok(prefix);
        }
        let install = |flags: &[String]| self.install(file, prefix.clone(), lib_paths, flags);
        let first = install(&[])?;
        if first.code != Some(0) {
            let flags = remedy::printed(first.log.lines(), remedy::ALL);
            if flags.is_empty() || install(&flags)?.code != Some(0) {
                self.by_pip(file, &prefix)?;
            }
        }
        Ok(prefix)
    }

    /// The prefix of pip's copy of a wheel, alone.
    pub(crate) fn control(&self, file: &str) -> Result<PathBuf> {
        let prefix = self.work.join("control").join(stem(file));
        if !prefix.is_dir() {
            self.by_pip(file, &prefix)?;
        }
        Ok(prefix)
    }

    /// A prefix with pip's copies of several wheels side by side, as pip leaves them, by hard links.
    pub(crate) fn side_by_side<'file>(
        &self,
        name: &str,
        files: impl Iterator<Item = &'file str>,
    ) -> Result<PathBuf> {
        let prefix = self.work.join("merged").join(name);
        place::remove(&prefix)?;
        fs_err::create_dir_all(&prefix)?;
        for file in files {
            let mut copy = Command::new("cp");
            copy.args(["--archive", "--link", "--force", "--no-target-directory"]);
            program::output(copy.arg(self.control(file)?).arg(&prefix))?;
        }
        Ok(prefix)
    }

    fn by_pip(&self, file: &str, prefix: &Path) -> Result {
        let partial = prefix.with_extension("partial");
        place::remove(&partial)?;
        let mut pip = python::pip_install(&python::tools()?.join("python3"));
        pip.args([
            "--no-deps",
            "--no-index",
            "--no-compile",
            "--ignore-installed",
            "--no-warn-script-location",
        ]);
        program::output(
            pip.arg("--prefix")
                .arg(&partial)
                .arg(self.wheels.join(file)),
        )?;
        // What was installed alone is complete.
        fs_err::rename(&partial, prefix)?;
        Ok(())
    }

    /// Removes what no wheel of these needs.
    pub(crate) fn keep_only(&self, is_needed: impl Fn(&str) -> bool) -> Result {
        for kind in ["siblings", "control"] {
            let dir = self.work.join(kind);
            fs_err::create_dir_all(&dir)?;
            for entry in fs_err::read_dir(&dir)? {
                let entry = entry?;
                if !entry.file_name().to_str().is_some_and(&is_needed) {
                    fs_err::remove_dir_all(entry.path())?;
                }
            }
        }
        Ok(())
    }
}

/// The name of a wheel's file without `.whl`.
pub(crate) fn stem(file: &str) -> &str {
    file.strip_suffix(".whl").unwrap_or(file)
}
