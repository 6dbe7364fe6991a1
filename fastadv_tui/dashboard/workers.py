"""The two threads of the dashboard: one reads the runs, one samples the machine. Both send messages to the app."""

import threading
import time

from textual import work
from textual.app import App

from fastadv_tui.dashboard.marks import Marks
from fastadv_tui.dashboard.messages import Refreshed, Sampled
from fastadv_tui.dashboard.monitor import RunMonitor
from fastadv_tui.dashboard.settings import Settings
from fastadv_tui.dashboard.snapshot import EMPTY, Snapshot
from fastadv_tui.hardware.sample_history import SampleHistory
from fastadv_tui.hardware.sampler import Sampler
from fastadv_tui.text.sanitize import one_line

ERROR_SECONDS = 10.0  # how long a toast about unreadable runs stays, and the least time between two
SAMPLE, SAMPLE_IDLE = 1.0, 2.0  # seconds between samples of the machine, while a run trains on it and otherwise


class DashboardWorkers(App[str]):
    """An app with two workers, `follow` and `sample`, which send `Refreshed` and `Sampled` until the app ends.

    marked: the runs that the user marked. looked_at: ids of the runs on the screen, followed even if not live.
    """

    def __init__(self, settings: Settings, readonly: bool) -> None:
        super().__init__()
        self.settings, self.readonly = settings, readonly
        self.snapshot: Snapshot = EMPTY
        self.samples = SampleHistory()
        self.marked = Marks()
        self.looked_at: set[str] = set()
        self._wake, self._leaving = threading.Event(), threading.Event()

    def on_unmount(self) -> None:
        self._leaving.set()
        self._wake.set()

    def refresh_now(self) -> None:
        """Read the runs at once, after an action that changed one."""
        self._wake.set()

    def look_at(self, *run_ids: str) -> None:
        """Follow these runs in addition to the live and the marked ones, in place of those of the last call."""
        self.looked_at = set(run_ids)
        self.refresh_now()

    @work(thread=True, exclusive=True, group="follow")
    def follow(self) -> None:
        monitor, sent, reported = RunMonitor(), EMPTY, -ERROR_SECONDS
        while not self._leaving.is_set():
            try:
                if not self.readonly:
                    monitor.revive_queue()
                if (snapshot := monitor.refresh(self.looked_at.union(self.marked))) is not sent:
                    sent = snapshot
                    self.post_message(Refreshed(snapshot))
            except OSError as error:  # may pass, as when a network file system is away for a while
                if time.monotonic() - reported > ERROR_SECONDS:
                    reported = time.monotonic()
                    problem = f"cannot read the runs: {error}; the screen shows old data until a retry succeeds"
                    self.notify(one_line(problem), severity="error", timeout=ERROR_SECONDS, markup=False)
            self._wake.wait(self.settings.refresh)
            self._wake.clear()

    @work(thread=True, exclusive=True, group="sample")
    def sample(self) -> None:
        sampler = Sampler()
        while not self._leaving.is_set():
            self.post_message(Sampled(sampler.sample(engines := self.snapshot.engines())))
            self._leaving.wait(SAMPLE if engines else SAMPLE_IDLE)
