"""The alarm for catastrophic overfitting: FGSM training can collapse within one epoch (Wong et al., 2020, section 5.4).

Three tests raise the alarm. The first test reads the overfitting signal during training: the fraction of examples
whose loss the attack lowers, by more than 0.01. The signal is near 0 while the loss is locally linear. It reaches
THRESHOLD once the network has overfitted to the one-step attack. The second test reads PertAlign, of methods that know
it: the mean cosine of an image's gradients before and after the attack. The third test reads the accuracies after each
evaluation. Catastrophic overfitting is a loss of robustness, or robustness to FGSM alone:

- At once, robust accuracy fell by more than MAX_DROP plus what chance may explain, or FGSM fools hardly any image and
  PGD fools many.
- At two evaluations in a row, robust accuracy is far below that of a random guess while clean accuracy is far above it
  and accuracy under FGSM is above robust accuracy, or accuracy under FGSM is far above robust accuracy, which does not
  rise. One evaluation is not enough: early in training, a network learns FGSM first, and PGD an epoch or two later.
"""

import math
from typing import Any, Literal

# For the moving average of the signal. Measured: healthy runs stayed below 0.06 (CIFAR-10, PreActResNet18 of width 16)
# and 0.12 (MNIST). Runs that collapsed passed the threshold two epochs (MNIST) and most of an epoch (CIFAR-10) before.
THRESHOLD = 0.35
# For the moving average of PertAlign, in [-1,1]. Measured on digits: SORA stayed above 0.57 (eps 0.2) and 0.42 (eps
# 0.4). Of a network that collapsed (FGSM from zero, eps 0.4), the cosine fell from 0.4 to below 0.1.
MIN_ALIGNMENT = 0.2
WARM_UP = 20  # weight updates before the moving average is reliable
MAX_DROP = 0.2  # of robust accuracy from its best value, in [0,1]: the paper's criterion for early stopping
# Of accuracy under FGSM above that under PGD-5 with steps of eps/4, on the guard's images, in [0,1]. Measured after
# each epoch on digits and MNIST, with and without label smoothing: robust runs had at most 0.32 (most of them below
# 0.2), runs that collapsed reached 0.61 to 0.97. Between the two lie networks that are robust in part (digits, eps 0.3,
# FGSM from zero: 0.40, with half of the best robust accuracy). tests/benchmarks/collapse.md has the runs.
MAX_GAP = 0.4
# An accuracy under FGSM that is this share of clean accuracy is complete: the gap below it needs no second evaluation.
# Networks that became robust had a share of at most 0.77 where their gap was above MAX_GAP (MNIST, random start).
COMPLETE = 0.9
# A gap below an incomplete accuracy under FGSM, at two evaluations. A network that learned robustness slowly had gaps
# of 0.51 and 0.54 in a row while its robust accuracy doubled, and of 0.39 to 0.43 after that (MNIST, low rate).
SLOW_GAP = 0.45
# Early in training, robust accuracy may be below chance although nothing has overfitted to FGSM. Networks that became
# robust had a gap of at most 0.19 then (MNIST, seed 1, random start; a residual network on digits: 0.10).
MIN_GAP = 0.25
GAP_IMAGES = 512  # with fewer images, the gap must be larger
FALSE_ALARM_RATE = 0.01  # of a healthy network by chance alone: upper bound per evaluation, by Chernoff's inequality

Kind = Literal["overfitting", "collapse"]


