"""The perturbation that the step before returned, for the images of this one."""

import torch
from torch import Tensor

from engine.attacks.threat import Threat


def carried(x: Tensor, delta: Tensor | None, threat: Threat) -> Tensor:
    """The perturbation of the step before for these images, or zero; the last minibatch of an epoch is smaller."""
    carried = torch.zeros_like(x)
    if delta is not None:
        count = min(len(x), len(delta))
        carried[:count] = delta[:count]
    return threat.project(x, carried)
