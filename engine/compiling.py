"""torch.compile for training: whether it pays, and the network that it makes."""

from typing import Literal

import torch
from torch import nn

# Compiling for training took about a minute here, and is taken to save a tenth: on a GPU that sustains 30 TFLOP/s it
# has paid for itself after ten minutes, 18 PFLOP. On 2 CPU cores it gained nothing that could be measured.
PAYS_FROM = 1.8e16  # operations of a run


def pays(choice: Literal["auto", "on", "off"], device: torch.device, flops: int) -> bool:
    """Whether to compile; a function of the run alone, so that a resumed run computes what it would have computed.

    flops: floating-point operations of the whole training.
    """
    if choice == "auto":
        return device.type == "cuda" and flops >= PAYS_FROM
    return choice == "on"


def compiled(model: nn.Module, must: bool) -> nn.Module:
    """The network, compiled at its first use. must: whether a failure ends the run, or leaves it uncompiled."""
    if not must:
        torch._dynamo.config.suppress_errors = True
    fast: nn.Module = torch.compile(model, dynamic=False)  # type: ignore[assignment]  # a module for a module
    return fast
