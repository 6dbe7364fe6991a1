"""Auto-PGD (Croce and Hein, 2020): PGD with momentum that halves the step size of each image by its progress."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from engine.attacks.apgd_state import SearchState
from engine.attacks.objectives import CrossEntropy, Loss, TargetedDlr, ranked_target
from engine.attacks.probe import Probe, without_gradient
from engine.attacks.threat import Threat, as_normal
from engine.config.norms import LINF
from engine.runtime.rng import image_noise

STEPS = 100
# Section 3.1: the first period of a step size, by how much each period is shorter, and the shortest, as fractions of
# all steps; the weight of a step against momentum.
FIRST, SHORTER, SHORTEST = 0.22, 0.03, 0.06
MOMENTUM = 0.75
FIRST_STEP = 2.0  # step size in units of eps
# Our addition: a targeted search is given up at a check where its loss is this far below 0
# (above 0 the target wins) and would still be below 0 after a second rise like that since the last check. It saves two
# thirds of the gradients of 9 targets. Of 612 images that APGD-CE had left (four networks), it lost none, and none of
# the 334 images of another network in three seeds.
GIVE_UP = 0.3
# AutoAttack's APGD-CE has one start. A second one costs half of the first, as it is given up soon where it is far from
# success. It fooled 2 more of 360 images, which is what one start differs by between seeds.
CE_STARTS, CE_GIVE_UP = 2, 0.1
# A search in low precision may end just short of a success. Where its loss is this close to 0, it goes on in fp32.
FINISH = CLOSE, FINISH_STEPS, FINISH_STEP = 0.1, 20, 0.25  # the last is the first step size in units of eps
COMPACT_FRACTION = 0.03  # as in PGD: from this fraction of fooled images on, a batch drops them


@dataclass(frozen=True)
class ApgdCe:
    """APGD-CE (Croce and Hein, 2020, section 4): APGD on the plain cross-entropy from one random start, in fp32."""

    steps: int = STEPS
    name: str = "apgd-ce"
    parts: int = 1
    together: bool = False

    @property
    def gradients(self) -> int:
        return self.steps

    @property
    def inputs(self) -> tuple[float | int | str, ...]:
        return ("plain", self.parts, self.steps)

    def attack(
        self, probe: Probe, x: Tensor, y: Tensor, images: Tensor, threat: Threat, seed: int, parts: range
    ) -> tuple[Tensor, Tensor]:
        """As `Stage.attack`."""
        start = start_noise(threat, x, image_noise(seed, 0, images, x.shape[1:]))
        with probe.exact():
            return fooled_by_apgd(probe, x, y, start, CrossEntropy.plain(y), threat, self.steps)


@dataclass(frozen=True)
class RescaledApgdCe:
    """The first attack of `aa` and `aa-quick`: APGD on the cross-entropy of rescaled logits.

    The parts are random starts; those after the first are given up early.
    """

    steps: int = STEPS
    parts: int = CE_STARTS
    give_up: float = CE_GIVE_UP
    name: str = "apgd-ce"
    together: bool = False  # the first start is not given up

    @property
    def gradients(self) -> int:
        return self.steps

    @property
    def inputs(self) -> tuple[float | int | str, ...]:
        return (self.parts, self.steps, self.give_up, *FINISH)

    def attack(
        self, probe: Probe, x: Tensor, y: Tensor, images: Tensor, threat: Threat, seed: int, parts: range
    ) -> tuple[Tensor, Tensor]:
        """As `Stage.attack`."""
        (part,) = parts
        start = start_noise(threat, x, image_noise(seed, part, images, x.shape[1:]))
        loss, give_up = CrossEntropy.at(probe.logits(x), y), self.give_up if part else math.inf
        return fooled_by_apgd(probe, x, y, start, loss, threat, self.steps, give_up)


@dataclass(frozen=True)
class ApgdTargeted:
    """APGD on the targeted DLR loss. The parts are the targets: the class ranked highest at the clean image first."""

    parts: int
    steps: int = STEPS
    give_up: float = GIVE_UP
    name: str = "apgd-t"
    together: bool = True

    @property
    def gradients(self) -> int:
        return self.steps

    @property
    def inputs(self) -> tuple[float | int | str, ...]:
        return (self.parts, self.steps, self.give_up, *FINISH)

    def attack(
        self, probe: Probe, x: Tensor, y: Tensor, images: Tensor, threat: Threat, seed: int, parts: range
    ) -> tuple[Tensor, Tensor]:
        """As `Stage.attack`, with the targets as parts."""
        noise = torch.cat([image_noise(seed, CE_STARTS + part, images, x.shape[1:]) for part in parts])
        logits = probe.logits(x)
        targets = torch.cat([ranked_target(logits, y, part) for part in parts])
        rows = torch.arange(len(y), device=y.device).repeat(len(parts))
        x, y = x[rows], y[rows]
        start, loss = start_noise(threat, x, noise), TargetedDlr(y, targets)
        return fooled_by_apgd(probe, x, y, start, loss, threat, self.steps, self.give_up, rows=rows)


@cache
def period_ends(steps: int) -> tuple[int, ...]:
    """The numbers of steps after which step sizes are checked (section 3.1, with p_1 = 0.22)."""
    period, shorter, shortest = (max(int(fraction * steps), 1) for fraction in (FIRST, SHORTER, SHORTEST))
    ends = [period]
    while ends[-1] < steps:
        period = max(period - shorter, shortest)
        ends.append(ends[-1] + period)
    return tuple(end for end in ends if end <= steps)


def start_noise(threat: Threat, x: Tensor, noise: Tensor) -> Tensor:
    """A random perturbation at the border of the ball, then clipped to the box.

    x: images in [0,1], (B, C, H, W); noise: uniform in [-1,1), (B, C, H, W). For l2, the direction is uniform.
    """
    if threat.norm != LINF:
        return threat.project(x, threat.eps * threat.direction(as_normal(noise)).to(x.dtype))
    largest = noise.flatten(1).abs().amax(1).clamp_min(1e-12).view(-1, 1, 1, 1)
    return threat.project(x, threat.eps * noise / largest)


def fooled_by_apgd(
    probe: Probe,
    x: Tensor,
    y: Tensor,
    start: Tensor,
    loss: Loss,
    threat: Threat,
    steps: int,
    give_up: float = math.inf,
    first_step: float = FIRST_STEP,
    rows: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Which images are misclassified at any iterate, and which had a gradient of zero at some iterate.

    x: images in [0,1], (B, C, H, W); y: labels, (B,); start: perturbations, (B, C, H, W); give_up: as GIVE_UP, for a
    loss that is above 0 only where the model misclassifies; inf: never. first_step: size of the first step in units of
    eps. rows: for several searches of an image, the place of each row's image among the N images, (B,); the searches
    of an image end when one of them succeeds. Both masks: bool, (N,), where N = B without `rows`.
    """
    rows = torch.arange(len(y), device=y.device) if rows is None else rows
    fooled, unmoved = torch.zeros(2, int(rows.max()) + 1, dtype=torch.bool, device=y.device)
    wrong, values, gradient = probe.fooled_values_and_gradient(x + start, y, loss)
    state = SearchState.at_start(rows, x, y, start, loss, values, gradient, first_step * threat.eps)
    ends = period_ends(steps)
    for step in range(1, steps + 1):
        fooled[state.rows[wrong]] = True
        unmoved[state.rows[without_gradient(state.gradient)]] = True
        over = fooled[state.rows] | state.given_up
        if bool(over.all()):
            return fooled, unmoved
        if over.sum() >= COMPACT_FRACTION * len(over):
            state = state.where(~over)
        state.move(threat, 1.0 if step == 1 else MOMENTUM)
        if step == steps:
            break
        now, known = state.x + state.delta, fooled[state.rows]
        wrong, values, gradient = probe.fooled_values_and_gradient(now, state.y, state.loss, known)
        state.judge(values, gradient)
        _end_period(state, step, ends, give_up)
    fooled[state.rows[_fooled_at_the_end(probe, state, threat)]] = True
    return fooled, unmoved


