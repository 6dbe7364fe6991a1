"""Learning rate schedules, as pure functions of the step.

A step is one weight update. `step` counts from 0 to `total` and may be fractional.
"""

from collections.abc import Sequence

from engine.config.sections import OptimConfig


def cyclic(step: float, total: int, peak: float = 0.5) -> float:
    """A triangle 0 -> 1 -> 0 over training with its corner at `peak`, a fraction in [0,1] (paper, section 5)."""
    corner = peak * total
    if step < corner:
        return step / corner
    return max(total - step, 0) / (total - corner) if corner < total else float(step == corner)


def piecewise(step: float, total: int, milestones: Sequence[float], gamma: float = 0.1) -> float:
    """`gamma` to the power of n, where n is the number of milestones that `step` has reached.

    milestones: fractions of training in [0,1].
    """
    return float(gamma ** sum(step >= share * total for share in milestones))


def learning_rate(optim: OptimConfig, step: float, total: int) -> float:
    """The learning rate of weight update number `step` (from 0) of `total`."""
    if optim.schedule == "cyclic":
        return optim.lr * cyclic(step, total, optim.peak)
    if optim.schedule == "piecewise":
        return optim.lr * piecewise(step, total, optim.milestones, optim.gamma)
    return optim.lr
