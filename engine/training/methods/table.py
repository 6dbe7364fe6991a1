"""The training methods: each is one weight update on one minibatch, the making of its perturbation included.

All share one signature. x: images in [0,1], (B, C, H, W); y: labels, (B,); delta: the perturbation that the step
before returned (None at the start of training); rng: noise of this step. They return the perturbation that they
trained on, or for free the next one. alpha is a step size in [0,1].
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from engine.config.run import RunConfig
from engine.training.methods.fgsm import fgsm
from engine.training.methods.free import free
from engine.training.methods.pgd import pgd
from engine.training.methods.standard import standard

Method = Callable[..., Tensor | None]

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
