"""PGD training."""

import torch
from torch import Tensor

from engine.attacks.threat import Threat
from engine.training.learner import Learner


def pgd(
    learner: Learner,
    x: Tensor,
    y: Tensor,
    delta: Tensor | None,
    threat: Threat,
    rng: torch.Generator,
    *,
    alpha: float,
    steps: int,
    restarts: int = 1,
    start_in_box: bool = True,
) -> Tensor:
    """Several sign steps from a random start (paper, algorithm 1); of several restarts each example's worst."""
    delta, before = _pgd(learner, x, y, threat, rng, alpha, steps, start_in_box)
    if restarts > 1:
        worst = learner.input_grad(x + delta, y)[1]
        for _ in range(restarts - 1):
            other, _ = _pgd(learner, x, y, threat, rng, alpha, steps, start_in_box)
            losses = learner.input_grad(x + other, y)[1]
            delta = torch.where((losses > worst).view(-1, 1, 1, 1), other, delta)
            worst = torch.maximum(worst, losses)
    learner.update(x + delta, y, before)
    return delta


def _pgd(
    learner: Learner,
    x: Tensor,
    y: Tensor,
    threat: Threat,
    rng: torch.Generator,
    alpha: float,
    steps: int,
    start_in_box: bool,
) -> tuple[Tensor, Tensor]:
    """The perturbation, and the losses at its random start."""
    delta = threat.uniform(x, rng, start_in_box)
    gradient, before = learner.input_grad(x + delta, y)
    delta = threat.step(x, delta, gradient, alpha)
    for _ in range(steps - 1):
        gradient, _ = learner.input_grad(x + delta, y)
        delta = threat.step(x, delta, gradient, alpha)
    return delta, before
