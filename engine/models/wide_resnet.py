"""WideResNet: "Wide Residual Networks" (Zagoruyko and Komodakis, 2016), as TRADES and RobustBench use it on CIFAR."""

from torch import Tensor, nn

from engine.config.datasets import DatasetFacts
from engine.config.networks import wide_shape
from engine.config.sections import ModelConfig
from engine.models.activations import activation

CHANNELS = 16  # of the first convolution; the stages have 1, 2 and 4 times as many, times the width factor


class WideBlock(nn.Module):
    """BatchNorm, activation and 3x3 convolution, twice, plus a shortcut (figure 1c of the paper, without dropout).

    Where the number of channels changes, the shortcut is a 1x1 convolution of the first activation. A block with a
    stride and equal channels exists for width factors below 1 alone, so not here.
    """

    def __init__(self, channels_in: int, channels: int, stride: int, nonlinearity: str) -> None:
        super().__init__()
        self.act = activation(nonlinearity)
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        changes = channels_in != channels
        self.shortcut = nn.Conv2d(channels_in, channels, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(self.bn1(x))
        shortcut = x if self.shortcut is None else self.shortcut(out)
        out = self.conv2(self.act(self.bn2(self.conv1(out))))
        return out + shortcut


def wide_resnet(config: ModelConfig, facts: DatasetFacts) -> nn.Module:
    """`wideresnet-DEPTH-FACTOR`: a convolution, three stages of (DEPTH - 4) / 6 blocks, BatchNorm, activation, pooling.

    The global average pooling takes images of any size; the published networks pool 8x8 pixels, which is the same for
    images of 32x32.
    """
    blocks, factor = wide_shape(config.name)
    layers: list[nn.Module] = [nn.Conv2d(facts.channels, CHANNELS, 3, 1, 1, bias=False)]
    channels = CHANNELS
    for stage in range(3):
        for block in range(blocks):
            out = CHANNELS * factor * 2**stage
            layers.append(WideBlock(channels, out, 2 if stage and not block else 1, config.activation))
            channels = out
    layers += [nn.BatchNorm2d(channels), activation(config.activation), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(channels, facts.classes))


def common_names(config: ModelConfig) -> dict[str, str]:
    """The names in the field's common implementations, by the number of the module in `wide_resnet`."""
    blocks, _ = wide_shape(config.name)
    names = {"0": "conv1", str(3 * blocks + 1): "bn1", str(3 * blocks + 5): "linear"}
    places = ((stage, block) for stage in range(3) for block in range(blocks))
    return names | {str(number): f"block{stage + 1}.layer.{block}" for number, (stage, block) in enumerate(places, 1)}
