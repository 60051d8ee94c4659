//! `wheelfix env` with real wheels: from wheels alone, and from a prefix for each.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use walkdir::WalkDir;
use wheelfix_testkit::{cache, host};

use crate::programs::succeed;

/// Wheels whose requirements are not in the sets.
const NOT_MET: &[&str] = &["black-"];

/// Imports everything and computes, without a GPU.
const COMPUTE: &str = "
import sys
import numpy, scipy.linalg, torch, torchvision, bitsandbytes, triton, sympy, PIL, greenlet, docutils

matrix = numpy.random.default_rng(7).random((50, 50)) + 50 * numpy.eye(50)
assert numpy.allclose(scipy.linalg.solve(matrix, matrix @ numpy.ones(50)), 1)
tensor = torch.from_numpy(matrix)
assert torch.allclose(torch.linalg.inv(tensor) @ tensor, torch.eye(50, dtype=torch.float64))
boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.9]])
assert len(torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8]), 0.5)) == 1
assert torch.cuda.nccl.version()[0] == 2
modules = numpy, scipy, torch, torchvision, bitsandbytes, triton, sympy, PIL, greenlet, docutils
print(*[it.__name__ for it in modules if not it.__file__.startswith(sys.argv[1])])
";

#[test]
fn torch_and_what_goes_with_it_are_one_environment_of_wheels() {
    let place = Place::new();
    place.make(&wheels(&["small", "cuda"]), &["--no-bytecode"]);
    place.use_it();
}

#[test]
fn torch_and_what_goes_with_it_are_one_environment_of_prefixes() {
    let place = Place::new();
    let mut prefixes = place.install_each(&wheels(&["small", "cuda"]));
    place.make(&prefixes, &["--jobs", "1"]);
    let tree = place.tree();
    place.use_it();
    prefixes.reverse();
    for args in [["--jobs", "1"], ["--jobs", "5"]] {
        place.make(&prefixes, &args);
        assert!(place.tree() == tree, "{args:?}: the environment is another");
    }
}

#[test]
fn neither_order_nor_threads_matter_to_environments_of_wheels() {
    let place = Place::new();
    let mut wheels = wheels(&["small"]);
    // Needs torch.
    wheels.retain(|wheel| *wheel != cache::wheel("bitsandbytes"));
    place.make(&wheels, &["--no-bytecode", "--jobs", "1"]);
    let tree = place.tree();
    let is_fortran = |path: &String| path.contains("/libgfortran-");
    assert!(
        !tree.keys().any(is_fortran),
        "the runtimes have taken their places"
    );
    wheels.reverse();
    for args in [["--no-bytecode", "--jobs=1"], ["--no-bytecode", "--jobs=5"]] {
        place.make(&wheels, &args);
        let differs = |(path, content): &(&String, &String)| tree.get(*path) != Some(*content);
        let other = place.tree();
        assert_eq!(other.iter().find(differs), None, "{args:?}");
        assert_eq!(other.len(), tree.len(), "{args:?}");
    }
}

fn wheels(sets: &[&str]) -> Vec<PathBuf> {
    let mut wheels: Vec<PathBuf> = sets.iter().flat_map(|set| cache::wheels(set)).collect();
    wheels.retain(|wheel| {
        let name = wheel.file_name().unwrap().to_str().unwrap();
        !NOT_MET.iter().any(|other| name.starts_with(other))
    });
    wheels
}

/// A directory for an environment and what it is made from.
struct Place {
    _guard: TempDir,
    dir: PathBuf,
}

impl Place {
    fn new() -> Self {
        let guard = tempfile::tempdir().unwrap();
        let dir = fs_err::canonicalize(guard.path()).unwrap();
        host::copy_runtimes(&dir.join("runtimes"));
        Self { _guard: guard, dir }
    }

    fn prefix(&self) -> PathBuf {
        self.dir.join("env")
    }

