"""The learning rate in the groups of an optimizer."""

from typing import Any

import torch


class Rate:
    """The learning rate of an optimizer. capturable: whether a CUDA graph may hold the optimizer's steps.

    A graph repeats the numbers that it was captured with, so it reads the rate from a tensor. Elsewhere the rate is a
    number: with a tensor, Muon needs more operations, and rounds otherwise.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, device: torch.device, capturable: bool) -> None:
        self._optimizer = optimizer
        self._tensor = torch.zeros((), device=device) if capturable else None
        self.value = 0.0

    def set(self, value: float) -> None:
        """Set the rate of the next update, in the groups that the optimizer has now: loading a state replaces them."""
        self.value = value
        if self._tensor is not None:
            self._tensor.fill_(value)
        for group in self._optimizer.param_groups:
            group["lr"] = value if self._tensor is None else self._tensor

    def state_dict(self) -> dict[str, Any]:
        """The state of the optimizer, with the rate as a number in each group."""
        state = self._optimizer.state_dict()
        return {**state, "param_groups": [{**group, "lr": self.value} for group in state["param_groups"]]}
