"""torch.compile for training: whether it pays, and the network that it makes."""

import shutil
from typing import Literal

import torch
from torch import nn

# Compiling for training takes about a minute. On 2 CPU cores compiled steps were 4% (PreActResNet18) to 12% (of width
# 16) faster, at 0.1 to 0.2 TFLOP/s: paid for after 10 to 25 minutes. A GPU is taken to sustain 30 TFLOP/s.
PAYS_FROM = {"cpu": 2e14, "cuda": 1.8e16}  # operations of a run
GRAPHS = 64  # compiled forms of one network: two for each size of minibatch and crop, of which phases may have many


def should_compile(choice: Literal["auto", "on", "off"], device: torch.device, flops: int) -> bool:
    """Whether to compile; a function of the run and the machine, never of a timing: a resumed run computes the same.

    flops: floating-point operations of the whole training.
    """
    if choice == "auto":
        return flops >= PAYS_FROM.get(device.type, float("inf")) and (device.type != "cpu" or _has_cpp())
    return choice == "on"


def _has_cpp() -> bool:
    """For a CPU, torch.compile needs a C++ compiler."""
    return any(shutil.which(name) for name in ("g++", "clang++"))


def compiled(model: nn.Module, must: bool) -> nn.Module:
    """The network, compiled at its first use. must: whether a failure ends the run, or leaves it uncompiled."""
    if not must:
        torch._dynamo.config.suppress_errors = True
    torch._dynamo.config.recompile_limit = GRAPHS  # beyond it a network runs uncompiled, and a resumed one otherwise
    fast: nn.Module = torch.compile(model, dynamic=False)  # type: ignore[assignment]  # a module for a module
    return fast
