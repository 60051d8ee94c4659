//! The programs that tests run: compilers, `readelf`, `strip`, `patchelf`.
#![expect(
    clippy::disallowed_methods,
    reason = "running other programs is the purpose"
)]

use std::fmt;
use std::io;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;

/// A program that a test needs, and how to get it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tool {
    /// The names of the program; the first that is there is called.
    pub names: &'static [&'static str],
    /// The command that installs it on Debian.
    pub install: &'static str,
}

impl Tool {
    /// The C compiler.
    pub const CC: Self = Self::new(&["gcc"], "apt-get install gcc");
    /// The C++ compiler.
    pub const CXX: Self = Self::new(&["g++"], "apt-get install g++");
    /// The C compiler for musl.
    pub const MUSL_CC: Self = Self::new(&["musl-gcc"], "apt-get install musl-tools");
    /// The C compiler for other machines; LLVM 18 is the first that links for all of them.
    pub const CLANG: Self = Self::new(
        &["clang-19", "clang-18", "clang-20", "clang"],
        "apt-get install clang-19",
    );
    /// The linker for other machines.
    pub const LLD: Self = Self::new(
        &["ld.lld-19", "ld.lld-18", "ld.lld-20", "ld.lld"],
        "apt-get install lld-19",
    );
    /// A browser.
    pub const CHROMIUM: Self = Self::new(&["chromium"], "apt-get install chromium");
    /// The compiler of Go.
    pub const GO: Self = Self::new(&["go"], "apt-get install golang-go");
    /// The reader of binutils.
    pub const READELF: Self = Self::new(&["readelf"], "apt-get install binutils");
    /// The copier of binutils.
    pub const OBJCOPY: Self = Self::new(&["objcopy"], "apt-get install binutils");
    /// The maker of named pipes.
    pub const MKFIFO: Self = Self::new(&["mkfifo"], "apt-get install coreutils");
    /// The program that ends another one that takes too long.
    pub const TIMEOUT: Self = Self::new(&["timeout"], "apt-get install coreutils");
    /// The stripper of binutils.
    pub const STRIP: Self = Self::new(&["strip"], "apt-get install binutils");
    /// The stripper of LLVM.
    pub const LLVM_STRIP: Self = Self::new(&["llvm-strip"], "apt-get install llvm");
    /// The stripper of LLVM 19, which lays files out in another way.
    pub const LLVM_STRIP_19: Self = Self::new(&["llvm-strip-19"], "apt-get install llvm-19");
    /// The stripper of elfutils.
    pub const EU_STRIP: Self = Self::new(&["eu-strip"], "apt-get install elfutils");
    /// The loader of glibc, which can be asked what it would load.
    pub const LOADER: Self = Self::new(&["/lib64/ld-linux-x86-64.so.2"], "apt-get install libc6");

    /// Python, to open a library as programs do.
    pub const PYTHON: Self = Self::new(&["python3"], "apt-get install python3");

    const fn new(names: &'static [&'static str], install: &'static str) -> Self {
        Self { names, install }
    }

    /// Runs the program with English messages.
    ///
    /// Panics, naming the command that installs it, if the program is missing.
    pub fn run(&self, args: &[&str]) -> Outcome {
        self.run_in(Path::new("."), args)
    }

    /// Runs the program in a directory with English messages.
    ///
    /// Panics, naming the command that installs it, if the program is missing.
    pub fn run_in(&self, dir: &Path, args: &[&str]) -> Outcome {
        for name in self.names {
            let mut command = Command::new(name);
            command.args(args).env("LC_ALL", "C").current_dir(dir);
            match command.output() {
                Ok(output) => return Outcome::new(&command, &output),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => panic!("failed to run `{name}`: {error}"),
            }
        }
        panic!("`{}` is missing: {}", self.names[0], self.install);
    }
}

impl Tool {
    /// Runs a program that the test itself made.
    pub fn run_path(program: &Path) -> Outcome {
        Outcome::of(Command::new(program))
    }
}

/// Has glibc's loader map a library and list what it needs, found or not; `Err` if it refuses the file itself.
pub fn list_needed(path: &Path) -> Result<String, String> {
    let mut command = Command::new(Tool::LOADER.names[0]);
    command.arg(path).env("LD_TRACE_LOADED_OBJECTS", "1");
    Outcome::of(command).success()
}

/// How a program ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The command line.
    pub command: String,
    /// The exit code; `None` if a signal ended the program, or the kernel did not start it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    status: String,
}

/// Whether the kernel refuses the content of a program with this error: `EIO`, `ENOEXEC`, `ENOMEM`, `EINVAL`.
fn is_of_file(errno: i32) -> bool {
    matches!(errno, 5 | 8 | 12 | 22)
}

impl Outcome {
    fn new(command: &Command, output: &Output) -> Self {
        Self {
            command: format!("{command:?}"),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            status: output.status.to_string(),
        }
    }

    /// Runs a tool with an environment of its own.
    ///
    /// Panics, naming the command that installs it, if the program is missing.
    pub(super) fn of_tool(mut command: Command, tool: Tool) -> Self {
        match command.output() {
            Ok(output) => Self::new(&command, &output),
            Err(error) => panic!("`{}`: {error}: {}", tool.names[0], tool.install),
        }
    }

    /// Runs a program that the test itself built.
    pub fn of(mut command: Command) -> Self {
        loop {
            match command.output() {
                Ok(output) => return Self::new(&command, &output),
                // A process that another thread is just starting still has the file open that this
                // thread wrote.
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                    thread::yield_now();
                }
                Err(error) if error.raw_os_error().is_some_and(is_of_file) => {
                    return Self {
                        command: format!("{command:?}"),
                        code: None,
                        stdout: String::new(),
                        stderr: String::new(),
                        status: error.to_string(),
                    };
                }
                Err(error) => panic!("failed to run {command:?}: {error}"),
            }
        }
    }

    /// Standard output of a program that succeeded; else what went wrong.
    pub fn success(self) -> Result<String, String> {
        if self.code == Some(0) {
            Ok(self.stdout)
        } else {
            Err(self.to_string())
        }
    }

    /// Standard output of a program that must succeed.
    #[track_caller]
    pub fn expect(self) -> String {
        self.success().unwrap_or_else(|text| panic!("{text}"))
    }
}

impl Outcome {
    /// How the program ended, and what it said last.
    pub fn ending(&self) -> String {
        format!("{}: {}", self.status, self.stderr.trim_end())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.command, self.ending())
    }
}
