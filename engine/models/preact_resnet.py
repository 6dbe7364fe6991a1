"""PreActResNet18: "Identity Mappings in Deep Residual Networks" (He et al., 2016) at CIFAR size."""

from torch import Tensor, nn

from engine.config.datasets import DatasetFacts
from engine.config.sections import ModelConfig
from engine.models.activations import activation

# With fewer input channels, oneDNN's AVX2 weight gradient of a strided 1x1 convolution is wrong, or crashes
# (github.com/uxlfoundation/oneDNN/issues/6035).
MIN_STRIDED_CHANNELS = 8


class PreActBlock(nn.Module):
    """BatchNorm, activation and 3x3 convolution, twice, plus a shortcut.

    Where shapes change, the shortcut is a 1x1 convolution of the first activation, or of the input if
    `shortcut_of_input`.
    """

    def __init__(
        self,
        channels_in: int,
        channels: int,
        stride: int,
        nonlinearity: str = "relu",
        shortcut_of_input: bool = False,
    ) -> None:
        super().__init__()
        self.shortcut_of_input = shortcut_of_input
        self.act = activation(nonlinearity)
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        changes = stride != 1 or channels_in != channels
        self.skip = stride if channels_in < MIN_STRIDED_CHANNELS else 1  # slices in place of the shortcut's stride
        self.shortcut = nn.Conv2d(channels_in, channels, 1, stride // self.skip, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(self.bn1(x))
        taken = x if self.shortcut_of_input else out
        shortcut = x if self.shortcut is None else self.shortcut(taken[:, :, :: self.skip, :: self.skip])
        out = self.conv1(out)
        out = self.conv2(self.act(self.bn2(out)))
        return out + shortcut


def preact_resnet18(config: ModelConfig, facts: DatasetFacts) -> nn.Module:
    """4 stages of `depth` blocks, with 1, 2, 4 and 8 times `width` channels (by default 64, 128, 256 and 512)."""
    layers: list[nn.Module] = [nn.Conv2d(facts.channels, config.width, 3, 1, 1, bias=False)]
    channels = config.width
    for stage in range(4):
        for block in range(config.depth):
            out = config.width * 2**stage
            stride = 2 if stage and not block else 1
            layers.append(PreActBlock(channels, out, stride, config.activation, config.shortcut == "input"))
            channels = out
    if config.final_norm:
        layers += [nn.BatchNorm2d(channels), activation(config.activation)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, facts.classes))


def common_names(config: ModelConfig) -> dict[str, str]:
    """The names in the field's common implementations, by the number of the module in `preact_resnet18`."""
    blocks = 4 * config.depth
    names = {"0": "conv1", str(blocks + (5 if config.final_norm else 3)): "linear"}
    if config.final_norm:
        names[str(blocks + 1)] = "bn"
    for stage in range(4):
        for block in range(config.depth):
            names[str(1 + stage * config.depth + block)] = f"layer{stage + 1}.{block}"
    return names
