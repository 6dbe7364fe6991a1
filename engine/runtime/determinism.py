"""Deterministic arithmetic on a GPU, for the setting `deterministic`."""

import os

import torch
from torch.utils import deterministic

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"  # cuBLAS is deterministic only with buffers of a fixed size


def compute_deterministically(device: torch.device) -> None:
    """Let a GPU use the algorithms that give the same bits each time. Call this before its first matrix product.

    By default some gradients are sums in the order in which threads happen to end. The backward pass of max pooling has
    no other algorithm in torch: it warns in the log, and goes on. A CPU is deterministic without this.
    """
    if device.type != "cuda":
        return
    os.environ.setdefault(WORKSPACE, ":4096:8")  # torch reads it when it makes the buffers
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False  # it chooses algorithms by their time
    torch.use_deterministic_algorithms(True, warn_only=True)
    # A check for programs that read what they have not written; it takes time.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
