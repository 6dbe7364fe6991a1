"""Makes a fast copy of a network for attacks: BatchNorm folded into the convolutions before it, low-precision weights.

The copy computes what the network computes in eval mode, except for rounding, with fewer passes over the activations.
"""

import copy

import torch
from torch import nn
from torch.fx import GraphModule
from torch.fx.experimental.optimization import fuse


def folded(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A frozen copy of the model, for use under autocast to `dtype`.

    Convolutions and linear layers of the copy have their float32 weights in `dtype`. The model must be in eval mode.
    The copy of a model that torch.fx cannot trace, or that makes tensors of its own in each pass, keeps its BatchNorm
    layers.
    """
    copied = _fused(model).to(memory_format=torch.channels_last).requires_grad_(False)
    for layer in copied.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.weight.dtype == torch.float32:
            layer.to(dtype)
    found: nn.Module = copied.eval()
    return found


def _fused(model: nn.Module) -> nn.Module:
    try:
        fused = fuse(model)
    except Exception:  # the model's code can raise anything when torch.fx passes a proxy instead of images
        return copy.deepcopy(model)
    return copy.deepcopy(model) if _has_constants(fused) else fused


def _has_constants(fused: nn.Module) -> bool:
    """Whether torch.fx has kept a tensor that the model makes anew in each pass, such as one of random numbers."""
    nodes = fused.graph.nodes if isinstance(fused, GraphModule) else ()
    return any(node.op == "get_attr" and str(node.target).startswith("_tensor_constant") for node in nodes)
