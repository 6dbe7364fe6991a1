"""The data that the dashboard shows at one moment: the rows of all runs, and the state of the followed runs."""

from msgspec import Struct

from engine.protocol.rundir import RunDir
from fastadv_tui.history.row import Row
from fastadv_tui.runs.state import RunState
from fastadv_tui.runs.status import RunStatus


class LiveRun(Struct, frozen=True):
    """One run at one moment.

    Compare `version` to see whether the run has changed. Do not compare `state`, because it is one object that changes
    in place.
    """

    rundir: RunDir
    state: RunState
    version: tuple[int, int]  # number of state changes, size of the log in bytes
    verdict: RunStatus
    engine: int | None = None  # pid of the engine, while the run trains on this machine
    device: str = ""  # of the slot that the run holds: `cpu` or the UUID of a GPU


class Evaluation(Struct, frozen=True):
    """One evaluation of a run that is in the queue, under way, or has ended without a result.

    what: the attack and the sizes, in words. done: the part that is done, in [0,1]; None before it has begun.
    starting: what the evaluator does before it begins and at its end, in words; empty while it measures.
    """

    rundir: RunDir
    what: str
    status: RunStatus
    done: float | None = None
    starting: str = ""


class Snapshot(Struct, frozen=True):
    """The rows of all runs, newest first, and the followed runs by id.

    evaluations: by run id, the evaluations of each run, those under way first. news: what has happened, for the user.

    places: by id, the place of each run that waits in this host's queue, from 1. held_up: why no run of this queue
    starts; empty if runs start when slots are free. notices: warnings for the user. loaded: False only before the first
    refresh.
    """

    rows: list[Row]
    views: dict[str, LiveRun]
    places: dict[str, int] = {}
    held_up: str = ""
    notices: list[str] = []
    news: list[str] = []
    evaluations: dict[str, list[Evaluation]] = {}
    loaded: bool = False

    def count(self, *wanted: str) -> int:
        return sum(row.status in wanted for row in self.rows)

    def engines(self) -> dict[int, str]:
        """Names of the runs that train on this machine, by the pid of their engine."""
        names = {row.id: row.name for row in self.rows}
        return {view.engine: names[run_id] for run_id, view in self.views.items() if view.engine and run_id in names}

    def devices(self) -> dict[str, list[str]]:
        """Names of the runs that train on this machine, by the device whose slot they hold."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            view = self.views.get(row.id)
            if view and view.engine:
                found.setdefault(view.device, []).append(row.name)
        return found

    def evaluation(self, run_id: str | None) -> Evaluation | None:
        """The evaluation of a run that is under way or waits; None if there is none."""
        return next((each for each in self.evaluations.get(run_id or "", []) if each.status.live), None)

    def row(self, run_id: str | None) -> Row | None:
        return next((row for row in self.rows if row.id == run_id), None)


EMPTY = Snapshot([], {})
