"""Small convolutional networks for MNIST and for the embedded digits."""

from torch import nn

from engine.config.datasets import DatasetFacts
from engine.config.sections import ModelConfig


def mnist_cnn(config: ModelConfig, facts: DatasetFacts) -> nn.Module:
    """The network of the MNIST experiments of Wong et al., 2020, section 5.1. Its size is fixed."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 100),
        nn.ReLU(),
        nn.Linear(100, facts.classes),
    )


def digits_cnn(config: ModelConfig, facts: DatasetFacts) -> nn.Module:
    """Two 3x3 convolutions at full size, a 2x2 convolution with stride 2, and two linear layers."""
    width = config.width
    flat = 2 * width * (facts.height // 2) * (facts.width // 2)
    return nn.Sequential(
        nn.Conv2d(facts.channels, width, 3, 1, 1),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, 1, 1),
        nn.ReLU(),
        nn.Conv2d(2 * width, 2 * width, 2, 2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(flat, 4 * width),
        nn.ReLU(),
        nn.Linear(4 * width, facts.classes),
    )
