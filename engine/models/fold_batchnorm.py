"""A network for searching: BatchNorm folded into the convolutions before it, and weights in low precision.

It computes what the network computes in eval mode, but for rounding, with fewer passes over the activations.
"""

import copy

import torch
from torch import nn
from torch.fx.experimental.optimization import fuse


def folded(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A frozen copy, float32 weights of convolutions and linear layers in `dtype`, for use under autocast to it.

    The model must be in eval mode. One that torch.fx cannot trace keeps its BatchNorm layers.
    """
    copied = _fused(model).to(memory_format=torch.channels_last).requires_grad_(False)
    for layer in copied.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.weight.dtype == torch.float32:
            layer.to(dtype)
    found: nn.Module = copied.eval()
    return found


def _fused(model: nn.Module) -> nn.Module:
    try:
        return fuse(model)
    except Exception:  # whatever its code does with a proxy in place of images
        return copy.deepcopy(model)
