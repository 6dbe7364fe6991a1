"""The training step of a run: its method with the options of the run."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from engine.attacks.threat import Threat
from engine.config.run import RunConfig
from engine.data.minibatch import Minibatch
from engine.training.learner import Learner

Step = Callable[[Learner, Minibatch, Threat, torch.Generator], Tensor | None]


def step_of(config: RunConfig) -> Step:
    """The function that trains on a minibatch. methods/standard.py documents its arguments and its result."""
    spec = config.method.spec
    alpha = {"alpha": config.alpha} if spec.alpha else {}
    return partial(spec.step, **alpha, **config.method.options)
