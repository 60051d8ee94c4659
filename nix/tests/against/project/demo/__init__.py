import numpy
import scipy.linalg


def determinant():
    return round(scipy.linalg.det(numpy.eye(3)))
