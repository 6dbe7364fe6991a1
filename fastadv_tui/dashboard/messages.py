"""The messages that threads of the dashboard send to the app."""

from typing import TYPE_CHECKING

from textual.message import Message

from fastadv_tui.dashboard.snapshot import Snapshot
from fastadv_tui.hardware.sampler import Sample

if TYPE_CHECKING:
    from fastadv_tui.launch.start_runs import StartedRuns  # loaded when runs are submitted


class Refreshed(Message):
    """There is a new snapshot of the runs."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot


class Sampled(Message):
    """There is a new sample of the machine: CPU, memory and GPUs."""

    def __init__(self, sample: Sample) -> None:
        super().__init__()
        self.sample = sample


class RunsSubmitted(Message):
    """The user has submitted runs."""

    def __init__(self, started: "StartedRuns") -> None:
        super().__init__()
        self.started = started
