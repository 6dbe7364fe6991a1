"""Whole runs in this process, stopped at any of their stop checks."""

from engine.protocol import event_log
from engine.protocol.rundir import RunDir
from engine.protocol.stop import StopRequest
from engine.training.trainer import Training


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
