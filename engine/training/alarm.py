"""The alarm for catastrophic overfitting (paper, section 5.4): FGSM training can collapse within one epoch.

Two witnesses. While training, the share of examples whose loss the attack lowered: near 0 as long as the loss is
locally linear, and past THRESHOLD when the one-step attack has been learned by heart. After each epoch, robust
accuracy: it fell, or it is far below chance while clean accuracy is far above it.
"""

import math
from typing import Any, Literal

# Of the moving average. Measured: healthy runs stayed below 0.06 (CIFAR-10, PreActResNet18 of width 16) and 0.12
# (MNIST); runs that were to collapse passed it two epochs (MNIST) and most of an epoch (CIFAR-10) before they did.
THRESHOLD = 0.35
WARM_UP = 20  # updates before the moving average means anything
MAX_DROP = 0.2  # of robust accuracy since its best, in [0,1]: the paper's own criterion for early stopping
FALSE_ALARM_RATE = 0.01  # how often chance alone may make a healthy network look collapsed, at most

Kind = Literal["overfitting", "collapse"]


class Watchdog:
    """Says once of each kind that a run has collapsed."""

    def __init__(self, classes: int) -> None:
        self.chance = 1 / classes
        self.best: dict[str, float] = {}
        self.raised: set[str] = set()
        self.collapsed: set[str] = set()  # the stages of evaluation that saw it the last time

    def training(self, updates: int, signal: float) -> str | None:
        """A message if the overfitting signal (a share in [0,1]) says so. updates: weight updates so far."""
        if updates < WARM_UP or signal < THRESHOLD:
            return None
        return self._once(
            "overfitting", f"the attack lowers the loss of {signal:.0%} of the examples: catastrophic overfitting"
        )

    def evaluated(self, stage: str, clean: float, robust: float, images: int) -> str | None:
        """A message if clean and robust accuracy (shares in [0,1]) of one stage of evaluation say so.

        images: how many they were measured on; of a few, a fall must be larger than chance would make it.
        """
        best = self.best[stage] = max(self.best.get(stage, 0.0), robust)
        fell = best - robust > MAX_DROP + two_standard_errors(images)
        if not (fell or self._far_below(clean, robust, images)):
            self.collapsed.discard(stage)
            return None
        self.collapsed.add(stage)
        why = f"robust accuracy fell from {best:.1%} to {robust:.1%}" if fell else f"robust accuracy is {robust:.1%}"
        return self._once("collapse", f"{why} with clean accuracy at {clean:.1%}: the model has collapsed")

    def _far_below(self, clean: float, robust: float, images: int) -> bool:
        """Robust accuracy below half of chance and a fiftieth of clean accuracy, which is far above chance.

        With a thousand classes chance is so small that a minibatch says nothing of it.
        """
        limit = max(self.chance / 2, clean / 50)
        above = min(3 * self.chance, (1 + self.chance) / 2)  # of two classes three times chance is more than all
        return clean > above and robust < limit and _surely_below(robust, 2 * limit, images)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "raised": sorted(self.raised), "collapsed": sorted(self.collapsed)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.raised = dict(state["best"]), set(state["raised"])
        self.collapsed = set(state.get("collapsed", ()))  # older checkpoints have none

    def _once(self, kind: Kind, message: str) -> str | None:
        if kind in self.raised:
            return None
        self.raised.add(kind)
        return message


def two_standard_errors(images: int) -> float:
    """Two standard errors of the difference of two accuracies on so many images, at most."""
    return 2 * math.sqrt(0.5 / images)


def _surely_below(share: float, true: float, images: int) -> bool:
    """Whether so small a share of `images` is improbable where the true one is `true` (Chernoff's bound)."""
    if true >= 1:
        return share < 1
    divergence = (1 - share) * math.log((1 - share) / (1 - true)) + (share * math.log(share / true) if share else 0.0)
    return math.exp(-images * divergence) < FALSE_ALARM_RATE
