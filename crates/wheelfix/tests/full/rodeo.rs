//! Large environments of packages that are hard to have in one, from wheels alone and from a prefix
//! for each wheel.

use std::path::{Path, PathBuf};
use std::process::Command;

use wheelfix_testkit::{cache, host};

use crate::run::succeed;

/// Maps, grids and models.
const TENSORFLOW: &str = "
import sys
import cartopy, cartopy.crs as crs, h5py, keras, matplotlib, numpy as np, pandas, pyproj, shapely
import tensorflow as tf, xarray, xgcm

matplotlib.use('Agg')
import matplotlib.pyplot as plt

assert np.allclose(crs.Mercator().transform_point(5, 50, crs.PlateCarree()), (556597.45, 6413524.59))
axes = plt.axes(projection=crs.PlateCarree())
axes.plot([0, 10], [40, 50], transform=crs.Geodetic())
plt.gcf().canvas.draw()
centers, edges = ('x_c', np.arange(4.0)), ('x_g', np.arange(4.0) + 0.5)
data = xarray.Dataset({'t': ('x_c', np.arange(4.0) ** 2)}, coords={'x_c': centers, 'x_g': edges})
coords = {'X': {'center': 'x_c', 'right': 'x_g'}}
grid = xgcm.Grid(data, coords=coords, autoparse_metadata=False, padding='periodic')
assert grid.diff(data.t, 'X').values.tolist() == [1, 3, 5, -9]
assert np.allclose(tf.linalg.inv(2 * tf.eye(3)), np.eye(3) / 2)
model = keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(1)])
model.compile(loss='mse')
model.fit(np.ones((8, 3)), np.ones(8), verbose=0)
assert model.predict(np.ones((2, 3)), verbose=0).shape == (2, 1)
with h5py.File('memory', 'w', driver='core', backing_store=False) as file:
    file['a'] = np.eye(2)
    assert file['a'][:].sum() == 2
modules = cartopy, h5py, keras, matplotlib, np, pandas, pyproj, shapely, tf, xarray, xgcm
print(*[it.__name__ for it in modules if not it.__file__.startswith(sys.argv[1])])
";

/// Models of several libraries.
const TORCH: &str = "
import sys
import accelerate, bitsandbytes, jax, jax.numpy as jnp, numpy as np, scipy.linalg, sklearn.cluster
import torch, transformers, triton

matrix = np.random.default_rng(7).random((50, 50)) + 50 * np.eye(50)
inverse = scipy.linalg.inv(matrix)
assert np.allclose(torch.linalg.inv(torch.from_numpy(matrix)), inverse)
assert np.allclose(jax.jit(jnp.linalg.inv)(matrix.astype('f')), inverse, atol=1e-4)
points = np.concatenate([matrix, matrix + 1000])
labels = sklearn.cluster.KMeans(2, n_init=1, random_state=1).fit_predict(points)
assert {*labels[:50]} != {*labels[50:]} and len({*labels[:50]}) == 1
config = transformers.BertConfig(
    hidden_size=8, intermediate_size=8, num_attention_heads=2, num_hidden_layers=1, vocab_size=9)
model = accelerate.Accelerator(cpu=True).prepare(transformers.BertModel(config))
assert model(torch.tensor([[1, 2, 3]])).last_hidden_state.shape == (1, 3, 8)
quantized, state = bitsandbytes.functional.quantize_blockwise(torch.linspace(-1, 1, 4096))
back = bitsandbytes.functional.dequantize_blockwise(quantized, state)
assert (back - torch.linspace(-1, 1, 4096)).abs().max() < 0.05
modules = accelerate, bitsandbytes, jax, np, scipy, sklearn, torch, transformers, triton
print(*[it.__name__ for it in modules if not it.__file__.startswith(sys.argv[1])])
";

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
