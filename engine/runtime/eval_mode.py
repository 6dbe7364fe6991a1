"""Modes that a model is in for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """No parameter requires a gradient, so that a backward pass goes to the input alone."""
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
    """Eval mode, frozen, with a whole fp32: GPUs round the inputs of convolutions to TF32's 10 bits otherwise."""
    was_training, rounds = model.training, torch.backends.cudnn.allow_tf32
    model.eval()
    torch.backends.cudnn.allow_tf32 = False
    try:
        with frozen(model):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = rounds
        model.train(was_training)
