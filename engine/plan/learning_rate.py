"""Learning rates as pure functions of the step.

A step is one weight update; `step` counts from 0 to `total`, and may be fractional.
"""

from collections.abc import Sequence

from engine.config.sections import OptimConfig


def cyclic(step: float, total: int, peak: float = 0.5) -> float:
    """The triangle 0 -> 1 -> 0 with its corner at the share `peak` of training (paper, section 5)."""
    corner = peak * total
    if step < corner:
        return step / corner
    return max(total - step, 0) / (total - corner) if corner < total else float(step == corner)


def piecewise(step: float, total: int, milestones: Sequence[float], gamma: float = 0.1) -> float:
    """1, times `gamma` for each milestone (a share of training in [0,1]) that has been reached."""
    return float(gamma ** sum(step >= share * total for share in milestones))


def learning_rate(optim: OptimConfig, step: float, total: int) -> float:
    """The learning rate for the update number `step` (from 0) of `total`."""
    if optim.schedule == "cyclic":
        return optim.lr * cyclic(step, total, optim.peak)
    if optim.schedule == "piecewise":
        return optim.lr * piecewise(step, total, optim.milestones, optim.gamma)
    return optim.lr
