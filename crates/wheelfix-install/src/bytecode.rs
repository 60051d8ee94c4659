//! Byte-compilation by a pool of the target's interpreters, while files still arrive.
//!
//! Cached files hold a hash of their source, or a time that is always the same:
//! <https://peps.python.org/pep-0552/>.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// The program that each interpreter of the pool runs.
const WORKER: &str = include_str!("compile.py");

/// Variables that would change the modules that the program imports, the place it writes to, or the
/// bytes that it writes.
///
/// Isolated mode (`-I`) would also ignore `PYTHONHASHSEED`.
const VARIABLES: &[&str] = &[
    "PYTHONHOME",
    "PYTHONINTMAXSTRDIGITS",
    "PYTHONNODEBUGRANGES",
    "PYTHONOPTIMIZE",
    "PYTHONPATH",
    "PYTHONPYCACHEPREFIX",
    "PYTHONWARNINGS",
];

/// The way in which a reader of a cached file finds out that it is stale.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Invalidation {
    /// Every import hashes the source and compares.
    CheckedHash,
    /// The cached file is trusted: for files that never change, such as those of the Nix store.
    UncheckedHash,
    /// The time of the source is compared with 1970-01-01 00:00:01, which it is given here: the time
    /// that all files of the Nix store have.
    Timestamp,
}

/// The options of byte-compilation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bytecode {
    /// Optimisation levels, each 0, 1 or 2; ascending, without duplicates, not empty.
    pub levels: Vec<u8>,
    /// The way in which a reader finds out that a file is stale.
    pub invalidation: Invalidation,
}

/// A source that does not compile. It is installed all the same, as pip does.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct CompileFailure {
    /// The source, where it will be.
    pub path: PathBuf,
    /// The exception: its type and message.
    pub reason: String,
}

/// Why the pool broke.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The interpreter cannot be started.
    #[error("failed to run `{}`", path.display())]
    Start {
        /// The interpreter.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// An interpreter ended before its time: a full disk, a lack of memory.
    #[error("byte-compilation ended: {status}: {stderr}")]
    Died {
        /// Its exit status.
        status: ExitStatus,
        /// The last line that it printed on standard error.
        stderr: String,
    },
    /// Talking to an interpreter failed.
    #[error("failed to talk to the interpreter")]
    Pipe(#[from] io::Error),
}

/// One source to compile.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    final_path: PathBuf,
}

/// Interpreters that compile what they are given.
#[derive(Debug)]
pub struct Compiler {
    /// `None` once all sources are given.
    queue: Option<Sender<Source>>,
    /// Set to leave the rest of the queue alone.
    abandoned: Arc<AtomicBool>,
    workers: Vec<JoinHandle<Result<Vec<CompileFailure>, CompileError>>>,
}

impl Compiler {
    /// Starts `jobs` interpreters.
    pub fn start(python: &Path, bytecode: &Bytecode, jobs: usize) -> Result<Self, CompileError> {
        let (queue, sources) = mpsc::channel();
        let sources = Arc::new(Mutex::new(sources));
        let abandoned = Arc::new(AtomicBool::new(false));
        let mut workers = Vec::new();
        for _ in 0..jobs {
            let mut worker = Worker::start(python, bytecode)?;
            let (sources, abandoned) = (Arc::clone(&sources), Arc::clone(&abandoned));
            let serve = move || worker.serve(&sources, &abandoned);
            workers.push(thread::Builder::new().spawn(serve)?);
        }
        Ok(Self {
            queue: Some(queue),
            abandoned,
            workers,
        })
    }

    /// Queues a source; `final_path` is where it will be.
    pub fn push(&self, path: PathBuf, final_path: PathBuf) {
        if let Some(queue) = &self.queue {
            // Fails once every worker is gone; `finish` reports why.
            queue.send(Source { path, final_path }).ok();
        }
    }

