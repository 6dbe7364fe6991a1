"""What the dashboard shows at one moment: all runs, and the followed ones."""

from msgspec import Struct

from engine.protocol.rundir import RunDir
from fastadv_tui.history.row import Row
from fastadv_tui.runs.state import RunState
from fastadv_tui.runs.status import RunStatus


class LiveRun(Struct, frozen=True):
    """One run as it is now. `news` says whether two views are of the same moment: the state grows in place."""

    rundir: RunDir
    state: RunState
    news: tuple[int, int]  # events that were read, bytes of the log
    verdict: RunStatus
    place: int | None = None
    engine: int | None = None  # pid, while it runs here
    device: str = ""  # of the slot that it holds: `cpu` or a GPU's UUID


class Snapshot(Struct, frozen=True):
    """All runs, the last submitted first, and the followed ones by id; `loaded` once there was a look at them."""

    rows: list[Row]
    views: dict[str, LiveRun]
    notices: list[str] = []
    loaded: bool = False

    def count(self, *wanted: str) -> int:
        return sum(row.status in wanted for row in self.rows)

    def engines(self) -> dict[int, str]:
        """Names of the runs that train here, by the pid of their engine."""
        names = {row.id: row.name for row in self.rows}
        return {view.engine: names[run_id] for run_id, view in self.views.items() if view.engine and run_id in names}

    def devices(self) -> dict[str, list[str]]:
        """Names of the runs that train here, by the device whose slot they hold."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            view = self.views.get(row.id)
            if view and view.engine:
                found.setdefault(view.device, []).append(row.name)
        return found

    def row(self, run_id: str | None) -> Row | None:
        return next((row for row in self.rows if row.id == run_id), None)


EMPTY = Snapshot([], {})
