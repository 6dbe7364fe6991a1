"""Lets cuDNN choose its convolution kernels by their time."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def fastest_convolutions(device: torch.device, sizes_are_fixed: bool) -> Iterator[None]:
    """Inside the block, a GPU tries all kernels for a new size of convolution, and uses the fastest from then on.

    Trying takes some tenths of a second for each size, so it is for sizes that come again many times. A run with
    `deterministic = on` does not try, because the fastest kernel may be another one each time.
    """
    cudnn = torch.backends.cudnn
    if device.type != "cuda" or not sizes_are_fixed or cudnn.deterministic:
        yield
        return
    before, cudnn.benchmark = cudnn.benchmark, True
    try:
        yield
    finally:
        cudnn.benchmark = before