def _end_period(state: SearchState, step: int, ends: Sequence[int], give_up: float) -> None:
    """Give up searches and check step sizes, if a period between two checks ends with this step."""
    if step in ends:
        state.given_up = state.hopeless(give_up)
        state.check_step_sizes(ends[0] if step == ends[0] else step - ends[ends.index(step) - 1])


def _fooled_at_the_end(probe: Probe, state: "SearchState", threat: Threat) -> Tensor:
    """Which images fp32 misclassifies at the last or the best iterate: bool, (B,). Low precision may miss a success.

    After a search in low precision, those that are close to a success get some more steps in fp32.
    """
    found = probe.fooled(state.x + state.delta, state.y) | probe.fooled(state.x + state.best, state.y)
    if probe.dtype is not None:
        found[~found] = _finish(probe, state.where(~found), threat)
    return found


def _finish(probe: Probe, state: "SearchState", threat: Threat) -> Tensor:
    """Which images of a search in low precision are misclassified after some steps in fp32: bool, (B,)."""
    close = (state.best_values > -CLOSE) & ~state.given_up
    found = torch.zeros_like(close)
    if bool(close.any()):
        near = state.where(close)
        with probe.exact():
            found[close], _ = fooled_by_apgd(
                probe, near.x, near.y, near.best, near.loss, threat, FINISH_STEPS, first_step=FINISH_STEP
            )
    return found
