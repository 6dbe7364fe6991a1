"""The running average of a network's weights during training."""

import copy
from collections.abc import Iterator
from itertools import chain

import torch
from torch import Tensor, nn


class AveragedWeights:
    """An exponential moving average of weights and BatchNorm statistics: average = decay average + (1 - decay) model.

    torch's AveragedModel computes the same numbers, but makes the host wait for a GPU in each update, and takes three
    operations for each BatchNorm layer to average a counter that nobody reads.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._average = copy.deepcopy(model).requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module, first: bool) -> None:
        """Move the average towards the model, in one operation. first: whether the average starts at the model."""
        averages, values = _numbers(self._average), _numbers(model)
        if first:
            torch._foreach_copy_(averages, values)
        else:
            torch._foreach_lerp_(averages, values, 1 - self._decay)

    @torch.no_grad()
    def network(self, model: nn.Module) -> nn.Module:
        """The network with the averaged weights. Counters, such as BatchNorm's, are those of the model."""
        for average, value in zip(_tensors(self._average), _tensors(model), strict=True):
            if not value.is_floating_point():
                average.copy_(value)
        return self._average


def _numbers(model: nn.Module) -> list[Tensor]:
    return [value.detach() for value in _tensors(model) if value.is_floating_point()]


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    return chain(model.parameters(), model.buffers())
