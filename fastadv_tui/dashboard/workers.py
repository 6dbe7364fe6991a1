"""The two threads of the dashboard: one reads what runs write, one looks at the machine. Screens learn by messages."""

import threading
import time

from textual import work
from textual.app import App

from fastadv_tui.dashboard.messages import Refreshed, Sampled
from fastadv_tui.dashboard.monitor import RunMonitor
from fastadv_tui.dashboard.settings import Settings
from fastadv_tui.dashboard.snapshot import EMPTY, Snapshot
from fastadv_tui.hardware.sampler import Sampler
from fastadv_tui.text.sanitize import one_line

COMPLAIN = 10.0  # seconds that a toast says that the runs cannot be looked at, before the next one says it
SAMPLE, SAMPLE_IDLE = 1.0, 2.0  # seconds between looks at the machine, with a run training here and without


class DashboardWorkers(App[str]):
    """An app that is told `Refreshed` and `Sampled` from when `follow` and `sample` were called to its end."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.snapshot: Snapshot = EMPTY
        self.marked: set[str] = set()
        self.looked_at: set[str] = set()
        self._wake, self._leaving = threading.Event(), threading.Event()

    def on_unmount(self) -> None:
        self._leaving.set()
        self._wake.set()

    def look_now(self) -> None:
        """Something has happened to a run."""
        self._wake.set()

    def look_at(self, *run_ids: str) -> None:
        """Follow these runs, too, from now on."""
        self.looked_at = set(run_ids)
        self.look_now()

    @work(thread=True, exclusive=True, group="follow")
    def follow(self) -> None:
        book, told, complained = RunMonitor(), EMPTY, -COMPLAIN
        while not self._leaving.is_set():
            try:
                if (snapshot := book.refresh(self.looked_at | self.marked)) is not told:
                    told = snapshot
                    self.post_message(Refreshed(snapshot))
            except OSError as error:  # a network file system that is away, say: it may come back
                if time.monotonic() - complained > COMPLAIN:
                    complained = time.monotonic()
                    said = f"cannot look at the runs: {error}; what is shown is old, trying again"
                    self.notify(one_line(said), severity="error", timeout=COMPLAIN, markup=False)
            self._wake.wait(self.settings.refresh)
            self._wake.clear()

    @work(thread=True, exclusive=True, group="sample")
    def sample(self) -> None:
        sampler = Sampler()
        while not self._leaving.is_set():
            self.post_message(Sampled(sampler.sample(engines := self.snapshot.engines())))
            self._leaving.wait(SAMPLE if engines else SAMPLE_IDLE)
