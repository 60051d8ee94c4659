//! Wheels that nixpkgs cannot use without overrides, each in a prefix of its own, as in a store:
//! installed by the shipped rules alone, proved, imported, and computing a little.

use std::path::{Path, PathBuf};
use std::process::Command;

use wheelfix_testkit::{cache, host};

use crate::rodeo::install_each;
use crate::run::succeed;

/// Prints which libraries the process has loaded.
const LOADED: &str = "
maps = {line.split()[-1] for line in open('/proc/self/maps') if '.so' in line}
print(*sorted(maps), sep='\\n')
";

#[test]
fn torchaudio_resamples_and_filters() {
    let program = "
import torch, torchaudio._extension
assert torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE
import torchaudio.functional as f
wave = torch.sin(torch.arange(16000) * 0.1)
assert f.resample(wave, 16000, 8000).shape == (8000,)
one = torch.tensor([1.0, 0])
assert torch.allclose(f.lfilter(wave, one, one), wave, atol=1e-6)
";
    let loaded = compute("torchaudio", program);
    expect(&loaded, "torchaudio", "_torchaudio.abi3.so");
    expect(&loaded, "torch", "libtorch_cuda.so");
    expect(&loaded, "nvidia_cublas", "libcublas.so.13");
    expect(&loaded, "nvidia_cuda_runtime", "libcudart.so.13");
    expect(&loaded, "nvidia_curand", "libcurand.so.10");
}

#[test]
fn cupy_compiles_and_finds_every_library_of_cuda_12() {
    let program = "
import cupy
from cupy.cuda import cufft, nvrtc
from cupy_backends.cuda.libs import cublas, curand, cusolver, cusparse, cutensor, nccl
assert nvrtc.getVersion() == (12, 9)
assert cupy.cuda.runtime.runtimeGetVersion() == 12090
source = 'extern \"C\" __global__ void twice(float *x) { x[threadIdx.x] *= 2; }'
kernel = nvrtc.createProgram(source, 'twice.cu', (), ())
nvrtc.compileProgram(kernel, ('-arch=sm_80',))
assert 'twice' in str(nvrtc.getPTX(kernel))
assert cufft.getVersion() == 11401 and curand.getVersion() == 10310
assert cutensor.get_version() == 20800 and nccl.get_version() == 23203
";
    let loaded = compute("cupy", program);
    for (wheel, library) in [
        ("cutensor_cu12", "libcutensor.so.2"),
        ("nvidia_cublas_cu12", "libcublas.so.12"),
        ("nvidia_cuda_nvrtc_cu12", "libnvrtc.so.12"),
        ("nvidia_cufft_cu12", "libcufft.so.11"),
        ("nvidia_curand_cu12", "libcurand.so.10"),
        ("nvidia_cusolver_cu12", "libcusolver.so.11"),
        ("nvidia_cusparse_cu12", "libcusparse.so.12"),
        ("nvidia_nccl_cu12", "libnccl.so.2"),
        ("nvidia_nvjitlink_cu12", "libnvJitLink.so.12"),
    ] {
        expect(&loaded, wheel, library);
    }
}

#[test]
fn jax_computes_and_its_plugin_opens_the_libraries_of_cuda_13() {
    // Without a driver the plugin gives up, but not before it has opened the first libraries.
    let program = "
import ctypes, pathlib
import jax, jax.numpy as jnp, jax_plugins.xla_cuda13 as plugin
assert jnp.linalg.svd(2 * jnp.eye(3))[1].sum() == 6
assert jax.jit(lambda x: x @ x.T)(jnp.arange(6.0).reshape(2, 3)).tolist() == [[5, 14], [14, 50]]
ctypes.CDLL(str(pathlib.Path(plugin.__file__).parent / 'xla_cuda_plugin.so'), mode=2)
";
    let loaded = compute("jax-cuda", program);
    expect(&loaded, "jax_cuda13_pjrt", "xla_cuda_plugin.so");
    expect(&loaded, "nvidia_cuda_runtime", "libcudart.so.13");
    expect(&loaded, "nvidia_cudnn_cu13", "libcudnn.so.9");
    expect(&loaded, "nvidia_nccl_cu13", "libnccl.so.2");
}

#[test]
fn pyarrow_and_opencv_compute() {
    let program = "
import io
import cv2, numpy, pyarrow, pyarrow.compute, pyarrow.parquet
buffer = io.BytesIO()
pyarrow.parquet.write_table(pyarrow.table({'a': [1, 2, 3]}), buffer)
buffer.seek(0)
assert pyarrow.compute.sum(pyarrow.parquet.read_table(buffer)['a']).as_py() == 6
image = numpy.zeros((64, 64, 3), numpy.uint8)
cv2.circle(image, (32, 32), 10, (255, 255, 255), -1)
ok, png = cv2.imencode('.png', image)
assert ok and (cv2.imdecode(png, 1) == image).all()
";
    let loaded = compute("arrow", program);
    expect(&loaded, "pyarrow", "libarrow.so.2600");
}

/// Installs each wheel of an environment into a prefix of its own, has the proof over all of them, and
/// runs a program with all on the path of Python; the libraries that it has loaded, relative to the
/// directory of the prefixes if they are from there.
#[track_caller]
fn compute(environment: &str, program: &str) -> Vec<PathBuf> {
    let guard = tempfile::tempdir().unwrap();
    let dir = fs_err::canonicalize(guard.path()).unwrap();
    host::copy_runtimes(&dir.join("runtimes"));
    let prefixes = install_each(&dir, cache::environment(environment));
    let mut check = Command::new(env!("CARGO_BIN_EXE_wheelfix"));
    check.args(["check", "--quiet", "--python"]);
    check.arg(cache::tool("python3"));
    check.arg("--lib-path").arg(dir.join("runtimes"));
    succeed(check.args(&prefixes)).unwrap();

    let site_packages = prefixes
        .iter()
        .map(|prefix| prefix.join("lib/python3.11/site-packages"));
    let mut python = Command::new(cache::tool("python3"));
    python.args(["-W", "ignore", "-c"]);
    python.arg(format!("{program}{LOADED}"));
    python.env_remove("LD_LIBRARY_PATH").env("HOME", &dir);
    python.env("PYTHONPATH", std::env::join_paths(site_packages).unwrap());
    let loaded = succeed(&mut python).unwrap();
    let relative = loaded.lines().map(Path::new);
    let relative = relative.map(|path| path.strip_prefix(&dir).unwrap_or(path));
    relative.map(Path::to_owned).collect()
}

/// Asserts that a library was loaded, and from the prefix of this wheel only.
#[track_caller]
fn expect(loaded: &[PathBuf], wheel: &str, library: &str) {
    let found: Vec<&PathBuf> = loaded
        .iter()
        .filter(|path| path.ends_with(library))
        .collect();
    assert!(!found.is_empty(), "{library} in {loaded:#?}");
    assert!(
        found.iter().all(|path| path.starts_with(wheel)),
        "{found:#?}"
    );
}
