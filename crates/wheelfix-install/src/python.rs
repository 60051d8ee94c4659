//! The Python that an installation is for.

use std::fmt::{self, Write as _};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use wheelfix_format::{Implementation, Libc, PythonVersion, PythonVersionError, Target};
use wheelfix_loader::{ReadOutcome, System, absolute_path, existing_path, read_object};

use crate::launcher::Interpreter;

/// The Python that an installation is for.
#[derive(Clone, Debug)]
pub struct Python {
    target: Target,
    /// Its programs; `None` if nothing is known of them.
    programs: Option<Programs>,
    /// The program that compiles for it; `None` if none runs here.
    compiler: Option<PathBuf>,
    /// Why sources are not compiled for a target that is named; `None` if they are.
    uncompiled: Option<String>,
    /// The system of a target that is named; `None` if it is this machine.
    system: Option<System>,
    /// The Python that it belongs to; `None` if nothing is known of it.
    base: Option<BasePython>,
    /// The program that scripts name instead of it.
    runs_scripts: Option<PathBuf>,
}

/// The programs of a Python.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Programs {
    /// The program that scripts name.
    executable: PathBuf,
    /// The ELF program that runs in the end, another one where a script wraps it; `None` if it is not
    /// on this machine.
    program: Option<PathBuf>,
}

/// The Python that an interpreter belongs to; that of a virtual environment is another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BasePython {
    /// The program, absolute.
    pub executable: PathBuf,
    /// The whole version, as `3.11.9`.
    pub full_version: String,
}

/// Why an interpreter is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PythonError {
    /// The program cannot be started.
    #[error("failed to run `{}`", path.display())]
    Start {
        /// The program.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The program started and failed, or is not a Python.
    #[error("`{}` is not a working Python: {status}{}", path.display(), Indented(stderr))]
    Failed {
        /// The program.
        path: PathBuf,
        /// Its exit status.
        status: ExitStatus,
        /// Its output on standard error, of much the last lines.
        stderr: String,
    },
    /// It does not lead to an ELF program of the machine, which alone can be simulated.
    #[error("`{}` leads to no ELF program: it says that it is `{executable}`", path.display())]
    NoProgram {
        /// The program that was to be run.
        path: PathBuf,
        /// `sys.executable`.
        executable: String,
    },
    /// It started, and did not do what a Python does.
    #[error("`{}` is no Python: it does not run what it is told with `-c`", .0.display())]
    NoPython(PathBuf),
    /// It is another implementation than CPython.
    #[error("`{}` is {implementation}, only CPython is supported", path.display())]
    Implementation {
        /// The program.
        path: PathBuf,
        /// `sys.implementation.name`.
        implementation: String,
    },
    /// It is not the Python of the target that is named.
    #[error("`{}` {reason}", path.display())]
    OtherTarget {
        /// The program.
        path: PathBuf,
        /// The reason, as the end of a sentence.
        reason: String,
    },
    /// Files of such a target cannot be made.
    #[error("`{0}` is a target of lock files alone: files are installed for CPython on Linux")]
    Target(Box<Target>),
    /// Its program cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// Its answer is not understood.
    #[error("`{}` names no version", path.display())]
    Version {
        /// The program.
        path: PathBuf,
        /// The reason why it is not understood.
        source: PythonVersionError,
    },
}

/// Prints what [`Python::probe`] reads, a line each. A value that does not exist is an empty line.
const PROBE: &str = "
import os, sys
flags = getattr(sys, 'abiflags', '')
print(sys.implementation.name)
print('%d.%d' % sys.version_info[:2])
print(sys.executable)
print(os.uname().machine)
print('1' if 't' in flags else '')
print('1' if 'd' in flags else '')
try:
    print(os.confstr('CS_GNU_LIBC_VERSION') or '')
except (AttributeError, OSError, ValueError):
    print('')
