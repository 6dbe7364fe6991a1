"""The threat model: which perturbations of an image are allowed."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Threat:
    """The l-infinity ball of radius `eps`, cut by the image box [0,1]. Shapes are (B, C, H, W) throughout."""

    eps: float

    def project(self, x: Tensor, delta: Tensor) -> Tensor:
        """The nearest perturbation of `x` that is allowed."""
        low, high = (-x).clamp_(min=-self.eps), (1 - x).clamp_(max=self.eps)
        return torch.maximum(torch.minimum(delta, high), low)

    def uniform(self, x: Tensor, rng: torch.Generator, in_box: bool = True, scale: float = 1.0) -> Tensor:
        """Uniform noise in `scale` times the ball (paper, algorithm 3); `in_box` clips it to the image box, too."""
        radius = scale * self.eps
        noise = torch.empty_like(x).uniform_(-radius, radius, generator=rng)
        return Threat(radius).project(x, noise) if in_box else noise

    def step(self, x: Tensor, delta: Tensor, gradient: Tensor, alpha: float) -> Tensor:
        """A step of size `alpha` (in [0,1]) along the gradient's sign, projected."""
        return self.project(x, delta + alpha * gradient.sign())

    def carried(self, x: Tensor, delta: Tensor | None) -> Tensor:
        """The perturbation of the step before, projected for these images; zero where there is none.

        The last minibatch of an epoch may be smaller than the one before it, and the next one larger.
        """
        carried = torch.zeros_like(x)
        if delta is not None:
            count = min(len(x), len(delta))
            carried[:count] = delta[:count]
        return self.project(x, carried)
