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
