"""The names of the networks that are our own."""

NETWORKS = ("preact-resnet18", "pooled-cnn", "mnist-cnn", "digits-cnn")
ACTIVATED = ("preact-resnet18", "pooled-cnn")  # the networks whose nonlinearity is a setting
