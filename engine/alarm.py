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
FALL = 0.2  # of robust accuracy since its best, in [0,1]: the paper's own criterion for early stopping

Kind = Literal["overfitting", "collapse"]


class Watchdog:
    """Says once of each kind that a run has collapsed."""

    def __init__(self, classes: int) -> None:
        self.chance = 1 / classes
        self.best: dict[str, float] = {}
        self.raised: set[str] = set()
        self.collapsed: set[str] = set()  # the stages of evaluation that saw it

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
        fell = best - robust > FALL + 2 * math.sqrt(0.5 / images)  # two standard errors of a difference, at most
        below_chance = robust < self.chance / 2 and clean > 3 * self.chance
        if not (fell or below_chance):
            return None
        self.collapsed.add(stage)
        why = f"robust accuracy fell from {best:.1%} to {robust:.1%}" if fell else f"robust accuracy is {robust:.1%}"
        return self._once("collapse", f"{why} with clean accuracy at {clean:.1%}: the model has collapsed")

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
