//! Large environments of packages that are hard to have in one, from wheels alone and from a prefix
//! for each wheel.

use std::path::{Path, PathBuf};
use std::process::Command;

use wheelfix_testkit::{cache, host};

use crate::run::succeed;

/// Maps, grids and models.
const TENSORFLOW: &str = include_str!("../../../../test-wheels/rodeo/tensorflow.py");

/// Models of several libraries.
const TORCH: &str = include_str!("../../../../test-wheels/rodeo/torch.py");

#[test]
fn cartopy_tensorflow_and_xgcm_are_one_environment_of_wheels() {
    check("tensorflow", TENSORFLOW, |_, wheels| wheels);
}

#[test]
fn cartopy_tensorflow_and_xgcm_are_one_environment_of_prefixes() {
    check("tensorflow", TENSORFLOW, install_each);
}

#[test]
fn torch_jax_and_transformers_are_one_environment_of_wheels() {
    check("torch", TORCH, |_, wheels| wheels);
}

#[test]
fn torch_jax_and_transformers_are_one_environment_of_prefixes() {
    check("torch", TORCH, install_each);
}

/// Makes an environment of what `inputs` gives for its wheels, computes in it, and asks pip.
#[track_caller]
fn check(name: &str, program: &str, inputs: fn(&Path, Vec<PathBuf>) -> Vec<PathBuf>) {
    let guard = tempfile::tempdir().unwrap();
    let dir = fs_err::canonicalize(guard.path()).unwrap();
    host::copy_runtimes(&dir.join("runtimes"));
    let inputs = inputs(&dir, cache::environment(name));
    let prefix = dir.join("env");
    let mut env = wheelfix("env", &dir);
    env.arg("--prefix").arg(&prefix).args(inputs);
    succeed(&mut env).unwrap();

    let mut python = Command::new(prefix.join("bin/python"));
    python.args(["-W", "ignore", "-c", program]).arg(&prefix);
    python.env("HOME", &dir).env("PYTHONDONTWRITEBYTECODE", "1");
    assert_eq!(succeed(&mut python).unwrap(), "\n", "all are ours");
    let mut pip = Command::new(cache::tool("python3"));
    pip.args(["-I", "-m", "pip", "--python"]);
    pip.arg(prefix.join("bin/python")).arg("check");
    assert_eq!(
        succeed(&mut pip).unwrap(),
        "No broken requirements found.\n"
    );
}

/// wheelfix for the Python of the tests, with the host's runtimes.
fn wheelfix(command: &str, dir: &Path) -> Command {
    let mut wheelfix = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
    wheelfix.args([command, "--quiet", "--no-bytecode", "--python"]);
    wheelfix.arg(cache::tool("python3"));
    wheelfix.arg("--lib-path").arg(dir.join("runtimes"));
    wheelfix
}

/// Installs each wheel into a prefix of its own, with those before it at hand.
pub(crate) fn install_each(dir: &Path, wheels: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut prefixes: Vec<PathBuf> = Vec::new();
    for wheel in wheels {
        let name = wheel.file_stem().unwrap().to_str().unwrap();
        let prefix = dir.join(name.split('-').next().unwrap());
        let mut install = wheelfix("install", dir);
        for before in &prefixes {
            install.arg("--lib-path").arg(before);
        }
        succeed(install.arg("--prefix").arg(&prefix).arg(&wheel)).unwrap();
        prefixes.push(prefix);
    }
    prefixes
}
