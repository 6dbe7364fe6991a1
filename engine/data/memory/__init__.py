"""Data sets that fit into memory: digits, MNIST, CIFAR."""
