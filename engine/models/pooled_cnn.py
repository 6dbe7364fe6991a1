"""A plain convolutional network that learns fast: early pooling and no shortcuts, after airbench (Jordan, 2024)."""

from torch import nn

from engine.config.datasets import DatasetFacts
from engine.config.sections import ModelConfig
from engine.models.activations import activation

WIDTHS = (1, 4, 4)  # channels of the three blocks, as multiples of `model.width`


def pooled_cnn(config: ModelConfig, facts: DatasetFacts) -> nn.Module:
    """Three blocks of `depth` 3x3 convolutions, each with BatchNorm and a nonlinearity.

    2x2 max-pooling follows the first convolution of each block.
    """
    layers: list[nn.Module] = []
    channels = facts.channels
    for block in WIDTHS:
        for number in range(config.depth):
            layers.append(nn.Conv2d(channels, block * config.width, 3, 1, 1, bias=False))
            channels = block * config.width
            if not number:
                layers.append(nn.MaxPool2d(2))
            layers += [nn.BatchNorm2d(channels), activation(config.activation)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, facts.classes))
