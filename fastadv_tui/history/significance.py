"""Which accuracies can be compared with each other, and which differences between them exceed their noise."""

import math
import statistics
from collections.abc import Mapping, Sequence

from msgspec import Struct

from engine.config.norms import LINF, Norm
from engine.config.units import units
from fastadv_tui.text.quantities import attack_name, kind_of_images

MIN_SEEDS = 3  # fewer seeds say too little about their spread: then the standard error is that of the images
STANDARD_ERRORS = 2.0  # a difference counts if it exceeds this number of its standard errors
# How often two groups of so many seeds with the same mean and spread differ by more than STANDARD_ERRORS, in percent:
# the two-sided tail of Student's t with 2n - 2 degrees of freedom. With more seeds it comes close to the 5% of a normal
# distribution.
CHANCE_PERCENT = {3: 12, 4: 9, 5: 8}


class Conditions(Struct, frozen=True, kw_only=True):
    """What an accuracy was measured under. Two accuracies can be compared if all of these agree.

    data: fingerprint of the data set. held_out: whether the images are held-out training images. norm, eps: the threat
    model. eps, step_size: fractions in [0,1], plain numbers for norm l2. final: False for an evaluation while training.
    """

    dataset: str
    data: str = ""
    held_out: bool = False
    attack: str
    norm: Norm = LINF
    eps: float
    step_size: float = 0.0
    images: int
    final: bool = True

    def unlike(self, other: "Conditions") -> str:
        """In what these conditions are unlike others: `PGD-10 while training, eps 25`; empty if all agree."""
        if self.dataset != other.dataset:
            data = f"data set {self.dataset}"
        else:
            data = "other data" if self.data != other.data else ""
        same_size = self.norm == other.norm and math.isclose(self.eps, other.eps, rel_tol=1e-9)
        same_step = not same_size or math.isclose(self.step_size, other.step_size, rel_tol=1e-9)
        found = [
            "" if (self.attack, self.final) == (other.attack, other.final) else self.attack_words,
            "" if self.images == other.images else f"{self.images:,} images",
            "" if self.held_out == other.held_out else kind_of_images(self.held_out),
            "" if same_size else self._threat_words(self.norm != other.norm),
            "" if same_step else f"step size {units(self.step_size, self.norm)}",
            data,
        ]
        return ", ".join(filter(None, found))

    @property
    def attack_words(self) -> str:
        """The attack, and whether it was made while training: `PGD-10 while training`."""
        return attack_name(self.attack) + " while training" * (not self.final)

    @property
    def words(self) -> str:
        """What was measured: `PGD-50-10 on 10,000 images, eps 8`."""
        return f"{self.attack_words} on {self.images:,} images, {self._threat_words()}"

    def _threat_words(self, with_norm: bool = False) -> str:
        """The threat model: `eps 8`, `l2 eps 0.5`. with_norm: whether to name linf, too."""
        return f"{f'{self.norm} ' if with_norm or self.norm != LINF else ''}eps {units(self.eps, self.norm)}"


class Accuracy(Struct, frozen=True, kw_only=True):
    """An accuracy in [0,1] of one run, or the mean of runs that differ only in their seed.

    seeds: number of distinct seeds. runs: number of runs in the mean. std: sample standard deviation over the seeds,
    None for fewer than MIN_SEEDS.
    unmoved: the fraction of the images that count as robust although the attack could not move them.
    """

    value: float
    conditions: Conditions
    seeds: int = 1
    runs: int = 1
    std: float | None = None
    unmoved: float = 0.0

    @property
    def plus_minus(self) -> float | None:
        """What stands behind ±: the standard deviation over seeds, or the standard error for the number of images."""
        return self.std if self.std is not None else binomial_error(self.value, self.conditions.images)

    @property
    def standard_error(self) -> float | None:
        """The standard error of the value. None if the number of images is unknown."""
        return self.plus_minus if self.std is None else self.std / math.sqrt(self.seeds)

    def differs_from(self, other: "Accuracy") -> bool:
        """Whether this accuracy is better or worse than another one by more than noise.

        Images that the attack could not move do not count for the better one.
        """
        own, theirs = self.standard_error, other.standard_error
        if own is None or theirs is None or self.conditions.unlike(other.conditions):
            return False
        better, worse = (self, other) if self.value >= other.value else (other, self)
        return better.value - better.unmoved - worse.value > STANDARD_ERRORS * math.hypot(own, theirs)


def binomial_error(accuracy: float, images: int) -> float | None:
    """The standard error of an accuracy that was measured on so many images; None if their number is unknown."""
    return math.sqrt(accuracy * (1 - accuracy) / images) if images else None


def mean_over_seeds(
    values: Mapping[int, Sequence[float]], conditions: Conditions, unmoved: float = 0.0
) -> Accuracy | None:
    """The mean of accuracies. None without any. values: by seed. Runs of one seed count as one trial, their mean."""
    trials = [statistics.fmean(of_seed) for of_seed in values.values() if of_seed]
    if not trials:
        return None
    return Accuracy(
        value=statistics.fmean(trials),
        conditions=conditions,
        seeds=len(trials),
        runs=sum(map(len, values.values())),
        std=std_over_seeds(trials),
        unmoved=unmoved,
    )


def std_over_seeds(trials: Sequence[float]) -> float | None:
    """The sample standard deviation (divided by n - 1); None for fewer than MIN_SEEDS trials. Every table, chart and
    figure takes it from here, so that all of them show one from the same number of seeds on."""
    return statistics.stdev(trials) if len(trials) >= MIN_SEEDS else None
