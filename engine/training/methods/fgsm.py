"""FGSM with a random start, and N-FGSM."""

import torch
from torch import Tensor

from engine.attacks.threat import Threat
from engine.training.learner import Learner
from engine.training.methods.carried_perturbation import carried


def fgsm(
    learner: Learner,
    x: Tensor,
    y: Tensor,
    delta: Tensor | None,
    threat: Threat,
    rng: torch.Generator,
    *,
    alpha: float,
    init: str = "random",
    noise: float = 1.0,
    start_in_box: bool = True,
) -> Tensor:
    """One sign step from a random start in the ball (paper, algorithm 3), from zero, or from the step before.

    noise: the size of a random start, as a multiple of eps. Above 1 it leaves the ball, and what comes of it is
    clipped to the image box only: N-FGSM (de Jorge et al., 2022, algorithm 1).
    """
    if noise > 1 and init == "random":
        threat, start = Threat(noise * threat.eps + alpha), threat.uniform(x, rng, in_box=False, scale=noise)
    elif init == "random":
        start = threat.uniform(x, rng, start_in_box, noise)
    else:
        start = carried(x, delta if init == "previous" else None, threat)
    gradient, before = learner.input_grad(x + start, y)
    delta = threat.step(x, start, gradient, alpha)
    learner.update(x + delta, y, before)
    return delta
