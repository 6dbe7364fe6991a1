"""Trained networks in forms that other programs read: files of weights, ONNX, and Python that needs torch only."""
