import bitsandbytes, f5_tts, numpy, pi_zero_pytorch, sys, torch

assert f5_tts.ones.tolist() == pi_zero_pytorch.ones.tolist() == [[2.0, 2.0], [2.0, 2.0]]
assert torch.linalg.det(torch.eye(3) * 2).item() == 8
modules = bitsandbytes, f5_tts, numpy, pi_zero_pytorch, torch
print(*[it.__name__ for it in modules if not it.__file__.startswith(sys.argv[1])])
