"""What the workers of the dashboard tell it."""

from textual.message import Message

from fastadv_tui.dashboard.snapshot import Snapshot
from fastadv_tui.hardware.sampler import Sample


class Refreshed(Message):
    """The runs were looked at again."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot


class Sampled(Message):
    """The machine was looked at again."""

    def __init__(self, sample: Sample) -> None:
        super().__init__()
        self.sample = sample
