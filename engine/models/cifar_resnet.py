"""ResNet18 at CIFAR size: "Deep Residual Learning for Image Recognition" (He et al., 2016), activation after the sum.

RobustBench and FastAT_Benchmark call this network ResNet-18. torchvision's `resnet18` is the same network for ImageNet:
its first convolution is 7x7 with stride 2, and max pooling follows, so images of 32x32 are down to 8x8 before the first
block. This one begins with a 3x3 convolution at full size.
"""

from torch import Tensor, nn

from engine.config.datasets import DatasetFacts
from engine.config.sections import ModelConfig
from engine.models.activations import activation
from engine.models.preact_resnet import MIN_STRIDED_CHANNELS


class BasicBlock(nn.Module):
    """3x3 convolution and BatchNorm, twice, with an activation between them and another after the sum.

    Where shapes change, the shortcut is a 1x1 convolution with BatchNorm, else the input.
    """

    def __init__(self, channels_in: int, channels: int, stride: int, nonlinearity: str) -> None:
        super().__init__()
        self.act = activation(nonlinearity)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.skip = stride if channels_in < MIN_STRIDED_CHANNELS else 1  # slices in place of the shortcut's stride
        changes = stride != 1 or channels_in != channels
        convolution = nn.Conv2d(channels_in, channels, 1, stride // self.skip, bias=False)
        self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(channels)) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.bn2(self.conv2(self.act(self.bn1(self.conv1(x)))))
        shortcut = x if self.shortcut is None else self.shortcut(x[:, :, :: self.skip, :: self.skip])
        summed: Tensor = self.act(out + shortcut)
        return summed


def cifar_resnet18(config: ModelConfig, facts: DatasetFacts) -> nn.Module:
    """4 stages of `depth` blocks, with 1, 2, 4 and 8 times `width` channels (by default 64, 128, 256 and 512)."""
    channels = config.width
    first = nn.Conv2d(facts.channels, channels, 3, 1, 1, bias=False)
    layers: list[nn.Module] = [first, nn.BatchNorm2d(channels), activation(config.activation)]
    for stage in range(4):
        for block in range(config.depth):
            out = config.width * 2**stage
            layers.append(BasicBlock(channels, out, 2 if stage and not block else 1, config.activation))
            channels = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, facts.classes))


def common_names(config: ModelConfig) -> dict[str, str]:
    """The names in the field's common implementations, by the number of the module in `cifar_resnet18`."""
    names = {"0": "conv1", "1": "bn1", str(3 + 4 * config.depth + 2): "linear"}
    places = ((stage, block) for stage in range(4) for block in range(config.depth))
    return names | {str(number): f"layer{stage + 1}.{block}" for number, (stage, block) in enumerate(places, 3)}
