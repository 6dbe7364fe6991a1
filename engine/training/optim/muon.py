"""The optimizer Muon (Jordan et al., 2024): each update is the nearly orthogonalised momentum of a weight matrix."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from engine.models.flops import MUON_ITERATIONS
from engine.training.optim.light import LightOptimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic; iterated, it brings singular values between 0.7 and 1.2


def orthogonalized(matrices: Tensor) -> Tensor:
    """Roughly U V^T, where U S V^T is the singular value decomposition of a matrix, by Newton-Schulz iterations.

    matrices: (N, rows, columns), each on its own. Returns a tensor of the same shape.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(MUON_ITERATIONS):
        square = torch.bmm(x, x.mT)
        polynomial = torch.baddbmm(square, square, square, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    return x.mT if tall else x


class Muon(LightOptimizer):
    """Updates convolutions by orthogonalised Nesterov momentum, and all other parameters by SGD.

    SGD has Nesterov momentum and weight decay. groups: parameters with their weight decay, {"params": [...],
    "weight_decay": 5e-4}; ratio: the learning rate of SGD, as a multiple of Muon's learning rate.

    Convolutions of one shape are orthogonalised together, as a stack of matrices. One by one, ResNet-18 has 20 of them
    and a step takes four times as many operations, each too small to fill a GPU.
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
            changed = [p for p in group["params"] if p.grad is not None]
            if changed and group["matrices"]:
                self._update_convolutions(changed, group)
            elif changed:
                self._update_others(changed, group)

    def _update_convolutions(self, params: list[Tensor], group: dict[str, Any]) -> None:
        gradients, momenta = _gradients(params), self._momenta(params)
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        towards = torch._foreach_lerp(gradients, momenta, group["momentum"])
        for places in _by_shape(params):
            found = orthogonalized(torch.stack([_as_matrix(towards[place]) for place in places]))
            factor = max(1.0, found.shape[1] / found.shape[2]) ** 0.5
            some = [params[place] for place in places]
            directions = [_as_convolution(matrix, p) for matrix, p in zip(found.unbind(), some, strict=True)]
            _descend(some, directions, group["lr"], factor)

    def _update_others(self, params: list[Tensor], group: dict[str, Any]) -> None:
        momenta = self._momenta(params)
        gradients = torch._foreach_add(_gradients(params), params, alpha=group["weight_decay"])
        torch._foreach_mul_(momenta, group["momentum"])
        torch._foreach_add_(momenta, gradients)
        towards = torch._foreach_add(gradients, momenta, alpha=group["momentum"])
        _descend(params, [*towards], group["lr"], group["ratio"])

    def _momenta(self, params: list[Tensor]) -> list[Tensor]:
        for p in params:
            if "momentum" not in self.state[p]:
                self.state[p]["momentum"] = torch.zeros_like(p)
        return [self.state[p]["momentum"] for p in params]


def _gradients(params: list[Tensor]) -> list[Tensor]:
    return [p.grad for p in params if p.grad is not None]


def _descend(params: list[Tensor], directions: list[Tensor], lr: float | Tensor, factor: float) -> None:
    """params -= lr factor directions. lr: a tensor where a CUDA graph holds the update, else a number."""
    if isinstance(lr, Tensor):
        directions, lr = [*torch._foreach_mul(directions, lr)], 1.0
    torch._foreach_add_(params, directions, alpha=-lr * factor)


def _by_shape(params: list[Tensor]) -> list[list[int]]:
    """The places in the list of the convolutions that are matrices of the same shape."""
    places: dict[tuple[int, int], list[int]] = {}
    for place, p in enumerate(params):
        places.setdefault((len(p), p.numel() // len(p)), []).append(place)
    return [*places.values()]


def _as_matrix(filters: Tensor) -> Tensor:
    """A matrix with a row for each output channel. Channels-last filters, (out, in, height, width), are not copied.

    The order of the columns changes nothing but the rounding: they come back in the same order.
    """
    return filters.permute(0, 2, 3, 1).flatten(1)


def _as_convolution(matrix: Tensor, p: Tensor) -> Tensor:
    channels, height, width = p.shape[1:]
    return matrix.view(len(p), height, width, channels).permute(0, 3, 1, 2)
