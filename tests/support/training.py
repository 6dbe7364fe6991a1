"""Whole runs in this process, stopped at any of their stop checks, on few images."""

from functools import cache
from pathlib import Path

from engine.data.memory import digits
from engine.data.memory.arrays import Arrays
from engine.protocol import event_log
from engine.protocol.rundir import RunDir
from engine.protocol.stop import StopRequest
from engine.training.trainer import Training

READ = digits.read


@cache
def few_digits() -> Arrays:
    """150 training and 60 test images."""
    whole = READ(Path())
    train, test = (whole.train_images[:150], whole.train_labels[:150]), (whole.test_images[:60], whole.test_labels[:60])
    return Arrays(*train, *test, True)


class StopAfter(StopRequest):
    """A request to stop that comes after `looks` stop checks; never if None."""

    def __init__(self, looks: int | None = None) -> None:
        self.looks, self.made = looks, 0

    def requested(self) -> bool:
        self.made += 1
        return self.looks is not None and self.made > self.looks


def train(rundir: RunDir, looks: int | None = None, attempt: int = 1) -> StopAfter:
    """Train a run in this process. Raises: Stopped."""
    stop = StopAfter(looks)
    with event_log.Writer(rundir.events) as writer:
        Training(rundir.submission().config, rundir, writer, stop).run(attempt)
    return stop
