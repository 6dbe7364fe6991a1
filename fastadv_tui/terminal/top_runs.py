"""The runs that `fastadv top` shows. A look at a live run reads only its new events."""

import math
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from engine.protocol.rundir import RunDir
from fastadv_tui.history.derive_row import row_as_now, row_of
from fastadv_tui.history.index import History
from fastadv_tui.history.row import Row
from fastadv_tui.history.store.file_version import FileVersion, file_version
from fastadv_tui.paths import history_path, runs_dir
from fastadv_tui.runs.find import run_ids
from fastadv_tui.runs.observe import Observation, RunObserver
from fastadv_tui.supervise.queue import RunQueue


class SeenRun(Struct, frozen=True):
    """A run with what its row does not have. seconds_left: of training; None if unknown. device: as in process.json."""

    row: Row
    seconds_left: float | None = None
    evaluated: float | None = None  # the part of the present evaluation that is done, in [0,1]
    device: str = ""


class TopRuns:
    """Live runs, and those that ended last."""

    def __init__(self, passes: Callable[[Row], bool] = lambda row: True) -> None:
        self._passes, self._queue = passes, RunQueue.of_home()
        self._rows: dict[str, Row] = {}
        self._observers: dict[str, RunObserver] = {}
        self._read: FileVersion | None = None  # of the history file that `_rows` was read from

    def look(self, ended: int) -> list[SeenRun]:
        """The running runs, then the queue in its order, then at most `ended` others, the last that ended first."""
        self._refresh()
        seen = [self._seen(row) for row in self._rows.values() if self._passes(row)]
        places = self._queue.places()
        live = sorted((run for run in seen if run.row.live), key=lambda run: _order(run.row, places))
        over = sorted((run for run in seen if not run.row.live), key=lambda run: run.row.ended or run.row.submitted)
        return [*live, *over[::-1][:ended]]

    def _refresh(self) -> None:
        """Read the history anew if somebody has written it: a run was resumed, tagged or deleted."""
        version = file_version(history_path())
        if version is None or version != self._read:
            history = History()
            self._take(history.rows())
            self._read = history.version
        for run_id in {*run_ids()} - self._rows.keys():
            self._rows[run_id] = row_of(RunDir(runs_dir() / run_id))

    def _take(self, rows: Iterable[Row]) -> None:
        self._rows = {row.id: row for row in rows}
        self._observers = {run_id: found for run_id, found in self._observers.items() if run_id in self._rows}

    def _seen(self, row: Row) -> SeenRun:
        if not row.live:
            self._observers.pop(row.id, None)
            return SeenRun(row)
        observer = self._observers.setdefault(row.id, RunObserver(RunDir(runs_dir() / row.id)))
        seen = observer.look()
        if not seen.status.live:
            self._rows[row.id] = row_of(observer.rundir, row)
            return SeenRun(self._rows[row.id])
        return SeenRun(
            _as_now(row, seen),
            seen.state.eta_seconds,
            seen.state.evaluated_fraction,
            seen.process.device if seen.process else "",
        )


def _as_now(row: Row, seen: Observation) -> Row:
    """The row with the progress that the events tell, and the present speed in place of the mean one."""
    newest, step = row_as_now(row, seen.state, seen.status), seen.state.last_step
    newest.images_per_second = step.images_per_second if step else 0.0
    return newest


def _order(row: Row, places: Mapping[str, int]) -> tuple[bool, float, float]:
    """Running runs in the order of their submission, then the queue in its order. places: in the queue, by id."""
    return row.status != "running", places.get(row.id, math.inf), row.submitted
