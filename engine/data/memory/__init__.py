"""Data sets that fit into memory: digits, MNIST and CIFAR."""
