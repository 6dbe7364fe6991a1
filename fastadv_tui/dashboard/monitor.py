"""What a dashboard knows of all runs: rows of the history, and the followed state of those that are live or looked at.

Made for one thread; what it returns may be read by another one.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.snapshot import EMPTY, LiveRun, Snapshot
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.paths import history_path, runs_dir
from fastadv_tui.runs.observe import Observation, RunObserver
from fastadv_tui.supervise.queue import RunQueue

STALE = 20.0  # seconds after which a snapshot is made anew though nothing has happened
NEVER = -STALE


class RunMonitor:
    """Follows runs. `refresh` is cheap when nothing has happened."""

    def __init__(self) -> None:
        self._history = History()
        self._rows: dict[str, Row] = {}
        self._stamp: tuple[int, int] | None = None
        self._followed: dict[str, MonitoredRun] = {}
        self._snapshot = EMPTY
        self._moments: dict[str, Any] = {}
        self._made = 0.0

    def refresh(self, looked_at: Iterable[str]) -> Snapshot:
        """The present state of things; `looked_at` are the ids that somebody wants curves of, live or not.

        Returns the snapshot of before where nothing has happened, but for what is said of the time ("3 min ago").
        """
        self._history.notices = []  # those of a look that failed on its way will be said again
        if self._read_rows():
            self._made = NEVER
        live = {run_id for run_id, row in self._rows.items() if row.live}
        wanted = live | {run_id for run_id in looked_at if run_id in self._rows}
        self._followed = {
            run_id: self._followed.get(run_id) or MonitoredRun(RunDir(runs_dir() / run_id)) for run_id in sorted(wanted)
        }
        views = {run_id: followed.look() for run_id, followed in self._followed.items()}
        if _moments(views) == self._moments and time.monotonic() - self._made < STALE:
            return self._snapshot
        self._made = NEVER  # until it is: should this look fail on its way, the next one makes the snapshot
        for run_id in live:
            self._update_row(run_id, views[run_id])
        rows = sorted(self._rows.values(), key=lambda row: row.submitted, reverse=True)
        self._snapshot, self._moments = Snapshot(rows, views, self._history.notices, loaded=True), _moments(views)
        self._made = time.monotonic()
        return self._snapshot

    def _read_rows(self) -> bool:
        """Whether there was anything new to read."""
        stamp = (_stamp(history_path()), _stamp(runs_dir()))
        if stamp == self._stamp:
            return False
        self._rows = {row.id: row for row in self._history.sync()}
        self._stamp = (_stamp(history_path()), stamp[1])
        return True

    def _update_row(self, run_id: str, view: LiveRun) -> None:
        """A live row shows the newest figures; one that has ended is written down."""
        if not view.verdict.live:
            if view.rundir.path.exists():
                self._rows[run_id] = self._history.bring_up_to_date(view.rundir)
            return
        row, last = self._rows[run_id], view.state.last_accuracy
        row.status, row.reason, row.epochs = view.verdict.status, view.verdict.reason, view.state.epochs
        row.total_epochs = view.state.total_epochs or row.total_epochs
        if last is not None:
            row.clean, row.robust, row.attack = last.clean, last.robust, last.attack


class MonitoredRun:
    """One run's events and processes."""

    def __init__(self, rundir: RunDir) -> None:
        self.rundir = rundir
        self._observer = RunObserver(rundir)

    def look(self) -> LiveRun:
        seen = self._observer.look()
        place = RunQueue.of_home().place_of(self.rundir.id) if seen.status.status == "queued" else None
        news = self._observer.revision, _size(self.rundir.log)
        return LiveRun(self.rundir, seen.state, news, seen.status, place, *_engine(seen))


def _engine(seen: Observation) -> tuple[int | None, str]:
    """Pid and device of a run that trains here."""
    record, verdict = seen.process, seen.status
    here = verdict.status == "running" and not verdict.host
    return (record.engine.pid, record.device) if here and record and record.engine else (None, "")


def _moments(views: dict[str, LiveRun]) -> dict[str, Any]:
    return {run_id: (view.news, view.verdict, view.place, view.engine) for run_id, view in views.items()}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
