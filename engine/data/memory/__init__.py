"""Data sets that fit into memory: digits, MNIST, CIFAR, SVHN, Tiny-ImageNet, and those of a user's own."""