print(getattr(sys, '_base_executable', '') or sys.executable)
print('%d.%d.%d' % sys.version_info[:3])
level, serial = sys.version_info[3:]
print('%d.%d.%d' % sys.version_info[:3] + ('' if level == 'final' else level[0] + str(serial)))
try:
    print(os.readlink('/proc/self/exe'))
except (AttributeError, OSError):
    print('')
";

impl Python {
    /// A Python of which only the version is known: nothing of it is ever run.
    ///
    /// The machine is the one that wheelfix itself is built for.
    pub fn of_version(version: PythonVersion) -> Self {
        let arch = match std::env::consts::ARCH {
            "x86" => "i686",
            "arm" => "armv7l",
            "powerpc64" => "ppc64le",
            arch => arch,
        };
        Self {
            target: Target::linux(version, arch, Libc::ASSUMED_GLIBC),
            programs: None,
            compiler: None,
            uncompiled: None,
            system: None,
            base: None,
            runs_scripts: None,
        }
    }

    /// The Python of a target that is named; nothing of it is run. `program` is it as scripts name it.
    ///
    /// Where the program is here, it has to be one of the target, and the proof looks into it.
    ///
    /// # Errors
    ///
    /// Files of such a target cannot be made, or the program is another one or cannot be read.
    pub fn of_target(target: Target, program: Option<&Path>) -> Result<Self, PythonError> {
        let is_cpython = target.implementation == Implementation::CPython;
        let Some(system) = System::of(&target).filter(|_| is_cpython) else {
            return Err(PythonError::Target(Box::new(target)));
        };
        let executable = program.map(absolute_path).transpose()?;
        let programs = executable.map(|executable| -> Result<Programs, PythonError> {
            let program = program_of_target(&executable, &target, system)?;
            Ok(Programs {
                executable,
                program,
            })
        });
        let programs = programs.transpose()?;
        let full_version = target.full_version.clone();
        let base = programs.as_ref().map(|programs| BasePython {
            executable: programs.executable.clone(),
            full_version: full_version.unwrap_or_else(|| target.python.to_string()),
        });
        let version = target.python;
        Ok(Self {
            uncompiled: Some(format!("no Python {version} that runs here is named")),
            target,
            programs,
            compiler: None,
            system: Some(system),
            base,
            runs_scripts: None,
        })
    }

    /// The same Python, for which another one compiles that runs here, if it makes the same bytecode.
    ///
    /// The bytecode that CPython reads changes with the minor version, and no more once there is a candidate for the
    /// release.
    #[must_use]
    pub fn compiled_by(mut self, other: &Self) -> Self {
        let is_final = |target: &Target| {
            let full = target.full_version.as_deref().unwrap_or_default();
            !full.contains(['a', 'b'])
        };
        let (ours, theirs) = (&self.target, &other.target);
        let is_same = ours.python == theirs.python
            && (is_final(ours) && is_final(theirs) || ours.full_version == theirs.full_version);
        if is_same {
            self.compiler.clone_from(&other.compiler);
            self.uncompiled = None;
        } else {
            let theirs = theirs.full_version.as_ref();
            let theirs = theirs.map_or_else(|| other.version().to_string(), Clone::clone);
            self.uncompiled = Some(format!(
                "Python {theirs} makes other bytecode than {} reads",
                ours.full_version
                    .as_ref()
                    .unwrap_or(&ours.python.to_string())
            ));
        }
        self
    }

