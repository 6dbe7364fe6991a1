"""Context managers that freeze the parameters of a model, or put a model into eval mode."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Inside the block no parameter requires a gradient, so that a backward pass computes the input gradient alone."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    for p in parameters:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Inside the block the model is in eval mode and frozen, and fp32 has its full precision.

    Otherwise GPUs round the inputs of convolutions to TF32, which has 10 bits.
    """
    was_training, allowed_tf32 = model.training, torch.backends.cudnn.allow_tf32
    model.eval()
    torch.backends.cudnn.allow_tf32 = False
    try:
        with frozen(model):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = allowed_tf32
        model.train(was_training)
