"""The threat model, and PGD as an evaluation attack.

Perturbations are in units of the image, which lies in [0,1]: eps = 8/255 is 0.0314.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.streams import image_noise

COMPACT_AT = 0.125  # drop broken images from a batch once they are this share of it


@dataclass(frozen=True)
class Threat:
    """The l-infinity ball of radius `eps`, cut by the image box [0,1]. Shapes are (B, C, H, W) throughout."""

    eps: float

    def project(self, x: Tensor, delta: Tensor) -> Tensor:
        """The nearest perturbation of `x` that is allowed."""
        low, high = (-x).clamp_(min=-self.eps), (1 - x).clamp_(max=self.eps)
        return torch.maximum(torch.minimum(delta, high), low)

    def uniform(self, x: Tensor, rng: torch.Generator, in_box: bool = True) -> Tensor:
        """Uniform noise in the ball (paper, algorithm 3); `in_box` clips it to the image box, too."""
        noise = torch.empty_like(x).uniform_(-self.eps, self.eps, generator=rng)
        return self.project(x, noise) if in_box else noise

    def step(self, x: Tensor, delta: Tensor, gradient: Tensor, alpha: float) -> Tensor:
        """A step of size `alpha` (in [0,1]) along the gradient's sign, projected."""
        return self.project(x, delta + alpha * gradient.sign())


@dataclass(frozen=True)
class Pgd:
    """PGD with `restarts` random starts (Madry et al., 2018); step_size in [0,1]."""

    steps: int
    restarts: int
    step_size: float

    @property
    def name(self) -> str:
        return f"pgd-{self.steps}-{self.restarts}" if self.restarts > 1 else f"pgd-{self.steps}"


def broken_by_restart(
    model: nn.Module, x: Tensor, y: Tensor, images: Tensor, threat: Threat, attack: Pgd, seed: int, restart: int
) -> Tensor:
    """Which images one restart of PGD breaks: those that are misclassified at any of its iterates, start included.

    x: in [0,1], (B, C, H, W); y: labels, (B,); images: their indices in the data set, which decide the noise.
    The model must be in eval mode. Returns a mask, bool, (B,).
    """
    broken = torch.zeros_like(y, dtype=torch.bool)
    place = torch.arange(len(y), device=y.device)
    delta = threat.project(x, threat.eps * image_noise(seed, restart, images, x.shape[1:]))
    for step in range(attack.steps + 1):
        last = step == attack.steps
        logits, gradient = _logits_and_gradient(model, x + delta, y, wanted=not last)
        fooled = logits.argmax(1) != y
        broken[place[fooled]] = True
        if last or bool(fooled.all()):
            return broken
        delta = threat.step(x, delta, gradient, attack.step_size)
        if fooled.sum() >= COMPACT_AT * len(y):
            x, y, delta, place = (t[~fooled] for t in (x, y, delta, place))
    return broken


def _logits_and_gradient(model: nn.Module, x: Tensor, y: Tensor, wanted: bool) -> tuple[Tensor, Tensor]:
    """Logits and the input gradient of the summed loss (only if `wanted`)."""
    with torch.set_grad_enabled(wanted):
        logits = model(x.requires_grad_(wanted))
        if not wanted:
            return logits, x
        loss = F.cross_entropy(logits, y, reduction="sum")
    return logits.detach(), torch.autograd.grad(loss, x)[0]
