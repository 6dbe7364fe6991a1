"""Training on the images as they are."""

import torch
from torch import Tensor

from engine.attacks.threat import Threat
from engine.training.learner import Learner


def standard(
    learner: Learner, x: Tensor, y: Tensor, delta: Tensor | None, threat: Threat, rng: torch.Generator
) -> None:
    """Training on the images as they are."""
    learner.update(x, y)
