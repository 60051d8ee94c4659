"""Computes with PyTorch on the CPU, and asks the CUDA libraries who they are.

Arguments: the versions of cuBLAS and cuDNN that the wheels promise.
"""

import ctypes
import io
import logging
import os
import pathlib
import sys

import torch

cublas_version, cudnn_version = (
    [int(part) for part in version.split(".")] for version in sys.argv[1:]
)

torch.manual_seed(1)
left, right = torch.randn(2, 400, 400, dtype=torch.float64)
product = left @ right
error = (product - torch.einsum("ik,kj->ij", left, right)).abs().max()
assert error < 1e-10, error
u, s, vh = torch.linalg.svd(left)
error = (u @ torch.diag(s) @ vh - left).abs().max()
assert error < 1e-10, error
back = torch.fft.ifft2(torch.fft.fft2(left))
assert (back - left).abs().max() < 1e-12
print(f"  PyTorch {torch.__version__}: matrix product, singular values, Fourier transform")

# What PyTorch itself has loaded, not a second copy.
libcublas = ctypes.CDLL("libcublas.so.13", mode=os.RTLD_NOLOAD)
found = []
for which in range(3):
    number = ctypes.c_int()
    assert libcublas.cublasGetProperty(which, ctypes.byref(number)) == 0
    found.append(number.value)
assert found == cublas_version[:3], (found, cublas_version)
print(f"  cuBLAS says that it is {'.'.join(map(str, found))}")

major, minor, patch = cudnn_version[:3]
found = torch.backends.cudnn.version()
assert found == major * 10000 + minor * 100 + patch, (found, cudnn_version)
print(f"  cuDNN says that it is {found}")

# PyTorch opens this one when it first needs it on a GPU; it brings cuSOLVER.
libraries = pathlib.Path(torch.__file__).parent / "lib"
ctypes.CDLL(libraries / "libtorch_cuda_linalg.so")
print("  cuSOLVER loads")

import torchvision

image = torch.zeros(3, 8, 8, dtype=torch.uint8)
image[0] = 200
png = torchvision.io.encode_png(image)
assert (torchvision.io.decode_image(png) == image).all()
boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]])
kept = torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5)
assert kept.tolist() == [0, 2]
print(f"  torchvision {torchvision.__version__}: an image goes to PNG and back; overlapping boxes go")

import PIL.Image

photo = PIL.Image.new("RGB", (32, 32), (200, 100, 50))
file = io.BytesIO()
photo.save(file, "JPEG")
red, green, blue = PIL.Image.open(file).getpixel((16, 16))
assert abs(red - 200) + abs(green - 100) + abs(blue - 50) < 10
print(f"  Pillow {PIL.__version__}: a picture goes to JPEG and back")

import triton._C.libtriton

assert triton._C.libtriton.ir.context()
print(f"  Triton {triton.__version__}: its compiler loads")

# It says on import that it has no kernels for the CPU, which is true and of no interest here.
logging.disable()
import bitsandbytes

directory = pathlib.Path(bitsandbytes.__file__).parent
ctypes.CDLL(directory / "libbitsandbytes_cuda132.so")
print(f"  bitsandbytes {bitsandbytes.__version__}: imported; its library for CUDA 13.2 loads")

import numpy
import scipy.linalg

inverse = scipy.linalg.inv(left.numpy())
assert abs(inverse @ left.numpy() - numpy.eye(400)).max() < 1e-8
print(f"  SciPy {scipy.__version__}: inverts PyTorch's matrix")
