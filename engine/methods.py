"""The training methods: each is one weight update on one minibatch, the making of its perturbation included.

All share one signature. x: images in [0,1], (B, C, H, W); y: labels, (B,); delta: the perturbation that the step
before returned (None at the start of training); rng: noise of this step. They return the perturbation that they
trained on, or for free the next one. alpha is a step size in [0,1].
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from engine.attacks import Threat
from engine.config.run import RunConfig
from engine.learner import Learner

Method = Callable[..., Tensor | None]


def standard(
    learner: Learner, x: Tensor, y: Tensor, delta: Tensor | None, threat: Threat, rng: torch.Generator
) -> None:
    """Training on the images as they are."""
    learner.update(x, y)


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
        start = _carried(x, delta if init == "previous" else None, threat)
    gradient, before = learner.input_grad(x + start, y)
    delta = threat.step(x, start, gradient, alpha)
    learner.update(x + delta, y, before)
    return delta


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


def free(
    learner: Learner,
    x: Tensor,
    y: Tensor,
    delta: Tensor | None,
    threat: Threat,
    rng: torch.Generator,
    *,
    alpha: float,
) -> Tensor:
    """One replay of a minibatch: update on the carried perturbation, then move it by the gradient of the same
    backward pass (paper, algorithm 2; Shafahi et al., 2019). The loop gives each minibatch m times.
    """
    delta = _carried(x, delta, threat)
    gradient = learner.update(x + delta, y, input_grad=True)
    assert gradient is not None
    return threat.step(x, delta, gradient, alpha)


METHODS: dict[str, Method] = {"standard": standard, "fgsm": fgsm, "pgd": pgd, "free": free}
SIGNALLING = {"fgsm", "pgd"}  # the methods that know the losses before and after their attack


def options(config: RunConfig) -> dict[str, Any]:
    """The keyword options of the run's method."""
    method = config.method
    by_name: dict[str, dict[str, Any]] = {
        "standard": {},
        "fgsm": {
            "alpha": config.alpha,
            "init": method.init,
            "noise": method.noise,
            "start_in_box": method.start_in_box,
        },
        "pgd": {
            "alpha": config.alpha,
            "steps": method.steps,
            "restarts": method.restarts,
            "start_in_box": method.start_in_box,
        },
        "free": {"alpha": config.alpha},
    }
    return by_name[method.name]


def _carried(x: Tensor, delta: Tensor | None, threat: Threat) -> Tensor:
    """The perturbation of the step before for these images, or zero; the last minibatch of an epoch is smaller."""
    carried = torch.zeros_like(x)
    if delta is not None:
        count = min(len(x), len(delta))
        carried[:count] = delta[:count]
    return threat.project(x, carried)


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
