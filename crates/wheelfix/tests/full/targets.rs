//! Wheels of other systems, proved without running anything of them, and then run: `cargo xtask arm64`
//! brings a system for 64-bit Arm.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wheelfix_testkit::cache;

use crate::run::succeed;

const EMULATOR: &str = "qemu-aarch64-static";

/// Runs the binary; success, and all that it says.
fn wheelfix(args: &[&Path]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
    let output = command.args(args).stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.success(), text)
}

/// The system, a Python for it, and the libraries that lie apart.
struct Arm64 {
    system: PathBuf,
    python: PathBuf,
    libraries: [PathBuf; 2],
}

impl Arm64 {
    fn find() -> Self {
        let dir = cache::arm64();
        let system = dir.join("system");
        Self {
            python: system.join("usr/bin/python3.11"),
            libraries: ["usr/lib", "lib"]
                .map(|lib| dir.join("libraries").join(lib).join("aarch64-linux-gnu")),
            system,
        }
    }

    /// Installs wheels with these libraries.
    fn install(&self, wheels: &[PathBuf], prefix: &Path, more: &[&str]) -> (bool, String) {
        let mut args: Vec<&Path> = vec![Path::new("install")];
        args.extend(wheels.iter().map(PathBuf::as_path));
        let words = ["--target", "aarch64-linux-cp311", "--target-python"];
        args.extend(words.map(Path::new));
        args.extend([&self.python, Path::new("--prefix"), prefix]);
        args.extend(more.iter().map(Path::new));
        wheelfix(&args)
    }

    fn emulated(&self) -> Command {
        let mut command = Command::new(EMULATOR);
        command.arg("-L").arg(&self.system);
        command
    }

    /// Runs Python code with what a prefix has.
    fn run(&self, prefix: &Path, code: &str) -> Result<String, String> {
        let mut command = self.emulated();
        let site = prefix.join("lib/python3.11/site-packages");
        command.arg(&self.python).args(["-c", code]);
        succeed(
            command
                .env("PYTHONPATH", site)
                .env("PYTHONDONTWRITEBYTECODE", "1"),
        )
    }
}

const COMPUTE: &str = "\
import greenlet, numpy
matrix = numpy.arange(16.0).reshape(4, 4) + numpy.eye(4) * 7
assert numpy.allclose(numpy.linalg.inv(matrix) @ matrix, numpy.eye(4))
assert numpy.allclose(numpy.fft.ifft(numpy.fft.fft(numpy.ones(9))), 1)
seen = []
greenlet.greenlet(lambda: seen.append(numpy.random.default_rng(1).integers(9))).switch()
import platform
print(platform.machine(), len(seen))
";

#[test]
fn wheels_for_arm_are_proved_here_and_compute_under_an_emulator() {
    let arm = Arm64::find();
    let dir = tempfile::tempdir().unwrap();
    let wheels = ["numpy-2.4.6-cp311-cp311-manylinux", "greenlet-", "ruff-"];
    let wheels = wheels.map(cache::arm64_wheel);
    let [usr, lib] = arm.libraries.each_ref().map(|path| path.to_str().unwrap());
    let libraries = ["--lib-path", usr, "--lib-path", lib];

    let prefix = dir.path().join("all");
    let python = ["--python", "python3.11"];
    let (is_made, text) = arm.install(&wheels, &prefix, &[&libraries[..], &python].concat());
    assert!(is_made, "{text}");
    assert!(!text.contains("taken for granted"), "{text}");
    let site = prefix.join("lib/python3.11/site-packages");
    let compiled = site.join("numpy/__pycache__/__init__.cpython-311.pyc");
    assert!(
        compiled.is_file(),
        "bytecode of the same version is the same"
    );
    assert_eq!(arm.run(&prefix, COMPUTE).unwrap(), "aarch64 1\n");
    let version = succeed(arm.emulated().arg(prefix.join("bin/ruff")).arg("--version"));
    assert!(version.unwrap().starts_with("ruff "));
    let target = [
        "--target",
        "aarch64-linux-cp311",
        "--target-python",
        arm.python.to_str().unwrap(),
    ];
    let check = [&["check", prefix.to_str().unwrap()], &target[..]].concat();
    let (is_proved, text) = wheelfix(&check.iter().map(Path::new).collect::<Vec<_>>());
    assert!(is_proved, "{text}");

    // What is said to be missing is missing.
    let prefix = dir.path().join("less");
    let (is_made, text) = arm.install(&wheels, &prefix, &[]);
    assert!(!is_made);
    for want in [
        "error: `libstdc++.so.6` is missing",
        "with import <nixpkgs> { system = \"aarch64-linux\"; }; lib.getLib stdenv.cc.cc.lib",
    ] {
        assert!(text.contains(want), "{text}");
    }
    let excuses = ["libstdc++.so.6", "libgcc_s.so.1", "libz.so.1"];
    let excuses = excuses.map(|name| ["--ignore-missing", name]).concat();
    let native = ["--lib-path", "/usr/lib/x86_64-linux-gnu"];
    let (is_made, text) = arm.install(&wheels, &prefix, &[&excuses[..], &native].concat());
    assert!(is_made, "{text}");
    let error = arm.run(&prefix, COMPUTE).unwrap_err();
    assert!(error.contains("cannot open shared object file"), "{error}");
}

#[test]
fn wheels_for_musl_are_proved_here_and_load_with_its_loader() {
    let loader = Path::new("/lib/ld-musl-x86_64.so.1");
    assert!(loader.is_file(), "musl is missing: apt-get install musl");
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("out");
    let wheel = cache::arm64_wheel("numpy-2.4.6-cp311-cp311-musllinux");
    let install = |target: &str| {
        let target = [
            "--target",
            target,
            "--interpreter",
            loader.to_str().unwrap(),
        ];
        let mut args = vec![Path::new("install"), &wheel];
        args.extend(target.map(Path::new));
        args.extend([Path::new("--prefix"), &prefix]);
        wheelfix(&args)
    };
    let (is_made, text) = install("x86_64-linux-cp311");
    assert!(
        !is_made && text.contains("with musl 1.2, the target is"),
        "{text}"
    );
    let (is_made, text) = install("x86_64-linux-musl-cp311");
    assert!(is_made, "{text}");
    let libs = prefix.join("lib/python3.11/site-packages/numpy.libs");
    for entry in fs_err::read_dir(libs).unwrap() {
        let mut list = Command::new(loader);
        let listed = succeed(list.arg("--list").arg(entry.unwrap().path()));
        assert!(listed.unwrap().contains("libc.musl-x86_64.so.1"));
    }
}
