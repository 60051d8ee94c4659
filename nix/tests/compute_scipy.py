import numpy
import scipy.linalg
import scipy.special

matrix = numpy.array([[4.0, 1.0], [2.0, 3.0]])
values = sorted(scipy.linalg.eigvals(matrix).real)
assert numpy.allclose(values, [2.0, 5.0]), values
assert abs(scipy.special.gamma(5) - 24) < 1e-9
print(numpy.__file__, scipy.__version__)
