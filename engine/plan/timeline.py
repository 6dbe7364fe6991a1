"""Which update belongs to which epoch and phase, and what it costs: for training, and for whoever shows it."""

import math
from collections.abc import Sequence

from msgspec import Struct

from engine.config.phases import Phase


class ScheduledPhase(Struct, frozen=True):
    """A phase as it is trained: its first update, updates in an epoch, operations (FLOPs) of an epoch.

    `phase` has its sizes filled in.
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
    """The stretches of a run, at least one. A step is a weight update; steps and epochs count from 0."""

    def __init__(self, stretches: Sequence[ScheduledPhase]) -> None:
        self.stretches = tuple(stretches)

    @classmethod
    def plan(cls, phases: Sequence[Phase], images: int, replays: int, flops: Sequence[int]) -> "Timeline":
        """images: of the training data; replays: updates on each minibatch; flops: of an epoch of each phase."""
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
        """The stretch of update number `step`; the last one after the end."""
        return next((s for s in reversed(self.stretches) if s.first_step <= step), self.stretches[0])

    def of_epoch(self, epoch: int) -> ScheduledPhase:
        return next((s for s in self.stretches if epoch < s.phase.end), self.stretches[-1])

    def first_step(self, epoch: int) -> int:
        """The first update of an epoch."""
        stretch = self.of_epoch(epoch)
        return stretch.first_step + (epoch - stretch.phase.begin) * stretch.steps_per_epoch

    def epochs_at(self, step: int) -> float:
        """Epochs done after `step` updates."""
        stretch = self.at(max(step - 1, 0))
        return stretch.phase.begin + (step - stretch.first_step) / max(stretch.steps_per_epoch, 1)

    def lr_at(self, step: int) -> float | None:
        """The learning rate of update number `step`, None where the phases leave it to the run's schedule."""
        stretch = self.at(step)
        if stretch.phase.lr is None:
            return None
        begin, end = stretch.phase.lr
        return begin + (end - begin) * min((step - stretch.first_step) / stretch.steps, 1.0)

    def work_left(self, step: int) -> float:
        """What remains after `step` updates, in updates as costly as the present ones."""
        now = self.at(step)
        if not now.flops:
            return float(self.total_steps - step)
        left = (max(s.first_step + s.steps - max(step, s.first_step), 0) * s.flops_per_step for s in self.stretches)
        return sum(left) / now.flops_per_step
