"""Makes the snapshots of the dashboard: the rows of all runs, and the state of those that are followed.

Only one thread may use a monitor. Other threads may read the snapshots.
"""

import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.protocol.rundir import RunDir
from fastadv_tui.dashboard.evaluation_monitor import EvaluationMonitor
from fastadv_tui.dashboard.snapshot import EMPTY, LiveRun, Snapshot
from fastadv_tui.history.derive_row import row_as_now
from fastadv_tui.history.evaluations import short_text
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.history.row_names import name_among
from fastadv_tui.history.store.file_version import FileVersion, file_version
from fastadv_tui.paths import history_path, runs_dir
from fastadv_tui.runs.observe import Observation, RunObserver, held_up
from fastadv_tui.supervise.keeper import revive
from fastadv_tui.supervise.queue import RunQueue

MAX_AGE = 20.0  # seconds; an older snapshot is made anew though nothing has changed
OUTDATED = -MAX_AGE  # time of a snapshot that must be made anew


class RunMonitor:
    """Follows runs. A `refresh` is cheap when nothing has changed."""

    def __init__(self) -> None:
        self._history, self._queue = History(), RunQueue.of_home()
        self._rows: dict[str, Row] = {}
        self._read: tuple[FileVersion | None, FileVersion | None] | None = None  # what `_rows` was read from
        self._followed: dict[str, MonitoredRun] = {}
        self._evaluations = EvaluationMonitor()
        self._snapshot = EMPTY
        self._versions: Any = None
        self._done: Counter[str] = Counter()  # by run: results of evaluations that have ended, for the next snapshot
        self._made_at = 0.0

    def refresh(self, looked_at: Iterable[str]) -> Snapshot:
        """The current snapshot. looked_at: ids of the runs whose curves are needed, even if the run is not live.

        Returns the previous snapshot if nothing has changed since. After MAX_AGE it is made anew all the same, because
        texts such as "3 min ago" change with time.
        """
        self._history.notices = []  # those of a refresh that failed; this refresh makes them again
        if done := self._evaluations.take_done():
            self._done += done
            self._read = None  # the history reads their results
        if self._read_rows():
            self._made_at = OUTDATED
        places = self._queue.places()
        evaluations = self._evaluations.look()
        live = {run_id for run_id, row in self._rows.items() if row.live and not _waits(row, places)}
        wanted = live | {run_id for run_id in looked_at if run_id in self._rows}
        self._followed = {
            run_id: self._followed.get(run_id) or MonitoredRun(RunDir(runs_dir() / run_id)) for run_id in sorted(wanted)
        }
        views = {run_id: followed.look() for run_id, followed in self._followed.items()}
        held = held_up(self._queue, young=False) if places else ""
        versions = (_versions(views), places, held, evaluations)
        if versions == self._versions and time.monotonic() - self._made_at < MAX_AGE:
            return self._snapshot
        self._made_at = OUTDATED  # if this refresh fails below, the next one makes the snapshot
        for run_id in live:
            self._update_row(run_id, views[run_id])
        rows = sorted(self._rows.values(), key=lambda row: row.submitted, reverse=True)
        told = self._history.notices, self._news()
        self._snapshot = Snapshot(rows, views, places, held, *told, evaluations, loaded=True)
        self._versions = versions
        self._made_at = time.monotonic()
        return self._snapshot

    def _news(self) -> list[str]:
        """What to tell the user of evaluations that are done since the last snapshot."""
        found, self._done = self._done, Counter()
        texts = []
        for run_id, count in found.items():
            if row := self._rows.get(run_id):
                results = ", ".join(short_text(record) for record in row.evaluations[-count:])
                texts.append(f"{name_among(row, self._rows.values())}: evaluated, {results}")
        return texts

    def revive_queue(self) -> None:
        """Start a keeper of the queue if runs wait and none is alive. Raises: OSError."""
        revive(self._queue)

    def _read_rows(self) -> bool:
        """Read the rows if the history file or the folder of runs has changed. Returns whether rows were read."""
        versions = file_version(history_path()), file_version(runs_dir())
        if versions == self._read:
            return False
        self._rows = {row.id: row for row in self._history.sync()}
        self._read = self._history.version, versions[1]
        return True

    def _update_row(self, run_id: str, view: LiveRun) -> None:
        """Replace the row of a live run by one with the newest figures, or record a run that has ended."""
        if not view.verdict.live:
            if view.rundir.path.exists():
                self._rows[run_id] = self._history.bring_up_to_date(view.rundir)
            return
        self._rows[run_id] = row_as_now(self._rows[run_id], view.state, view.verdict)


class MonitoredRun:
    """Reads the events and the processes of one run."""

    def __init__(self, rundir: RunDir) -> None:
        self.rundir = rundir
        self._observer = RunObserver(rundir)

    def look(self) -> LiveRun:
        seen = self._observer.look()
        version = self._observer.revision, _size(self.rundir.log)
        return LiveRun(self.rundir, seen.state, version, seen.status, *_engine(seen))


def _waits(row: Row, places: dict[str, int]) -> bool:
    """Whether a run waits in the queue as its row says. Such runs, maybe thousands, are not followed."""
    return row.status == "queued" and row.id in places


def _engine(seen: Observation) -> tuple[int | None, str]:
    """Pid of the engine and device of a run that trains on this machine; (None, "") for any other run."""
    record, verdict = seen.process, seen.status
    here = verdict.status == "running" and not verdict.host
    return (record.engine.pid, record.device) if here and record and record.engine else (None, "")


def _versions(views: dict[str, LiveRun]) -> dict[str, Any]:
    return {run_id: (view.version, view.verdict, view.engine) for run_id, view in views.items()}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
