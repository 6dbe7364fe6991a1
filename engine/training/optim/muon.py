"""The optimizer Muon (Jordan et al., 2024): each update is the nearly orthogonalised momentum of a weight matrix."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from engine.models.flops import MUON_ITERATIONS
from engine.training.optim.light import LightOptimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic; iterated, it brings singular values between 0.7 and 1.2


def orthogonalized(gradient: Tensor) -> Tensor:
    """Roughly U V^T, where U S V^T is the singular value decomposition of the gradient, by Newton-Schulz iterations.

    gradient: (out, in, ...), seen as a matrix of `out` rows. Returns a tensor of the same shape.
    """
    x = gradient.reshape(len(gradient), -1)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(MUON_ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    found: Tensor = (x.T if tall else x).reshape(gradient.shape)
    return found


class Muon(LightOptimizer):
    """Updates convolutions by orthogonalised Nesterov momentum, and all other parameters by SGD.

    SGD has Nesterov momentum and weight decay. groups: parameters with their weight decay, {"params": [...],
    "weight_decay": 5e-4}; ratio: the learning rate of SGD, as a multiple of Muon's learning rate.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float, momentum: float, ratio: float) -> None:
        split = [
            {**group, "params": [p for p in group["params"] if (p.ndim == 4) is matrices], "matrices": matrices}
            for group in groups
            for matrices in (True, False)
        ]
        super().__init__([g for g in split if g["params"]], {"lr": lr, "momentum": momentum, "ratio": ratio})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One weight update. `closure` is never called."""
        for group in self.param_groups:
            update = self._orthogonal if group["matrices"] else self._plain
            for p in group["params"]:
                if p.grad is not None:
                    update(p, p.grad, group)

    def _orthogonal(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        momentum = self._momentum(p).lerp_(gradient, 1 - group["momentum"])
        direction = orthogonalized(gradient.lerp(momentum, group["momentum"]))
        wide = max(1.0, len(p) / (p.numel() // len(p))) ** 0.5
        p.add_(direction, alpha=-group["lr"] * wide)

    def _plain(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        gradient = gradient.add(p, alpha=group["weight_decay"])
        momentum = self._momentum(p).mul_(group["momentum"]).add_(gradient)
        p.add_(gradient.add(momentum, alpha=group["momentum"]), alpha=-group["lr"] * group["ratio"])

    def _momentum(self, p: Tensor) -> Tensor:
        state = self.state[p]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(p)
        found: Tensor = state["momentum"]
        return found
