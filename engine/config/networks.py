"""The names of the networks that this project defines itself. The others come from torchvision."""

NETWORKS = ("preact-resnet18", "pooled-cnn", "mnist-cnn", "digits-cnn")
NETWORKS_WITH_ACTIVATION = ("preact-resnet18", "pooled-cnn")  # their activation function is a setting
NETWORKS_WITH_WIDTH = ("preact-resnet18", "pooled-cnn", "digits-cnn")
NETWORKS_WITH_BLOCKS = ("preact-resnet18",)  # their shortcut and their last BatchNorm are settings
NETWORKS_WITH_DEPTH = ("preact-resnet18", "pooled-cnn")
