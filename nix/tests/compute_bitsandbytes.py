import torch
import bitsandbytes
from bitsandbytes import functional

numbers = torch.linspace(-1, 1, 4096)
quantized, state = functional.quantize_blockwise(numbers, blocksize=256)
restored = functional.dequantize_blockwise(quantized, state)
error = (numbers - restored).abs().max().item()
assert error < 0.02, error
print(bitsandbytes.__version__, error)
