"""PGD as an evaluation attack."""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.attacks.probe import Probe
from engine.attacks.threat import Threat
from engine.runtime.rng import image_noise

COMPACT_AT = 0.03  # drop broken images from a batch once they are this share of it: to copy the rest costs little


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
