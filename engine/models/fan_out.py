"""Initial weights by the number of outputs: "Delving Deep into Rectifiers" (He et al., 2015, section 2.2)."""

from torch import nn


def draw_fan_out(layer: nn.Module) -> None:
    """Draw new weights of a convolution from torch's global generator, and set the bias of a linear layer to 0.

    The weights are normal with mean 0 and variance 2 / n, where n is the number of output channels times the number of
    pixels of the kernel. Other layers stay as they are.
    """
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
        nn.init.zeros_(layer.bias)