class Watchdog:
    """Raises the alarm for a run that has collapsed, once for each kind of alarm."""

    def __init__(self, classes: int) -> None:
        self.chance = 1 / classes
        self.best: dict[str, float] = {}
        self.last: dict[str, float] = {}  # robust accuracy of each stage at its last evaluation
        self.raised: set[str] = set()
        self.gap: float | None = None  # of accuracy under FGSM above robust accuracy, when both were last measured
        self.collapsed: set[str] = set()  # stages whose last evaluation showed a collapse
        self.suspected: set[str] = set()  # stages whose last evaluation shows one if the next is like it

    def check_signal(self, updates: int, signal: float) -> str | None:
        """An alarm message if the overfitting signal, a fraction in [0,1], has reached THRESHOLD, else None.

        updates: weight updates so far. There is no alarm before WARM_UP of them.
        """
        if not self.signals_collapse(updates, signal):
            return None
        return self._once(
            "overfitting", f"the attack lowers the loss of {signal:.0%} of the examples: catastrophic overfitting"
        )

    def check_alignment(self, updates: int, alignment: float) -> str | None:
        """An alarm message if PertAlign, in [-1,1], has fallen below MIN_ALIGNMENT, else None."""
        if not self.misaligned(updates, alignment):
            return None
        why = f"the gradients before and after the attack have a cosine of {alignment:.2f}"
        return self._once("overfitting", f"{why}: catastrophic overfitting")

    def misaligned(self, updates: int, alignment: float) -> bool:
        """Whether PertAlign, in [-1,1], is below MIN_ALIGNMENT after so many weight updates."""
        return updates >= WARM_UP and alignment < MIN_ALIGNMENT

    def signals_collapse(self, updates: int, signal: float) -> bool:
        """Whether the overfitting signal, a fraction in [0,1], has reached THRESHOLD after so many weight updates."""
        return updates >= WARM_UP and signal >= THRESHOLD

    def check_accuracy(
        self, stage: str, clean: float, robust: float, images: int, fgsm: float | None = None
    ) -> str | None:
        """An alarm message if the accuracies of one stage of evaluation show a collapse, else None.

        clean, robust: fractions in [0,1]; images: number of evaluated images. On few images, a fall must be larger than
        chance would make it. fgsm: accuracy under FGSM on the same images, None if it was not measured.
        """
        rises = robust > self._reached(stage, images)
        best = self.best[stage] = max(self.best.get(stage, 0.0), robust)
        self.last[stage] = robust
        fell = best - robust > MAX_DROP + two_standard_errors(images)
        self.gap = self.gap if fgsm is None else fgsm - robust
        gap = fgsm is not None and overfitted(clean, fgsm, robust, images)
        slow_gap = fgsm is not None and not rises and wide_gap(fgsm, robust, images, SLOW_GAP)
        slow = slow_gap or self._far_below(clean, robust, images)
        again = stage in self.suspected or stage == "final"  # after the end of training, nothing is learned any more
        _set(self.suspected, stage, slow)
        _set(self.collapsed, stage, fell or gap or (slow and again))
        if stage not in self.collapsed:
            return None
        why = f"robust accuracy fell from {best:.1%} to {robust:.1%}" if fell else f"robust accuracy is {robust:.1%}"
        why += f", but {fgsm:.1%} under FGSM," if (gap or slow_gap) and not fell else ""
        return self._once("collapse", f"{why} with clean accuracy at {clean:.1%}: the model has collapsed")

    def _reached(self, stage: str, images: int) -> float:
        """The robust accuracy that a stage must exceed to rise: the best one, or the last one if none was above chance.

        An untrained network answers by chance, under any attack. That is no robustness that could be lost.
        """
        best = self.best.get(stage, 0.0)
        return best if self._above_chance(best, images) else self.last.get(stage, 0.0)

    def _above_chance(self, robust: float, images: int) -> bool:
        return robust > self.chance + two_standard_errors(images)

    def _far_below(self, clean: float, robust: float, images: int) -> bool:
        """Whether robust accuracy is far below chance while clean accuracy is far above chance.

        The limit of robust accuracy is half of chance, or a fiftieth of clean accuracy if that is more. With a thousand
        classes, chance is so small that the accuracy on a minibatch cannot show whether it is below chance. Where
        accuracy under FGSM is as low, the network has not overfitted to FGSM: it has not become robust yet.
        """
        if self.gap is not None and self.gap <= MIN_GAP:
            return False
        limit = max(self.chance / 2, clean / 50)
        above = min(3 * self.chance, (1 + self.chance) / 2)  # with two classes, three times chance is above 1
        return clean > above and robust < limit and _surely_below(robust, 2 * limit, images)

    def doubted(self, stage: str) -> bool:
        """Whether the last evaluation of a stage shows a collapse, or may turn out to be the first that does."""
        return stage in self.collapsed or stage in self.suspected

    def good(self, stage: str, robust: float, images: int) -> bool:
        """Whether the last evaluation of a stage shows a network that is worth going back to.

        robust: its robust accuracy on `images` images. It must be above chance: a network that has learned no
        robustness yet has none to lose.
        """
        return not self.doubted(stage) and self._above_chance(robust, images)

    def rearm(self) -> None:
        """Forget the alarms, so that each kind can be raised again. For a training that was rolled back."""
        self.raised.clear()

    def state_dict(self) -> dict[str, Any]:
        stages = {"collapsed": sorted(self.collapsed), "suspected": sorted(self.suspected)}
        return {"best": self.best, "last": self.last, "gap": self.gap, "raised": sorted(self.raised), **stages}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.raised = dict(state["best"]), set(state["raised"])
        self.last = dict(state.get("last", {}))  # not in older checkpoints
        self.gap = state.get("gap")  # not in older checkpoints
        self.collapsed = set(state.get("collapsed", ()))  # not in older checkpoints
        self.suspected = set(state.get("suspected", ()))  # not in older checkpoints

    def _once(self, kind: Kind, message: str) -> str | None:
        if kind in self.raised:
            return None
        self.raised.add(kind)
        return message


def _set(stages: set[str], stage: str, shown: bool) -> None:
    """Add a stage to a set, or take it out."""
    (stages.add if shown else stages.discard)(stage)


def overfitted(clean: float, fgsm: float, robust: float, images: int) -> bool:
    """Whether FGSM fools hardly any image that PGD fools: the network must have overfitted to FGSM.

    clean, fgsm, robust: accuracies on the same `images` images, fractions in [0,1].
    """
    return fgsm >= COMPLETE * clean and wide_gap(fgsm, robust, images)


def wide_gap(fgsm: float, robust: float, images: int, limit: float = MAX_GAP) -> bool:
    """Whether accuracy under FGSM is more than `limit` above robust accuracy, and more than chance may explain.

    fgsm, robust: accuracies on the same `images` images, fractions in [0,1].
    """
    chance = max(two_standard_errors(images) - two_standard_errors(GAP_IMAGES), 0)
    return fgsm - robust > limit + chance


def two_standard_errors(images: int) -> float:
    """Upper bound of two standard errors of the difference of two accuracies, each on `images` images."""
    return 2 * math.sqrt(0.5 / images)


def _surely_below(share: float, true: float, images: int) -> bool:
    """Whether the accuracy `share` on `images` images is improbable for a true accuracy `true` (Chernoff's bound)."""
    if true >= 1:
        return share < 1
    divergence = (1 - share) * math.log((1 - share) / (1 - true)) + (share * math.log(share / true) if share else 0.0)
    return math.exp(-images * divergence) < FALSE_ALARM_RATE
