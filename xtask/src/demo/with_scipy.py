"""Computes with NumPy and SciPy, and compares with what mathematics says."""

import ctypes
import importlib.util
import pathlib

import greenlet
import numpy
import scipy.fft
import scipy.linalg
import scipy.special

random = numpy.random.default_rng(1)
matrix = random.standard_normal((300, 200))

left, values, right = scipy.linalg.svd(matrix, full_matrices=False)
error = abs((left * values) @ right - matrix).max()
assert error < 1e-10, error
print(f"  SciPy {scipy.__version__}: singular values multiply back, error {error:.0e}")

back = scipy.fft.ifft2(scipy.fft.fft2(matrix))
assert abs(back - matrix).max() < 1e-12
assert abs(scipy.special.gamma(5) - 24) < 1e-12
print(f"  SciPy {scipy.__version__}: the Fourier transform goes there and back, gamma(5) is 4!")

solution = numpy.linalg.solve(matrix.T @ matrix, matrix.T @ numpy.ones(300))
residual = matrix.T @ (matrix @ solution - 1)
assert abs(residual).max() < 1e-9
print(f"  NumPy {numpy.__version__}: the normal equations are solved")

other = greenlet.greenlet(lambda word: word.upper())
assert other.switch("switched") == "SWITCHED"
print(f"  greenlet {greenlet.__version__}: switched")

# Importing bitsandbytes needs torch; its library for the CPU needs neither.
directory = pathlib.Path(importlib.util.find_spec("bitsandbytes").origin).parent
ctypes.CDLL(directory / "libbitsandbytes_cpu.so")
print("  bitsandbytes: its library for the CPU loads")
