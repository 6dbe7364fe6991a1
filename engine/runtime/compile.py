"""torch.compile for training: the decision whether compiling pays, and the compiled network."""

import shutil
from contextlib import AbstractContextManager
from typing import Any, Literal

import torch
from torch import nn

# Compiling for training takes about a minute. On 2 CPU cores compiled steps were 4% (PreActResNet18) to 12% (of width
# 16) faster, at 0.1 to 0.2 TFLOP/s: compiling pays after 10 to 25 minutes. We assume that a GPU sustains 30 TFLOP/s.
MIN_FLOPS = {"cpu": 2e14, "cuda": 1.8e16}  # floating-point operations of a whole training from which compiling pays
MAX_GRAPHS = 64  # compiled graphs of one network: up to four for each size of minibatch and crop; phases have many


def should_compile(choice: Literal["auto", "on", "off"], device: torch.device, flops: int) -> bool:
    """Whether to compile the network of a run. flops: floating-point operations of the whole training.

    The answer depends on the run and the machine and never on a timing, so that a resumed run computes the same.
    """
    if choice == "auto":
        return flops >= MIN_FLOPS.get(device.type, float("inf")) and (device.type != "cpu" or _has_cpp_compiler())
    return choice == "on"


def _has_cpp_compiler() -> bool:
    """Whether there is a C++ compiler, which torch.compile needs for a CPU."""
    return any(shutil.which(name) for name in ("g++", "clang++"))


def compiled(model: nn.Module, or_fail: bool) -> nn.Module:
    """The network, which torch compiles at its first use.

    or_fail: whether a failed compilation ends the run. Otherwise the network runs uncompiled.
    """
    if not or_fail:
        torch._dynamo.config.suppress_errors = True
    # Beyond this limit torch runs the network uncompiled. A resumed run counts anew, and would compute other numbers.
    allow_graphs(torch._dynamo.config)
    fast: nn.Module = torch.compile(model, dynamic=False)  # type: ignore[assignment]  # a module, if given one
    return fast


def allow_graphs(config: Any) -> None:
    """Let torch compile one function up to MAX_GRAPHS times. config: that of `torch._dynamo`.

    torch 2.5 and 2.6 call the limit `cache_size_limit`, and refuse the later name with an error.
    """
    setattr(config, "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit", MAX_GRAPHS)


def retaining_graphs() -> AbstractContextManager[None]:
    """Inside the block, a compiled network keeps what a second backward pass through the same forward pass needs.

    Outside, the compiled backward pass reuses that memory. The choice is made when torch compiles.
    """
    from torch._functorch import config  # late: it loads a compiler

    patch: AbstractContextManager[None] = config.patch(donated_buffer=False)
    return patch