    /// Asks an interpreter for its version.
    ///
    /// A name without `/` is looked up on the `PATH`. What is named may be a link, which is kept, or a
    /// script that leads to the interpreter, as pyenv's.
    #[expect(clippy::disallowed_methods, reason = "the interpreter is the input")]
    pub fn probe(executable: &Path) -> Result<Self, PythonError> {
        let path = executable.to_owned();
        let output = Command::new(executable)
            .args(["-I", "-S", "-c", PROBE])
            .output();
        let output = match output {
            Ok(output) => output,
            Err(source) => return Err(PythonError::Start { path, source }),
        };
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(PythonError::Failed {
                path,
                status: output.status,
                stderr: last_lines(&stderr),
            });
        }
        let stdout = String::from_utf8_lossy(&output.stdout);
        let mut lines = stdout.lines();
        let mut line = || lines.next().unwrap_or_default().to_owned();
        let (implementation, version, resolved) = (line(), line(), line());
        let (arch, free_threaded, debug, libc) = (line(), line(), line(), line());
        let (base, full_version, marker_version) = (line(), line(), line());
        let running = line();
        if implementation.is_empty() {
            return Err(PythonError::NoPython(path));
        }
        if implementation != "cpython" {
            return Err(PythonError::Implementation {
                path,
                implementation,
            });
        }
        let version = match version.parse() {
            Ok(version) => version,
            Err(source) => return Err(PythonError::Version { path, source }),
        };
        let mut target = Target::linux(version, &arch, parse_libc(&libc));
        target.free_threaded = free_threaded == "1";
        target.debug = debug == "1";
        target.full_version = Some(marker_version).filter(|text| !text.is_empty());
        let programs = programs(executable, &resolved, &running)?;
        Ok(Self {
            target,
            compiler: Some(programs.executable.clone()),
            programs: Some(programs),
            uncompiled: None,
            system: None,
            base: Some(BasePython {
                executable: PathBuf::from(base),
                full_version,
            }),
            runs_scripts: None,
        })
    }

    /// The program of an interpreter that was asked before, without asking it again; `None` if it is a script, which alone
    /// knows the program that runs in the end.
    pub fn program_at(executable: &Path) -> Option<PathBuf> {
        let path = absolute_path(executable).ok()?;
        is_program(&path).then_some(path)
    }

    /// Major and minor version.
    pub fn version(&self) -> PythonVersion {
        self.target.python
    }

    /// The target that wheels must fit.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The system of a target that is named; `None` if the Python is one of this machine.
    pub fn system(&self) -> Option<System> {
        self.system
    }

    /// The program that compiles for it; `None` if none runs here.
    pub fn compiler(&self) -> Option<&Path> {
        self.compiler.as_deref()
    }

    /// Why sources are not compiled for a target that is named.
    pub(crate) fn uncompiled(&self) -> Option<&str> {
        self.uncompiled.as_deref()
    }

    /// The name of the directory of its modules, and of its program: `python3.11`, `python3.13t`.
    pub fn name(&self) -> String {
        format!("python{}", self.target.python_name())
    }

    /// The interpreter, absolute, as scripts name it; `None` if it is not known.
    pub fn executable(&self) -> Option<&Path> {
        Some(&self.programs.as_ref()?.executable)
    }

    /// The ELF program that the interpreter is, or that a script by its name runs; `None` if it is not
    /// on this machine.
    pub fn program(&self) -> Option<&Path> {
        self.programs.as_ref()?.program.as_deref()
    }

    /// The Python that the interpreter belongs to; `None` if it is not known.
    pub fn base(&self) -> Option<&BasePython> {
        self.base.as_ref()
    }

    /// The same Python, with scripts that are run by another program: that of an environment.
    #[must_use]
    pub(crate) fn with_scripts_run_by(mut self, program: PathBuf) -> Self {
        self.runs_scripts = Some(program);
        self
    }

    /// The interpreter in the first line of scripts.
    ///
    /// Without a known interpreter that is a program to look up, which nixpkgs' `patchShebangs`
    /// resolves.
    pub fn interpreter(&self) -> Interpreter {
        match self.runs_scripts.as_deref().or(self.executable()) {
            Some(path) => Interpreter::Path(path.to_owned()),
            None => Interpreter::Search(self.name()),
        }
    }
}

