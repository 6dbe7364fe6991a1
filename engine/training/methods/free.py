"""Free adversarial training."""

import torch
from torch import Tensor

from engine.attacks.threat import Threat
from engine.training.learner import Learner
from engine.training.methods.carried_perturbation import carried


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
    delta = carried(x, delta, threat)
    gradient = learner.update(x + delta, y, input_grad=True)
    assert gradient is not None
    return threat.step(x, delta, gradient, alpha)
