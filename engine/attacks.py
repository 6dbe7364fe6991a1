"""The threat model, and PGD as an evaluation attack.

Perturbations are in units of the image, which lies in [0,1]: eps = 8/255 is 0.0314.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.folding import folded
from engine.streams import image_noise

COMPACT_AT = 0.03  # drop broken images from a batch once they are this share of it: to copy the rest costs little


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


@dataclass(frozen=True)
class Pgd:
    """PGD with `restarts` random starts (Madry et al., 2018); step_size in [0,1]."""

    steps: int
    restarts: int
    step_size: float

    @property
    def name(self) -> str:
        return f"pgd-{self.steps}-{self.restarts}" if self.restarts > 1 else f"pgd-{self.steps}"


class Probe:
    """A model under attack: gradients to search with, in low precision where that is faster, and verdicts in fp32.

    dtype: of the search under autocast, or None for fp32. The model must be in eval mode and frozen, and must not
    change meanwhile. `gradients` counts the images that went through a forward and a backward pass; `tick` is called
    after each such pass, and what it raises ends the attack.
    """

    def __init__(self, model: nn.Module, dtype: torch.dtype | None = None) -> None:
        self.model, self.dtype = model, dtype
        self._searched = model if dtype is None else folded(model, dtype)
        self.gradients = 0
        self.tick: Callable[[], None] = lambda: None

    def fooled(self, x: Tensor, y: Tensor) -> Tensor:
        """Which images of [0,1], (B, C, H, W), are misclassified: bool, (B,)."""
        with torch.no_grad():
            wrong: Tensor = self.model(x).argmax(1) != y
        return wrong

    def look(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Which images are misclassified, and a gradient of the loss with respect to them, of the right signs."""
        self.gradients += len(y)
        with torch.autocast(x.device.type, dtype=self.dtype, enabled=self.dtype is not None):
            logits = self._searched(x.requires_grad_())
        gradient = torch.autograd.grad(logits, x, _direction(logits.detach().float(), y).to(logits.dtype))[0]
        fooled = logits.detach().argmax(1) != y
        if self.dtype is not None:
            gradient.nan_to_num_()  # what overflowed has no sign, and must not become a perturbation
            if bool(fooled.any()):  # what the search takes for a success may be its rounding
                fooled[fooled.clone()] = self.fooled(x.detach()[fooled], y[fooled])
        self.tick()
        return fooled, gradient


def _direction(logits: Tensor, y: Tensor) -> Tensor:
    """The gradient of the cross-entropy with respect to the logits, (B, classes), each row brought near 1.

    Steps look at signs alone, and gradients of confident examples flush to zero on their way back through a network
    in low precision. The factors are powers of two: in fp32 nothing else changes.
    """
    gradient = torch.softmax(logits, 1)
    gradient[torch.arange(len(y), device=y.device), y] -= 1
    exponent = torch.frexp(gradient.abs().amax(1, keepdim=True))[1]
    return torch.ldexp(gradient, -exponent.clamp(min=-120))


def broken_by_restart(
    probe: Probe, x: Tensor, y: Tensor, images: Tensor, threat: Threat, attack: Pgd, seed: int, restart: int
) -> Tensor:
    """Which images one restart of PGD breaks: those that are misclassified at any of its iterates, start included.

    x: in [0,1], (B, C, H, W); y: labels, (B,); images: their indices in the data set, which decide the noise.
    Returns a mask, bool, (B,).
    """
    broken = torch.zeros_like(y, dtype=torch.bool)
    place = torch.arange(len(y), device=y.device)
    delta = threat.project(x, threat.eps * image_noise(seed, restart, images, x.shape[1:]))
    for _ in range(attack.steps):
        fooled, gradient = probe.look(x + delta, y)
        broken[place[fooled]] = True
        if bool(fooled.all()):
            return broken
        delta = threat.step(x, delta, gradient, attack.step_size)
        if fooled.sum() >= COMPACT_AT * len(y):
            x, y, delta, place = (t[~fooled] for t in (x, y, delta, place))
    broken[place[probe.fooled(x + delta, y)]] = True
    return broken
