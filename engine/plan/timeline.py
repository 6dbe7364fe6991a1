"""Timeline: maps the weight updates of a run to epochs and phases, with learning rates and cost in FLOPs."""

import math
from collections.abc import Sequence

from msgspec import Struct

from engine.config.phases import Phase


class ScheduledPhase(Struct, frozen=True):
    """A phase with its place in the run. first_step: number of its first weight update, from 0.

    phase: with all sizes filled in. steps_per_epoch: weight updates in an epoch. flops: floating-point operations of an
    epoch.
    """

    phase: Phase
    first_step: int
    steps_per_epoch: int
    flops: int = 0

    @property
    def steps(self) -> int:
        return (self.phase.end - self.phase.begin) * self.steps_per_epoch

    @property
    def flops_per_step(self) -> float:
        return self.flops / max(self.steps_per_epoch, 1)


class Timeline:
    """The scheduled phases of a run. Steps (weight updates) and epochs count from 0.

    `stretches` lists the phases. It has at least one element.
    """

    def __init__(self, stretches: Sequence[ScheduledPhase]) -> None:
        self.stretches = tuple(stretches)

    @classmethod
    def plan(cls, phases: Sequence[Phase], images: int, replays: int, flops: Sequence[int]) -> "Timeline":
        """Schedule phases. images: training images; replays: updates on a minibatch; flops: per epoch of each phase."""
        stretches, step = [], 0
        for phase, cost in zip(phases, flops, strict=True):
            stretches.append(ScheduledPhase(phase, step, replays * math.ceil(images / phase.batch_size), cost))
            step += stretches[-1].steps
        return cls(stretches)

    @property
    def total_steps(self) -> int:
        last = self.stretches[-1]
        return last.first_step + last.steps

    @property
    def epochs(self) -> int:
        return self.stretches[-1].phase.end

    @property
    def flops(self) -> int:
        return sum(s.flops * (s.phase.end - s.phase.begin) for s in self.stretches)

    def at(self, step: int) -> ScheduledPhase:
        """The stretch of update number `step`, or the last stretch after the end."""
        return next((s for s in reversed(self.stretches) if s.first_step <= step), self.stretches[0])

    def of_epoch(self, epoch: int) -> ScheduledPhase:
        """The stretch of an epoch, or the last stretch after the end."""
        return next((s for s in self.stretches if epoch < s.phase.end), self.stretches[-1])

    def first_step(self, epoch: int) -> int:
        """The number of the first weight update of an epoch."""
        stretch = self.of_epoch(epoch)
        return stretch.first_step + (epoch - stretch.phase.begin) * stretch.steps_per_epoch

    def epochs_at(self, step: int) -> float:
        """The epochs done after `step` updates, as a fractional number."""
        stretch = self.at(max(step - 1, 0))
        return stretch.phase.begin + (step - stretch.first_step) / max(stretch.steps_per_epoch, 1)

    def lr_at(self, step: int) -> float | None:
        """The learning rate of update number `step`, or None if the phases leave it to the schedule of the run."""
        stretch = self.at(step)
        if stretch.phase.lr is None:
            return None
        begin, end = stretch.phase.lr
        return begin + (end - begin) * min((step - stretch.first_step) / stretch.steps, 1.0)

    def work_left(self, step: int) -> float:
        """The work left after `step` updates, as a number of updates of the present phase's cost."""
        now = self.at(step)
        if not now.flops:
            return float(self.total_steps - step)
        left = (max(s.first_step + s.steps - max(step, s.first_step), 0) * s.flops_per_step for s in self.stretches)
        return sum(left) / now.flops_per_step