/// Parses `glibc 2.36`; anything else is taken for musl.
fn parse_libc(text: &str) -> Libc {
    let glibc = || {
        let (major, minor) = text.strip_prefix("glibc ")?.split_once('.')?;
        Some(Libc::Glibc {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    };
    glibc().unwrap_or(Libc::ASSUMED_MUSL)
}

/// The program that scripts name, and the one that runs.
///
/// A path is kept as it was given if it is the program or a link to it, as one into a profile should
/// be. Where it is a script, Python is asked: `resolved` is `sys.executable`, which pyenv's shims lead
/// to, and `running` is the file that runs, which is known also if a wrapper gave Python its own name.
fn programs(given: &Path, resolved: &str, running: &str) -> Result<Programs, PythonError> {
    let absolute = |source| PythonError::Start {
        path: given.to_owned(),
        source,
    };
    let mut named = Vec::new();
    if given.components().count() != 1 || given.is_absolute() {
        named.push(absolute_path(given).map_err(absolute)?);
    }
    if !resolved.is_empty() {
        named.push(absolute_path(Path::new(resolved)).map_err(absolute)?);
    }
    if let Some(program) = named.iter().find(|path| is_program(path)) {
        return Ok(Programs {
            executable: program.clone(),
            program: Some(program.clone()),
        });
    }
    let running = PathBuf::from(running);
    match named.pop() {
        Some(executable) if is_program(&running) => Ok(Programs {
            executable,
            program: Some(running),
        }),
        _ => Err(PythonError::NoProgram {
            path: given.to_owned(),
            executable: resolved.to_owned(),
        }),
    }
}

/// The program at a path, if it is here, for the proof to look into; it has to be one of the target.
fn program_of_target(
    path: &Path,
    target: &Target,
    system: System,
) -> Result<Option<PathBuf>, PythonError> {
    let other = |reason: String| PythonError::OtherTarget {
        path: path.to_owned(),
        reason,
    };
    let real = match existing_path(path) {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let object = match read_object(real.clone(), &real)? {
        ReadOutcome::Object(object) if object.is_program() => object,
        ReadOutcome::Static { .. } => return Ok(None),
        // A script that starts it.
        ReadOutcome::NoElf if real.is_file() => return Ok(None),
        ReadOutcome::Malformed(reason) => return Err(other(format!("is damaged: {reason}"))),
        _ => return Err(other("is no program".to_owned())),
    };
    if let Some(found) = system.differs(&object) {
        return Err(other(format!("is for {found}, the target has {system}")));
    }
    let file = real.file_name().unwrap_or_default().to_string_lossy();
    let names = object.needed.iter().map(String::as_str).chain([&*file]);
    let wanted = target.python_name();
    for name in names {
        let rest = name.strip_prefix("lib").unwrap_or(name);
        let found = rest
            .strip_prefix("python")
            .filter(|rest| rest.contains('.'));
        let found = found.map(|rest| rest.split(".so").next().unwrap_or(rest));
        if let Some(found) = found.filter(|found| found.trim_end_matches('d') != wanted) {
            return Err(other(format!("is Python {found}, the target has {wanted}")));
        }
    }
    Ok(Some(path.to_owned()))
}

/// Whether a file is an ELF program, links followed; one that is linked statically too.
fn is_program(path: &Path) -> bool {
    match read_object(path.to_owned(), path) {
        Ok(ReadOutcome::Object(object)) => object.is_program(),
        Ok(ReadOutcome::Static { .. }) => true,
        Ok(ReadOutcome::NoElf | ReadOutcome::Skipped(_) | ReadOutcome::Malformed(_)) | Err(_) => {
            false
        }
    }
}

/// Most lines of another program's errors that are repeated.
const MAX_LINES: usize = 20;

/// Most characters of each of them.
const MAX_LINE_LEN: usize = 400;

/// The last lines of a text, and how many there are before them.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let skipped = lines.len().saturating_sub(MAX_LINES);
    let mut kept = Vec::new();
    if 0 < skipped {
        kept.push(format!("({skipped} lines before)"));
    }
    for line in lines.into_iter().skip(skipped) {
        kept.push(line.chars().take(MAX_LINE_LEN).collect());
    }
    kept.join("\n")
}

/// Lines below the line that they belong to; nothing of no lines.
struct Indented<'a>(&'a str);

impl fmt::Display for Indented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lines().try_for_each(|line| {
            f.write_char('\n')?;
            write!(f, "  {line}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the interpreter is the input")]
    fn a_python_tells_its_version() {
        let python = Python::probe(Path::new("python3")).unwrap();
        assert_eq!(python.version().major, 3);
        assert!(python.executable().unwrap().is_absolute());
        let environment = python.target().marker_environment();
        let full = &environment.python_full_version;
        assert!(
            full.starts_with(&python.base().unwrap().full_version),
            "{full}"
        );
        let question = "import platform; print(platform.python_version().rstrip('+'), end='')";
        let output = Command::new("python3").args(["-c", question]).output();
        assert_eq!(full.as_bytes(), output.unwrap().stdout);
    }

    #[test]
    fn the_c_library_is_understood() {
        let glibc = Libc::Glibc {
            major: 2,
            minor: 36,
        };
        assert_eq!(parse_libc("glibc 2.36"), glibc);
        assert_eq!(parse_libc(""), Libc::ASSUMED_MUSL);
    }

    /// A script that runs Python; as pyenv's shims, or, with `-a "$0"`, as a wrapper of nixpkgs.
    fn script(dir: &Path, name: &str, exec: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let real = Python::probe(Path::new("python3")).unwrap();
        let real = real.program().unwrap().display().to_string();
        let path = dir.join(name);
        let text = format!("#!/bin/bash\nexec {exec} \"{real}\" \"$@\"\n");
        fs_err::write(&path, text).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn a_script_leads_to_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let real = Python::probe(Path::new("python3")).unwrap();
        let real = fs_err::canonicalize(real.program().unwrap()).unwrap();
        let shim = Python::probe(&script(dir.path(), "shim", "")).unwrap();
        for path in [shim.program(), shim.executable()] {
            assert_eq!(fs_err::canonicalize(path.unwrap()).unwrap(), real);
        }
        let path = script(dir.path(), "wrapper", "-a \"$0\"");
        let wrapper = Python::probe(&path).unwrap();
        assert_eq!(wrapper.executable(), Some(path.as_path()));
        assert_eq!(
            fs_err::canonicalize(wrapper.program().unwrap()).unwrap(),
            real
        );
    }

    #[test]
    fn a_link_to_the_program_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let real = Python::probe(Path::new("python3")).unwrap();
        let link = dir.path().join("profile");
        std::os::unix::fs::symlink(real.program().unwrap(), &link).unwrap();
        fs_err::create_dir(dir.path().join("x")).unwrap();
        let spelt = dir.path().join("x/../profile");
        for path in [&link, &spelt] {
            let python = Python::probe(path).unwrap();
            assert_eq!(python.executable(), Some(link.as_path()));
            assert_eq!(python.program(), Some(link.as_path()));
        }
    }

    #[test]
    fn all_that_a_failing_python_says_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shim");
        fs_err::write(&path, "#!/bin/sh\nprintf 'first\\nlast\\n' >&2\nexit 127\n").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs_err::set_permissions(&path, mode).unwrap();
        let error = Python::probe(&path).unwrap_err().to_string();
        let want = "is not a working Python: exit status: 127\n  first\n  last";
        assert!(error.ends_with(want), "{error}");
        let many = last_lines(&"x\n".repeat(100));
        assert_eq!(many.lines().count(), MAX_LINES + 1);
        assert!(many.starts_with("(80 lines before)"), "{many}");
    }

    #[test]
    fn what_is_no_python_is_named() {
        for (path, want) in [
            ("/no/such/python", "failed to run `/no/such/python`"),
            ("false", "`false` is not a working Python: exit status: 1"),
        ] {
            let error = Python::probe(Path::new(path)).unwrap_err();
            assert_eq!(error.to_string(), want);
        }
    }
}
