"""What the dashboard announces: changes of status and alarms, since its first look at each run."""

from collections.abc import Iterator

from msgspec import Struct

from fastadv_tui.dashboard.snapshot import LiveRun, Snapshot
from fastadv_tui.history.row import Row
from fastadv_tui.history.row_names import name_among
from fastadv_tui.runs.state import RunState
from fastadv_tui.runs.status import KILLED


class Announcement(Struct, frozen=True):
    """A text for a toast. bad: whether the news are bad."""

    text: str
    bad: bool


class Announcer:
    """Remembers what was seen. What a first look finds is no news, since the list shows it."""

    def __init__(self) -> None:
        self._statuses: dict[str, str] = {}
        self._alarm_counts: dict[str, int] = {}
        self._rollback_counts: dict[str, int] = {}

    def news(self, snapshot: Snapshot) -> Iterator[Announcement]:
        """What has happened since the last snapshot."""
        for row in snapshot.rows:
            view = snapshot.views.get(row.id)
            if row.id in self._statuses and row.status != self._statuses[row.id]:
                yield from _status(row, name_among(row, snapshot.rows), view)
            alarms = view.state.alarms if view else []
            rollbacks = view.state.rollbacks if view else []
            for event in rollbacks[self._rollback_counts.get(row.id, len(rollbacks)) :]:
                text = f"rolled back to epoch {event.to_epoch:.4g}: {event.message}"
                yield Announcement(f"{name_among(row, snapshot.rows)}: {text}", bad=False)
            for alarm in alarms[self._alarm_counts.get(row.id, len(alarms)) :]:
                yield Announcement(f"{name_among(row, snapshot.rows)}: {alarm.message}", bad=True)
            if view:
                self._alarm_counts[row.id] = len(alarms)
                self._rollback_counts[row.id] = len(rollbacks)
            self._statuses[row.id] = row.status


def _status(row: Row, name: str, view: LiveRun | None) -> Iterator[Announcement]:
    if row.reason == KILLED and view:
        yield Announcement(f"{name} was killed {_loss(view.state)}", bad=False)
    elif row.status in ("failed", "lost"):
        yield Announcement(f"{name} {row.status}: {row.reason}", bad=True)
    elif row.status in ("done", "stopped"):
        hint = "; press R to resume it" * (row.status == "stopped")
        yield Announcement(f"{name} is {row.status}{hint}", bad=False)


def _loss(state: RunState) -> str:
    """Where a run was killed, and from where it can go on."""
    start = f"from epoch {state.saved_epochs:.2f}, its last checkpoint" if state.saved_epochs else "from its beginning"
    return f"at epoch {state.epochs:.2f}; press R to resume it {start}"