    /// Makes the environment, in place of the one before.
    #[track_caller]
    fn make(&self, inputs: &[PathBuf], args: &[&str]) {
        if self.prefix().is_dir() {
            fs_err::remove_dir_all(self.prefix()).unwrap();
        }
        let mut command = self.wheelfix("env");
        command.arg("--prefix").arg(self.prefix());
        succeed(command.args(args).args(inputs));
    }

    /// The binary with options that all of its commands get here.
    fn wheelfix(&self, command: &str) -> Command {
        let mut wheelfix = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
        wheelfix.args([command, "--quiet", "--python"]);
        wheelfix.arg(cache::tool("python3"));
        wheelfix.arg("--lib-path").arg(self.dir.join("runtimes"));
        wheelfix
    }

    /// Installs each wheel into a prefix of its own, with those before it at hand.
    fn install_each(&self, wheels: &[PathBuf]) -> Vec<PathBuf> {
        // Needs others that come later in the list.
        let is_late = |wheel: &&PathBuf| {
            let name = wheel.file_name().unwrap().to_str().unwrap();
            name.starts_with("bitsandbytes-")
        };
        let mut prefixes: Vec<PathBuf> = Vec::new();
        let early = wheels.iter().filter(|wheel| !is_late(wheel));
        for wheel in early.chain(wheels.iter().filter(is_late)) {
            let name = wheel.file_name().unwrap().to_str().unwrap();
            let prefix = self.dir.join(name.split('-').next().unwrap());
            let mut command = self.wheelfix("install");
            command.arg("--no-bytecode");
            for before in &prefixes {
                command.arg("--lib-path").arg(before);
            }
            succeed(command.arg("--prefix").arg(&prefix).arg(wheel));
            prefixes.push(prefix);
        }
        prefixes
    }

    /// Imports what is there, computes with it, and has pip look at the requirements.
    #[track_caller]
    fn use_it(&self) {
        let python = self.prefix().join("bin/python");
        let mut compute = Command::new(&python);
        compute.args(["-B", "-W", "ignore", "-c", COMPUTE]);
        assert_eq!(succeed(compute.arg(self.prefix())), "\n", "all are ours");
        let mut pip = Command::new(cache::tool("python3"));
        pip.args(["-I", "-m", "pip", "--python"]).arg(python);
        let answer = succeed(pip.arg("check"));
        assert_eq!(answer, "No broken requirements found.\n");
    }

    /// The content of each file of the environment, and the target of each link, by path.
    fn tree(&self) -> BTreeMap<String, String> {
        let mut tree = BTreeMap::new();
        for entry in WalkDir::new(self.prefix()) {
            let entry = entry.unwrap();
            let path = entry.path();
            let content = if entry.path_is_symlink() {
                fs_err::read_link(path).unwrap().display().to_string()
            } else if entry.file_type().is_file() {
                let mode = entry.metadata().unwrap().permissions();
                format!(
                    "{:x?} {mode:?}",
                    Sha256::digest(fs_err::read(path).unwrap())
                )
            } else {
                String::new()
            };
            tree.insert(path.to_str().unwrap().to_owned(), content);
        }
        tree
    }
}

#[test]
fn a_lock_and_its_downloaded_wheels_make_an_environment_that_computes() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("out");
    let lock = cache::root().join("nix/tests/lock/wheelfix.lock.json");
    let wheels = cache::dir().join("wheels");
    let mut command = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
    command
        .arg("env")
        .arg("--lock")
        .arg(lock)
        .arg("--wheels")
        .arg(wheels);
    command.args([
        "--python",
        "python3.11",
        "--lib-path",
        "/usr/lib/x86_64-linux-gnu",
    ]);
    let output = command.arg("--prefix").arg(&prefix).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let code = "import docutils, greenlet, pygments, numpy, scipy.linalg as l\n\
        assert numpy.allclose(l.inv([[2.0, 0], [0, 4]]), [[0.5, 0], [0, 0.25]])";
    let status = Command::new(prefix.join("bin/python"))
        .args(["-c", code])
        .status();
    assert!(status.unwrap().success());
}
