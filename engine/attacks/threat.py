"""The threat model: which perturbations of an image are allowed."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Threat:
    """The l-infinity ball of radius `eps` (fraction in [0,1]), intersected with the image box [0,1].

    All images, perturbations and gradients have the shape (B, C, H, W).
    """

    eps: float

    def project(self, x: Tensor, delta: Tensor) -> Tensor:
        """The allowed perturbation of `x` that is nearest to `delta`."""
        low, high = (-x).clamp_(min=-self.eps), (1 - x).clamp_(max=self.eps)
        return torch.maximum(torch.minimum(delta, high), low)

    def uniform(self, x: Tensor, rng: torch.Generator, in_box: bool = True, scale: float = 1.0) -> Tensor:
        """Uniform noise in [-scale eps, scale eps] (Wong et al., 2020, algorithm 3).

        in_box: whether to clip the noise so that x + noise lies in the image box.
        """
        radius = scale * self.eps
        noise = torch.empty_like(x).uniform_(-radius, radius, generator=rng)
        return Threat(radius).project(x, noise) if in_box else noise

    def step(self, x: Tensor, delta: Tensor, gradient: Tensor, alpha: float | Tensor) -> Tensor:
        """One sign step: project(delta + alpha sign(gradient)). alpha: step size, a fraction in [0,1],
        or one for each image, (B, 1, 1, 1).
        """
        return self.project(x, delta + alpha * gradient.sign())

    def carried(self, x: Tensor, delta: Tensor | None) -> Tensor:
        """The perturbation of the previous step, projected for the images `x`; zero for images that have none.

        The last minibatch of an epoch may be smaller than the minibatch before it, and smaller than the next minibatch.
        """
        carried = torch.zeros_like(x)
        if delta is not None:
            count = min(len(x), len(delta))
            carried[:count] = delta[:count]
        return self.project(x, carried)
