"""Context managers that freeze the parameters of a model, or put a model into eval mode."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from engine.runtime.fp32 import full_fp32


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
    """Inside the block the model is in eval mode and frozen, and fp32 is IEEE fp32 (see `full_fp32`)."""
    was_training = model.training
    model.eval()
    try:
        with full_fp32(), frozen(model):
            yield
    finally:
        model.train(was_training)