    /// Waits for all sources; returns those that do not compile, sorted.
    pub fn finish(mut self) -> Result<Vec<CompileFailure>, CompileError> {
        self.queue = None;
        let mut failures = Vec::new();
        let mut result = Ok(());
        for worker in self.workers.drain(..) {
            match worker.join() {
                Ok(Ok(found)) => failures.extend(found),
                Ok(Err(error)) => result = Err(error),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        failures.sort();
        result.map(|()| failures)
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
        self.queue = None;
        for worker in self.workers.drain(..) {
            worker.join().ok();
        }
    }
}

/// One interpreter.
struct Worker {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    #[expect(clippy::disallowed_methods, reason = "only Python compiles Python")]
    fn start(python: &Path, bytecode: &Bytecode) -> Result<Self, CompileError> {
        let levels: Vec<String> = bytecode.levels.iter().map(u8::to_string).collect();
        let invalidation = match bytecode.invalidation {
            Invalidation::CheckedHash => "checked-hash",
            Invalidation::UncheckedHash => "unchecked-hash",
            Invalidation::Timestamp => "timestamp",
        };
        let mut command = Command::new(python);
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        let child = command
            .args(["-s", "-S", "-c", WORKER, &levels.join(","), invalidation])
            // The order of a set's elements ends up in constants, before Python 3.11.
            .env("PYTHONHASHSEED", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(|source| CompileError::Start {
            path: python.to_owned(),
            source,
        })?;
        let Some(stdout) = child.stdout.take() else {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
        };
        Ok(Self {
            child,
            answers: BufReader::new(stdout),
        })
    }

    /// Compiles sources until the queue ends.
    fn serve(
        &mut self,
        sources: &Mutex<Receiver<Source>>,
        abandoned: &AtomicBool,
    ) -> Result<Vec<CompileFailure>, CompileError> {
        let mut failures = Vec::new();
        loop {
            // A lock is poisoned by a panic elsewhere; the queue itself is sound.
            let next = sources
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
            let Ok(source) = next else {
                return Ok(failures);
            };
            if abandoned.load(Ordering::Relaxed) {
                return Ok(failures);
            }
            let reason = match self.compile(&source) {
                Ok(reason) => reason,
                Err(error) => return Err(self.post_mortem(error)),
            };
            if !reason.is_empty() {
                failures.push(CompileFailure {
                    path: source.final_path,
                    reason,
                });
            }
        }
    }

    /// Why the source does not compile; empty if it does.
    fn compile(&mut self, source: &Source) -> io::Result<String> {
        use std::os::unix::ffi::OsStrExt as _;
        let mut request = Vec::new();
        for path in [&source.path, &source.final_path] {
            request.extend_from_slice(path.as_os_str().as_bytes());
            request.push(0);
        }
        let stdin = self.child.stdin.as_mut();
        stdin
            .ok_or(io::ErrorKind::BrokenPipe)?
            .write_all(&request)?;
        let mut answer = Vec::new();
        self.answers.read_until(0, &mut answer)?;
        match answer.pop() {
            Some(0) => Ok(String::from_utf8_lossy(&answer).into_owned()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Why the interpreter does not answer.
    fn post_mortem(&mut self, error: io::Error) -> CompileError {
        use std::io::Read as _;
        self.child.stdin = None;
        let mut stderr = String::new();
        if let Some(mut stream) = self.child.stderr.take() {
            stream.read_to_string(&mut stderr).ok();
        }
        match self.child.wait() {
            Ok(status) => CompileError::Died {
                status,
                stderr: stderr.lines().last().unwrap_or_default().to_owned(),
            },
            Err(_) => error.into(),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The end of its input ends the interpreter.
        self.child.stdin = None;
        self.child.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;

    const SOURCES: &[(&str, &str)] = &[
        ("plain.py", "x = 1\n"),
        (
            "assert.py",
            "def f(y):\n    assert y in {'a', 'b', 'c'}, 'no'\n",
        ),
        ("latin.py", "# -*- coding: latin-1 -*-\nx = 2\n"),
        ("broken.py", "def\n"),
    ];

    /// Compiles the sources in a directory; the cached files as (name, content), sorted.
    fn compile(
        sources: &[(&str, &str)],
        levels: &[u8],
        jobs: usize,
    ) -> (Vec<(String, Vec<u8>)>, Vec<CompileFailure>) {
        let dir = tempfile::tempdir().unwrap();
        let bytecode = Bytecode {
            levels: levels.to_vec(),
            invalidation: Invalidation::CheckedHash,
        };
        let compiler = Compiler::start(Path::new("python3"), &bytecode, jobs).unwrap();
        for (name, text) in sources {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            compiler.push(path, Path::new("/final").join(name));
        }
        let failures = compiler.finish().unwrap();
        let mut files = Vec::new();
        for entry in fs::read_dir(dir.path().join("__pycache__")).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            files.push((name, fs::read(entry.path()).unwrap()));
        }
        files.sort();
        (files, failures)
    }

    #[test]
    fn every_level_has_its_file_and_failures_are_named() {
        let (files, failures) = compile(SOURCES, &[0, 1], 2);
        assert_eq!(files.len(), 6, "three sources compile, at two levels");
        // PEP 552: bit 0 says that a hash follows, bit 1 that it is checked.
        assert!(files.iter().all(|(_, bytes)| bytes[4] == 0b11));
        assert_eq!(failures.len(), 1);
        assert_eq!(failures[0].path, Path::new("/final/broken.py"));
        assert!(failures[0].reason.starts_with("SyntaxError: "));
    }

    #[test]
    fn levels_differ_only_where_asserts_do() {
        let (files, _) = compile(SOURCES, &[0, 1], 1);
        for pair in files.chunks(2) {
            let same = pair[0].1 == pair[1].1;
            assert_eq!(same, !pair[0].0.starts_with("assert"), "{}", pair[0].0);
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "only Python compiles Python")]
    fn every_level_is_what_compileall_makes() {
        let sources = [
            ("plain.py", "def f():\n    return 1\nx = f()\n"),
            ("module.py", "'doc'\nx = 1\n"),
            ("class.py", "class A:\n    'doc'\n"),
            (
                "deep.py",
                "def f():\n    class A:\n        def g(self):\n            'doc'\n",
            ),
            ("async.py", "async def f():\n    \"\"\"doc\"\"\"\n"),
            ("text.py", "x = 'text'\ndef f():\n    return 'text'\n"),
            ("assert.py", "def f(y):\n    'doc'\n    assert y\n"),
            ("first.py", "assert 1 < 2, 'no'\n"),
            ("mark.py", "\u{feff}assert 1 < 2, 'no'\n"),
            ("colon.py", "def f(y):\n    if y: assert y > 1\n"),
            ("semicolon.py", "def f(y):\n    x = y;assert x\n"),
            ("return.py", "def f(y):\r    x = y\r    assert x\r"),
            ("continued.py", "def f(y):\n    if y: \\\n  assert y\n"),
            ("feed.py", "x = 1\n\u{c}assert x\n"),
            ("word.py", "words = ['assert', 'x:assert'] # assert\n"),
            ("debug.py", "if __debug__:\n    x = 1\n"),
            ("empty.py", ""),
        ];
        let (ours, failures) = compile(&sources, &[0, 1, 2], 1);
        assert_eq!(failures, []);
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in sources {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let status = Command::new("python3")
            .args(["-m", "compileall", "-q", "-o", "0", "-o", "1", "-o", "2"])
            .args(["--invalidation-mode", "checked-hash", "-p", "/final", "-s"])
            .arg(dir.path())
            .arg(dir.path())
            .status();
        assert!(status.unwrap().success());
        for (name, bytes) in ours {
            let theirs = fs::read(dir.path().join("__pycache__").join(&name)).unwrap();
            assert!(bytes == theirs, "{name}");
        }
    }

    #[test]
    fn a_time_is_that_of_the_nix_store() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plain.py");
        fs::write(&path, "x = 1\n").unwrap();
        let bytecode = Bytecode {
            levels: vec![0],
            invalidation: Invalidation::Timestamp,
        };
        let compiler = Compiler::start(Path::new("python3"), &bytecode, 1).unwrap();
        compiler.push(path.clone(), path.clone());
        assert_eq!(compiler.finish().unwrap(), []);
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(
            time.duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_secs(),
            1
        );
        let mut cached = fs::read_dir(dir.path().join("__pycache__")).unwrap();
        let bytes = fs::read(cached.next().unwrap().unwrap().path()).unwrap();
        // PEP 552: no flags; then time and length of the source.
        assert_eq!(bytes[4..16], [0, 0, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0]);
    }

    #[test]
    fn the_final_path_is_in_the_code() {
        let (files, _) = compile(&[("plain.py", "x = 1\n")], &[0], 1);
        let path = b"/final/plain.py";
        assert!(files[0].1.windows(path.len()).any(|window| window == path));
    }

    #[test]
    fn order_and_number_of_workers_do_not_matter() {
        let reversed: Vec<_> = SOURCES.iter().rev().copied().collect();
        assert_eq!(
            compile(SOURCES, &[0, 1, 2], 1),
            compile(&reversed, &[0, 1, 2], 3)
        );
    }
}
