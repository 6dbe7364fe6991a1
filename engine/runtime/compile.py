"""torch.compile for training: the decision whether compiling pays, and the compiled network."""

import os
import shutil
import sysconfig
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from engine.config.errors import UserError

# Compiling for training takes about a minute. On 2 CPU cores compiled steps were 4% (PreActResNet18) to 12% (of width
# 16) faster, at 0.1 to 0.2 TFLOP/s: compiling pays after 10 to 25 minutes. On a GPU a step is a CUDA graph with or
# without compiling, so compiling saves memory traffic alone. We assume 12% and 60 TFLOP/s; nobody has measured them.
MIN_FLOPS = {"cpu": 2e14, "cuda": 3e16}  # floating-point operations of a whole training from which compiling pays
MAX_GRAPHS = 64  # compiled graphs of one network: up to four for each size of minibatch and crop; phases have many


class CompileError(UserError):
    """The network of a run with `compile = on` cannot be compiled. The message is one line with what is missing."""


def should_compile(choice: Literal["auto", "on", "off"], device: torch.device, flops: int) -> bool:
    """Whether to compile the network of a run. flops: floating-point operations of the whole training.

    The answer depends on the run and the machine and never on a timing, so that a resumed run computes the same.
    """
    if choice == "auto":
        return flops >= MIN_FLOPS.get(device.type, float("inf"))
    return choice == "on"


def missing_for_compiling(device: torch.device) -> str:
    """What torch.compile needs on this machine and does not find, in words; empty if nothing is missing.

    On a CPU it compiles C++. On a GPU, Triton compiles a C file against Python's headers to start its kernels.
    """
    if device.type == "cpu":
        return "" if _found("CXX", "g++", "clang++") else "a C++ compiler (g++)"
    if not _found("CC", "gcc", "cc", "clang"):
        return "a C compiler (gcc)"
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    return "" if header.exists() else "Python's headers (package python3-dev)"


def _found(variable: str, *programs: str) -> bool:
    return bool(os.environ.get(variable)) or any(shutil.which(name) for name in programs)


def why_not_compiled(error: Exception, must: bool, missing: str) -> str:
    """Why the network is not compiled, in one line. missing: as `missing_for_compiling` says.

    Raises: CompileError, if the run must be compiled.
    """
    words = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}".removesuffix(": ")
    cause = f"{missing} is missing" if missing else f"torch.compile failed ({words})"
    if must:
        raise CompileError(f"compile = on, but {cause}; mend this, or use --set compile=off") from error
    return f"not compiled: {cause}"


def compiled(model: nn.Module, or_fail: bool) -> nn.Module:
    """The network, which torch compiles at its first use.

    or_fail: whether a failed compilation of a forward pass raises. Otherwise that pass runs uncompiled. A failed
    compilation of a backward pass always raises, so a training tries both before its first update (see `warm_up`).
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


def every_failure_raises() -> AbstractContextManager[None]:
    """Inside the block, a failed compilation raises, also where it otherwise makes the network run uncompiled."""
    patch: AbstractContextManager[None] = torch._dynamo.config.patch(suppress_errors=False)
    return patch


def retaining_graphs() -> AbstractContextManager[None]:
    """Inside the block, a compiled network keeps what a second backward pass through the same forward pass needs.

    Outside, the compiled backward pass reuses that memory. The choice is made when torch compiles.
    """
    from torch._functorch import config  # late: it loads a compiler

    patch: AbstractContextManager[None] = config.patch(donated_buffer=False)
    return patch
