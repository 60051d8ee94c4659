def compute():
    import bitsandbytes
    import cv2
    import numpy
    import torch
    from PySide6 import QtCore, QtGui
    from sklearn.linear_model import LinearRegression

    assert torch.linalg.det(torch.eye(3) * 2).item() == 8
    assert bitsandbytes.functional.create_linear_map().numel() == 256
    assert cv2.resize(numpy.zeros((4, 4), numpy.uint8), (2, 2)).shape == (2, 2)
    assert QtGui.QColor("red").name() == "#ff0000"
    assert QtCore.QSize(2, 3).transposed().width() == 3
    x = numpy.arange(4.0)[:, None]
    assert abs(LinearRegression().fit(x, 2 * x[:, 0]).coef_[0] - 2) < 1e-9
    return "computed"
